"""What counts as an integer, a number, a choice or a flag, in one way for every argument."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import relutopo as rt
from relutopo import checks, gallery, registry
from relutopo.errors import InputError
from relutopo.learning.datasets import two_circles, two_moons
from relutopo.learning.domain_rules import SlicePrincipal, SliceThrough
from relutopo.learning.runs import TrainingRun
from relutopo.learning.surfaces import franke
from relutopo.learning.trainer import MlpSettings, TrainerSettings, train
from relutopo.networks.graph import Affine
from relutopo.spectral.weights import ScaledCount
from relutopo.tracking import Tracker

NOT_INTEGERS: list[Any] = [True, 2.5, 3.0, "3", float("nan"), np.float64(3), np.array([3]), 1j]
NOT_NUMBERS: list[Any] = [True, "abc", float("nan"), float("inf"), 10**400, np.array([0.1]), 1j]


@cache
def solid() -> rt.CellComplex:
    return rt.decompose(gallery.random_network([3, 4, 1], 0), rt.Box(-1, 1, dim=3))


@cache
def diagram() -> rt.Diagram:
    return rt.persistence(solid(), rt.filtration(solid(), "layer_depth"))


@cache
def graph() -> rt.DualGraph:
    return solid().dual_graph()


def no_edges(n_nodes: Any) -> rt.DualGraph:
    return rt.DualGraph(n_nodes, np.empty((0, 2), int), np.empty(0, int), "facet")


LINE: Any = ([[[1.0]], [[1.0]]], [[0.0], [0.0]])
SPREAD = np.random.default_rng(0).standard_normal((9, 4))

INTEGERS: dict[str, Callable[[Any], object]] = {
    "Box(dim)": lambda n: rt.Box(-1, 1, dim=n),
    "AffineSlice.principal(k)": lambda n: rt.AffineSlice.principal(SPREAD, k=n),
    "GraphNetwork(input_dim)": lambda n: rt.GraphNetwork(
        n, [Affine((0,), (np.ones((1, 3)),), np.zeros(1))]
    ),
    "as_network(input_shape)": lambda n: rt.as_network(
        ([[[1.0] * 3], [[1.0]]], [[0.0], [0.0]]), input_shape=(n,)
    ),
    "decompose(max_cells)": lambda n: rt.decompose(
        LINE, rt.Box(1, 2), enumerator="exact", max_cells=n
    ),
    "search_regions(max_regions)": lambda n: rt.search_regions(LINE, rt.Box(-1, 1), max_regions=n),
    "CellComplex.boundary(k)": lambda n: solid().boundary(n),
    "CellComplex.cell_vertices(k)": lambda n: solid().cell_vertices(n),
    "CellComplex.triangulation(k)": lambda n: solid().triangulation(n),
    "CellComplex.region_vertices(region)": lambda n: solid().region_vertices(n),
    "DualGraph(n_nodes)": no_edges,
    "fiedler_partition(seed)": lambda n: rt.fiedler_partition(
        graph(), vertex_weights="unweighted", seed=n
    ),
    "filtration(seed)": lambda n: rt.filtration(solid(), "random_closure", seed=n),
    "Filtration.cell(index)": lambda n: rt.filtration(solid(), "layer_depth").cell(n),
    "Diagram.pairs(dim)": lambda n: diagram().pairs(n),
    "Diagram.essential(dim)": lambda n: diagram().essential(n),
    "Diagram.representatives(dim)": lambda n: diagram().representatives(n),
    "homology_basis(dim)": lambda n: rt.homology_basis(solid(), n),
    "Diagram.betti_curve(dim)": lambda n: diagram().betti_curve(n),
    "Diagram.total_persistence(dim)": lambda n: diagram().total_persistence(n),
    "random_network(sizes)": lambda n: gallery.random_network([2, n, 1]),
    "random_network(seed)": lambda n: gallery.random_network([2, 2, 1], seed=n),
    "two_moons(n)": lambda n: two_moons(n=n),
    "two_circles(seed)": lambda n: two_circles(n=4, seed=n),
    "franke(n)": lambda n: franke(n=n),
    "franke(seed)": lambda n: franke(n=4, seed=n),
    "MlpSettings(hidden)": lambda n: MlpSettings(hidden=[4, n]),
    "TrainerSettings(n_steps)": lambda n: TrainerSettings(n_steps=n),
    "TrainerSettings(n_checkpoints)": lambda n: TrainerSettings(n_checkpoints=n),
    "TrainerSettings(checkpoint_every)": lambda n: TrainerSettings(checkpoint_every=n),
    "TrainerSettings(checkpoint_steps)": lambda n: TrainerSettings(checkpoint_steps=[n]),
    "TrainerSettings(held_out_every)": lambda n: TrainerSettings(held_out_every=n),
    "TrainingRun.checkpoint_path(step)": lambda n: TrainingRun("run").checkpoint_path(n),
    "SliceThrough(points)": lambda n: SliceThrough([0, 1, n]),
    "SlicePrincipal(dim)": lambda n: SlicePrincipal(dim=n),
    "Partition(seed)": lambda n: rt.Partition(seed=n),
    "Partition(max_cells)": lambda n: rt.Partition(max_cells=n),
    "Homology(n_filtrations)": lambda n: rt.Homology(n_filtrations=n),
    "arpack(max_iterations)": lambda n: registry.create("eigensolver", "arpack", max_iterations=n),
    "arpack(n_threads)": lambda n: registry.create("eigensolver", "arpack", n_threads=n),
    "auto(max_iterations)": lambda n: registry.create("eigensolver", "auto", max_iterations=n),
    "auto(n_threads)": lambda n: registry.create("eigensolver", "auto", n_threads=n),
    "amg_lobpcg(max_iterations)": lambda n: registry.create(
        "eigensolver", "amg_lobpcg", max_iterations=n
    ),
    "amg_lobpcg(block_size)": lambda n: registry.create("eigensolver", "amg_lobpcg", block_size=n),
    "cpu(n_threads)": lambda n: registry.create("enumerator", "cpu", n_threads=n),
}
"""What takes an integer, and how to pass it."""


@pytest.mark.parametrize("name", INTEGERS)
def test_every_integer_means_the_same(name: str) -> None:
    call = INTEGERS[name]
    argument = name.partition("(")[2].removesuffix(")")
    call(3)
    call(np.int64(3))
    call(np.uint8(3))
    for wrong in NOT_INTEGERS:
        with pytest.raises(InputError, match=rf"`{argument}` must be .*integer.*, got "):
            call(wrong)


@pytest.mark.parametrize("name", ["enumerator", "eigensolver"])
def test_cards_have_integers_as_numbers(name: str) -> None:
    for wrong in NOT_INTEGERS:
        with pytest.raises(InputError, match="`device` must be an integer from 0, got"):
            registry.create(name, {"enumerator": "cuda"}.get(name, "cuda_lobpcg"), device=wrong)


def test_steps_of_a_tracker_are_integers(tmp_path: Path) -> None:
    data = two_moons(n=8)
    three: Any = np.int64(3)
    tracker = Tracker(tmp_path, data, steps=[0, three])
    assert tracker.wants(3)
    assert tracker.wants(three)
    for wrong in NOT_INTEGERS:
        with pytest.raises(InputError, match="`step` must be an integer from 0, got"):
            tracker.wants(wrong)
        if not isinstance(wrong, np.ndarray):  # a collection of one integer
            with pytest.raises(InputError, match=r"`steps` must be .*integer.*, got"):
                Tracker(tmp_path, data, steps=wrong)


def test_the_seed_of_training_is_an_integer(tmp_path: Path) -> None:
    for wrong in NOT_INTEGERS:
        with pytest.raises(InputError, match="`seed` must be an integer from 0, got"):
            train(two_moons(n=8), MlpSettings(), TrainerSettings(), seed=wrong, directory=tmp_path)
    assert not list(tmp_path.iterdir())


NUMBERS: dict[str, Callable[[Any], object]] = {
    "Box.around(margin)": lambda x: rt.Box.around([[0, 0], [1, 1]], margin=x),
    "AffineSlice.principal(margin)": lambda x: rt.AffineSlice.principal(SPREAD, margin=x),
    "AffineSlice.through(margin)": lambda x: rt.AffineSlice.through([0, 0], [1, 1], margin=x),
    "decompose_whole_space(margin)": lambda x: rt.decompose_whole_space(LINE, margin=x),
    "two_moons(noise)": lambda x: two_moons(n=4, noise=x),
    "two_circles(factor)": lambda x: two_circles(n=4, factor=x),
    "MlpSettings(init_scale)": lambda x: MlpSettings(init_scale=x),
    "TrainerSettings(learning_rate)": lambda x: TrainerSettings(learning_rate=x),
    "TrainerSettings(weight_decay)": lambda x: TrainerSettings(weight_decay=x),
    "SlicePrincipal(margin)": lambda x: SlicePrincipal(margin=x),
    "ScaledCount(scale)": lambda x: ScaledCount(scale=x),
    "random_network(bias)": lambda x: gallery.random_network([2, 2, 1], bias=x),
}
"""What takes a number of which 1/4 is one, and how to pass it."""


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_means_the_same(name: str) -> None:
    call = NUMBERS[name]
    argument = name.partition("(")[2].removesuffix(")")
    for number in (0.25, np.float32(0.25), Fraction(1, 4)):
        call(number)
    for wrong in NOT_NUMBERS:
        with pytest.raises(InputError, match=rf"`{argument}` must be .*number.*, got "):
            call(wrong)


@pytest.mark.parametrize("name", ["arpack", "auto", "amg_lobpcg"])
def test_tolerances_are_numbers(name: str) -> None:
    assert registry.create("eigensolver", name, tol=np.float32(1e-7)).tol == float(np.float32(1e-7))
    for wrong in [*NOT_NUMBERS, 0, 1e-5]:
        with pytest.raises(InputError, match=r"`tol` must be a number in \(0, 1e-06\], got"):
            registry.create("eigensolver", name, tol=wrong)


@pytest.mark.parametrize("value", ["false", 1, 0, None, np.array([True])])
def test_flags_are_true_or_false(value: Any) -> None:
    with pytest.raises(InputError, match="`checkpoint_spikes` must be True or False, got"):
        TrainerSettings(checkpoint_spikes=value)
    assert TrainerSettings(checkpoint_spikes=np.True_).checkpoint_spikes is True  # type: ignore[arg-type]


@pytest.mark.slow
@given(st.integers() | st.floats() | st.booleans() | st.text() | st.fractions() | st.none())
def test_what_is_checked_is_python_s_own_or_refused(value: Any) -> None:
    def kind(check: Callable[..., object], **options: Any) -> type | None:
        try:
            return type(check("x", value, remedy="", **options))
        except InputError:
            return None

    is_integer = type(value) is int
    assert kind(checks.check_integer, least=-(10**400)) is (int if is_integer else None)
    assert kind(checks.check_number) in (float, None)
    assert kind(checks.check_flag) is (bool if type(value) is bool else None)
    assert kind(checks.check_choice, choices=("a",)) is (str if value == "a" else None)


@given(
    number=st.floats(-9, 9),
    ends=st.tuples(st.sampled_from([-2.0, 0.0]), st.sampled_from([0.5, 3.0])),
    closed=st.tuples(st.booleans(), st.booleans()),
)
def test_intervals_hold_the_ends_that_they_name(
    number: float, ends: tuple[float, float], closed: tuple[bool, bool]
) -> None:
    low, high = ends
    options = {"least" if closed[0] else "above": low, "most" if closed[1] else "below": high}
    inside = (low <= number if closed[0] else low < number) and (
        number <= high if closed[1] else number < high
    )
    if inside:
        assert checks.check_number("x", number, remedy="", **options) == number
    else:
        said = f"{'[' if closed[0] else '('}{low:g}, {high:g}{']' if closed[1] else ')'}"
        with pytest.raises(InputError) as told:
            checks.check_number("x", number, remedy="try 0", **options)
        assert str(told.value) == f"`x` must be a number in {said}, got {number!r}; try 0"
