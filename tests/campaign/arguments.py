"""Wrong values in the place of arguments of the public face: refused in words, or taken rightly."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse

import relutopo as rt
from relutopo.errors import RelutopoError
from tests.campaign.framework import Clock, check, kind

Rng = np.random.Generator
LINES = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, -1.0]]], [[0.0, 0.0], [0.25]])

VALUES: dict[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "0": lambda: 0,
    "-1": lambda: -1,
    "7": lambda: 7,
    "0.5": lambda: 0.5,
    "nan": lambda: nan,
    "inf": lambda: inf,
    "2**70": lambda: 2**70,
    "1j": lambda: 1j,
    "a fraction": lambda: Fraction(1, 3),
    "''": lambda: "",
    "'x'": lambda: "x",
    "bytes": lambda: b"ab",
    "[]": lambda: [],
    "[1, 2]": lambda: [1, 2],
    "[[1, 2]]": lambda: [[1.0, 2.0]],
    "[['a', 'b']]": lambda: [["a", "b"]],
    "a ragged list": lambda: [[1.0, 2.0], [3.0]],
    "[None]": lambda: [None],
    "[[None, 1]]": lambda: [[None, 1.0]],
    "a mapping": lambda: {"a": 1},
    "an object": object,
    "a class": lambda: int,
    "a function": lambda: len,
    "an iterator": lambda: iter([1, 2]),
    "an empty array": lambda: np.zeros((0, 2)),
    "a flat array": lambda: np.zeros(3),
    "an array of three axes": lambda: np.zeros((2, 2, 2)),
    "an array of no axis": lambda: np.array(3.0),
    "NaN in a row": lambda: np.array([[0.1, 0.2], [nan, 0.0]]),
    "complex numbers": lambda: np.array([[0.1 + 1j, 0.2]]),
    "an array of text": lambda: np.array([["a", "b"]]),
    "an array of objects": lambda: np.array([[object(), 1]], dtype=object),
    "times": lambda: np.array([["2020-01-01", "NaT"]], dtype="M8[D]"),
    "a masked array": lambda: np.ma.masked_array([[0.1, 0.2]], mask=[[True, False]]),
    "a structured array": lambda: np.zeros(2, dtype=[("a", "f8"), ("b", "f8")]),
    "a sparse matrix": lambda: sparse.csr_array(np.eye(2)),
    "a tensor": lambda: torch.ones(1, 2, requires_grad=True),
    "a date": lambda: datetime.date(2020, 1, 1),
    "a path": lambda: Path("/nowhere/file.pt"),
    "a box": lambda: rt.Box(-1, 1, dim=3),
    "a network": lambda: rt.as_network(LINES),
    "a large matrix": lambda: np.full((2, 2), 1e308),
}


@functools.cache
def whole() -> rt.CellComplex:
    return rt.decompose(LINES, rt.Box(-1, 1, dim=2))


@functools.cache
def parted() -> rt.FiedlerPartition:
    return rt.fiedler_partition(whole().dual_graph(), [[0.1, 0.2]])


POINTS = [[0.1, 0.2], [-0.3, 0.4], [0.5, -0.6]]
CALLS: dict[str, tuple[Callable[..., Any], dict[str, Callable[[], Any]]]] = {
    "decompose": (
        lambda **options: rt.decompose(domain=rt.Box(-1, 1, dim=2), **options),
        {
            "model": lambda: LINES,
            "enumerator": lambda: "cpu",
            "max_cells": lambda: None,
        },
    ),
    "as_network": (rt.as_network, {"model": lambda: LINES, "input_shape": lambda: None}),
    "ReluNetwork": (
        rt.ReluNetwork,
        {"weights": lambda: LINES[0], "biases": lambda: LINES[1]},
    ),
    "Box": (rt.Box, {"low": lambda: -1, "high": lambda: 1, "dim": lambda: 2}),
    "Box.around": (rt.Box.around, {"points": lambda: POINTS, "margin": lambda: 0.25}),
    "Polytope": (
        rt.Polytope,
        {"A": lambda: [[-1, 0], [0, -1], [1, 1]], "b": lambda: [0, 0, 1]},
    ),
    "AffineSlice": (
        rt.AffineSlice,
        {"origin": lambda: [0.0, 0.0, 1.0], "basis": lambda: [[1.0], [0.0], [0.0]]},
    ),
    "AffineSlice.through": (
        lambda a, b, margin: rt.AffineSlice.through(a, b, margin=margin),
        {"a": lambda: [0.0, 0.0], "b": lambda: [1.0, 0.0], "margin": lambda: 0.25},
    ),
    "decompose_whole_space": (
        rt.decompose_whole_space,
        {"model": lambda: LINES, "margin": lambda: 0.25, "max_cells": lambda: None},
    ),
    "locate": (lambda points: whole().locate(points), {"points": lambda: POINTS}),
    "boundary": (lambda k: whole().boundary(k), {"k": lambda: 1}),
    "cell_vertices": (lambda k: whole().cell_vertices(k), {"k": lambda: 1}),
    "region_vertices": (lambda region: whole().region_vertices(region), {"region": lambda: 1}),
    "dual_graph": (
        lambda adjacency: whole().dual_graph(adjacency),
        {"adjacency": lambda: "facet"},
    ),
    "fiedler_partition": (
        lambda **options: rt.fiedler_partition(whole().dual_graph(), **options),
        {
            "points": lambda: POINTS,
            "vertex_weights": lambda: "count_plus_one",
            "edge_weights": lambda: "unit",
            "eigensolver": lambda: "auto",
            "component": lambda: None,
            "seed": lambda: 0,
        },
    ),
    "agreement": (
        lambda points, labels: parted().agreement(points, labels),
        {"points": lambda: POINTS, "labels": lambda: [0, 1, 1]},
    ),
    "decision_agreement": (
        lambda points: parted().decision_agreement(points),
        {"points": lambda: POINTS},
    ),
    "filtration": (
        lambda strategy, seed: rt.filtration(whole(), strategy, seed=seed),
        {"strategy": lambda: "output", "seed": lambda: 0},
    ),
    "distance_to_data": (
        lambda points: rt.filtration(whole(), "distance_to_data", points=points),
        {"points": lambda: POINTS},
    ),
    "LowerStar": (
        lambda function: rt.filtration(whole(), rt.LowerStar(function)),
        {"function": lambda: lambda x: x[:, 0]},
    ),
    "Filtration.from_values": (
        lambda values: rt.Filtration.from_values(whole(), values),
        {"values": lambda: [np.zeros(n) for n in whole().n_cells]},
    ),
    "persistence": (
        lambda reducer: rt.persistence(whole(), rt.filtration(whole(), "output"), reducer=reducer),
        {"reducer": lambda: "z2"},
    ),
    "search_regions": (
        lambda seeds, max_regions: rt.search_regions(
            LINES, rt.Box(-1, 1, dim=2), seeds, max_regions=max_regions
        ),
        {
            "seeds": lambda: None,
            "max_regions": lambda: None,
        },
    ),
    "DualGraph": (
        rt.DualGraph,
        {
            "n_nodes": lambda: 3,
            "edges": lambda: np.array([[0, 1], [1, 2]]),
            "facets": lambda: np.array([-1, -1]),
            "kind": lambda: "hamming",
        },
    ),
    "BoundaryMatrix": (
        rt.BoundaryMatrix,
        {
            "indptr": lambda: np.array([0, 0, 0, 2]),
            "indices": lambda: np.array([0, 1]),
            "dimensions": lambda: np.array([0, 0, 1]),
        },
    ),
    "Dataset": (
        rt.Dataset,
        {
            "name": lambda: "d",
            "points": lambda: np.array(POINTS),
            "targets": lambda: np.array([1.0, -1.0, 1.0]),
            "held_out_points": lambda: np.array(POINTS),
            "held_out_targets": lambda: np.array([1.0, -1.0, 1.0]),
        },
    ),
}


@dataclass(frozen=True)
class ArgumentCase:
    """A call with one argument replaced."""

    call: str
    argument: str
    value: str

    def tags(self) -> dict[str, Any]:
        """Return nothing: there are too many calls."""
        return {}

    def simpler(self) -> Iterator[ArgumentCase]:
        """Yield nothing: it is simple."""
        return iter(())


@check("refused in words, or taken")
def in_words(case: ArgumentCase, clock: Clock) -> None:
    """An error of relutopo's own, if any."""
    function, arguments = CALLS[case.call]
    given = {name: make() for name, make in arguments.items()}
    given[case.argument] = VALUES[case.value]()
    if case.argument == "function" and callable(given[case.argument]):
        return  # what a function of one's own raises is one's own
    clock(function, **given)


@kind(
    "wrong arguments",
    "arguments",
    checks=("refused in words, or taken",),
    refusals=(RelutopoError,),
    in_the_gate=40,
)
def wrong_arguments(rng: Rng) -> ArgumentCase:
    call = str(rng.choice(list(CALLS)))
    argument = str(rng.choice(list(CALLS[call][1])))
    return ArgumentCase(call, argument, str(rng.choice(list(VALUES))))
