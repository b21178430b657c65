"""Text of reports: numbers, counts, sorting, and warnings that all analyses share."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from relutopo.system.untrusted import printable

__all__ = [
    "cell",
    "counted",
    "first_middle_last",
    "fraction",
    "in_time",
    "natural_key",
    "natural_sort",
    "not_certified",
    "number",
    "short",
    "unknown",
]

_PIECE = re.compile(r"((?:(?<!\w)-)?\d+\.?\d*(?:e[-+]?\d+)?)|.", re.DOTALL)
"""A number within text, or one character."""


def fraction(value: float, digits: int = 3) -> str:
    """Return a fraction as text; a value below 1 is never rounded up to 1.

    Examples
    --------
    >>> fraction(0.9996), fraction(1.0), fraction(0.998, digits=2), fraction(float("nan"))
    ('0.999', '1.000', '0.99', '-')
    """
    if math.isnan(value):
        return "-"
    most = 1 - 10.0**-digits
    return f"{min(value, most) if value < 1 else value:.{digits}f}"


def short(value: object) -> str:
    """Return a value as text, a float with four significant digits.

    Examples
    --------
    >>> short(0.26444745987645224), short("arpack")
    ('0.2644', 'arpack')
    """
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def cell(value: object) -> str:
    r"""Return a value as text for a cell or a line, escaped so that rich shows it literally.

    Examples
    --------
    >>> cell("[red]"), cell("arpack"), cell("a\x1bb")
    ('\\[red]', 'arpack', 'a\\x1bb')
    """
    from rich.markup import escape  # needed for reports only

    return escape(printable(short(value)))


def number(value: float, form: str = ",.0f") -> str:
    """Return a number as text, NaN as ``"-"``.

    Examples
    --------
    >>> number(12345.0), number(0.25, "+.3f"), number(float("nan"))
    ('12,345', '+0.250', '-')
    """
    return "-" if math.isnan(value) else f"{value:{form}}"


def counted(n: int, noun: str) -> str:
    """Return a number and a noun, in the plural unless the number is 1.

    Examples
    --------
    >>> counted(1, "model"), counted(5, "model")
    ('1 model', '5 models')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def in_time(seconds: float) -> str:
    """Return a time in words, to be read at a glance.

    Examples
    --------
    >>> in_time(0.0123), in_time(38), in_time(200), in_time(3 * 3600 + 300), in_time(410_000)
    ('0.01 s', '38 s', '3 min', '3 h 5 min', '5 days')
    """
    if seconds < 99.5:
        return f"{seconds:.1g} s" if seconds < 9.5 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes / 60
    if hours < 48:
        return f"{minutes // 60} h {minutes % 60} min"
    return f"{hours / 24:.0f} days" if hours < 365 * 24 * 2 else f"{hours / 24 / 365.25:,.0f} years"


def natural_sort(values: Iterable[Any]) -> list[Any]:
    """Sort values of a swept key, or tuples of values of several keys; see `natural_key`.

    Examples
    --------
    >>> natural_sort(["[128,128]", "[8,8]", "[16]", "[16,4]", "[8]"]), natural_sort([10, 2.5])
    (['[8]', '[8,8]', '[16]', '[16,4]', '[128,128]'], [2.5, 10])
    >>> natural_sort([("b", 10), ("b", 9), ("a", 11)])
    [('a', 11), ('b', 9), ('b', 10)]
    """
    return sorted(values, key=natural_key)


def natural_key(value: Any) -> list[Any]:
    """Return the sort key of a value of a setting.

    Numbers are sorted by size, also within text, and before anything else; lists, which tables hold
    as text, element by element; tuples by their first values, then by their second.
    """
    if isinstance(value, tuple):
        return [natural_key(one) for one in value]
    if isinstance(value, (int, float)):
        return [(1, value)]
    pieces = ((piece[1], piece[0]) for piece in _PIECE.finditer(str(value)))
    # A list that ends comes before one that continues.
    return [(1, float(n)) if n else (0 if text == "]" else 2, text) for n, text in pieces]


def first_middle_last(steps: Sequence[int]) -> list[int]:
    """Return the first, the middle and the last of some steps, the middle on a log axis.

    Parameters
    ----------
    steps : sequence of int
        Ascending, at least one.

    Examples
    --------
    >>> first_middle_last([0, 1, 8, 10, 70, 100])
    [0, 10, 100]
    """
    middle = min(steps, key=lambda step: abs(math.log1p(step) - math.log1p(steps[-1]) / 2))
    return sorted({steps[0], middle, steps[-1]})


def unknown(
    names: Sequence[str], why: str = "", *, where: str = "", style: str = "dim"
) -> list[str]:
    """Return a line that names unknown values; no line if there are none.

    Parameters
    ----------
    names : sequence of str
    why : str, optional
        The reasons.
    where : str, optional
        Where they are not known, for example ``"in every job"``.
    style : str
        Of rich.

    Examples
    --------
    >>> unknown(["gain", "bound"], "no partition", where="in every job", style="yellow")
    ['[yellow]unknown in every job (no partition): gain, bound[/yellow]']
    >>> unknown([])
    []
    """
    if not names:
        return []
    what = " ".join(filter(None, ("unknown", where, f"({why})" if why else "")))
    return [f"[{style}]{what}: {', '.join(names)}[/{style}]"]


def not_certified(statuses: Iterable[str]) -> list[str]:
    """Return a line of warning if complexes are not certified; no line if all are.

    Parameters
    ----------
    statuses : iterable of str
        Status of each complex, from its record.

    Examples
    --------
    >>> not_certified(["certified", "uncertified"])
    ['[yellow]1 complex is not certified: some signs were left to floating point[/yellow]']
    """
    n = sum(status != "certified" for status in statuses)
    which = "1 complex is" if n == 1 else f"{n} complexes are"
    text = f"{which} not certified: some signs were left to floating point"
    return [f"[yellow]{text}[/yellow]"] if n else []
