"""The command line as people write it, in the form in which Hydra takes it.

Hydra wants its own options before all overrides, quotes around paths with ``=``, ``~``, brackets or
spaces, and files for all choices. Here options move to the front, paths are quoted, and patterns
over a group match what can be chosen by its name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Quote, QuotedString
from hydra.errors import HydraException

from relutopo.errors import InputError

__all__ = ["for_hydra"]

_WITH_VALUE = (
    "--package", "-p", "--config-path", "-cp", "--config-name", "-cn", "--config-dir", "-cd",
    "--cfg", "-c", "--info", "-i", "--experimental-rerun",
)  # fmt: skip
_MULTIRUN = ("--multirun", "-m")
_COMPLETION = ("--shell-completion", "-sc")
_TEXTS = ("network.path", "network.key", "data.path", "checkpoints", "training_dir")
"""Keys whose value is text, whatever it looks like."""
_UNQUOTED = re.compile(r"""['"\[]|\$\{|(null|\?\?\?)$|(choice|range|glob|interval|tag|sort)\(""")
"""How values begin that are written in Hydra's own grammar."""


def for_hydra(arguments: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the arguments of a command line as Hydra takes them.

    Parameters
    ----------
    arguments : sequence of str
        Without the name of the program.
    groups : mapping of str to sequence of str
        What can be chosen in each group.

    Raises
    ------
    InputError
        If what is asked for lacks a part, or a pattern over a group matches nothing.

    Examples
    --------
    >>> for_hydra(["seed=0", "--multirun", "checkpoints=runs/epoch=3.ckpt"], {})
    ['--multirun', 'seed=0', "checkpoints='runs/epoch=3.ckpt'"]
    """
    options, overrides = _parted(arguments)
    if any(option in _COMPLETION for option in options):
        _check_completion(overrides)
        return [*options, *overrides]
    is_sweep = any(option in _MULTIRUN for option in options)
    return [
        *options,
        *(_matched(_quoted(override, is_sweep), groups) for override in overrides),
    ]


def _parted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    options: list[str] = []
    overrides: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if not argument.startswith("-"):
            overrides.append(argument)
            continue
        options.append(argument)
        if argument in _WITH_VALUE:
            options.extend(value for value in [next(waiting, None)] if value is not None)
    return options, overrides


def _check_completion(overrides: Sequence[str]) -> None:
    asked = [o.partition("=")[0] for o in overrides]
    if not set(asked) & {"install", "uninstall", "query"}:
        raise InputError(
            "`--shell-completion` must be told what to do, got nothing; install it in this shell "
            'by: eval "$(relutopo --shell-completion install=bash)", or =zsh, =fish'
        )


def _quoted(override: str, is_sweep: bool) -> str:
    """Return an override whose value is text in quotes, unless it is in Hydra's own grammar."""
    key, equals, value = override.partition("=")
    if key.lstrip("+") not in _TEXTS or not equals or not value or _UNQUOTED.match(value):
        return override
    values = value.split(",") if is_sweep else [value]
    quoted = (QuotedString(os.path.expanduser(v), Quote.single).with_quotes() for v in values)
    return f"{key}={','.join(quoted)}"


def _matched(override: str, groups: Mapping[str, Sequence[str]]) -> str:
    """Return a pattern over a group as the names that it matches and that stand for themselves."""
    group, equals, value = override.partition("=")
    if group not in groups or not equals or "glob(" not in value:
        return override
    try:
        pattern: object = OverridesParser.create().parse_override(override).value()
    except HydraException:
        return override  # Hydra will say what is wrong
    if not isinstance(pattern, Glob):
        return override
    names = pattern.filter([name for name in groups[group] if name != "other"])
    if not names:
        raise InputError(
            f"`{group}` must match a choice, got {value}; the choices are "
            f"{', '.join(groups[group])}"
        )
    return f"{group}={','.join(names)}"
