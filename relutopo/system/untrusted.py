"""Files from others: read without trust in their size, kind, names or content.

Invariants: nothing in a file is executed; anything but a regular file, such as a pipe or a device,
is refused before it is read; nothing is read beyond a limit; a name in a file becomes part of a
path only if `is_plain_name` allows it; returned content has the form that was asked for.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from relutopo.errors import InputError

__all__ = [
    "PLAIN",
    "is_plain_name",
    "open_regular",
    "printable",
    "read_json",
    "read_text",
    "refuse_detours",
]

PLAIN = object()
"""The form of any JSON content."""
_MOST_BYTES = 64 * 2**20
_MOST_DEPTH = 60
_MOST_NAME = 100
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
"""Names that are devices on Windows, whatever follows the dot."""
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def is_plain_name(name: str) -> bool:
    """Tell whether a name can be part of a file's name on every system, and of no other path.

    Examples
    --------
    >>> is_plain_name("weighted_agreement"), is_plain_name("../x"), is_plain_name("con")
    (True, False, False)
    """
    return (
        len(name) <= _MOST_NAME
        and _PLAIN_NAME.fullmatch(name) is not None
        and _DEVICES.match(name) is None
        and not name.endswith(".")
    )


def printable(text: str) -> str:
    r"""Return text with terminal control characters, and those that cannot be written, escaped.

    Examples
    --------
    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return _UNPRINTABLE.sub(lambda match: ascii(match[0])[1:-1], text)


def open_regular(path: str | os.PathLike[str]) -> BinaryIO:
    """Open a regular file for reading, without ever waiting.

    Raises
    ------
    InputError
        If it is a folder, a pipe, a device or a socket.
    OSError
        If it cannot be opened.

    Examples
    --------
    >>> open_regular(os.devnull)
    Traceback (most recent call last):
    relutopo.errors.InputError: '/dev/null' must be a regular file, got a device, ...
    """
    # Without O_NONBLOCK, opening a pipe would wait for a writer.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    kind = _kind(os.fstat(descriptor).st_mode)
    if kind:
        os.close(descriptor)
        name = printable(os.fspath(path))
        raise InputError(f"{name!r} must be a regular file, got {kind}; put the file itself there")
    return os.fdopen(descriptor, "rb")


def _kind(mode: int) -> str:
    """Return the kind of anything but a regular file in words; an empty text for a regular file."""
    if stat.S_ISREG(mode):
        return ""
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFLNK: "a link"}
    return kinds.get(stat.S_IFMT(mode), "a device, or a socket")


def read_text(path: str | os.PathLike[str], what: str, remedy: str) -> str:
    """Return the text of a file.

    Parameters
    ----------
    path : path-like
    what : str
        What the file must be, for the message.
    remedy : str
        What to do about it, for the end of the message.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read, is larger than 64 MiB, or is not UTF-8.
    """
    try:
        with open_regular(path) as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            _refuse(path, what, f"it is larger than {_MOST_BYTES // 2**20} MiB", remedy)
        return content.decode()
    except (OSError, UnicodeDecodeError) as error:
        _refuse(path, what, str(error), remedy, error)


def read_json(path: str | os.PathLike[str], form: Any, what: str, remedy: str) -> Any:
    """Return the content of a JSON file that has a form.

    Parameters
    ----------
    path : path-like
    form : object
        `PLAIN` for anything; `str`, `int`, `bool`, None; `float` for any number, NaN and infinity
        included; a tuple of forms for one of them; a list with one form for a list of entries of
        that form; a mapping from `str` to a form for a mapping with any names; any other mapping
        for one with exactly these names.
    what, remedy : str
        See `read_text`.

    Raises
    ------
    InputError
        If it cannot be read, is not JSON, is nested deeper than 60 levels, has a name twice in one
        mapping or a number beyond the range of floats, or has another form.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "done.json"
    >>> _ = path.write_text('{"seconds": {"training": 3}}')
    >>> read_json(path, {"seconds": {str: float}}, "a record", "delete it")
    {'seconds': {'training': 3}}
    >>> read_json(path, [float], "a record", "delete it")
    Traceback (most recent call last):
    relutopo.errors.InputError: '...done.json' must be a record, but it cannot be read (it ...
    """
    text = read_text(path, what, remedy)
    try:
        content = json.loads(text, object_pairs_hook=_without_repetition)
        _check_plain(content)
        _check_form(content, form, "it")
    except RecursionError as error:
        _refuse(path, what, "it is nested too deeply", remedy, error)
    except ValueError as error:
        _refuse(path, what, str(error), remedy, error)
    return content


def _refuse(
    path: str | os.PathLike[str],
    what: str,
    reason: str,
    remedy: str,
    cause: BaseException | None = None,
) -> NoReturn:
    name = printable(str(path))
    raise InputError(
        f"{name!r} must be {what}, but it cannot be read ({printable(reason)}); {remedy}"
    ) from cause


def _without_repetition(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in found if names.count(name) > 1)
        raise ValueError(f"it has {_shown(twice)} twice")
    return found


def _check_plain(content: Any) -> None:
    """Raise a ValueError for content nested too deeply, or that cannot be written or computed with.

    It is not recursive, so that no depth of nesting exhausts the stack.
    """
    level: list[Any] = [content]
    for _ in range(_MOST_DEPTH):
        if not level:
            return
        deeper: list[Any] = []
        for value in level:
            if isinstance(value, dict):
                deeper += value
                deeper += value.values()
            elif isinstance(value, list):
                deeper += value
            elif isinstance(value, str):
                value.encode()  # fails for lone surrogates, which JSON can contain
            elif isinstance(value, int):
                _check_range(value)
        level = deeper
    raise ValueError("it is nested too deeply")


def _check_range(value: int) -> None:
    try:
        float(value)
    except OverflowError:
        raise ValueError("a number in it is beyond the range of floats") from None


def _check_form(content: Any, form: Any, path: str) -> None:
    """Raise a ValueError for content of another form."""
    if form is PLAIN:
        return
    if isinstance(form, tuple):
        if not any(_has_form(content, one, path) for one in form):
            raise ValueError(f"{path} must be {_named(form)}, got {_shown(content)}")
    elif isinstance(form, list):
        if not isinstance(content, list):
            raise ValueError(f"{path} must be {_named(form)}, got {_shown(content)}")
        for i, entry in enumerate(content):
            _check_form(entry, form[0], f"{path}[{i}]")
    elif isinstance(form, Mapping):
        if not isinstance(content, dict):
            raise ValueError(f"{path} must be {_named(form)}, got {_shown(content)}")
        if str not in form and content.keys() != form.keys():
            names = ", ".join(form)
            raise ValueError(f"{path} must have {names}, got {_shown(', '.join(content))}")
        for name, entry in content.items():
            _check_form(entry, form[str] if str in form else form[name], f"{path}.{name}")
    elif not _is_value(content, form):
        raise ValueError(f"{path} must be {_named(form)}, got {_shown(content)}")


def _has_form(content: Any, form: Any, path: str) -> bool:
    try:
        _check_form(content, form, path)
    except ValueError:
        return False
    return True


def _is_value(content: Any, form: Any) -> bool:
    if form is None:
        return content is None
    if form is float:
        return isinstance(content, (int, float)) and not isinstance(content, bool)
    return isinstance(content, form) and (form is bool or not isinstance(content, bool))


def _named(form: Any) -> str:
    """Return a form in words.

    Examples
    --------
    >>> _named({str: float}), _named((None, [str]))
    ('a mapping', 'null or a list')
    """
    if isinstance(form, tuple):
        return " or ".join(map(_named, form))
    if isinstance(form, (list, Mapping)):
        return "a list" if isinstance(form, list) else "a mapping"
    words = {str: "text", int: "an integer", float: "a number", bool: "true or false"}
    return words.get(form, "null")


def _shown(content: Any) -> str:
    text = content if isinstance(content, str) else type(content).__name__
    return f"{text[:60]!r}{'...' if len(text) > 60 else ''}" if isinstance(content, str) else text


def refuse_detours(directory: str | os.PathLike[str], *, below: Iterable[str] = ("",)) -> None:
    """Refuse a folder through which writing could end up elsewhere, or wait for ever.

    Parameters
    ----------
    directory : path-like
        It need not exist.
    below : iterable of str
        The subfolders to examine; ``""`` is the folder itself, and ``"**"`` means all.

    Raises
    ------
    InputError
        If a link in one of them leads out of the folder, or there is a pipe or a device.

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "figures").symlink_to("/tmp")
    >>> refuse_detours(folder)
    Traceback (most recent call last):
    relutopo.errors.InputError: ...figures' must be a file or a folder, got a link that leads ...
    """
    root = Path(directory)
    if not root.is_dir():
        return
    home = root.resolve()
    looked = list(below)
    folders = [root] if "**" in looked else [root / name for name in looked]
    while folders:
        folder = folders.pop()
        if not folder.is_dir():
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                reason = _detour(entry, home)
                if reason:
                    raise InputError(
                        f"{printable(entry.path)!r} must be a file or a folder, got {reason}; "
                        "remove it, or work in another folder"
                    )
                if "**" in looked and entry.is_dir(follow_symlinks=False):
                    folders.append(Path(entry.path))


def _detour(entry: os.DirEntry[str], home: Path) -> str:
    if entry.is_symlink():
        try:
            target = Path(entry.path).resolve()
        except (OSError, RuntimeError):
            return "a link to itself"
        return "" if target.is_relative_to(home) else "a link that leads out of the folder"
    if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False):
        return ""
    return _kind(entry.stat(follow_symlinks=False).st_mode)
