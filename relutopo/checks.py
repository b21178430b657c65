"""Checks of numbers and choices given by the user: one meaning for each, one clear error.

Every function returns the checked value in Python's own type, so that stored, compared and
JSON-written values do not depend on the caller, or raises an `InputError` that names the argument,
what was expected, what came, and the remedy.

- An *integer* is an instance of `numbers.Integral`: Python's and NumPy's integers. True and False
  are not integers, nor are floats without a fraction, strings, or arrays of one entry.
- A *number* is a finite instance of `numbers.Real`, other than True and False.
- A *flag* is True or False, of Python or NumPy: no other value counts as one of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable
from math import inf, nan
from numbers import Integral, Real
from typing import Any

import numpy as np

from relutopo.errors import InputError
from relutopo.system.threads import available_cores

__all__ = [
    "check_choice",
    "check_flag",
    "check_integer",
    "check_integers",
    "check_kind",
    "check_number",
    "check_path",
    "check_seed",
    "check_threads",
    "is_integer",
    "kind_of",
    "random_generator",
]


_LONGEST = 80
"""Characters of a value in a message."""


def is_integer(value: object) -> bool:
    """Tell whether a value is an integer in the sense of this module.

    Examples
    --------
    >>> is_integer(3), is_integer(np.int64(3)), is_integer(True), is_integer(3.0)
    (True, True, False, False)
    """
    # Looking for the abstract class takes as long as a whole check of a plain integer.
    return type(value) is int or (not isinstance(value, bool) and isinstance(value, Integral))


def check_integer(
    name: str, value: Any, least: int = 0, most: int | None = None, *, remedy: str
) -> int:
    """Return an integer that lies in a range.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : object
    least : int, default 0
    most : int, optional
        No limit by default.
    remedy : str
        What to do about it, for the end of the message.

    Raises
    ------
    InputError
        If the value is not an integer, or is outside the range.

    Examples
    --------
    >>> check_integer("k", np.int64(2), 0, 2, remedy="cells are no larger")
    2
    >>> check_integer("k", 3, 0, 2, remedy="cells are no larger")
    Traceback (most recent call last):
    relutopo.errors.InputError: `k` must be an integer from 0 to 2, got 3; cells are no larger
    """
    greatest = inf if most is None else most
    if not is_integer(value) or not least <= int(value) <= greatest:
        meant = _meant(value, lambda number: number % 1 == 0 and least <= number <= greatest)
        expected = f"an integer from {least}" + ("" if most is None else f" to {most}")
        raise _wrong(name, expected, value, meant or remedy)
    return int(value)


def check_integers(
    name: str, values: Any, least: int = 0, *, at_least: int = 0, remedy: str
) -> tuple[int, ...]:
    """Return a sequence of integers that lie in a range.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    values : iterable of int
    least : int, default 0
        The smallest accepted integer.
    at_least : int, default 0
        Least length of the sequence.
    remedy : str
        What to do about it, for the end of the message.

    Raises
    ------
    InputError
        If the values cannot be iterated over, are too few, or one is not an integer in the range.

    Examples
    --------
    >>> check_integers("hidden", [8, np.int32(8)], 1, remedy="pass for example [8, 8]")
    (8, 8)
    >>> check_integers("hidden", [8, 0], 1, remedy="pass for example [8, 8]")
    Traceback (most recent call last):
    relutopo.errors.InputError: `hidden` must be a sequence of integers from 1, got [8, 0]; pass ...
    """
    try:
        found = list(values) if isinstance(values, Iterable) else None
    except TypeError:  # an array without axes
        found = None
    if (
        found is None
        or len(found) < at_least
        or not all(is_integer(value) and value >= least for value in found)
    ):
        number = f"at least {at_least} " if at_least else ""
        expected = f"a sequence of {number}integer{'s' * (at_least != 1)} from {least}"
        of_arrays = getattr(values, "tolist", lambda: found)  # Python's numbers, not NumPy's
        shown = values if found is None else of_arrays()
        raise _wrong(name, expected, shown, remedy)
    return tuple(map(int, found))


def check_number(
    name: str,
    value: Any,
    *,
    least: float = -inf,
    above: float = -inf,
    most: float = inf,
    below: float = inf,
    remedy: str,
) -> float:
    """Return a finite number that lies in an interval.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : object
    least, above : float, optional
        The lower end of the interval, at most one of both: `least` belongs to it, `above` does not.
    most, below : float, optional
        The upper end, likewise.
    remedy : str
        What to do about it, for the end of the message.

    Raises
    ------
    InputError
        If the value is not a number, not finite, or outside the interval.

    Examples
    --------
    >>> check_number("tol", 1e-8, above=0, most=1e-6, remedy="1e-8 is usual")
    1e-08
    >>> check_number("margin", -1, least=0, remedy="0.25 is usual")
    Traceback (most recent call last):
    relutopo.errors.InputError: `margin` must be a finite number ≥ 0, got -1; 0.25 is usual
    """
    try:
        number = float(value) if not isinstance(value, bool) and isinstance(value, Real) else inf
    except OverflowError:  # an integer or a fraction beyond the range of floats
        number = inf

    def is_in(x: float) -> bool:
        return abs(x) < inf and least <= x <= most and above < x < below

    if not is_in(number):
        interval = _interval(least, above, most, below)
        raise _wrong(name, interval, value, _meant(value, is_in) or remedy)
    return number


def _interval(least: float, above: float, most: float, below: float) -> str:
    low, high = max(least, above), min(most, below)
    if high == inf:
        if low == -inf:
            return "a finite number"
        if above == low:
            return "a positive finite number" if low == 0 else f"a finite number > {low:g}"
        return f"a finite number ≥ {low:g}"
    opening = "(" if above == low else "["
    closing = ")" if below == high else "]"
    return f"a number in {opening}{low:g}, {high:g}{closing}"


def check_choice(name: str, value: Any, choices: Collection[str], *, remedy: str) -> str:
    """Return the value if it is one of some names.

    Raises
    ------
    InputError
        If it is none of them.

    Examples
    --------
    >>> check_choice("loss", "hinge", ("mse", "bce"), remedy="the default is 'mse'")
    Traceback (most recent call last):
    relutopo.errors.InputError: `loss` must be one of mse, bce, got 'hinge'; the default is 'mse'
    """
    if not isinstance(value, str) or value not in choices:
        raise _wrong(name, f"one of {', '.join(choices)}", value, remedy)
    return str(value)


def check_flag(name: str, value: Any, *, remedy: str = "pass one of them") -> bool:
    """Return the value if it is True or False.

    Raises
    ------
    InputError
        If it is neither: for example the string "false", which Python counts as true.

    Examples
    --------
    >>> check_flag("trust", "false")
    Traceback (most recent call last):
    relutopo.errors.InputError: `trust` must be True or False, got 'false'; pass one of them
    """
    if not isinstance(value, (bool, np.bool_)):
        raise _wrong(name, "True or False", value, remedy)
    return bool(value)


def check_seed(seed: Any, most: int | None = None) -> int:
    """Return the seed of a random generator.

    Parameters
    ----------
    seed : int
        ≥ 0.
    most : int, optional
        The largest accepted seed.

    Raises
    ------
    InputError
        If it is not an integer in the range.

    Examples
    --------
    >>> check_seed(7)
    7
    >>> check_seed(-1, most=9)
    Traceback (most recent call last):
    relutopo.errors.InputError: `seed` must be an integer from 0 to 9, got -1; pass for example ...
    """
    return check_integer("seed", seed, 0, most, remedy="pass for example seed=0")


def random_generator(seed: int) -> np.random.Generator:
    """Return NumPy's generator with a seed.

    Parameters
    ----------
    seed : int
        From 0.

    Raises
    ------
    InputError
        If the seed is not an integer ≥ 0.

    Examples
    --------
    >>> random_generator(0).random() == random_generator(0).random()
    True
    """
    return np.random.default_rng(check_seed(seed))


def check_threads(n_threads: Any) -> int:
    """Return a number of threads; for None the number of cores that the process may use.

    Raises
    ------
    InputError
        If it is neither None nor an integer ≥ 1.

    Examples
    --------
    >>> check_threads(2)
    2
    """
    if n_threads is None:
        return available_cores()
    return check_integer("n_threads", n_threads, 1, remedy="leave it out for all cores")


def check_kind(name: str, value: Any, kind: Any, *, remedy: str) -> Any:
    """Return the value if it is an instance of a class.

    Parameters
    ----------
    name : str
        The argument's name, for the message.
    value : object
    kind : type
    remedy : str
        What to do about it, for the end of the message.

    Raises
    ------
    InputError
        If the value is of another class.

    Examples
    --------
    >>> check_kind("network", "net.pt", float, remedy="see load_model")
    Traceback (most recent call last):
    relutopo.errors.InputError: `network` must be a float, got 'net.pt'; see load_model
    """
    if isinstance(value, kind):
        return value
    raise InputError(f"`{name}` must be a {kind.__name__}, got {kind_of(value)}; {remedy}")


def check_path(path: Any, example: str, name: str = "path") -> str | os.PathLike[str]:
    """Return a path given by the user.

    Parameters
    ----------
    path : str or path-like
    example : str
        An example of such a path, for the message.
    name : str
        The argument's name, for the message.

    Raises
    ------
    InputError
        If it is not a path.

    Examples
    --------
    >>> check_path(None, "complex.npz")
    Traceback (most recent call last):
    relutopo.errors.InputError: `path` must be a path, got None; pass for example 'complex.npz'
    """
    if isinstance(path, (str, os.PathLike)) and path != "":
        return path
    is_swapped = type(path).__module__.startswith("relutopo.")  # what the path is to be of
    remedy = "it comes first, for" if is_swapped else "pass for"
    raise InputError(f"`{name}` must be a path, got {kind_of(path)}; {remedy} example {example!r}")


def kind_of(value: object) -> str:
    """Describe a value of a wrong kind in words, for messages.

    Examples
    --------
    >>> kind_of(None), kind_of("foo"), kind_of([1, 2]), kind_of(int)
    ('None', "'foo'", 'list', 'the class int')
    """
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if isinstance(value, str):
        return repr(value if len(value) <= 40 else f"{value[:37]}...")
    return f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__


def _wrong(name: str, expected: str, value: object, remedy: str) -> InputError:
    return InputError(f"`{name}` must be {expected}, got {_in_short(value)}; {remedy}")


def _in_short(value: object) -> str:
    """Return a value as Python writes it, or what it is where that is no part of a sentence."""
    came = " ".join(repr(value).split()) if "\n" in repr(value) else repr(value)
    if len(came) <= _LONGEST:
        return came
    if isinstance(value, (list, tuple, str)):
        return f"{came[:_LONGEST]}..."
    shape = getattr(value, "shape", None)
    return kind_of(value) if shape is None else f"{kind_of(value)} of shape {tuple(shape)}"


def _meant(value: object, in_range: Callable[[float], bool]) -> str | None:
    """Return the remedy for a number that is right except for its type; None for other values."""
    if getattr(value, "ndim", None) == 0 and hasattr(value, "item"):  # of NumPy or torch
        inner = value.item()
        is_meant = isinstance(inner, int | float) and not isinstance(inner, bool)
        is_meant = is_meant and in_range(inner)
        return "pass its `item()`" if is_meant else None
    try:
        number = float(value) if isinstance(value, str | float) else nan
    except ValueError:
        return None
    if not in_range(number):
        return None
    return (
        f"pass {value.strip()} without quotes" if isinstance(value, str) else f"pass {number:.0f}"
    )
