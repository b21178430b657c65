"""Persistence diagrams and Betti curves.

A filtration has two scales. Over ``"value"`` a class lives from the value of the cell that creates
it to the value of the cell that ends it; a class whose two values are equal does not show. Over
``"index"``, the number of cells that have entered, a class that cell number i (from 0) creates
lives from i + 1 on. Curves are exact step functions over either scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import Frozen, as_numbers, freeze, frozen
from relutopo.checks import check_choice, check_integer, check_number, is_integer, kind_of
from relutopo.errors import InputError
from relutopo.geometry.cells import CellLists
from relutopo.homology.cycles import Cycle, Cycles, lives_of
from relutopo.homology.filtration import Filtration
from relutopo.homology.representatives import CycleFinder
from relutopo.interfaces import BoundaryMatrix, Reduction
from relutopo.reports.shown import Shown
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

__all__ = ["BettiCurve", "Diagram", "Peak", "Scale"]

Scale: TypeAlias = Literal["value", "index"]
Points: TypeAlias = NDArray[np.float64] | NDArray[np.int64]
"""Points of a scale: float64 over values, int64 over the index."""


@dataclass(frozen=True)
class Peak:
    """Where a Betti curve is highest for the first time.

    Attributes
    ----------
    index : int
        How many cells have entered.
    fraction : float
        `index` divided by the number of cells, in [0, 1].
    value : float
        The filtration value of the last cell that has entered. NaN if the curve is zero.
    height : int
        The Betti number there; 0 if the curve is zero, which counts as a peak at index 0.
    """

    index: int
    fraction: float
    value: float
    height: int


@dataclass(frozen=True, eq=False, repr=False)
class BettiCurve(Shown):
    """A Betti number along a filtration, an exact step function, continuous from the right.

    Attributes
    ----------
    dim : int
        Degree of the homology group.
    over : {"value", "index"}
        The scale; see the module's docstring.
    breaks : (m,) ndarray of float64
        Where the function changes, ascending.
    values : (m,) ndarray of int64
        The function is ``values[i]`` on ``[breaks[i], breaks[i + 1])``, ``values[-1]`` from the
        last break on, and zero before the first.

    Examples
    --------
    >>> curve = BettiCurve(0, "index", np.array([1.0, 2.0, 3.0]), np.array([1, 2, 1]),
    ...                    np.array([0.1, 0.4, 0.8]))
    >>> curve([0.0, 2.5, 9.0]).tolist()
    [0, 2, 1]
    >>> curve.peak().value
    0.4
    """

    dim: int
    over: Scale
    breaks: NDArray[np.float64]
    values: NDArray[np.int64]
    entries: NDArray[np.float64]
    """Filtration values in filtration order, (n,)."""

    def __repr__(self) -> str:
        peak = self.peak()
        return (
            f"BettiCurve(degree {self.dim} over {self.over}, {len(self.breaks)} changes, "
            f"peak {peak.height} at {peak.index if self.over == 'index' else f'{peak.value:.6g}'})"
        )

    def _facts(self) -> Mapping[str, object]:
        peak = self.peak()
        return {
            "degree": self.dim,
            "over": self.over,
            "changes": len(self.breaks),
            "peak": peak.height,
            "first at value": peak.value,
            "first at index": peak.index,
            "cells": len(self.entries),
        }

    def __call__(self, at: ArrayLike) -> NDArray[np.int64]:
        """Return the Betti number at points of the scale, an array of the same shape."""
        steps, places = np.concatenate([[0], self.values]), as_numbers(at, "at")
        result: NDArray[np.int64] = steps[np.searchsorted(self.breaks, places, side="right")]
        return result

    def peak(self) -> Peak:
        """Return where the curve is highest for the first time, and how high."""
        if not self.values.any():
            return Peak(0, 0.0, float("nan"), 0)
        top = int(np.argmax(self.values))
        if self.over == "index":
            index = int(self.breaks[top])
        else:
            index = int(np.searchsorted(self.entries, self.breaks[top], side="right"))
        value = float(self.entries[index - 1])
        return Peak(index, index / len(self.entries), value, int(self.values[top]))


@dataclass(frozen=True, eq=False, repr=False)
class Diagram(Frozen, Shown):
    """The persistence pairs of a filtered complex.

    All arrays are read-only; those that are not frozen (`relutopo.arrays.freeze`) are copied.

    Attributes
    ----------
    reduction : Reduction
        What the reducer found, and which method ran.
    dimensions : (n,) ndarray of int8
        Dimension of each cell in filtration order.
    values : (n,) ndarray of float64
        Value of each cell in filtration order, ascending.
    dim : int
        Dimension of the complex; it may have no cells of that dimension.
    complex_, filtration : CellLists and Filtration, optional
        The complex and the filtration that were reduced, not copied; needed for representatives.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0]], [[1.0]]], [[0.0], [0.0]])
    >>> line = rt.decompose(net, rt.Box(-1, 1), enumerator="exact")
    >>> entry = rt.Filtration.from_values(line, [[0.0, 0.5, 1.0], [1.0, 3.0]])
    >>> diagram = rt.persistence(line, entry)
    >>> diagram.pairs(0).tolist(), diagram.essential(0).tolist()
    ([[0.5, 3.0], [1.0, 1.0]], [0.0])
    >>> diagram.betti_curve(0).peak().height
    2
    """

    reduction: Reduction
    dimensions: NDArray[np.int8]
    values: NDArray[np.float64]
    dim: int
    complex_: CellLists | None = None
    filtration: Filtration | None = None

    def __post_init__(self) -> None:
        pairs, essential = self.reduction.pairs, self.reduction.essential
        reduction = replace(self.reduction, pairs=frozen(pairs), essential=frozen(essential))
        object.__setattr__(self, "reduction", reduction)
        object.__setattr__(self, "dimensions", frozen(self.dimensions))
        object.__setattr__(self, "values", frozen(self.values))

    @classmethod
    def of(
        cls,
        reduction: Reduction,
        boundary: BoundaryMatrix,
        filtration: Filtration,
        complex_: CellLists,
    ) -> Diagram:
        """Make the diagram from a reduction and its boundary matrix, filtration and complex."""
        values = freeze(filtration.values[filtration.order])
        dim = len(filtration.n_cells) - 1
        return cls(reduction, boundary.dimensions, values, dim, complex_, filtration)

    def __repr__(self) -> str:
        pairs = " + ".join(map(str, self._numbers_of_pairs()))
        return (
            f"Diagram(dim={self.dim}, {pairs} pairs, Betti numbers "
            f"{', '.join(map(str, self.betti_numbers))}, {self.reduction.method})"
        )

    def _facts(self) -> Mapping[str, object]:
        return {
            "cells": len(self.values),
            "values": (float(self.values[0]), float(self.values[-1])) if len(self.values) else (),
            "pairs by degree": self._numbers_of_pairs(),
            "Betti numbers": self.betti_numbers,
            "reducer": self.reduction.method,
        }

    def _numbers_of_pairs(self) -> tuple[int, ...]:
        births = self.dimensions[self.reduction.pairs[:, 0]]
        return tuple(np.bincount(births, minlength=self.dim).tolist())

    @property
    def betti_numbers(self) -> tuple[int, ...]:
        """Betti numbers over Z/2 of the whole complex, β_0 to β_dim."""
        of_essential = self.dimensions[self.reduction.essential]
        return tuple(np.bincount(of_essential, minlength=self.dim + 1).tolist())

    def pairs(self, dim: int, over: Scale = "value", least: float = 0.0) -> Points:
        """Return birth and death of the classes that end.

        Parameters
        ----------
        dim : int
            Degree of the homology group, at most that of the complex.
        over : {"value", "index"}
            Filtration values, or the numbers (from 0) of the cells that create and end the class.
        least : float, default 0
            Shortest life, from birth to death on that scale, of the classes to return. 0 includes
            those that end at the value at which they begin.

        Returns
        -------
        (n_pairs, 2) ndarray, float64 or int64
            Sorted by the index of birth.

        Examples
        --------
        >>> import relutopo as rt
        >>> net = ([[[1.0]], [[1.0]]], [[0.0], [0.0]])
        >>> line = rt.decompose(net, rt.Box(-1, 1), enumerator="exact")
        >>> entry = rt.Filtration.from_values(line, [[0.0, 0.5, 1.0], [1.0, 3.0]])
        >>> rt.persistence(line, entry).pairs(0, least=0.1).tolist()
        [[0.5, 3.0]]
        """
        _check_least(least)
        check_integer("dim", dim, 0, self.dim, remedy="the complex has no larger cells")
        pairs = self._pairs[dim]
        ends = pairs.copy() if _is_index(over) else self.values[pairs]
        return ends[lives_of(*ends.T) >= least] if least else ends

    @cached_property
    def _pairs(self) -> list[NDArray[np.int64]]:
        """The pairs of each degree."""
        pairs = self.reduction.pairs
        degrees = self.dimensions[pairs[:, 0]]
        # `compress` takes a third of the time of an index that is a mask.
        return [freeze(pairs.compress(degrees == dim, axis=0)) for dim in range(self.dim + 1)]

    def essential(self, dim: int, over: Scale = "value") -> Points:
        """Return the births of the classes that never end, in ascending order.

        Parameters
        ----------
        dim : int
            Degree of the homology group, at most that of the complex.
        over : {"value", "index"}
            Filtration values, or the numbers (from 0) of the cells that create the classes.
        """
        check_integer("dim", dim, 0, self.dim, remedy="the complex has no larger cells")
        cells = self.reduction.essential
        chosen: NDArray[np.int64] = cells.compress(self.dimensions[cells] == dim)
        return chosen if _is_index(over) else self.values[chosen]

    def betti_curve(self, dim: int, over: Scale = "value") -> BettiCurve:
        """Return the Betti number of degree `dim` along the filtration.

        Parameters
        ----------
        dim : int
            Degree of the homology group, at most that of the complex.
        over : {"value", "index"}
            The scale; see the module's docstring.
        """
        from relutopo.homology.order_kernels import betti_steps  # loads numba

        essential = self.essential(dim, "index")
        pairs = self._pairs[dim]
        births = np.concatenate([pairs[:, 0], essential]).astype(np.int64, copy=False)
        deaths = pairs[:, 1].astype(np.int64)
        is_index = _is_index(over)
        cells, numbers = betti_steps(births, deaths, self.values, not is_index)
        breaks = cells + 1.0 if is_index else self.values[cells]
        return BettiCurve(dim, over, breaks, numbers, self.values)

    def total_persistence(self, dim: int, over: Scale = "value") -> float:
        """Return the sum of death minus birth over the classes of degree `dim` that end.

        A class with equal birth and death counts as 0, also where both are infinite; a sum beyond
        the range of floats is infinite.
        """
        births, deaths = self.pairs(dim, over).T
        differ = births != deaths
        with np.errstate(over="ignore"):
            return float(np.sum(deaths.compress(differ) - births.compress(differ)))

    @cached_property
    def _finder(self) -> CycleFinder:
        if self.complex_ is None or self.filtration is None:
            raise InputError(
                "`complex_` and `filtration` of the diagram must be known for representatives, got "
                "None; take the diagram from relutopo.persistence"
            )
        return CycleFinder(self.complex_, self.filtration, self.reduction, self.dimensions)

    @in_words("take a smaller complex")
    @deliver_interrupts
    def representative(self, pair: Any) -> Cycle:
        """Return a cycle of cells that represents a class.

        `relutopo.homology.cycles.Cycle` says what is guaranteed of it.

        Parameters
        ----------
        pair : (int, int) or int
            A row of ``pairs(dim, over="index")``, or only its first number, that of the cell that
            creates the class, since a cell creates at most one. For a class that never ends, an
            entry of ``essential(dim, over="index")``.

        Returns
        -------
        Cycle

        Raises
        ------
        InputError
            If there is no such class, or the diagram was made without its complex.
        BackendError
            If the pairs are not those of the complex.

        Examples
        --------
        >>> import relutopo as rt
        >>> net = ([[[1.0]], [[1.0]]], [[0.0], [0.0]])
        >>> line = rt.decompose(net, rt.Box(-1, 1), enumerator="exact")
        >>> entry = rt.Filtration.from_values(line, [[0.0, 0.5, 1.0], [1.0, 3.0]])
        >>> diagram = rt.persistence(line, entry)
        >>> diagram.pairs(0, over="index").tolist()
        [[1, 4], [2, 3]]
        >>> diagram.representative([1, 4]).cells.tolist()
        [0, 1]
        """
        birth, death = self._class_of(pair)
        is_finite = death >= 0
        finite = np.array([[birth, death]] * is_finite, dtype=np.int64).reshape(-1, 2)
        essential = np.array([birth] * (not is_finite), dtype=np.int64)
        return self._cycles(int(self.dimensions[birth]), finite, essential)[0]

    @in_words("choose classes that live longer, with a larger `least`")
    @deliver_interrupts
    def representatives(self, dim: int, over: Scale = "value", least: float = 0.0) -> Cycles:
        """Return cycles of cells that represent the classes of one degree.

        `relutopo.homology.cycles.Cycle` says what is guaranteed of them.

        Parameters
        ----------
        dim : int
            Degree of the homology group, at most that of the complex.
        over : {"value", "index"}
            The scale of `least`.
        least : float, default 0
            Shortest life, from birth to death, of the classes to represent; with infinity only
            those that never end.

        Returns
        -------
        Cycles
            In the order of `pairs`, then of `essential`, whose classes always count as long-lived.

        Raises
        ------
        InputError
            If there is no such degree, or the diagram was made without its complex.
        BackendError
            If the pairs are not those of the complex.
        LimitReachedError
            If there is not enough memory.

        Examples
        --------
        >>> import relutopo as rt
        >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
        >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
        >>> diagram = rt.persistence(complex_, rt.filtration(complex_, "random_closure", seed=0))
        >>> diagram.representatives(0, least=0.1)
        Cycles(H_0, 5 cycles, 9 cells)
        """
        _check_least(least)
        check_integer("dim", dim, 0, self.dim, remedy="the complex has no larger cells")
        finite, is_index = self._finder.pairs(dim), _is_index(over)
        if least:
            ends = finite if is_index else self.values[finite]
            finite = finite[lives_of(*ends.T) >= least]
        return self._cycles(dim, finite, self.essential(dim, "index").astype(np.int64, copy=False))

    def _cycles(self, dim: int, finite: NDArray[np.int64], essential: NDArray[np.int64]) -> Cycles:
        (indptr, cells), methods = self._finder.find(dim, finite, essential)
        pairs = finite
        if len(essential):
            endless = np.stack([essential, np.full(len(essential), -1)], axis=1)
            pairs = np.concatenate([finite, endless])
        whole = self._finder.complex_
        return Cycles(
            dim, freeze(indptr), freeze(cells), freeze(pairs), methods, self.values, whole
        )

    def _class_of(self, pair: Any) -> tuple[int, int]:
        """Return the numbers of the cells that create and end a class, -1 if none ends it."""
        remedy = 'take it from pairs(dim, over="index") or essential(dim, over="index")'
        given = [pair]
        if isinstance(pair, np.ndarray):
            given = list(np.atleast_1d(pair))
        elif isinstance(pair, Sequence) and not isinstance(pair, str):
            given = list(pair)
        if len(given) not in (1, 2) or not all(map(is_integer, given)):
            raise InputError(
                "`pair` must be the numbers of the cells that create and end a class, got "
                f"{kind_of(pair)}; {remedy}"
            )
        births, deaths = self.reduction.pairs.T
        i = int(np.searchsorted(births, given[0]))
        if i < len(births) and births[i] == given[0]:
            found = int(births[i]), int(deaths[i])
        elif given[0] in self.reduction.essential:
            found = int(given[0]), -1
        else:
            raise InputError(
                f"`pair` must begin with a cell that creates a class, got {given[0]}; {remedy}"
            )
        if len(given) == 2 and given[1] != found[1]:
            raise InputError(
                f"`pair` must be a class, but cell {found[0]} creates the one that ends with "
                f"{found[1] if found[1] >= 0 else 'none'}, got {given[1]}; {remedy}"
            )
        return found


def _check_least(least: float) -> None:
    if not (isinstance(least, float) and least == np.inf):
        check_number("least", least, least=0.0, remedy="0 takes every class")


def _is_index(over: str) -> bool:
    remedy = "filtration values are the default"
    return check_choice("over", over, ("value", "index"), remedy=remedy) == "index"
