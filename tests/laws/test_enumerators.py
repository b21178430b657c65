"""Every enumerator against closed forms, and all of them against each other."""

from __future__ import annotations

from importlib import import_module
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from properties import examples
from relutopo import Box, ReluNetwork, betti_numbers, decompose
from relutopo.complex import CellComplex
from relutopo.devices.device import numpy_device
from relutopo.errors import InputError, LimitReachedError
from relutopo.gallery import (
    central_arrangement,
    general_arrangement,
    n_regions_central,
    n_regions_general,
    random_network,
)
from relutopo.geometry.polytope import Polytope
from relutopo.interfaces import Enumerator
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.perceptron import relu_nodes
from relutopo.testing import assert_same_complex

Choice: TypeAlias = str | Enumerator
lattice, lattice_tuning, planar, planar_tuning = (
    import_module(f"relutopo.backends.enumerators.{name}")
    for name in (
        "_lattice.enumeration",
        "_lattice.tuning",
        "_planar.enumeration",
        "_planar.tuning",
    )
)
BULK = import_module("relutopo.backends.enumerators._bulk.enumeration").BulkEnumerator(
    numpy_device(), "bulk"
)
ENUMERATORS = [
    "cpu",
    "exact",
    pytest.param(BULK, id="bulk"),  # what `cuda` runs, on NumPy
    pytest.param("cuda", marks=pytest.mark.gpu),
]
FAR = 1000.0  # a box that holds every crossing of the seeds used here


def one_layer(rows: list[tuple[float, ...]]) -> ReluNetwork:
    """Rows are (normal..., offset)."""
    array = np.array(rows, dtype=float)
    return ReluNetwork([array[:, :-1], np.ones((1, len(array)))], [array[:, -1], [0.0]])


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_general_position(enumerator: Choice, dim: int, n: int) -> None:
    for seed in range(3):
        network = general_arrangement(n, dim, seed)
        complex_ = decompose(network, Box(-FAR, FAR, dim=dim), enumerator=enumerator)
        assert complex_.n_regions == n_regions_general(n, dim)
        complex_.check()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_zero_biases(enumerator: Choice, dim: int, n: int) -> None:
    complex_ = decompose(central_arrangement(n, dim, n), Box(-1, 1, dim=dim), enumerator=enumerator)
    assert complex_.n_regions == n_regions_central(n, dim)
    # All lines meet in one vertex, and only there.
    at_origin = (np.abs(complex_.vertices) < 1e-12).all(axis=1)
    assert at_origin.sum() == (n >= dim)
    complex_.check()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize(
    ("rows", "n_regions"),
    [
        ([(1, 0, 0.25)] * 3, 2),  # the same line three times
        ([(1, 0, 0.25), (-2, 0, -0.5), (0.1, 0, 0.025)], 2),  # multiples; 0.1 is not a tenth
        ([(0, 0, 1), (0, 0, -1), (0, 0, 0)], 1),  # dead and always active neurons
        ([(1, 1, 0)], 2),  # from corner to corner
        ([(1, 1, 0), (1, -1, 0)], 4),  # both diagonals
        ([(1, 1, 2)], 1),  # touches a corner from outside
        ([(1, 0, 1)], 1),  # along a side
        ([(1, 0, 1), (0, 1, -1), (1, 1, 0)], 2),  # along two sides, and through their corner
        ([(1, 0, 5)], 1),  # misses the box
        ([(1, 0, 0), (0, 1, 0), (1, 1, 0), (1, -1, 0)], 8),  # four lines through one point
        ([(1, 0, 0), (1, 0, -1e-13)], 3),  # a sliver, but a region
    ],
)
def test_special_lines(enumerator: Choice, rows: list[tuple[float, ...]], n_regions: int) -> None:
    complex_ = decompose(one_layer(rows), Box(-1, 1, dim=2), enumerator=enumerator)
    assert complex_.n_regions == n_regions
    complex_.check()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
def test_a_tenth_is_not_a_tenth(enumerator: Choice) -> None:
    # As floats, 0.1 * 3 and 0.3 differ: the two zeros are an ulp apart, and both exist.
    lines = one_layer([(0.1, -0.3), (1.0, -3.0)])
    complex_ = decompose(lines, Box(0.0, 4.0, dim=1), enumerator=enumerator)
    assert complex_.n_regions == (2 if 3 * 0.1 == 0.3 else 3)


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize(("dim", "hidden"), [(1, [6, 4]), (2, [6, 4, 4]), (3, [5, 3]), (4, [4, 2])])
@pytest.mark.parametrize("seed", range(6))
def test_nearly_parallel_neurons(
    enumerator: Choice, dim: int, hidden: list[int], seed: int
) -> None:
    """Vertices are as far off as their bounds say; cells are the same however close lines come."""
    network, rng = random_network([dim, *hidden, 1], seed), np.random.default_rng(seed)
    weights, biases = [w.copy() for w in network.weights], [b.copy() for b in network.biases]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        slight = 1 + 10.0 ** -rng.integers(6, 17) * rng.standard_normal(w.shape[1] + 1)
        w[1], b[1] = w[0] * slight[:-1], b[0] * slight[-1]
    network = ReluNetwork(weights, biases)
    box = Box(-2, 2, dim=dim)
    cut, exact = (decompose(network, box, enumerator=name) for name in (enumerator, "exact"))
    assert_same_complex(cut, exact, tolerance=2.0**-13)
    assert (exact.vertex_errors <= 2.0**-51).all()
    if dim < 4:
        cut.check()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("exponents", [(58, 50, 39), (23, 58, 54), (-60, -60, -60), (70, -90, 60)])
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_numbers_of_any_size(enumerator: Choice, dim: int, exponents: tuple[int, ...]) -> None:
    """Their products overflow and vanish as floats."""
    small = random_network([dim, 5, 4, 3, 1], 0)
    for bias in (0.0, 1.0):
        scales = [10.0**exponent for exponent in exponents]
        weights = [w * s for w, s in zip(small.weights, [*scales, 1.0], strict=True)]
        biases = [bias * b * s for b, s in zip(small.biases, [*scales, 1.0], strict=True)]
        network, box = ReluNetwork(weights, biases), Box(-2, 2, dim=dim)
        cut = decompose(network, box, enumerator=enumerator)
        assert_same_complex(cut, decompose(network, box, enumerator="exact"))
        assert cut.network is network


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("seed", range(4))
def test_neurons_of_very_different_size(enumerator: Choice, dim: int, seed: int) -> None:
    """Small neurons that vanish almost together, with values whose squares are no floats."""
    network, rng = random_network([dim, 7, 4, 1], seed), np.random.default_rng(seed)
    w, b = network.weights[0].copy(), network.biases[0].copy()
    w[1], b[1] = w[0] * 3, b[0] * 3  # rounded, or not
    w[2], b[2] = w[0] * 0.3, b[0] * 0.3
    for j in range(4):
        scale = 2.0 ** -rng.integers(500, 700)
        w[j], b[j] = w[j] * scale, b[j] * scale
    network = ReluNetwork([w, *network.weights[1:]], [b, *network.biases[1:]])
    box = Box(-2, 2, dim=dim)
    cut, exact = (decompose(network, box, enumerator=name) for name in (enumerator, "exact"))
    assert_same_complex(cut, exact, tolerance=2.0**-13)


@pytest.mark.parametrize("dim", [1, 2, 3])
@pytest.mark.parametrize("size", [1e-300, 1e-145, 1e145, 1e300])
def test_domains_whose_squares_leave_the_range_of_floats_are_refused(dim: int, size: float) -> None:
    network = random_network([dim, 4, 1], 0)
    network = ReluNetwork([network.weights[0] / size, *network.weights[1:]], network.biases)
    for enumerator in ("cpu", BULK):
        with pytest.raises(InputError, match=r"coordinates of a size from .* on axis 0; .*'exact'"):
            decompose(network, Box(-size, size, dim=dim), enumerator=enumerator)


def test_numbers_that_floats_do_not_hold_together_are_refused() -> None:
    weights = [[[1e200, 0.0], [0.0, 1e200]], [[1e200, 1e200]], [[1.0]]]
    network, box = ReluNetwork(weights, [[0.0, 0.0], [1e-3], [0.0]]), Box(-1, 1, dim=2)
    for enumerator in ("cpu", BULK):
        with pytest.raises(InputError, match=r"layer 1 has weights or biases from .* 'exact'"):
            decompose(network, box, enumerator=enumerator)
    assert decompose(network, box, enumerator="exact").n_regions > 1
    graph = GraphNetwork(2, relu_nodes(network))
    with pytest.raises(InputError, match=r"pre-activations below 1e.140, .* 'exact'"):
        decompose(graph, box, enumerator="cpu")


def test_domains_wider_than_floats_are_refused() -> None:
    lines: Any = ([[[1.0, 2.0], [0.0, 1.0]], [[1.0, 1.0]]], [[0.0, 0.0], [0.0]])
    sides = Box(-1e308, 1e308, dim=2).halfspaces()
    for domain in (Box(-1e308, 1e308, dim=2), Polytope(*sides)):
        with pytest.raises(InputError, match=r"`domain` must .* a size from .* axis 0"):
            decompose(lines, domain)
        assert decompose(lines, domain, enumerator="exact").n_regions == 4


# From examples of each dimension on: more than 300 networks, and most of them degenerate.
@pytest.mark.parametrize(("dim", "width", "depth"), [(1, 6, 4), (2, 6, 4), (3, 5, 3), (4, 4, 2)])
@examples(80)
@given(data=st.data(), seed=st.integers(0, 10**6), bias=st.sampled_from([0.0, 1.0]))
def test_cpu_equals_exact(
    dim: int, width: int, depth: int, data: st.DataObject, seed: int, bias: float
) -> None:
    hidden = data.draw(st.lists(st.integers(1, width), min_size=1, max_size=depth))
    kind = data.draw(st.sampled_from(["gaussian", "integer", "float32"]))
    network, box = random_network([dim, *hidden, 1], seed, kind, bias), Box(-2, 2, dim=dim)
    fast = decompose(network, box, enumerator="cpu")
    assert fast.record.status == "certified"
    fast.check()
    assert betti_numbers(fast) == (1,) + dim * (0,)  # of a ball
    assert_same_complex(fast, decompose(network, box, enumerator="exact"))


@pytest.mark.parametrize("dim", [1, 2])
@examples(40)
@given(
    hidden=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer", "float32"]),
    bias=st.sampled_from([0.0, 1.0]),
)
def test_both_algorithms_of_cpu_agree(
    dim: int, hidden: list[int], seed: int, kind: str, bias: float
) -> None:
    network, box = random_network([dim, *hidden, 1], seed, kind, bias), Box(-1.5, 2, dim=dim)
    cut = lattice.enumerate_lattice(network, box, None, None)
    assert_same_complex(decompose(network, box, enumerator="cpu"), cut)


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("bias", [1.0, 0.0])
def test_cpu_on_wider_networks(kind: str, bias: float) -> None:
    for seed in range(3):
        network = random_network([2, 16, 12, 8, 1], seed, kind, bias)
        complex_ = decompose(network, Box(-1.5, 1.5, dim=2))
        complex_.check()
        assert complex_.n_regions > 16


@pytest.mark.parametrize("enumerator", ENUMERATORS)
def test_deep_networks_without_biases_are_cones(enumerator: Choice) -> None:
    # Scaling the box changes nothing: every region is a cone.
    network = random_network([2, 5, 4, 4, 1], 3, bias=0.0)
    small, large = (
        decompose(network, Box(-r, r, dim=2), enumerator=enumerator) for r in (0.125, 8.0)
    )
    assert small.n_cells == large.n_cells
    np.testing.assert_array_equal(
        small.canonical().packed_patterns, large.canonical().packed_patterns
    )
    small.check()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
def test_a_neuron_that_vanishes_on_a_region(enumerator: Choice) -> None:
    # Where the first layer is dead, the second one is identically zero.
    network = ReluNetwork(
        [[[1.0, 0.0], [1.0, 1.0]], [[1.0, -1.0], [2.0, 0.0]], [[1.0, 1.0]]],
        [[0.0, 0.0], [0.0, 0.0], [0.0]],
    )
    complex_ = decompose(network, Box(-1, 1, dim=2), enumerator=enumerator)
    complex_.check()
    dead = ~complex_.patterns[:, :2].any(axis=1)
    assert dead.sum() == 1
    assert not complex_.patterns[dead, 2:].any()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
def test_no_hidden_layer_gives_the_domain(enumerator: Choice) -> None:
    network = ReluNetwork([[[1.0, 2.0]]], [[0.0]])
    assert decompose(network, Box(0, 1, dim=2), enumerator=enumerator).n_cells == (4, 4, 1)


def test_same_input_same_arrays() -> None:
    network = random_network([2, 12, 12, 1], 0)
    a, b = (decompose(network, Box(-1, 1, dim=2)) for _ in range(2))
    np.testing.assert_array_equal(a.vertices, b.vertices)
    np.testing.assert_array_equal(a.facets[1][1], b.facets[1][1])
    np.testing.assert_array_equal(a.packed_patterns, b.packed_patterns)


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_max_cells_stops(enumerator: Choice, dim: int) -> None:
    network, box = general_arrangement(7, dim, 0), Box(-FAR, FAR, dim=dim)
    n = sum(decompose(network, box, enumerator=enumerator).n_cells)
    assert decompose(network, box, enumerator=enumerator, max_cells=n).n_regions
    with pytest.raises(
        LimitReachedError, match=rf"`max_cells`={n - 1} .*layer 1 .*raise the limit"
    ):
        decompose(network, box, enumerator=enumerator, max_cells=n - 1)
    for wrong in (0, 2.5, "many"):
        with pytest.raises(InputError, match="`max_cells` must be an integer from 1, got"):
            decompose(network, box, enumerator=enumerator, max_cells=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("enumerator", ENUMERATORS)
def test_progress_comes_to_its_end(enumerator: Choice) -> None:
    calls: list[tuple[int, int]] = []
    decompose(
        random_network([2, 3, 3, 1], 0),
        Box(-1, 1, dim=2),
        enumerator=enumerator,
        progress=lambda done, total, message="": calls.append((done, total)),
    )
    done, total = np.array(calls).T
    assert len(calls) >= 2
    assert (np.diff(done) > 0).all()
    assert (total == done[-1]).all()


def blocks_of(size: int, **others: int) -> Any:
    """Return the sizes at which planes are split into blocks of about so many regions."""
    return planar_tuning.Tuning(numbers_at_once=1, fewest=size, fewest_at_last=size, **others)


@pytest.mark.parametrize("bias", [1.0, 0.0])
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_blocks_change_nothing(kind: str, bias: float) -> None:
    """However the plane is split into blocks, the result is that of the exact enumerator."""
    for seed in range(8):
        network, box = random_network([2, 6, 5, 4, 1], seed, kind, bias), Box(-2, 2, dim=2)
        split = planar.enumerate_planar(network, box, None, None, 2, blocks_of(1 + seed))
        split.check()
        assert_same_complex(split, decompose(network, box, enumerator="exact"))


@pytest.mark.parametrize("bias", [1.0, 0.0])
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_what_is_done_for_wide_layers_changes_nothing(kind: str, bias: float) -> None:
    """However few units a layer is taken for wide from, the result is the exact one."""
    for seed in range(6):
        size = 1 + seed
        tuning = blocks_of(size, wide_first=3, share=3, wide_last=1, regions_of_one_layer=9 * size)
        for shape in ([2, 7, 20, 1], [2, 5, 4, 11, 1], [2, 12, 1]):
            network, box = random_network(shape, seed, kind, bias), Box(-2, 2, dim=2)
            split = planar.enumerate_planar(network, box, None, None, 2, tuning)
            split.check()
            assert_same_complex(split, decompose(network, box, enumerator="exact"))


@pytest.mark.parametrize("enumerator", ENUMERATORS)
def test_two_planes_nearer_than_their_squares_are_to_zero(enumerator: Choice) -> None:
    """Bounds of errors hold where the squares of weights are too small for a float."""
    network = ReluNetwork(
        [[[1.0, 0.0], [0.0, -1e42]], [[0.0, -7e100], [0.0, 8e-65]], [[1.0, 1.0]]],
        [[0.0, -2.36e41], [0.0, -1.06e-65], [0.0]],
    )
    cut = decompose(network, Box([-0.25, -2], [2, 0]), enumerator=enumerator)
    cut.check()
    assert cut.n_cells == (12, 17, 6)


@examples(30)
@given(
    hidden=st.lists(st.integers(1, 6), min_size=2, max_size=3),
    seed=st.integers(0, 10**6),
    decades=st.sampled_from([80, 160, 240]),
    tuning=st.builds(
        planar_tuning.Tuning,
        fewest=st.integers(1, 9),
        wide_last=st.integers(1, 9),
        siblings=st.integers(1, 6),
    ),
)
def test_rows_of_all_sizes_in_one_layer(
    hidden: list[int], seed: int, decades: int, tuning: Any
) -> None:
    """The same cells as with rows of one size, which differ by powers of two."""
    network, box = random_network([2, *hidden, 1], seed, "integer"), Box(-2, 2, dim=2)
    rng = np.random.default_rng(seed)
    weights, biases = map(list, (network.weights, network.biases))
    for layer, n in enumerate(network.layer_sizes):
        scale = 2.0 ** -rng.integers(0, int(3.3 * decades / len(hidden)), n).astype(float)
        weights[layer] = weights[layer] * scale[:, None]
        biases[layer] = biases[layer] * scale
        weights[layer + 1] = weights[layer + 1] / scale
    scaled = ReluNetwork(weights, biases)
    cut = planar.enumerate_planar(scaled, box, None, None, 1, tuning)
    right = decompose(network, box)
    assert cut.n_cells == right.n_cells
    assert sorted(cut.patterns.tolist()) == sorted(right.patterns.tolist())


@examples(30)
@given(
    hidden=st.lists(st.integers(1, 12), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer"]),
    bias=st.sampled_from([0.0, 1.0]),
    tuning=st.builds(
        planar_tuning.Tuning,
        numbers_at_once=st.integers(1, 1000),
        fewest=st.integers(1, 9),
        fewest_at_last=st.integers(1, 9),
        room_to_grow=st.integers(1, 40),
        wide_first=st.integers(2, 14),
        share=st.integers(2, 5),
        regions_of_one_layer=st.integers(1, 200),
        wide_last=st.integers(1, 14),
        siblings=st.integers(1, 6),
    ),
)
def test_tuning_of_planes_changes_nothing(
    hidden: list[int], seed: int, kind: str, bias: float, tuning: Any
) -> None:
    network, box = random_network([2, *hidden, 1], seed, kind, bias), Box(-2, 2, dim=2)
    tuned = planar.enumerate_planar(network, box, None, None, 1, tuning)
    assert_same_complex(tuned, decompose(network, box, enumerator="cpu"))


def test_threads_change_nothing() -> None:
    """The same bits, whatever the number of threads."""
    network, box = random_network([2, 20, 20, 20, 1], 0), Box(-3, 3, dim=2)
    one, three = (
        planar.enumerate_planar(network, box, None, None, n, blocks_of(50)) for n in (1, 3)
    )
    for a, b in zip(stored_arrays(one), stored_arrays(three), strict=True):
        np.testing.assert_array_equal(a, b)


def stored_arrays(complex_: CellComplex) -> list[NDArray[Any]]:
    facets = [array for lists in complex_.facets for array in lists]
    return [complex_.vertices, complex_.packed_patterns, complex_.facet_labels, *facets]


def test_published_example() -> None:
    """The default-initialised [2,8,8,1] network over (practically) the whole plane."""
    import torch

    generator_state = torch.random.get_rng_state()
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(2, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 8), torch.nn.ReLU(),
        torch.nn.Linear(8, 1),
    )  # fmt: skip
    torch.random.set_rng_state(generator_state)
    complex_ = decompose(model, Box(-1e4, 1e4, dim=2))
    assert complex_.n_regions == 156
    assert complex_.dual_graph("facet").n_edges == 291
    assert complex_.dual_graph("hamming").n_edges == 293
    complex_.check()


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("dim", [1, 2, 3])
@examples(40)
@given(data=st.data(), thin=st.integers(0, 2), n_ulps=st.integers(1, 2))
def test_domains_whose_corners_are_floats_next_to_each_other(
    enumerator: Choice, dim: int, data: st.DataObject, thin: int, n_ulps: int
) -> None:
    small, thin = st.integers(-2, 2), thin % dim
    low = np.array(data.draw(st.lists(small, min_size=dim, max_size=dim)), dtype=float)
    high = low + 1
    low[thin] = high[thin] = low[thin] or 1.0
    for _ in range(n_ulps):
        high[thin] = np.nextafter(high[thin], 9)
    rows = [[data.draw(small) for _ in range(dim)] for _ in range(data.draw(st.integers(1, 3)))]
    w, share = np.array(rows, dtype=float), data.draw(st.sampled_from([0.0, 0.3, 0.5, 1.0]))
    b = np.nextafter(-w @ (low + share * (high - low)), data.draw(st.sampled_from([-9, 9])))
    network, box = (
        ReluNetwork([w, np.ones((1, len(b)))], [b, [0.0]]),
        Box(low.tolist(), high.tolist()),
    )
    cut, exact = (decompose(network, box, enumerator=name) for name in (enumerator, "exact"))
    assert_same_complex(cut, exact)


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize(
    ("sides", "offsets", "w", "b"),
    [
        ([[-3, -3], [2, -2]], [2.9999999999999996, 5.999999999999998],
         [[2.0, 1.0], [-1.0, 1.0]], [-2.0, 1.0]),
        ([[1, 1]], [2.9999999999999996], [[1.0, -1.0]], [-0.9999999999999998]),
        ([[1, 1]], [2.9999999999999996], [[1.0, -1.0], [1.0, 0.0]], [-1.0, -2.0]),
    ],
)  # fmt: skip
def test_polytopes_with_sides_shorter_than_rounding(
    enumerator: Choice, sides: Any, offsets: list[float], w: Any, b: list[float]
) -> None:
    square = [[1, 0], [0, 1], [-1, 0], [0, -1]]
    domain = Polytope([*square, *sides], [2, 1, 0, 1, *offsets])
    network = ReluNetwork([w, np.ones((1, len(b)))], [b, [0.0]])
    cut, exact = (decompose(network, domain, enumerator=name) for name in (enumerator, "exact"))
    assert_same_complex(cut, exact)
    cut.check()


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_cpu_equals_exact_on_polytopes(dim: int, kind: str) -> None:
    # Corners of a polytope are rationals, which floats only approximate.
    for seed in range(4):
        rng = np.random.default_rng(seed)
        normals = np.concatenate([np.eye(dim), -np.eye(dim), rng.standard_normal((4, dim))])
        polytope = Polytope(normals, rng.uniform(0.5, 1.5, len(normals)))
        network = random_network([dim, 5, 4, 1], seed, kind)
        fast = decompose(network, polytope, enumerator="cpu")
        fast.check()
        assert_same_complex(fast, decompose(network, polytope, enumerator="exact"))


@pytest.mark.parametrize("dim", [1, 2, 3, 4])
@examples(30)
@given(
    hidden=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer"]),
    bias=st.sampled_from([0.0, 1.0]),
    size=st.integers(1, 30),
)
def test_blocks_of_lattices_change_nothing(
    dim: int, hidden: list[int], seed: int, kind: str, bias: float, size: int
) -> None:
    """Blocks of a few regions, so that most cells are shared by several of them."""
    network, box = random_network([dim, *hidden, 1], seed, kind, bias), Box(-2, 2, dim=dim)
    tuning = lattice_tuning.Tuning(block_cells=30 * size, few_regions=2)
    split = lattice.enumerate_lattice(network, box, None, None, 2, tuning)
    split.check()
    assert_same_complex(split, decompose(network, box, enumerator="exact"))


@examples(30)
@given(
    dim=st.integers(2, 4),
    hidden=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    kind=st.sampled_from(["gaussian", "integer"]),
    tuning=st.builds(
        lattice_tuning.Tuning,
        block_cells=st.integers(1, 2000),
        few_regions=st.integers(1, 20),
        first_cells=st.integers(1, 2000),
        sample=st.integers(1, 9),
        map_numbers=st.integers(1, 1000),
    ),
)
def test_tuning_of_lattices_changes_nothing(
    dim: int, hidden: list[int], seed: int, kind: str, tuning: Any
) -> None:
    network, box = random_network([dim, *hidden, 1], seed, kind), Box(-2, 2, dim=dim)
    tuned = lattice.enumerate_lattice(network, box, None, None, 1, tuning)
    assert_same_complex(tuned, lattice.enumerate_lattice(network, box, None, None))


@pytest.mark.parametrize("dim", [2, 3, 4])
@examples(20)
@given(
    hidden=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    bias=st.sampled_from([0.0, 1.0]),
)
def test_cutting_at_once_and_neuron_by_neuron_agree(
    dim: int, hidden: list[int], seed: int, bias: float
) -> None:
    network, box = random_network([dim, *hidden, 1], seed, "gaussian", bias), Box(-2, 2, dim=dim)
    at_once = lattice.enumerate_lattice(network, box, None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lattice, "cut_at_once", lambda *_: None)
        one_by_one = lattice.enumerate_lattice(network, box, None, None)
    at_once.check()
    assert_same_complex(at_once, one_by_one)


@pytest.mark.parametrize(("dim", "width"), [(2, 6), (3, 5), (4, 4)])
@examples(30)
@given(depth=st.integers(1, 2), seed=st.integers(0, 10**6), exponent=st.integers(30, 50))
def test_lattices_of_neurons_that_nearly_meet(
    dim: int, width: int, depth: int, seed: int, exponent: int
) -> None:
    """Floats leave many signs open, of neurons that are in general position all the same."""
    rng, network = np.random.default_rng(seed), random_network([dim, *depth * [width], 1], 0)
    weights, biases = (
        [
            rng.integers(-2, 3, array.shape) + rng.integers(-3, 4, array.shape) / 2.0**exponent
            for array in arrays
        ]
        for arrays in (network.weights, network.biases)
    )
    network, box = ReluNetwork(weights, biases), Box(-2, 2, dim=dim)
    cut = lattice.enumerate_lattice(network, box, None, None)
    cut.check()
    assert_same_complex(cut, decompose(network, box, enumerator="exact"), tolerance=2.0**-11)


def test_threads_of_lattices_change_nothing() -> None:
    network, box = random_network([3, 12, 12, 1], 0), Box(-3, 3, dim=3)
    tuning = lattice_tuning.Tuning(block_cells=1000)
    one, three = (lattice.enumerate_lattice(network, box, None, None, n, tuning) for n in (1, 3))
    assert one.n_regions > 1000
    for a, b in zip(stored_arrays(one), stored_arrays(three), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", ["gaussian", "integer"])
def test_lattices_with_more_neurons_than_bits_in_a_word(kind: str) -> None:
    """A plane, cut by the algorithm of higher dimensions; the other one knows the answer."""
    network, box = random_network([2, 10, 150, 1], 0, kind), Box(-2, 2, dim=2)
    cut = lattice.enumerate_lattice(network, box, None, None)
    assert_same_complex(cut, decompose(network, box, enumerator="cpu"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["gaussian", "integer"])
@pytest.mark.parametrize("hidden", [[150], [70, 3], [3, 130]])
def test_groups_of_neurons_change_nothing(hidden: list[int], kind: str) -> None:
    """Masks have 64 neurons; what the next ones cut has been cut before."""
    network, box = random_network([3, *hidden, 1], 0, kind), Box(-0.3, 0.3, dim=3)
    at_once = lattice.enumerate_lattice(network, box, None, None)
    at_once.check()
    assert_same_complex(at_once, decompose(network, box, enumerator="exact"))


@pytest.mark.parametrize("hidden", [[40], [16, 16]])
def test_regions_of_lattices_ascend(hidden: list[int]) -> None:
    complex_ = decompose(random_network([3, *hidden, 1], 0), Box(-2, 2, dim=3))
    rows = [tuple(pattern) for pattern in complex_.patterns.tolist()]
    assert len(rows) > 500
    assert rows == sorted(rows)


@pytest.mark.parametrize("enumerator", ENUMERATORS)
@pytest.mark.parametrize("dim", [1, 2, 3])
def test_max_bytes_stops(enumerator: Choice, dim: int) -> None:
    network, box = general_arrangement(7, dim, 0), Box(-FAR, FAR, dim=dim)
    assert decompose(network, box, enumerator=enumerator, max_bytes=2**30).n_regions
    with pytest.raises(LimitReachedError, match=r"`max_bytes`=100 .*layer 1 .*raise it, or shrink"):
        decompose(network, box, enumerator=enumerator, max_bytes=100)
    for wrong in (0, 2.5, "many"):
        with pytest.raises(InputError, match="`max_bytes` must be an integer from 1, got"):
            decompose(network, box, enumerator=enumerator, max_bytes=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("dim", [2, 3])
def test_max_bytes_stops_blocks(dim: int) -> None:
    network, box = (
        random_network([dim, *([300] if dim == 2 else [30, 20]), 1], 0),
        Box(-2, 2, dim=dim),
    )
    n = sum(decompose(network, box).n_cells)
    with pytest.raises(LimitReachedError, match=r"`max_bytes`=.*raise it, or shrink the domain"):
        decompose(network, box, max_bytes=20 * n)
    assert sum(decompose(network, box, max_bytes=1000 * n).n_cells) == n


@pytest.mark.parametrize("hidden", [[40], [16, 16]])
def test_max_cells_stops_blocks(hidden: list[int]) -> None:
    network, box = random_network([3, *hidden, 1], 0), Box(-2, 2, dim=3)
    n = sum(decompose(network, box).n_cells)
    assert sum(decompose(network, box, max_cells=n).n_cells) == n
    for limit in (n - 1, n // 2):
        with pytest.raises(LimitReachedError, match=rf"`max_cells`={limit} .*raise the limit"):
            decompose(network, box, max_cells=limit)


def test_vertices_on_many_planes_are_exact() -> None:
    """Nine planes through one point are one vertex there, not many nearby."""
    rng = np.random.default_rng(0)
    normals = rng.integers(-8, 9, (9, 3)).astype(float)
    offsets = -normals @ [1.0, 2.0, 3.0]
    network = ReluNetwork([normals, np.ones((1, 9))], [offsets, [0.0]])
    complex_ = decompose(network, Box(-10, 10, dim=3))
    at_point = np.abs(complex_.vertices - [1.0, 2.0, 3.0]).max(axis=1) < 1e-9
    assert at_point.sum() == 1
    complex_.check()
    assert_same_complex(complex_, decompose(network, Box(-10, 10, dim=3), enumerator="exact"))
