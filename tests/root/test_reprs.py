"""What objects say of themselves is short, and says what one wants to know."""

from __future__ import annotations

import inspect
import pickle
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from relutopo.analyses.partition import Partition
from relutopo.errors import InputError
from relutopo.learning.datasets import Dataset, two_moons
from relutopo.learning.runs import Checkpoint, History
from relutopo.plots.notebook import NotebookFigure

NETWORK = ([np.eye(2), np.ones((1, 2))], [np.array([0.0, 0.3]), np.array([-0.5])])
BOX = rt.Box(-1, 1, dim=2)
COMPLEX = rt.decompose(NETWORK, BOX, enumerator="exact")
PART = rt.fiedler_partition(COMPLEX, vertex_weights="unweighted")
ORDER = rt.filtration(COMPLEX, "random_closure", seed=0)
DIAGRAM = rt.persistence(COMPLEX, ORDER)
DATA = two_moons(n=20)
INSIDE = np.random.default_rng(0).uniform(-1, 1, (20, 2))


class Texts(HTMLParser):
    """The texts of the cells, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells.append(data)


@pytest.mark.parametrize(
    ("shown", "text", "cells"),
    [
        (COMPLEX, "CellComplex(dim=2, 9 + 12 + 4 cells, exact)", ["regions", "4"]),
        (PART, "FiedlerPartition(value=", ["sides", "2, 2"]),
        (PART.agreement(INSIDE, INSIDE[:, 0] > 0), "LabelAgreement(", ["points", "20"]),
        (PART.decision_agreement(INSIDE), "DecisionAgreement(", ["by volume"]),
        (PART.graph, "DualGraph(4 nodes, 4 edges, 'facet')", ["components", "4"]),
        (rt.as_graph(np.ones((3, 3)) - np.eye(3)), "GivenGraph(3 nodes, 3 edges)", ["given"]),
        (COMPLEX.region(0), "Region(0, pattern 00, 4 vertices, volume ", ["pattern by layer"]),
        (BOX, "Box([-1.0, -1.0], [1.0, 1.0])", ["volume", "4"]),
        (ORDER, "Filtration('random_closure', 25 cells, seed=0)", ["cells by dimension"]),
        (DIAGRAM, "Diagram(dim=2, 8 + 4 pairs, Betti numbers 1, 0, 0, ", ["1, 0, 0"]),
        (DIAGRAM.reduction, "Reduction(12 pairs, 1 essential, ", []),
        (DIAGRAM.betti_curve(0, "index"), "BettiCurve(degree 0 over index, ", ["peak"]),
        (DIAGRAM.representatives(1), "Cycles(H_1, 4 cycles, ", ["degree", "dual union-find"]),
        (DIAGRAM.representatives(1)[0], "Cycle(H_1 from ", ["length", "found by"]),
        (rt.boundary_matrix(COMPLEX, ORDER), "BoundaryMatrix(9 + 12 + 4 columns, 40 entries)",
         ["9, 12, 4"]),
        (rt.decision_boundary(COMPLEX), "DecisionBoundary(", ["cells by dimension"]),
        (COMPLEX.decision(), "Decision(2 classes, 13 + 19 + 7 cells, 3 of 4 regions crossed)",
         ["regions crossed", "3", "triple points", "0"]),
        (COMPLEX.decision().refined, "ArgmaxCells(dim=2, 13 + 19 + 7 cells)", ["13, 19, 7"]),
        (rt.decompose_whole_space(NETWORK, enumerator="exact"),
         "WholeSpace(CellComplex(dim=2, 9 + 12 + 4 cells, exact), 4 regions unbounded)",
         ["unbounded regions", "4"]),
        (rt.Partitioner(COMPLEX, INSIDE), "Partitioner(DualGraph(4 nodes, 4 edges, 'facet'), 20 po",
         ["points", "20", "AutoEigensolver"]),
        (rt.wall_margins(NETWORK, [[0.5, 0.2], [0.0, 0.5]]), "WallMargins(2 points, 0 to 0.5, hal",
         ["points", "2", "on a wall", "1"]),
        (rt.search_regions(NETWORK, BOX, INSIDE), "RegionSearch(4 regions, complete)",
         ["complete", "left open"]),
        (rt.Estimate(4.0, 4.0, 4.0, 16.0, 900.0, 200.0, 1, 1), "Estimate(4 regions, 900 B, 3 min; "
         "from 1 of 1 tile)", ["regions", "900 B", "3 min"]),
        (DATA, "Dataset('two_moons', 20 points in 2 dimensions, 1000 held out, classes -1.0, 1.0)",
         ["-1.0: 10, 1.0: 10"]),
        (Dataset("few", [[0.5], [1.0]], [0.25, 0.5]),
         "Dataset('few', 2 points in 1 dimension, values)",
         ["0.25, 0.5"]),
        (Dataset("many", np.zeros((9, 1)), np.arange(9)), "Dataset('many', 9 points in 1 dimension"
         ", 9 classes)", []),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_reprs_and_tables_of_notebooks(shown: Any, text: str, cells: list[str]) -> None:
    assert repr(shown).startswith(text)
    assert len(repr(shown)) < 120
    if not cells:
        return
    parser = Texts()
    parser.feed(shown._repr_html_())
    assert parser.open == []
    assert set(cells) <= set(parser.cells)
    assert parser.cells[0] == type(shown).__name__
    assert len(shown._repr_html_()) < 2000


def test_tables_escape_what_they_show() -> None:
    data = Dataset("<script>", [[0.0], [1.0]], ["<a>", "<b>"])
    assert "<script>" not in data._repr_html_()
    assert "<a>" not in data._repr_html_()


def test_a_sweep_cut_does_not_print_its_sides() -> None:
    kink = ([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]])
    graph = rt.decompose(kink, BOX, enumerator="exact").dual_graph()
    cut = rt.fiedler_partition(graph, vertex_weights="unweighted").sweep_cut()
    assert repr(cut) == "SweepCut(1 of 2 nodes above 0, conductance 1, by sign 1)"
    parser = Texts()
    parser.feed(cut._repr_html_())
    assert {"nodes above", "conductance"} <= set(parser.cells)


def test_records_do_not_print_their_arrays() -> None:
    steps = np.arange(5000)
    values = steps / 1.0
    history = History(steps, values, values, steps, values, values)
    assert repr(history) == "History(5000 steps to 4999, train loss 4999)"
    state = {"0.weight": np.zeros((99, 99))}
    assert repr(Checkpoint(3, state)) == "Checkpoint(step 3, 1 tensors)"
    settings = Partition(enumerator="exact")  # type: ignore[arg-type]
    kink = ([[[0.0, 1.0]], [[1.0]]], [[-0.25], [-0.1]])
    found = settings.analyse(rt.as_network(kink), DATA)
    assert repr(found).startswith("Analysed(CellComplex(dim=2, ")
    assert len(repr(settings.partitions(found))) < 200


def test_domains_of_equal_numbers_are_equal() -> None:
    sides, offsets = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]), np.ones(3)
    origin, basis = np.zeros((1, 3)), np.eye(3)[:, :2]

    def several() -> list[rt.Domain]:
        return [
            rt.Box(-1, 1, dim=2),
            rt.Box(-1, 1, dim=3),
            rt.Box(-1, [1, 2]),
            rt.Polytope(sides, offsets),
            rt.Polytope(sides, 2 * offsets),
            rt.AffineSlice(origin, basis),
            rt.AffineSlice(origin[0], basis),
            rt.AffineSlice(origin, basis, rt.Box(-2, 1, dim=2)),
        ]

    first, second = several(), several()
    assert [[a == b for a in first] for b in second] == np.eye(8, dtype=bool).tolist()
    assert list(map(hash, first)) == list(map(hash, second))
    assert len({*first, *second}) == 8
    assert pickle.loads(pickle.dumps(first)) == first
    assert rt.Box([0.0], [1.0]) == rt.Box([-0.0], [1.0])
    assert hash(rt.Box([0.0], [1.0])) == hash(rt.Box([-0.0], [1.0]))
    assert first[0] != "Box([-1.0, -1.0], [1.0, 1.0])"


def test_no_public_object_shows_as_its_address() -> None:
    public = [getattr(rt, name) for name in dir(rt)]
    kinds: list[Any] = [kind for kind in public if isinstance(kind, type)]
    kinds = [kind for kind in kinds if not inspect.isabstract(kind)]
    assert len(kinds) > 40
    assert [kind for kind in kinds if kind.__repr__ is object.__repr__] == []


def test_completion_shows_public_names_only() -> None:
    for package in (rt, rt.plots, rt.gallery, rt.testing, rt.registry, rt.interfaces):
        public = [name for name in dir(package) if not name.startswith("__")]
        assert public == sorted(package.__all__), package.__name__


def test_figures_show_themselves_in_notebooks() -> None:
    figure = rt.plots.plot_complex(COMPLEX)
    assert isinstance(figure, NotebookFigure)
    png = figure._repr_png_()
    assert png.startswith(b"\x89PNG")
    assert pickle.loads(pickle.dumps(figure))._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="a notebook"):
        figure.show()
