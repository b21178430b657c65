"""What a tracker is given, checked before training begins.

Invariant: what would otherwise fail in the background, step by step, is refused here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from relutopo import registry
from relutopo.analyses.checkpoints import CheckpointAnalysis
from relutopo.checks import check_integer, check_integers, kind_of
from relutopo.errors import InputError
from relutopo.geometry.slices import AffineSlice
from relutopo.learning.datasets import Dataset

__all__ = ["check_choices", "check_parts", "checked_step", "checked_steps", "number_of"]


def number_of(loss: Any) -> float:
    """Return a loss as a number, NaN for None.

    Parameters
    ----------
    loss : float or tensor with one element

    Raises
    ------
    InputError
        If it is something else.

    Examples
    --------
    >>> number_of(0.5), number_of(None)
    (0.5, nan)
    """
    if loss is None:
        return math.nan
    try:
        return float(loss.detach() if hasattr(loss, "detach") else loss)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"`loss` must be one number, got {type(loss).__name__} ({error}); pass the mean, for "
            "example"
        ) from error


def checked_step(step: Any) -> int:
    """Return a step, or say what it should be.

    Parameters
    ----------
    step : int
        Number of updates made.

    Raises
    ------
    InputError
        If it is no integer.

    Examples
    --------
    >>> checked_step(300)
    300
    """
    return check_integer("step", step, remedy="pass the number of updates made")


def checked_steps(steps: Any) -> int | frozenset[int]:
    """Return how many steps in each power of ten are recorded, or which ones.

    Parameters
    ----------
    steps : int or collection of int

    Raises
    ------
    InputError
        If it is neither.

    Examples
    --------
    >>> checked_steps(10), sorted(checked_steps([5, 0]))
    (10, [0, 5])
    """
    remedy = "pass so many for each power of ten, or a collection of steps"
    if isinstance(steps, Collection) and not isinstance(steps, str):
        return frozenset(check_integers("steps", steps, remedy=remedy))
    return check_integer("steps", steps, 1, remedy=remedy)


def check_parts(dataset: Any, analysis: Any, slice: Any) -> None:
    """Refuse a data set, an analysis or a slice of the wrong type.

    Parameters
    ----------
    dataset : Dataset
    analysis : CheckpointAnalysis
    slice : AffineSlice or None

    Raises
    ------
    InputError
        If one is something else.

    Examples
    --------
    >>> check_parts(3, None, None)
    Traceback (most recent call last):
    relutopo.errors.InputError: `dataset` must be a relutopo.learning.datasets.Dataset, got 3; ...
    """
    if not isinstance(dataset, Dataset):
        raise InputError(
            f"`dataset` must be a relutopo.learning.datasets.Dataset, got "
            f"{kind_of(dataset)}; pass Dataset(name, points, targets), with held-out points "
            "and targets if there are any"
        )
    if not isinstance(analysis, CheckpointAnalysis):
        raise InputError(
            f"`analysis` must be a CheckpointAnalysis, got {kind_of(analysis)}; pass "
            "relutopo.Partition(...), for example"
        )
    if slice is not None and not isinstance(slice, AffineSlice):
        raise InputError(
            f"`slice` must be an AffineSlice, got {type(slice).__name__}; pass for example "
            "AffineSlice.through(*three_inputs), or leave it out"
        )


def check_choices(dataset: Dataset, analysis: CheckpointAnalysis) -> None:
    """Refuse names that nobody registered, loading nothing, and data that do not fit.

    Parameters
    ----------
    dataset : Dataset
    analysis : CheckpointAnalysis
        With its signatures.

    Raises
    ------
    InputError
        If a name is not registered, a class cannot be imported by another process, or the data
        leave no domain that can be cut.

    Examples
    --------
    >>> from relutopo.analyses.partition import Partition
    >>> from relutopo.learning.datasets import two_moons
    >>> check_choices(two_moons(n=20), Partition())
    """
    for kind in (type(analysis), *map(type, analysis.signatures)):
        if kind.__module__ == "__main__" or "<locals>" in kind.__qualname__:
            raise InputError(
                f"{kind.__name__} must be a class that another process can import, got one of "
                f"{kind.__module__}; define it in a module of its own"
            )
    signatures = ({"name": one} if isinstance(one, str) else one for one in analysis.signatures)
    for role, entry in [
        *((role, getattr(analysis, role, {})) for role in registry.roles()),
        *(("signature", entry) for entry in signatures if isinstance(entry, Mapping)),
    ]:
        if "name" in entry:
            registry.check(role, entry["name"])
    analysis.check_domain(dataset)
