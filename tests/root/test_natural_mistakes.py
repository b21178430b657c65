"""Whatever a function is given in place of what it takes, it works or says so in one sentence."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import relutopo as rt
from relutopo.errors import InputError, RelutopoError
from relutopo.gallery import random_network

NET = random_network([2, 5, 1], 0)
BOX = rt.Box(-1, 1, dim=2)
COMPLEX = rt.decompose(NET, BOX, enumerator="exact")
SPACE = rt.decompose(random_network([3, 3, 1], 0), rt.Box(-1, 1, dim=3), enumerator="exact")
X = np.random.default_rng(0).uniform(-1, 1, (20, 2))
Y = X[:, 0] > 0
GRAPH = COMPLEX.dual_graph()
PART = rt.fiedler_partition(GRAPH, X)
ORDER = rt.filtration(COMPLEX, "random_closure")
DIAGRAM = rt.persistence(COMPLEX, ORDER)
SEGMENTS = rt.segments(NET, X, pairs=rt.segment_pairs(X, n=10))
WORDS = pd.DataFrame({"a": ["x", "y"], "b": ["z", "w"]})

SENTENCES: dict[str, tuple[Callable[[], Any], str]] = {
    "name for a filtration": (
        lambda: rt.persistence(COMPLEX, "random_closure"),  # type: ignore[arg-type]
        r"`filtration` must be a Filtration, got 'random_closure'; pass "
        r"relutopo.filtration\(complex_, 'random_closure'\)",
    ),
    "name for the filtration of curves": (
        lambda: rt.betti_curves(COMPLEX, "dimension_major"),  # type: ignore[arg-type]
        r"pass relutopo.filtration\(complex_, 'dimension_major'\)",
    ),
    "a data set for points": (
        lambda: COMPLEX.locate(rt.two_moons()),  # type: ignore[arg-type]
        "got Dataset; pass its `points`",
    ),
    "a path graph for its graph": (
        lambda: rt.fiedler_partition(rt.path_graph(SEGMENTS), X),
        "got PathGraph; pass its `graph`",
    ),
    "a diagram for its cycles": (
        lambda: rt.save_mesh("x.vtu", COMPLEX, cycles=DIAGRAM),  # type: ignore[arg-type]
        r"`cycles` must be a Cycle or a sequence of them, got Diagram; pass diagram.repr",
    ),
    "a word for cycles": (
        lambda: rt.save_mesh("x.vtu", COMPLEX, cycles="all"),  # type: ignore[arg-type]
        r"`cycles` must be a Cycle or a sequence of them, got 'all'; pass diagram.repr",
    ),
    "no labels": (
        lambda: rt.path_signatures(NET, X, None),  # type: ignore[arg-type]
        "`labels` must have one entry for each point, got None; pass a sequence",
    ),
    "one label": (
        lambda: rt.path_signatures(NET, X, "cat"),
        "`labels` must have one entry for each point, got 'cat'; pass a sequence",
    ),
    "a data set of torch for a domain": (
        lambda: rt.decompose(NET, torch.utils.data.TensorDataset(torch.zeros(3, 2))),  # type: ignore[arg-type]
        r"got TensorDataset; pass its first tensor, `.tensors\[0\]`",
    ),
    "a loader of torch for points": (
        lambda: rt.segments(NET, torch.utils.data.DataLoader(torch.zeros(3, 2))),  # type: ignore[arg-type]
        "got DataLoader; pass its inputs as one array",
    ),
    "a number that is missing": (
        lambda: COMPLEX.locate([[0.0, 0.0], [0.0, np.nan], [np.inf, 0.0]]),
        r"got nan in row 1, column 1 \(and in 1 more\); drop or repair it",
    ),
    "a number in quotes": (
        lambda: rt.spectral_partition(GRAPH, X, k="3"),  # type: ignore[arg-type]
        "`k` must be an integer from 2, got '3'; pass 3 without quotes",
    ),
    "a scale in quotes": (
        lambda: rt.ChungLanglands(scale="10"),  # type: ignore[arg-type]
        "got '10'; pass 10 without quotes",
    ),
    "a whole number that is a float": (
        lambda: rt.spectral_partition(GRAPH, X, k=3.0),  # type: ignore[arg-type]
        "`k` must be an integer from 2, got 3.0; pass 3$",
    ),
    "numbers of points for points": (
        lambda: rt.AffineSlice.through(0, 1, 2),
        r"got the numbers \(0, 1, 2\); pass rows of data, for example X\[0\], X\[1\], X\[2\]",
    ),
    "swapped": (lambda: rt.persistence(ORDER, COMPLEX), "`complex_` must be a CellComplex, got F"),  # type: ignore[arg-type]
    "graph for a complex": (
        lambda: rt.filtration(GRAPH, "random_closure"),  # type: ignore[arg-type]
        "`complex_` must be a CellComplex, got DualGraph; pass its `complex`",
    ),
    "partition for a complex": (
        lambda: rt.plots.plot_complex(PART),  # type: ignore[call-overload]
        "`complex_` must be a CellComplex, got FiedlerPartition; pass its `complex`",
    ),
    "complex for a partition": (
        lambda: rt.plots.plot_partition(COMPLEX),  # type: ignore[call-overload]
        r"`partition` must be a FiedlerPartition, got CellComplex; take it from relutopo.fiedler_p",
    ),
    "model for a complex": (
        lambda: rt.betti_numbers(torch.nn.Linear(2, 1)),  # type: ignore[arg-type]
        r"must be a CellComplex, got Linear; take it from relutopo.decompose\(model, domain\)",
    ),
    "no points": (
        lambda: rt.filtration(COMPLEX, "distance_to_data"),
        r"`filtration` 'distance_to_data' needs the option points, got none; pass points=...",
    ),
    "partitions for checkpoints": (
        lambda: rt.plots.plot_partition_history([PART, PART], X, Y),  # type: ignore[list-item]
        r"`checkpoints` must be records .*FiedlerPartition; draw one partition by plot_partition",
    ),
    "space in a plane": (
        lambda: rt.plots.plot_complex(SPACE),
        r"got dimension 3; use relutopo.plots.plot_space, or decompose .* AffineSlice",
    ),
    "plane in space": (lambda: rt.plots.plot_space(COMPLEX), r"use relutopo.plots.plot_complex"),
    "labels first": (lambda: PART.agreement(Y, X), r"`points` must have shape \(n, 2\)"),
    "one complex": (
        lambda: rt.plots.plot_complexes(COMPLEX),  # type: ignore[call-overload]
        "`complexes` must be a sequence of complexes, got CellComplex; pass a list, or draw",
    ),
    "path last": (
        lambda: rt.save_complex(COMPLEX, "complex.npz"),  # type: ignore[arg-type]
        "`path` must be a path, got CellComplex; it comes first, for example 'complex.npz'",
    ),
    "model to save": (
        lambda: rt.save_network("network.npz", torch.nn.Linear(2, 1)),  # type: ignore[arg-type]
        r"`network` must be a Network, got Linear; make one by relutopo.as_network\(model\)",
    ),
    "words for points": (lambda: COMPLEX.locate(WORDS), "drop or encode columns of words"),
    "words for data": (lambda: rt.Box.around(WORDS), "drop or encode columns of words"),
    "constant pixels": (
        lambda: rt.Box.around(np.c_[np.zeros(20), np.random.default_rng(0).uniform(size=(20, 63))]),
        r"got one value on 1 of 64 axes \(0\), .* flat; a box of 64 .* AffineSlice.principal\(",
    ),
    "a constant axis": (
        lambda: rt.Box.around([[0.0, 1.0], [1.0, 1.0]]),
        r"got one value on 1 of 2 axes \(1\), .* flat; drop those inputs, or pass ends",
    ),
    "curves of a curve": (
        lambda: rt.plots.plot_betti_curves(DIAGRAM.betti_curve(0)),  # type: ignore[call-overload]
        "`diagrams` must be a Diagram, .* got BettiCurve; pass what relutopo.persistence returns",
    ),
    "table for a name": (
        lambda: rt.plots.plot_timeline("results"),  # type: ignore[call-overload]
        "`table` must be a DataFrame, got 'results'; pass the table of an analysis",
    ),
    "a class for a model": (
        lambda: rt.decompose(torch.nn.Flatten, BOX),
        r"got the class Flatten; pass an instance, Flatten\(...\)",
    ),
    "a method of a model": (
        lambda: rt.decompose(torch.nn.Linear(2, 1).forward, BOX),
        "got method; pass the module itself",
    ),
    "parameters of a model": (
        lambda: rt.decompose(torch.nn.Linear(2, 1).parameters(), BOX),
        "got generator; pass the module itself, or a list of its weights and biases in turn",
    ),
    "an optimiser": (
        lambda: rt.decompose(torch.optim.SGD(torch.nn.Linear(2, 1).parameters()), BOX),
        "got SGD; pass the module that it trains",
    ),
    "a graph for a model": (lambda: rt.decompose(COMPLEX, BOX), "pass its `network`"),
    "labels for a margin": (
        lambda: rt.Box.around(X, np.zeros(200)),  # type: ignore[arg-type]
        r"`margin` must be a finite number, got ndarray of shape \(200,\); 0.25 is usual",
    ),
    "a point for a region": (
        lambda: COMPLEX.region(X[0]),
        r"`region` must be an integer .*; of a point it is `locate\(point\)`",
    ),
    "a tensor for a region": (
        lambda: COMPLEX.region(torch.tensor(3)),  # type: ignore[arg-type]
        r"got tensor\(3\); pass its `item\(\)`",
    ),
    "a column for a table": (
        lambda: rt.columns("n_switching"),
        r"it is a column: relutopo.columns\('[a-z_]+'\)\['n_switching'\] is what it means",
    ),
    "a misspelt table": (lambda: rt.columns("n_region"), r"did you mean n_regions\?"),
    "an analysis for a table": (
        lambda: rt.columns(rt.Partition()),
        "got Partition; pass the table itself or the name of its kind",
    ),
    "a misspelt column": (
        lambda: rt.plots.plot_timeline(pd.DataFrame({"step": [0], "n_edges": [1]}), ["n_edge"]),
        r"got n_edge; did you mean n_edges\?",
    ),
    "several axes for one": (
        lambda: rt.plots.plot_complex(COMPLEX, ax=Figure().subplots(1, 2)),
        r"`ax` must be axes of matplotlib, got ndarray; choose one of them, .* axes.flat\[0\]",
    ),
    "a figure for axes": (
        lambda: rt.plots.plot_barcode(DIAGRAM, ax=Figure()),  # type: ignore[call-overload]
        r"`ax` must be axes of matplotlib, got Figure; pass its `add_subplot\(\)`",
    ),
    "axes of space": (
        lambda: rt.plots.plot_complex(COMPLEX, ax=Figure().add_subplot(projection="3d")),
        r"axes of a plane, got axes of three dimensions; make them with plt.subplots\(\)",
    ),
    "round axes": (
        lambda: rt.plots.plot_partition(PART, ax=Figure().add_subplot(projection="polar")),
        "axes of a plane, got axes of the projection 'polar'",
    ),
    "axes of the plane": (
        lambda: rt.plots.plot_space(SPACE, ax=Figure().subplots()),
        "axes of three dimensions, got axes of a plane; make them with .*'projection': '3d'",
    ),
    "one of several axes": (
        lambda: rt.plots.plot_complexes([COMPLEX], axes=Figure().subplots()),  # type: ignore[call-overload]
        "`axes` must be a sequence, one for each of the 1 complexes, got Axes; pass a list",
    ),
    "a place that is none": (
        lambda: rt.plots.plot_complex(COMPLEX, X, Y, legend="top"),
        "`legend` must be True, False or one of best, .* got 'top'; choose one of these",
    ),
    "a place for the bar": (
        lambda: rt.plots.plot_complex(COMPLEX, colorbar="left"),  # type: ignore[call-overload]
        "`colorbar` must be True or False, got 'left'",
    ),
    "a number for a colour map": (
        lambda: rt.plots.plot_complex(COMPLEX, cmap=3),  # type: ignore[call-overload]
        "`cmap` must be a colour map of matplotlib, got 3; pass for example 'viridis'",
    ),
    "one angle": (
        lambda: rt.plots.plot_function(COMPLEX, view=30),  # type: ignore[call-overload]
        "`view` must be two angles, got 30; pass the degrees above the plane and around it",
    ),
    "one number for values": (
        lambda: rt.plots.plot_complexes([COMPLEX], values=3),  # type: ignore[call-overload]
        "`values` must be a sequence, one for each of the 1 complexes, got 3; pass a list",
    ),
    "a word for a flag": (
        lambda: rt.plots.plot_complex(COMPLEX, decision_boundary="green"),  # type: ignore[call-overload]
        "`decision_boundary` must be True or False, got 'green'",
    ),
    "a wish for progress": (
        lambda: rt.decompose(NET, BOX, progress=True),  # type: ignore[arg-type]
        "`progress` must be a function .*, got True; pass for example lambda done, total",
    ),
    "a wish for progress of segments": (
        lambda: rt.segments(NET, X[:2], pairs=[(0, 1)], progress=True),  # type: ignore[arg-type]
        "`progress` must be a function .*, got True; pass for example lambda done, total",
    ),
    "a wish for progress of counts": (
        lambda: rt.local_complexity(NET, X[:2], 0.1, progress=True),  # type: ignore[arg-type]
        "`progress` must be a function .*, got True; pass for example lambda done, total",
    ),
    "a wish for progress of a search": (
        lambda: rt.search_regions(NET, BOX, progress=True),  # type: ignore[arg-type]
        "`progress` must be a function .*, got True; pass for example lambda done, total",
    ),
    "a word for the size of classes": (
        lambda: rt.plots.plot_persistence_diagram(DIAGRAM, point_size="big"),  # type: ignore[call-overload]
        "`point_size` must be a positive finite number, got 'big'",
    ),
    "a negative size": (
        lambda: rt.plots.plot_complex(COMPLEX, X, point_size=-1),
        "`point_size` must be a positive finite number, got -1",
    ),
    "one degree": (
        lambda: rt.plots.plot_barcode(DIAGRAM, degrees=1),  # type: ignore[call-overload]
        r"`degrees` must be a sequence of integers from 0, got 1; pass for example \[0, 1\]",
    ),
    "a degree too high": (
        lambda: rt.plots.plot_persistence_diagram(DIAGRAM, degrees=[5]),
        "`degrees` must be an integer from 0 to 2, got 5; the complex has no larger cells",
    ),
    "a figure shown by a script": (
        lambda: rt.plots.plot_complex(COMPLEX).show(),
        r"write it by relutopo.plots.save_figure\(figure, 'figure.png'\)",
    ),
    "points for a name": (
        lambda: rt.Dataset(X, Y, None),  # type: ignore[arg-type]
        r"`name` must be a word .* got ndarray; pass Dataset\(name, points, targets\)",
    ),
    "labels before points": (
        lambda: rt.Dataset("data", Y, X),
        r"`points` must have shape \(n, d\), got \(20,\); pass one row for each point",
    ),
    "images for a data set": (
        lambda: rt.Dataset("data", np.zeros((20, 1, 4, 4)), Y),
        r"got \(20, 1, 4, 4\); pass points.reshape\(len\(points\), -1\)",
    ),
    "a pair held out": (
        lambda: rt.Dataset("data", X, Y, (X, Y)),
        "`held_out_points` must be an array, got tuple",
    ),
    "other labels held out": (
        lambda: rt.Dataset("data", X, Y, X, np.where(Y, "cat", "dog")),
        "got words for one and numbers for the other; encode both alike",
    ),
    "no folder": (
        lambda: rt.Tracker(None, rt.two_moons(20)),  # type: ignore[arg-type]
        "`directory` must be a path, got None; pass for example 'signatures'",
    ),
    "a wish for curves": (
        lambda: rt.Tracker("folder", rt.two_moons(20), tensorboard=True),  # type: ignore[arg-type]
        "`tensorboard` must be a path, got True; pass for example 'runs/mine'",
    ),
    "a word for a tracker's signatures": (
        lambda: rt.Tracker("folder", rt.two_moons(20), signatures="n_regions"),
        "`signatures` must be a sequence of them, got 'n_regions'; pass a list",
    ),
    "no folder to explore": (
        lambda: rt.explore("missing", "page.html"),
        "'missing' must be the folder of a run, .* got no folder; pass one below outputs/",
    ),
    "a word for signatures": (
        lambda: rt.Partition(signatures="n_regions"),
        "`signatures` must be a sequence of them, got 'n_regions'; pass a list",
    ),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_sentences(name: str) -> None:
    call, message = SENTENCES[name]
    with pytest.raises(InputError, match=message):
        call()


def test_numbers_of_torch_are_numbers() -> None:
    tensors = torch.tensor(X), torch.tensor(Y)
    np.testing.assert_array_equal(COMPLEX.locate(tensors[0]), COMPLEX.locate(X))
    assert rt.fiedler_partition(COMPLEX, tensors[0]).agreement(*tensors) == PART.agreement(X, Y)


IN_PLACE = {
    "a complex": COMPLEX,
    "a graph": GRAPH,
    "a partition": PART,
    "an array": X,
    "a word": "foo",
    "nothing": None,
    "a number": 3,
    "a frame of words": WORDS,
    "a mapping": {"a": 1},
    "partitions": [PART, PART],
    "a foreign graph": nx.path_graph(3),
    "a class": rt.Box,
}
PARTS = rt.spectral_partition(GRAPH, X, k=2)
P = rt.plots
CALLS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "as_graph": (rt.as_graph, (GRAPH,)),
    "as_network": (rt.as_network, (NET,)),
    "betti_curves": (rt.betti_curves, (COMPLEX, ORDER)),
    "betti_numbers": (rt.betti_numbers, (COMPLEX,)),
    "boundary_matrix": (rt.boundary_matrix, (COMPLEX, ORDER)),
    "columns": (rt.columns, (None,)),
    "decision_boundary": (rt.decision_boundary, (COMPLEX,)),
    "decompose": (rt.decompose, (NET, BOX)),
    "decompose_whole_space": (rt.decompose_whole_space, (NET,)),
    "estimate": (rt.estimate, (NET, BOX)),
    "fiedler_partition": (rt.fiedler_partition, (GRAPH, X)),
    "filtration": (rt.filtration, (COMPLEX, "random_closure")),
    "load_complex": (rt.load_complex, ("missing.npz",)),
    "homology_basis": (rt.homology_basis, (COMPLEX, 1)),
    "load_model": (rt.load_model, ("missing.pt",)),
    "load_network": (rt.load_network, ("missing.npz",)),
    "persistence": (rt.persistence, (COMPLEX, ORDER)),
    "save_complex": (rt.save_complex, ("complex.npz", COMPLEX)),
    "save_graphml": (rt.save_graphml, ("graph.graphml", GRAPH)),
    "save_mesh": (rt.save_mesh, ("complex.vtu", COMPLEX)),
    "save_network": (rt.save_network, ("network.npz", NET)),
    "search_regions": (rt.search_regions, (NET, BOX)),
    "spectral_partition": (partial(rt.spectral_partition, k=2), (GRAPH, X)),
    "digits": (rt.digits, (20,)),
    "three_blobs": (rt.three_blobs, (20,)),
    "three_rings": (rt.three_rings, (20,)),
    "three_spirals": (rt.three_spirals, (20,)),
    "two_circles": (rt.two_circles, (20,)),
    "two_moons": (rt.two_moons, (20,)),
    "two_spirals": (rt.two_spirals, (20,)),
    "Box": (rt.Box, (-1, [1, 1])),
    "Box.around": (rt.Box.around, (X,)),
    "Polytope": (rt.Polytope, ([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])),
    "AffineSlice": (rt.AffineSlice, (np.zeros(3), np.eye(3)[:, :2])),
    "AffineSlice.through": (rt.AffineSlice.through, (X[0], X[1])),
    "AffineSlice.principal": (rt.AffineSlice.principal, (X,)),
    "Dataset": (rt.Dataset, ("name", X, Y)),
    "complex_.locate": (COMPLEX.locate, (X,)),
    "complex_.region": (COMPLEX.region, (0,)),
    "complex_.regions_table": (COMPLEX.regions_table, (X,)),
    "complex_.neurons_table": (COMPLEX.neurons_table, (X,)),
    "complex_.dual_graph": (COMPLEX.dual_graph, ("facet",)),
    "complex_.boundary_matrix": (COMPLEX.boundary_matrix, (ORDER,)),
    "graph.to_networkx": (GRAPH.to_networkx, ({},)),
    "part.agreement": (PART.agreement, (X, Y)),
    "part.decision_agreement": (PART.decision_agreement, (X,)),
    "part.table": (PART.table, (X, Y)),
    "diagram.pairs": (DIAGRAM.pairs, (0,)),
    "diagram.representative": (DIAGRAM.representative, (DIAGRAM.pairs(0, over="index")[0],)),
    "diagram.representatives": (DIAGRAM.representatives, (0, 0.1, "index")),
    "diagram.betti_curve": (DIAGRAM.betti_curve, (0,)),
    "curve": (DIAGRAM.betti_curve(0), ([0.5],)),
    "network": (NET, (X,)),
    "network.predict": (NET.predict, (X,)),
    "plot_barcode": (P.plot_barcode, ({0: DIAGRAM},)),
    "plot_betti_curves": (P.plot_betti_curves, ({0: DIAGRAM},)),
    "plot_complex": (P.plot_complex, (COMPLEX, X, Y)),
    "plot_complexes": (P.plot_complexes, ([COMPLEX], ["title"])),
    "plot_function": (P.plot_function, (COMPLEX,)),
    "plot_partition": (P.plot_partition, (PART, X, Y)),
    "plot_partition_history": (P.plot_partition_history, ([], X, Y)),
    "plot_persistence_diagram": (P.plot_persistence_diagram, ({0: DIAGRAM},)),
    "plot_scaling": (P.plot_scaling, ({}, "cells")),
    "plot_crossings": (P.plot_crossings, (SEGMENTS, Y)),
    "plot_segment": (P.plot_segment, (SEGMENTS, 0)),
    "plot_space": (P.plot_space, (SPACE,)),
    "plot_spectral_embedding": (P.plot_spectral_embedding, (PARTS, X, Y)),
    "plot_spike_timeline": (P.plot_spike_timeline, (WORDS, [1.0])),
    "plot_timeline": (P.plot_timeline, (WORDS,)),
    "plot_cycles": (P.plot_cycles, (DIAGRAM.representatives(1),)),
    "plot_decision": (P.plot_decision, (COMPLEX, X, Y > 0)),
    "segments": (rt.segments, (NET, X, X[::-1])),
    "segments of pairs": (lambda m, x, pairs: rt.segments(m, x, pairs=pairs), (NET, X, [(0, 1)])),
    "segment_pairs": (rt.segment_pairs, (X, Y, "within")),
    "domain_chords": (rt.domain_chords, (BOX, X)),
    "path_graph": (rt.path_graph, (rt.segments(NET, X, X[::-1]),)),
    "path_signatures": (rt.path_signatures, (NET, X, Y)),
    "local_complexity": (rt.local_complexity, (NET, X, 0.1)),
    "wall_margins": (rt.wall_margins, (NET, X)),
    "save_figure": (P.save_figure, (Figure(), "figure.svg")),
    "animate": (P.animate, (PART, "film.gif")),
    "explore": (rt.explore, (PART, "page.html")),
    "explore a family": (
        lambda x, family: rt.explore(x, family=family),
        (lambda _: COMPLEX, [1.0, 2.0]),
    ),
    "explore with columns": (
        lambda x, points, labels, columns, title: rt.explore(
            x, points=points, labels=labels, columns=columns, title=title
        ),
        (PART, X, Y, {"own": np.arange(COMPLEX.n_regions)}, "title"),
    ),
}
ELSEWHERE = {"bump", "franke", "peaks", "sinsin", "train"}
"""Of which tests of settings ask the same."""


def test_every_function_is_tried() -> None:
    functions = {
        name
        for name in dir(rt)
        if not name.startswith("_") and inspect.isfunction(getattr(rt, name))
    }
    functions |= {
        name for name in dir(P) if not name.startswith("_") and inspect.isfunction(getattr(P, name))
    }
    assert functions - ELSEWHERE <= CALLS.keys()


@pytest.mark.parametrize("name", CALLS)
def test_anything_in_place_of_an_argument(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    call, arguments = CALLS[name]
    calls = [
        [*arguments[:i], value, *arguments[i + 1 :]]
        for i in range(len(arguments))
        for value in IN_PLACE.values()
    ]
    calls += [[arguments[1], arguments[0], *arguments[2:]]] if len(arguments) > 1 else []
    for wrong in calls:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with suppress(RelutopoError):
                call(*wrong)
    plt.close("all")


def test_a_step_is_a_title() -> None:
    ax = Figure().subplots()
    rt.plots.plot_complex(COMPLEX, ax=ax, title=100)  # type: ignore[call-overload]
    assert ax.get_title() == "100"
