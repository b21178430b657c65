"""Numbers and choices that come in from outside, with one clear error for what is wrong."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from relutopo.errors import InputError

__all__ = ["check_number", "check_seed", "random_generator"]


def check_number(name: str, number: Any, low: int, high: int, remedy: str) -> None:
    """Raise an `InputError` for what is no integer from `low` to `high`.

    Examples
    --------
    >>> check_number("k", 3, 0, 2, "cells are no larger")
    Traceback (most recent call last):
    relutopo.errors.InputError: `k` must be in 0..2, got 3; cells are no larger
    """
    if not isinstance(number, Integral) or not low <= int(number) <= high:
        raise InputError(f"`{name}` must be in {low}..{high}, got {number!r}; {remedy}")


def check_seed(seed: int, most: int | None = None) -> None:
    """Raise an `InputError` for what no generator of random numbers takes as a seed.

    Parameters
    ----------
    seed : int
        From 0.
    most : int, optional
        The largest seed that is taken.

    Examples
    --------
    >>> check_seed(0)
    >>> check_seed(-1, most=9)
    Traceback (most recent call last):
    relutopo.errors.InputError: `seed` must be from 0 to 9, got -1; pass another
    """
    number: object = seed
    if not isinstance(number, Integral) or seed < 0 or (most is not None and seed > most):
        expected = "an integer from 0" if most is None else f"from 0 to {most}"
        raise InputError(f"`seed` must be {expected}, got {seed!r}; pass another")


def random_generator(seed: int) -> np.random.Generator:
    """Return NumPy's generator with a seed.

    Parameters
    ----------
    seed : int
        From 0.

    Raises
    ------
    InputError
        If NumPy refuses the seed.

    Examples
    --------
    >>> random_generator(0).random() == random_generator(0).random()
    True
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"`seed` must be an integer from 0, got {seed!r}; pass for example seed=0"
        ) from error
