"""The whole space: closed forms for arrangements, and boxes that must not matter."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

import relutopo as rt
from relutopo.errors import InputError, LimitReachedError
from relutopo.gallery import (
    central_arrangement,
    general_arrangement,
    n_regions_central,
    n_regions_general,
    random_network,
)


@pytest.mark.parametrize(("dim", "n"), [(1, 5), (2, 7), (3, 5)])
def test_general_position(dim: int, n: int) -> None:
    network = general_arrangement(n, dim, 1)
    space = rt.decompose_whole_space(network)
    assert space.complex.n_regions == n_regions_general(n, dim)
    # The unbounded regions are those of the parallel hyperplanes through the origin.
    assert space.unbounded.sum() == n_regions_central(n, dim)
    # Vertices are where d of the hyperplanes meet, and the box is theirs.
    w, b = network.weights[0], network.biases[0]
    crossings = [np.linalg.solve(w[list(c)], -b[list(c)]) for c in combinations(range(n), dim)]
    np.testing.assert_allclose(space.low, np.min(crossings, axis=0), rtol=1e-9)
    np.testing.assert_allclose(space.high, np.max(crossings, axis=0), rtol=1e-9)
    domain = space.complex.domain
    assert domain.contains(crossings).all()
    space.complex.check()


def test_zero_biases_have_one_vertex() -> None:
    space = rt.decompose_whole_space(central_arrangement(6, 2, 0))
    assert space.unbounded.all()
    assert len(space.unbounded) == 12
    assert space.low.tolist() == space.high.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_a_larger_box_holds_nothing_new(seed: int, kind: str) -> None:
    network = random_network([2, 5, 4, 1], seed, kind)
    try:
        space = rt.decompose_whole_space(network)
    except InputError:
        assert np.linalg.matrix_rank(network.weights[0]) < 2
        return
    reach = 100 * float(space.complex.domain.magnitude.max())
    larger = rt.decompose(network, rt.Box(-reach, reach, dim=2))
    assert larger.n_regions == space.complex.n_regions
    assert larger.dual_graph().n_edges == space.complex.dual_graph().n_edges
    # Regions that are marked grow with the box, the others do not.
    small, large = space.complex.canonical(), larger.canonical()
    at = np.lexsort(space.complex.packed_patterns.T[::-1])
    np.testing.assert_array_equal(small.packed_patterns, space.complex.packed_patterns[at])
    grown = large.volumes > small.volumes * (1 + 1e-6)
    np.testing.assert_array_equal(grown, space.unbounded[at])


def test_far_away_kinks_are_found() -> None:
    lines = ([[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0, 1.0]]], [[1e6, -2e6, 5.0], [0.0]])
    space = rt.decompose_whole_space(lines, margin=0.5)
    assert space.complex.n_regions == 7
    assert space.low.tolist() == [-2e6 - 5, 1e6 - 5]
    assert space.high.tolist() == [-1e6, 2e6]


@pytest.mark.parametrize(("kink", "margin"), [(3.0, 1e-17), (1e17, 0.25), (1e17, 1e-17)])
@pytest.mark.parametrize("enumerator", ["cpu", "exact"])
def test_margins_below_the_spacing_of_floats(kink: float, margin: float, enumerator: str) -> None:
    cross = ([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0]]], [[-kink, kink], [0.0]])
    space = rt.decompose_whole_space(cross, margin=margin, enumerator=enumerator)
    assert space.complex.n_cells == (9, 12, 4)
    assert space.low.tolist() == space.high.tolist() == [kink, -kink]


def test_the_published_example_over_the_whole_plane() -> None:
    import torch

    state = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 1),
    )  # fmt: skip
    torch.random.set_rng_state(state)
    space = rt.decompose_whole_space(model)
    assert (space.complex.n_regions, space.complex.dual_graph().n_edges) == (156, 291)


def test_vertices_a_rounding_error_apart() -> None:
    second = 1 + 2**-52
    near = ([[[1.0], [1.0]], [[1.0, 1.0]]], [[-1.0, -second], [0.0]])
    space = rt.decompose_whole_space(near)
    assert space.complex.n_regions == 3
    assert (space.low.item(), space.high.item()) == (1.0, second)


@pytest.mark.parametrize("kink", [4e15, 1e16, 1e140])
def test_one_vertex_far_away(kink: float) -> None:
    space = rt.decompose_whole_space(([[[1.0]], [[1.0]]], [[-kink], [0.0]]))
    assert space.complex.n_regions == 2
    assert space.low.item() == space.high.item() == kink


@pytest.mark.parametrize("margin", [1e-300, 1e-17, 1e7, 1e16, 1e100])
def test_the_margin_changes_nothing_but_the_box(margin: float) -> None:
    network = random_network([2, 5, 4, 1], 1)
    space, usual = (
        rt.decompose_whole_space(network, margin=margin),
        rt.decompose_whole_space(network),
    )
    assert space.complex.n_regions == usual.complex.n_regions
    np.testing.assert_allclose([space.low, space.high], [usual.low, usual.high], rtol=1e-12)
    box = space.complex.domain
    assert isinstance(box, rt.Box)
    assert (box.low < space.low).all()
    assert (box.high > space.high).all()
    reach = margin * (space.high - space.low)
    np.testing.assert_allclose(box.low, space.low - reach, rtol=1e-9)
    np.testing.assert_allclose(box.high, space.high + reach, rtol=1e-9)


def test_rounds_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relutopo.decomposition._MOST_ROUNDS", 1)
    with pytest.raises(InputError, match=r"vertices that 1 boxes reach.*\[3.0\].*decompose a Box"):
        rt.decompose_whole_space(([[[1.0]], [[1.0]]], [[-3.0], [0.0]]))


def test_errors() -> None:
    with pytest.raises(InputError, match=r"nothing bounds along the direction \[.*decompose a Box"):
        rt.decompose_whole_space(([[[1.0, 2.0]], [[1.0]]], [[0.0], [0.0]]))
    with pytest.raises(InputError, match="kinks that meet in vertices"):
        rt.decompose_whole_space(([[[1.0, 2.0]]], [[0.0]]))
    with pytest.raises(InputError, match="`margin` must be a positive finite number, got 0"):
        rt.decompose_whole_space(general_arrangement(3, 2, 0), margin=0)
    with pytest.raises(LimitReachedError, match="`max_cells`=5"):
        rt.decompose_whole_space(general_arrangement(6, 2, 0), max_cells=5)
    with pytest.raises(InputError, match="`margin` must leave a box within the range of floats"):
        rt.decompose_whole_space(general_arrangement(3, 2, 0), margin=1e308)
    with pytest.raises(InputError, match="`model` must have its vertices within the range"):
        rt.decompose_whole_space(([[[1e-10]], [[1.0]]], [[-1e300], [0.0]]), enumerator="exact")
