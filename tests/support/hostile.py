"""Hostile files: each kind by its name, made on the spot, none of them from anywhere.

Every function returns members of one kind. Whoever reads them must refuse each with an error of
relutopo's own, soon, with little memory, and without executing or writing anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["Member", "json_files", "names", "records", "special_files", "yaml_files"]

Member = tuple[str, bytes]
"""A name, and the content of a file."""


def names() -> dict[str, str]:
    """Names that must not become parts of paths."""
    return {
        "absolute": "/tmp/relutopo-was-here",
        "above": "../../../../../../tmp/relutopo-was-here",
        "above, late": "a/../../../../../../../../tmp/relutopo-was-here",
        "a folder": "a/b",
        "Windows, above": "..\\..\\relutopo-was-here",
        "Windows, a drive": "C:\\relutopo-was-here",
        "a device": "CON",
        "a device with an ending": "nul.txt",
        "nothing": "",
        "a dot": ".",
        "two dots": "..",
        "NUL": "a\0b",
        "long": "m" * 5000,
        "a stream": "file.txt:stream",
        "steers a terminal": "\x1b[2J\x1b]0;pwned\x07",
        "markup": "[/italic][link=file:///etc]x",
        "a formula": "$\\frac{$",
        "right to left": "\u202egnp.exe",
        "lines": "a\nb",
        "a home": "~/x",
        "a column": "status",
        "a column of seconds": "seconds_training",
    }


def json_files() -> Iterator[Member]:
    """What is no record in JSON, whatever its names."""
    yield "nothing", b""
    yield "half", b'{"finished": '
    yield "a list", b"[1, 2]"
    yield "a number", b"3"
    yield "null", b"null"
    yield "text", b'"done"'
    yield "NaN", b"NaN"
    yield "deep lists", b"[" * 100_000 + b"]" * 100_000
    yield "lists a little too deep", b'{"x": ' + b"[" * 70 + b"]" * 70 + b"}"
    yield "deep mappings", b'{"a": ' * 50_000 + b"1" + b"}" * 50_000
    yield "no UTF-8", b'{"finished": "\xff\xfe"}'
    yield "UTF-16", '{"finished": "now"}'.encode("utf-16")
    yield "half a character", b'{"finished": "\\ud800"}'
    yield "huge integer", b'{"finished": ' + b"9" * 5000 + b"}"
    yield "integer beyond floats", b'{"finished": ' + b"9" * 400 + b"}"
    yield "an empty mapping", b"{}"
    yield "zeros", bytes(1000)
    yield "a pickle", b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0ctouch pwned!\x85R."


def records(good: Mapping[str, Any]) -> Iterator[Member]:
    """What a record becomes when one entry is damaged, another is added, or one is missing."""
    for key in good:
        rest = {name: value for name, value in good.items() if name != key}
        yield f"no {key}", json.dumps(rest).encode()
        wrong: Any
        for wrong in (None, 7, [[]], {"a": {"b": 1}}, {"": None}, [{"x": 1}], True):
            if type(wrong) is type(good[key]) and not wrong:
                continue
            if (type(good[key]), type(wrong)) in ((str, str), (int, int)):
                continue
            yield f"{key} {wrong!r}", json.dumps({**good, key: wrong}).encode()
        text = json.dumps(good)
        yield f"{key} twice", (text[:-1] + f", {json.dumps(key)}: null}}").encode()
    yield "one more", json.dumps({**good, "__class__": "os.system"}).encode()


def special_files() -> dict[str, Callable[[Path], None]]:
    """What stands in the place of a file and is none, or of another's."""

    def missing(path: Path) -> None:
        path.symlink_to(path.parent / "nowhere")

    def itself(path: Path) -> None:
        path.symlink_to(path)

    return {
        "a folder": lambda path: path.mkdir(),
        "a pipe": lambda path: os.mkfifo(path),
        "endless zeros": lambda path: path.symlink_to("/dev/zero"),
        "a terminal": lambda path: path.symlink_to("/dev/tty"),
        "another's file": lambda path: path.symlink_to("/etc/passwd"),
        "a link to nothing": missing,
        "a link to itself": itself,
    }


def yaml_files() -> Iterator[Member]:
    """Configurations that nobody should read."""
    laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for one, next_ in zip("abcdefghi", "bcdefghij", strict=True):
        laughs += f"{next_}: &{next_} [{', '.join([f'*{one}'] * 10)}]\n"
    yield "a billion laughs", laughs.encode()
    yield (
        "merged laughs",
        b"a: &a {x: 1}\n"
        + b"".join(
            b"b%d: &b%d {<<: *a, y: [%s]}\n"
            % (i, i, b", ".join([b"*b%d" % (i - 1) if i else b"*a"] * 20))
            for i in range(8)
        ),
    )
    yield "an alias of what it is in", b"a: &a [*a]\n"
    yield "deep lists", b"a: " + b"[" * 5000 + b"]" * 5000
    yield "deep mappings", b"".join(b" " * i + b"a:\n" for i in range(500))
    yield "a call", b"seed: !!python/object/apply:os.system ['touch pwned']\n"
    yield "a name", b"seed: !!python/name:os.system\n"
    yield "a module", b"seed: !!python/module:this\n"
    yield "a tag of one's own", b"seed: !mine {a: 1}\n"
    yield "half", b"seed: [1, 2\n"
    yield "no UTF-8", b"seed: \xff\xfe\n"
    yield "zeros", bytes(100)
    yield "large", b"a: " + b"x" * (2 * 2**20)
