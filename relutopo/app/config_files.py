"""Configuration files of others: looked through before Hydra reads them.

Hydra reads whole folders of YAML that the command line names. YAML can name classes to make,
repeat a part by aliases until it fills the memory, and be nested without end; relutopo's own
configurations do none of it.

Invariant: this reads events one by one, which builds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from relutopo.errors import InputError
from relutopo.system.untrusted import printable, read_text

__all__ = ["check_config_file", "refuse_hostile_configs"]

_MOST_BYTES = 2**20
_MOST_NODES = 100_000
_MOST_DEPTH = 60
_OPTIONS = re.compile(
    r"(?:--config-d(?:ir?)?|-cd|--config-p(?:a(?:th?)?)?|-cp)(?:=(.*))?", re.DOTALL
)
_SEARCH_PATH = re.compile(r"\+{0,2}hydra\.searchpath=(.*)", re.DOTALL)
_REMEDY = "name a folder of your own configuration"


def refuse_hostile_configs(arguments: Sequence[str]) -> None:
    """Raise an `InputError` for a configuration that harms whoever reads it.

    Parameters
    ----------
    arguments : sequence of str
        The command line. Looked through are the folders that it adds to Hydra's search path.

    Examples
    --------
    >>> refuse_hostile_configs(["--config-dir", "no such folder", "seed=1"])
    """
    for argument in arguments:
        if argument.startswith("--e"):  # Hydra takes beginnings of its options as well
            if argument.partition("=")[0] == "--experiment":
                raise InputError(
                    "'--experiment' makes Hydra execute what a file of an earlier run holds; write "
                    "experiment=<name>, without dashes"
                )
            raise InputError(
                f"{argument.partition('=')[0]!r} makes Hydra execute what a file of an earlier run "
                "holds; give the command of that run again, it goes on from there"
            )
    for folder in _folders(arguments):
        for path in folder.rglob("*.yaml"):
            check_config_file(path)


def _folders(arguments: Sequence[str]) -> Iterator[Path]:
    for i, argument in enumerate(arguments):
        option, path = _OPTIONS.fullmatch(argument), _SEARCH_PATH.fullmatch(argument)
        if option is not None:
            named = [option[1] if option[1] is not None else "".join(arguments[i + 1 : i + 2])]
        elif path is not None:
            named = re.split(r"[\s,\[\]'\"]+", path[1])
        else:
            continue
        for name in named:
            name = name.removeprefix("file://")
            if name and "://" not in name and Path(name).is_dir():
                yield Path(name)


def check_config_file(path: Path) -> None:
    """Raise an `InputError` for a file of YAML that Hydra cannot read without harm.

    Parameters
    ----------
    path : Path

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "own.yaml"
    >>> _ = path.write_text("seed: !!python/object/apply:os.getpid []")
    >>> check_config_file(path)
    Traceback (most recent call last):
    relutopo.errors.InputError: '...own.yaml' must be a configuration, but it has the tag ...
    """
    what = "a configuration"
    text = read_text(path, what, _REMEDY)
    reason = f"it is larger than {_MOST_BYTES} bytes" if len(text) > _MOST_BYTES else ""
    if not reason:
        try:
            reason = _harm(text)
        except yaml.YAMLError as error:
            reason = " ".join(str(error).split())
    if reason:
        name = printable(str(path))
        raise InputError(f"{name!r} must be {what}, but {printable(reason)}; {_REMEDY}")


def _harm(text: str) -> str:
    """Return what is wrong with a document; nothing if that is nothing."""
    sizes: dict[str, int] = {}  # of what has an anchor, with all aliases within written out
    # For each mapping or list that is open: its anchor, and its size so far.
    open_nodes: list[tuple[str | None, int]] = [(None, 0)]
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        size, closes = 0, False
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                return f"it has the alias {event.anchor[:60]!r} of nothing, or of what it is in"
            size = sizes[event.anchor]
        elif isinstance(event, yaml.NodeEvent):
            tag = getattr(event, "tag", None)
            if tag is not None and not tag.startswith("tag:yaml.org,2002:"):
                return f"it has the tag {tag[:60]!r}"
            if tag is not None and tag.startswith("tag:yaml.org,2002:python"):
                return f"it has the tag {tag[:60]!r}, which makes objects of Python"
            size = 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, 1))
                if len(open_nodes) > _MOST_DEPTH:
                    return "it is nested too deeply"
                continue
            if event.anchor is not None:
                sizes[event.anchor] = size
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            closes = True
            if anchor is not None:
                sizes[anchor] = size
        if size or closes:
            anchor, before = open_nodes.pop()
            open_nodes.append((anchor, before + size))
            if before + size > _MOST_NODES:
                return "it has too many entries, its aliases written out"
    return ""
