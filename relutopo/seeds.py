"""Random numbers from a seed, with one clear error where it is none."""

from __future__ import annotations

import numpy as np

from relutopo.errors import InputError

__all__ = ["random_generator"]


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
