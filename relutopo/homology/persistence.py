"""Functions that apply filtrations and reducers, chosen by name, to a complex."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from relutopo import registry
from relutopo.checks import check_integer, check_seed, random_generator
from relutopo.errors import BackendError
from relutopo.geometry.cells import CellLists, Cells, check_cell_lists
from relutopo.homology.boundary import boundary_matrix
from relutopo.homology.cycles import Cycles, edge_lengths
from relutopo.homology.diagram import BettiCurve, Diagram, Scale
from relutopo.homology.filtration import Filtration
from relutopo.homology.short_loops import shortened
from relutopo.homology.strategies import FiltrationStrategy
from relutopo.interfaces import Reducer, checked_reduction
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

__all__ = ["betti_curves", "betti_numbers", "filtration", "homology_basis", "persistence"]


@deliver_interrupts
def filtration(
    complex_: Cells, strategy: str | FiltrationStrategy, *, seed: int = 0, **options: Any
) -> Filtration:
    """Order the cells of a complex.

    Parameters
    ----------
    complex_ : Cells
    strategy : str or FiltrationStrategy
        Registry name or instance.
    seed : int, default 0
        Seed of a random strategy; others ignore it.
    **options
        Options of a strategy given by name, for example ``points`` of "distance_to_data".

    Returns
    -------
    Filtration

    Raises
    ------
    UnknownNameError
        If the name is not registered.
    InputError
        If the options or the seed are wrong, or the strategy gives NaN, or gives a cell a smaller
        value than one of its faces.
    BackendError
        If the strategy has no name, or does not return a list.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> filtration(complex_, "random_closure", seed=3)
    Filtration('random_closure', 25 cells, seed=3)
    """
    seed = check_seed(seed)
    check_cell_lists(complex_)
    chosen: FiltrationStrategy = registry.create("filtration", strategy, **options)
    if not isinstance(getattr(chosen, "name", None), str):
        raise BackendError(
            f"`strategy` {type(chosen).__qualname__} must have a `name`, which the filtration "
            "records, got none; give the class one"
        )
    values = chosen.cell_values(complex_, random_generator(seed))
    if not isinstance(values, Sequence):
        raise BackendError(
            f"`strategy` {chosen.name!r} must give a list, for each dimension the values of its "
            f"cells, got {type(values).__name__}; correct its `cell_values`"
        )
    return Filtration.from_values(complex_, values, chosen.name, seed if chosen.random else None)


@in_words("take a smaller complex")
@deliver_interrupts
def persistence(
    complex_: CellLists, filtration: Filtration, *, reducer: str | Reducer = "z2"
) -> Diagram:
    """Return the persistence diagram of a filtered complex over Z/2.

    Parameters
    ----------
    complex_ : CellComplex or any `CellLists`
    filtration : Filtration
        Of this complex.
    reducer : str or Reducer
        Registry name or instance.

    Returns
    -------
    Diagram

    Raises
    ------
    InputError
        If the filtration is for other cells, or a cell enters before one of its faces.
    BackendError
        If what the reducer returns is not a reduction of the boundary matrix.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> diagram = persistence(complex_, rt.filtration(complex_, "dimension_major", seed=0))
    >>> diagram.betti_numbers, diagram.betti_curve(0).peak().index
    ((1, 0, 0), 9)
    """
    matrix = boundary_matrix(complex_, filtration)
    chosen: Reducer = registry.create("reducer", reducer)
    reduction = checked_reduction(chosen.reduce(matrix), chosen, matrix)
    return Diagram.of(reduction, matrix, filtration, complex_)


def betti_curves(
    complex_: CellLists,
    filtration: Filtration,
    *,
    reducer: str | Reducer = "z2",
    over: Scale = "value",
) -> tuple[BettiCurve, ...]:
    """Return the Betti curves of a filtered complex, one for each dimension from 0.

    Parameters
    ----------
    complex_, filtration, reducer
        As for `persistence`.
    over : {"value", "index"}
        The scale; see `relutopo.homology.diagram`.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> complex_ = rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact")
    >>> curves = betti_curves(complex_, rt.filtration(complex_, "dimension_major", seed=0))
    >>> [curve.peak().height for curve in curves]
    [9, 4, 0]
    """
    diagram = persistence(complex_, filtration, reducer=reducer)
    return tuple(diagram.betti_curve(k, over) for k in range(len(complex_.n_cells)))


@in_words("take a smaller complex")
@deliver_interrupts
def betti_numbers(complex_: CellLists, *, reducer: str | Reducer = "z2") -> tuple[int, ...]:
    """Return the Betti numbers over Z/2 of a complex without filtration.

    Parameters
    ----------
    complex_ : CellComplex, DecisionBoundary or any `CellLists`
    reducer : str or Reducer
        Registry name or instance.

    Returns
    -------
    tuple of int
        β_0, β_1, ..., one for each dimension of `complex_.n_cells`.

    Raises
    ------
    BackendError
        If what the reducer returns is not a reduction of the boundary matrix.

    Examples
    --------
    >>> import relutopo as rt
    >>> net = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    >>> betti_numbers(rt.decompose(net, rt.Box(-1, 1, dim=2), enumerator="exact"))
    (1, 0, 0)
    """
    n = sum(check_cell_lists(complex_).n_cells)
    as_numbered = Filtration(tuple(complex_.n_cells), np.arange(n), np.zeros(n), "as_numbered")
    matrix = boundary_matrix(complex_, as_numbered)
    chosen: Reducer = registry.create("reducer", reducer)
    reduction = checked_reduction(chosen.reduce(matrix), chosen, matrix)
    of_essential = matrix.dimensions[reduction.essential]
    return tuple(np.bincount(of_essential, minlength=len(complex_.n_cells)).tolist())


def homology_basis(complex_: CellLists, dim: int, *, reducer: str | Reducer = "z2") -> Cycles:
    """Return cycles whose classes are a basis of the homology of a complex without filtration.

    Their number is the Betti number. Examples are the loops around the holes of a class's region,
    or the closed curves of a decision boundary. A basis is one of many. The basis of degree 1 is
    short, by length where vertices have coordinates, otherwise by the number of edges: edges enter
    in the order of their lengths, and then shorter loops replace the loops found
    (`relutopo.homology.short_loops`). It need not be the shortest basis of all.
    `relutopo.homology.representatives` explains the bases of other degrees.

    Parameters
    ----------
    complex_ : CellComplex, DecisionBoundary or any `CellLists`
    dim : int
        Degree of the homology group, at most that of the complex.
    reducer : str or Reducer
        Registry name or instance.

    Returns
    -------
    Cycles
        All are born at 0 and never end; their `pairs` refer to an order made for this purpose.

    Raises
    ------
    InputError
        If there is no such degree.
    BackendError
        If what the reducer returns is not a reduction of the boundary matrix.

    Examples
    --------
    The zeros of |x| + |y| - 1, and the loop around the ring outside of it:

    >>> import relutopo as rt
    >>> net = ([[[1, 0], [-1, 0], [0, 1], [0, -1]], [[1, 1, 1, 1]]], [[0, 0, 0, 0], [-1]])
    >>> complex_ = rt.decompose(net, rt.Box(-2, 2, dim=2), enumerator="exact")
    >>> [cycle.measure for cycle in homology_basis(rt.decision_boundary(complex_), 1)]
    [5.656854249492381]
    >>> homology_basis(complex_.decision().region(1), 1)
    Cycles(H_1, 1 cycles, 4 cells)
    """
    n_cells = tuple(check_cell_lists(complex_).n_cells)
    check_integer("dim", dim, 0, len(n_cells) - 1, remedy="the complex has no larger cells")
    n = sum(n_cells)
    order = np.arange(n)
    lengths = edge_lengths(complex_) if len(n_cells) > 1 else None
    if lengths is not None:
        edges = slice(n_cells[0], n_cells[0] + n_cells[1])
        order[edges] = n_cells[0] + np.argsort(lengths, kind="stable")
    diagram = persistence(
        complex_, Filtration(n_cells, order, np.zeros(n), "by_length"), reducer=reducer
    )
    if dim != 1 or not len(diagram.essential(1)):
        return diagram.representatives(dim, least=np.inf)
    every = diagram.representatives(1)
    return shortened(every, order[every.pairs[:, 0]] - n_cells[0])
