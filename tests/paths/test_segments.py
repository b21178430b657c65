"""Segments agree with the one-dimensional exact complex, with torch, and with closed forms."""

from __future__ import annotations

import pickle
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

import relutopo as rt
from convolutions import random_stack
from properties import examples
from relutopo.errors import FloatRangeError, InputError, LimitReachedError
from relutopo.paths import following, graph_knots
from relutopo.paths.classes import class_intervals
from relutopo.paths.exact_knots import exact_knots
from relutopo.paths.following import as_graph
from relutopo.paths.graph_knots import GraphKnots
from relutopo.paths.knots import KnotFinder, Knots
from relutopo.paths.perceptron_knots import PerceptronKnots
from relutopo.system.memory import Room
from segment_cases import check_same_segments, random_ends, random_network, relu_graph

Floats = NDArray[np.float64]
Rng = np.random.Generator


def random_network_of(widths: tuple[int, ...], seed: int) -> rt.ReluNetwork:
    """Return a perceptron as it is before it is trained."""
    rng = np.random.default_rng(seed)
    sizes = list(pairwise(widths))
    weights = [rng.normal(size=(n_out, n_in)) * np.sqrt(2 / n_in) for n_in, n_out in sizes]
    return rt.ReluNetwork(weights, [rng.normal(size=n_out) / 10 for _, n_out in sizes])


def check_against_exact_complex(found: rt.Segments, i: int) -> None:
    """Compare with the complex of the network on the segment as a slice."""
    a, b = found.starts[i], found.ends[i]
    line = rt.AffineSlice(a, (b - a)[:, None], rt.Box([0.0], [1.0]))
    complex_ = rt.decompose(found.network, line, enumerator="exact")
    places = np.sort(complex_.vertices[:, 0])
    np.testing.assert_allclose(found.t_of(i), places, atol=1e-12)
    indptr, indices = complex_.facets[0]
    middles = complex_.vertices[indices, 0].reshape(-1, 2).mean(axis=1)
    assert (np.diff(indptr) == 2).all()
    patterns = complex_.patterns[np.argsort(middles)]
    np.testing.assert_array_equal(found.patterns(i), patterns)
    inside = slice(found.indptr[i], found.indptr[i + 1])
    starts, stops = found.neuron_indptr[:-1][inside], found.neuron_indptr[1:][inside]
    for k, (first, last) in enumerate(zip(starts, stops, strict=True)):
        switching = np.flatnonzero(patterns[k] != patterns[k + 1])
        assert found.neurons[first:last].tolist() == switching.tolist()


@given(
    seed=st.integers(0, 2**32 - 1),
    d=st.integers(2, 50),
    kind=st.sampled_from(["plain", "integers", "no biases", "twins"]),
)
@examples(60)
def test_segments_are_the_exact_complex_in_one_dimension(seed: int, d: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, d, kind)
    found = rt.segments(network, *random_ends(rng, d, 9))
    assert found.record.status == "certified"
    assert found.record.n_open == 0
    for i in range(len(found)):
        check_against_exact_complex(found, i)
        places = found.t_of(i)[:, None]
        x = (1 - places) * found.starts[i] + places * found.ends[i]
        np.testing.assert_allclose(found.outputs_of(i), network(x), atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["plain", "integers", "twins"]))
@examples(40)
def test_floats_and_integers_give_the_same(seed: int, kind: str) -> None:
    """What bounds decide is what integers say, of classes too."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 3, kind)
    a, b = random_ends(rng, 3, 3)
    found = rt.segments(network, a, b)
    for i in range(3):
        slow = exact_knots(relu_graph(network), a[i], b[i])
        np.testing.assert_allclose(found.t_of(i)[1:-1], np.array(slow.t, dtype=float), atol=1e-12)
        np.testing.assert_array_equal(found.patterns(i), slow.patterns)
        part = slice(found.class_indptr[i], found.class_indptr[i + 1])
        assert found.classes[part].tolist() == slow.classes
        starts = np.array(slow.class_starts, dtype=float)
        np.testing.assert_allclose(found.class_starts[part], starts, atol=1e-9)
        assert found.meets[found.indptr[i] : found.indptr[i + 1]].tolist() == slow.meets


@given(seed=st.integers(0, 2**32 - 1))
@examples(30)
def test_convolutions_are_the_exact_complex_in_one_dimension(seed: int) -> None:
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    module, shape = random_stack(rng)
    a, b = random_ends(rng, int(np.prod(shape)), 2)
    found = rt.segments(rt.as_network(module, shape), a, b, exact=True)
    assert found.record.status == "certified"
    for i in range(2):
        check_against_exact_complex(found, i)


class Residual(nn.Module):
    """Convolutions with a sum around two of them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 3, 3, padding=1)
        self.inner = nn.Sequential(
            nn.Conv2d(3, 3, 3, padding=1), nn.ReLU(), nn.Conv2d(3, 3, 3, padding=1)
        )
        self.last = nn.Linear(3 * 25, 4)
        self.kinks = nn.ModuleList([nn.ReLU(), nn.ReLU()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return four outputs."""
        x = self.kinks[0](self.first(x))
        x = self.kinks[1](x + self.inner(x))
        result: torch.Tensor = self.last(x.flatten(1))
        return result


class Mixture(nn.Module):
    """Convolutions with a stride, a sum of three terms, leaky units and layers of units."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.LeakyReLU(0.3))
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.ReLU())
        self.side = nn.Conv2d(4, 4, 1)
        self.last = nn.Sequential(nn.Conv2d(4, 3, 3, 2), nn.ReLU(), nn.Flatten())
        self.head = nn.Sequential(nn.Linear(27, 9), nn.ReLU(), nn.Linear(9, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return three outputs."""
        x = self.first(x)
        result: torch.Tensor = self.head(self.last(x + self.inner(x) + self.side(x)))
        return result


@pytest.mark.parametrize("seed", range(3))
def test_pooling_on_flat_parts_leaves_nothing_open(seed: int) -> None:
    """What is pooled there is equal by structure, and so never has to be compared.

    The other parts never are as the flat ones, so that nothing else ties.
    """
    torch.manual_seed(seed)
    module = nn.Sequential(
        *(nn.Conv1d(1, 6, 3), nn.ReLU(), nn.MaxPool1d(2), nn.Flatten(), nn.Linear(60, 2))
    ).double()
    signals = np.full((4, 1, 22), 0.25)
    signals[:, 0, 9:12] = np.random.default_rng(seed).uniform(0.3, 2, size=(4, 3))
    found = rt.segments(module, signals[:2], signals[2:], exact=False)
    assert found.record.status == "certified"
    assert found.record.n_uncertain == 0
    exact = rt.segments(module, signals[:2], signals[2:], exact=True)
    for i in range(2):
        check_against_exact_complex(exact, i)
        np.testing.assert_array_equal(found.patterns(i), exact.patterns(i))
        slow = exact_knots(as_graph(found.network), found.starts[i], found.ends[i])
        np.testing.assert_array_equal(found.patterns(i), slow.patterns)


@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["from black", "to one colour", "black rows", "black ends", "still"]),
    padding=st.integers(0, 1),
)
@examples(20)
def test_black_parts_and_images_of_one_colour_leave_nothing_open(
    seed: int, kind: str, padding: int
) -> None:
    """What is zero does not count, so that padding and black pixels are the same.

    What is flat in one image only is equal at that end of the segment, and nowhere else.
    """
    torch.manual_seed(seed)
    module = nn.Sequential(
        *(nn.Conv2d(1, 2, 3, padding=padding), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(2, 2, 2), nn.ReLU(), nn.Flatten(), nn.Linear(2 * (1 + padding) ** 2, 2)),
    ).double()
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0.1, 1, size=(2, 1, 1, 6, 6))
    if kind == "from black":
        a[:] = 0.0
    elif kind == "to one colour":
        b[:] = 0.0 if padding else 0.5
    elif kind == "black rows":  # so that each window is black, or not at all
        a[:, :, : 4 - padding], b[:, :, : 4 - padding] = 0.0, 0.0
    elif kind == "black ends":
        a[:, :, :4], b[:, :, 2:] = 0.0, 0.0
    else:
        b = a = np.zeros_like(a)
    found = rt.segments(module, a, b, exact=False)
    slow = exact_knots(as_graph(found.network), found.starts[0], found.ends[0])
    np.testing.assert_array_equal(found.patterns(0), slow.patterns)
    np.testing.assert_allclose(found.t, [float(t) for t in slow.t], atol=1e-12)
    assert found.meets.tolist() == slow.meets
    assert found.record.status == "certified"


@pytest.mark.slow
@pytest.mark.parametrize("worth", [2**25, 0])
@given(seed=st.integers(0, 2**32 - 1))
@examples(20)
def test_units_of_equal_patches_switch_together(worth: int, seed: int) -> None:
    """At knots where planes that differ meet, which no bound tells and structure does."""
    torch.manual_seed(seed)
    module = nn.Sequential(
        *(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 2, 2, stride=2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(8, 2)),
    ).double()
    # Tiles of three, so that units of the second layer, two apart, are not alike.
    images = np.tile(np.random.default_rng(seed).normal(size=(2, 1, 3, 3)), (1, 1, 2, 2))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_WORTH_COMPILING", worth)
        found = rt.segments(module, images[:1], images[1:], exact=False)
    assert found.record.status == "certified"
    slow = exact_knots(as_graph(found.network), found.starts[0], found.ends[0])
    np.testing.assert_array_equal(found.patterns(0), slow.patterns)
    np.testing.assert_allclose(found.t, [float(t) for t in slow.t], atol=1e-12)
    assert found.meets.tolist() == slow.meets


def torch_patterns(module: nn.Module, x: Floats) -> tuple[NDArray[np.bool_], Floats]:
    """Return which inputs of ReLU modules are positive, as torch computes them, and outputs."""
    seen: list[torch.Tensor] = []

    def note(_: nn.Module, inputs: tuple[torch.Tensor, ...], __: Any) -> None:
        seen.append(inputs[0].flatten(1) > 0)

    hooks = [m.register_forward_hook(note) for m in module.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        outputs = module(torch.tensor(x)).numpy()
    for hook in hooks:
        hook.remove()
    return torch.cat(seen, dim=1).numpy(), outputs


@pytest.mark.parametrize("seed", range(3))
def test_torchs_patterns_change_at_the_knots(seed: int) -> None:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    module = Residual().double()
    points = rng.normal(size=(4, 1, 5, 5))
    found = rt.segments(module, points[:2], points[2:])
    assert found.record.status == "certified"
    for i in range(2):
        places = found.t_of(i)
        within = np.array([0.001, 0.25, 0.5, 0.75, 0.999])
        t = (places[:-1, None] + within * np.diff(places)[:, None]).ravel()
        x = (1 - t)[:, None] * found.starts[i] + t[:, None] * found.ends[i]
        patterns, outputs = torch_patterns(module, x.reshape(-1, 1, 5, 5))
        blocks = patterns.reshape(len(places) - 1, len(within), -1)
        assert (blocks == blocks[:, :1]).all()
        switched = (blocks[1:, 0] != blocks[:-1, 0]).sum(axis=1)
        counts = np.diff(found.neuron_indptr)[found.indptr[i] : found.indptr[i + 1]]
        np.testing.assert_array_equal(switched, counts)
        ends = found.outputs_of(i)
        on_pieces = ends[:-1, None] + within[:, None] * np.diff(ends, axis=0)[:, None]
        np.testing.assert_allclose(outputs.reshape(on_pieces.shape), on_pieces, atol=1e-9)
        greatest = outputs.argmax(axis=1)
        part = slice(found.class_indptr[i], found.class_indptr[i + 1])
        interval = np.searchsorted(found.class_starts[part], t, side="right") - 1
        np.testing.assert_array_equal(found.classes[part][interval], greatest)


def test_an_absolute_value_bends_where_it_must() -> None:
    absolute = rt.GraphNetwork(1, [rt.Kink(0, np.array([1.0]), np.array([-1.0]))])
    found = rt.segments(absolute, [[-1.0], [2.0]], [[2.0], [1.0]])
    assert found.t.tolist() == [1 / 3]
    assert found.outputs_of(0).ravel().tolist() == [1.0, 0.0, 2.0]
    assert found.n_crossings.tolist() == [1, 0]
    assert found.lengths.tolist() == [3.0, 1.0]


def test_a_sum_of_hats_has_all_its_knots() -> None:
    """The tent map three times has eight pieces of one length."""
    tent = np.array([[1.0], [1.0]]), np.array([0.0, -0.5])
    fold = np.array([[2.0, -4.0]])
    weights = [tent[0], tent[0] @ fold, tent[0] @ fold, fold]
    network = rt.ReluNetwork(weights, [tent[1]] * 3 + [np.zeros(1)])
    found = rt.segments(network, [[0.0]], [[1.0]])
    assert found.t.tolist() == (np.arange(1, 8) / 8).tolist()
    assert found.outputs_of(0).ravel().tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_planes_that_meet_are_told_from_planes_that_coincide() -> None:
    cross = rt.ReluNetwork([np.eye(2), [[1.0, 1.0]]], [np.zeros(2), np.zeros(1)])
    found = rt.segments(cross, [[-1.0, -1.0]], [[1.0, 1.0]])
    assert (found.t.tolist(), found.neurons.tolist()) == ([0.5], [0, 1])
    assert found.meets.tolist() == [True]
    twins = rt.ReluNetwork([[[1.0, 0.0], [-3.0, 0.0]], [[1.0, 1.0]]], [np.zeros(2), np.zeros(1)])
    found = rt.segments(twins, [[-1.0, -1.0]], [[1.0, 1.0]])
    assert (found.t.tolist(), found.neurons.tolist()) == ([0.5], [0, 1])
    assert found.meets.tolist() == [False]


def test_the_segment_is_that_of_the_floats() -> None:
    """Its zero is that of (1 - t) a + t b, not that of a + t (b - a) with a rounded difference."""
    a, b = 1e-16, -1.0
    graph = rt.GraphNetwork(1, [rt.Kink(0, np.ones(1), np.zeros(1))])
    found = exact_knots(graph, np.array([a]), np.array([b]))
    assert found.t == [Fraction(a) / (Fraction(a) - Fraction(b))]


def test_classes_change_where_outputs_are_equal() -> None:
    affine = rt.ReluNetwork([[[0.0], [1.0], [3.0]]], [[0.0, -0.25, -1.75]])
    found = rt.segments(affine, [[0.0], [1.0]], [[1.0], [0.0]])
    assert found.classes.tolist() == [0, 1, 2, 2, 1, 0]
    np.testing.assert_allclose(found.class_starts, [0, 0.25, 0.75, 0, 0.25, 0.75])
    assert found.n_class_changes.tolist() == [2, 2]


def test_a_point_is_a_segment_without_knots() -> None:
    network = random_network(np.random.default_rng(3), 2, "plain")
    found = rt.segments(network, [[1.0, 2.0]], [[1.0, 2.0]])
    assert (found.n_crossings.tolist(), found.n_class_changes.tolist()) == ([0], [0])


def test_what_is_left_open_is_counted() -> None:
    cross = rt.ReluNetwork([np.diag([1.0, 3.0]), [[1.0, 1.0]]], [np.zeros(2), -np.ones(1)])
    ends = [[-1.0, -1.0], [-1.0, -2.0]], [[1.0, 1.0], [1.0, 1.0]]
    found = rt.segments(cross, *ends, exact=False)
    assert (found.record.status, found.record.n_open) == ("uncertified", 1)
    assert rt.segments(cross, *ends).record.n_exact == 1


def test_batches_change_nothing() -> None:
    rng = np.random.default_rng(5)
    network = random_network(rng, 4, "integers")
    a, b = random_ends(rng, 4, 50)
    together = rt.segments(network, a, b)
    for i in range(50):
        alone = rt.segments(network, a[i : i + 1], b[i : i + 1])
        np.testing.assert_allclose(alone.t_of(0), together.t_of(i), atol=1e-13)
        np.testing.assert_array_equal(alone.patterns(0), together.patterns(i))


def test_segments_can_be_kept() -> None:
    found = rt.segments(random_network(np.random.default_rng(1), 2, "plain"), [[0, 1]], [[1, 3]])
    again = pickle.loads(pickle.dumps(found))
    assert again.t.tolist() == found.t.tolist()
    assert not again.t.flags.writeable


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "neither"),
        ({"ends": [[0.0, 1.0]], "pairs": [(0, 1)]}, "both"),
        ({"ends": [[0.0, 1.0]]}, "as many"),
        ({"pairs": [(0, 2)]}, "0..1"),
        ({"pairs": [0, 1]}, "shape"),
        ({"ends": [[0.0, 1e-200], [0.0, 1.0]]}, "2\\^-300"),
    ],
)
def test_mistakes_are_explained(arguments: dict[str, Any], message: str) -> None:
    network = random_network(np.random.default_rng(0), 2, "plain")
    with pytest.raises(InputError, match=message):
        rt.segments(network, [[0.0, 1.0], [1.0, 0.0]], **arguments)


def test_images_at_both_ends_have_the_same_axes() -> None:
    """Channels last are as many numbers, and another image."""
    model = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    images = np.random.default_rng(0).random((2, 3, 4, 4))
    assert len(rt.segments(model, images[:1], images[1:].reshape(1, -1))) == 1
    with pytest.raises(
        InputError, match=r"shape of `points`, got \(1, 4, 4, 3\) and \(1, 3, 4, 4\)"
    ):
        rt.segments(model, images[:1], images[1:].transpose(0, 2, 3, 1))


def test_outputs_beyond_floats_are_refused() -> None:
    """Also where they are known as fractions."""
    large = rt.ReluNetwork([1e140 * np.eye(2)] * 3, [np.zeros(2)] * 3)
    for exact in (True, False):
        with pytest.raises(FloatRangeError, match=r"outputs below 1\.8e308 along segments"):
            rt.segments(large, [[1.0, -1.0]], [[-1.0, 2.0]], exact=exact)


def check_same_knots(quick: Knots, slow: Knots) -> None:
    """Compare what two ways find, each within the bounds of both."""
    for name in ("indptr", "points", "neurons", "first"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name))
    for name, bound in (("t", "t_errors"), ("outputs", "output_errors")):
        off = np.abs(getattr(quick, name) - getattr(slow, name))
        assert (off <= getattr(quick, bound) + getattr(slow, bound)).all()
        assert getattr(quick, bound).max() < 1e-7


@pytest.mark.parametrize(
    "widths", [(64, 100, 100, 10), (5, 8, 7, 6, 5, 2), (3, 4, 1), (2, 60, 3), (9, 70, 150, 40, 2)]
)
def test_the_kernel_finds_the_same_knots(widths: tuple[int, ...]) -> None:
    """Each within the bounds of both."""
    network = random_network_of(widths, seed=1)
    a, b = np.random.default_rng(2).normal(size=(2, 40, widths[0])) * 2
    quick, slow = PerceptronKnots(network).find(a, b), KnotFinder(relu_graph(network)).find(a, b)
    assert not quick.n_open.any()
    check_same_knots(quick, slow)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_the_kernels_for_graphs_find_the_same_knots(seed: int) -> None:
    """Past sums, leaky units, several layers and outputs."""
    torch.manual_seed(seed)
    graph = as_graph(rt.as_network(Mixture().double(), (2, 7, 7)))
    ends = np.random.default_rng(seed).normal(size=(2, 1, 98)) * 2
    quick, slow = GraphKnots(graph).find(*ends), KnotFinder(graph).find(*ends)
    assert GraphKnots.suits(graph)
    assert not quick.n_open.any()
    check_same_knots(quick, slow)
    assert len(quick.t) > 100


@pytest.mark.parametrize("seed", range(4))
def test_signs_that_bounds_leave_open_are_asked_for_to_twice_the_precision(seed: int) -> None:
    """With wider bounds there are some; what is asked the wrong way round is not true."""
    torch.manual_seed(seed)
    graph = as_graph(rt.as_network(Mixture().double(), (2, 7, 7)))
    ends = np.random.default_rng(seed).normal(size=(2, 1, 98)) * 2
    usual = GraphKnots(graph).find(*ends)
    seen = []

    class Curious(GraphKnots):
        def _are_true(self, start: Floats, end: Floats, asked: Any, *rest: Any) -> bool:
            true = super()._are_true(start, end, asked, *rest)
            for k in range(asked.shape[1]):
                wrong = asked.copy()
                wrong[2, k] ^= 1
                seen.append(super()._are_true(start, end, wrong, *rest))
            return true

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(graph_knots, "ONCE", 60.0)
        wide = Curious(graph).find(*ends)
    assert seen
    assert not any(seen)
    assert not wide.n_open.any()
    assert wide.t_errors.max() > 100 * usual.t_errors.max()
    for name in ("indptr", "t", "neurons", "first", "outputs"):
        np.testing.assert_array_equal(getattr(wide, name), getattr(usual, name))


@pytest.mark.slow
@given(seed=st.integers(0, 2**32 - 1))
@examples(60)
def test_what_the_kernels_for_graphs_leave_open_is_done_all_the_same(seed: int) -> None:
    """With ties of all kinds, and units of which all that they are made of is off."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    module, shape = random_stack(rng)
    network = rt.as_network(module, shape)
    ends = random_ends(rng, int(np.prod(shape)), 3)
    slow = rt.segments(network, *ends, exact=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_WORTH_COMPILING", 0)
        quick = rt.segments(network, *ends, exact=True)
    check_same_segments(quick, slow)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2, 3])
def test_outputs_that_are_equal_where_a_piece_begins_change_there(
    n_outputs: int, compiled: bool
) -> None:
    """As with integers: the class is that just after a place, and the first of equal ones."""
    first = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    second = np.array([[1.0, 1.0, 0.0, 0.0], [0.0, 0.0, 2.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    last = np.eye(3)[:n_outputs] - (n_outputs > 1) * np.eye(3)[-1]
    biases = [np.zeros(4), np.array([-1.0, -1.0, -2.0]), np.zeros(n_outputs)]
    network = rt.ReluNetwork([np.array(first), second, last], biases)
    starts = np.array([[-3.0, 0.0], [0.0, 0.0], [0.0, -4.0], [-2.0, -2.0]])
    stops = np.array([[5.0, 0.0], [4.0, 2.0], [0.0, 4.0], [2.0, 6.0]])
    knots = KnotFinder(relu_graph(network)).find(starts, stops)
    found = class_intervals(knots, network.equal_outputs(), compiled=compiled)
    exact = rt.segments(network, starts, stops, exact=True)
    counts = np.bincount(found.segments, minlength=len(starts))
    assert (counts - 1).tolist() == exact.n_class_changes.tolist()
    np.testing.assert_array_equal(found.classes, exact.classes)
    np.testing.assert_allclose(found.starts, exact.class_starts, atol=1e-15)


@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["plain", "integers", "no biases", "twins"]),
)
@examples(40)
def test_the_kernel_finds_the_same_classes(seed: int, kind: str) -> None:
    """Also how much is open, and where outputs are equal or there is one only."""
    rng = np.random.default_rng(seed)
    network = random_network(rng, 3, kind)
    knots = KnotFinder(relu_graph(network)).find(*random_ends(rng, 3, 5))
    equal = network.equal_outputs()
    slow = class_intervals(knots, equal)
    quick = class_intervals(knots, equal, compiled=True)
    np.testing.assert_array_equal(quick.n_open, slow.n_open)
    clear = slow.n_open == 0
    ours, theirs = clear[quick.segments], clear[slow.segments]
    np.testing.assert_array_equal(quick.segments[ours], slow.segments[theirs])
    np.testing.assert_array_equal(quick.classes[ours], slow.classes[theirs])
    np.testing.assert_allclose(quick.starts[ours], slow.starts[theirs], atol=1e-14)


@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["plain", "integers", "no biases", "twins"]),
)
@examples(40)
def test_what_the_kernel_leaves_open_is_done_all_the_same(seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    network = random_network(rng, 3, kind)
    a, b = random_ends(rng, 3, 6)
    slow = rt.segments(network, a, b)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_WORTH_COMPILING", 0)
        patch.setattr(following, "_BLOCK", 4)
        quick = rt.segments(network, a, b)
    check_same_segments(quick, slow)


def test_more_knots_than_the_kernel_has_room_for() -> None:
    """The tent map eight times has 256 pieces, of 16 neurons."""
    rise = np.array([[1.0], [1.0]])
    fold = np.array([[2.0, -4.0]])
    network = rt.ReluNetwork(
        [rise, *[rise @ fold] * 7, fold], [np.array([0.0, -0.5])] * 8 + [np.zeros(1)]
    )
    quick = PerceptronKnots(network).find(np.array([[-0.1]]), np.array([[1.3]]))
    assert quick.n_open.all()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_WORTH_COMPILING", 0)
        found = rt.segments(network, [[-0.1]], [[1.3]])
    assert found.record.status == "certified"
    assert (found.outputs_of(0).ravel()[1:258:2] < 1e-6).all()


@pytest.mark.parametrize("number", [-1, 2, True, 1.0, [0, 1], "0"])
def test_a_segment_has_a_number(number: Any) -> None:
    network = rt.gallery.random_network([3, 4, 1], seed=0)
    found = rt.segments(network, np.eye(3), pairs=[(0, 1), (1, 2)])
    for look in (found.t_of, found.outputs_of, found.patterns):
        with pytest.raises(InputError, match="`segment` must be an integer from 0 to 1, got"):
            look(number)


@pytest.mark.parametrize("n", [2, 4])
def test_labels_are_those_of_the_points(n: int) -> None:
    network = rt.gallery.random_network([3, 4, 1], seed=0)
    found = rt.segments(network, np.eye(3), pairs=[(0, 1)])
    with pytest.raises(InputError, match=f"got {n} labels of 3 points"):
        found.table(np.arange(n))


@pytest.mark.parametrize("function", [rt.wall_margins, lambda m, x: rt.segments(m, x, x)])
def test_rows_for_a_network_of_images_are_told_to_be_images(function: Any) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1))
    with pytest.raises(InputError, match=r"images as \(n, 1, 28, 28\) for example"):
        function(model, np.zeros((2, 16)))


@pytest.mark.parametrize("far", [2.0**60, 1e24])
def test_outputs_stand_at_the_knots_themselves(far: float) -> None:
    """Also where floats cannot tell knots apart, and the output jumps between them."""
    hat = rt.ReluNetwork([[[1.0], [1.0]], [[1.0, -2.0]]], [[0.0, -1.0], [0.0]])
    found = rt.segments(hat, [[-far]], [[3 * far]])
    assert found.record.status == "certified"
    assert found.t.tolist() == pytest.approx([0.25, 0.25])
    np.testing.assert_allclose(found.outputs_of(0)[:, 0], [0, 0, 1, -3 * far + 2], rtol=1e-15)
    assert found.variations[0] == pytest.approx(3 * far)


@given(st.integers(0, 10**6))
@examples(30)
def test_outputs_of_exact_knots_are_those_of_the_network(seed: int) -> None:
    """At rounded knots, up to rounding."""
    rng = np.random.default_rng(seed)
    network = rt.gallery.random_network([3, 5, 4, 2], seed=seed)
    a, b = rng.normal(size=(2, 3))
    found = exact_knots(as_graph(network), a, b)
    places = np.array([0.0, *map(float, found.t), 1.0])[:, None]
    np.testing.assert_allclose(
        found.outputs, network((1 - places) * a + places * b), rtol=1e-9, atol=1e-9
    )


@pytest.mark.slow
def test_progress_counts_segments_to_the_end() -> None:
    """Also where integers do the rest, and in threads."""
    network = random_network(np.random.default_rng(4), 4, "integers")
    ends = random_ends(np.random.default_rng(5), 4, 300)
    for worth in (2**25, 0):
        calls: list[tuple[int, int, str]] = []

        def note(done: int, total: int, /, message: str = "", calls: Any = calls) -> None:
            calls.append((done, total, message))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(following, "_WORTH_COMPILING", worth)
            found = rt.segments(network, *ends, progress=note)
        assert found.record.n_exact > 0
        assert calls[-1] == (300, 300, f"{len(found.t)} knots")
        counts = [done for done, _, _ in calls]
        assert counts == sorted(set(counts))
        assert len(calls) > 3


@pytest.mark.parametrize("worth", [2**25, 0])
def test_results_that_cannot_fit_are_refused(worth: int) -> None:
    """Before anything is found where the ends alone do not, and else when some are known."""
    network = random_network_of((6, 20, 20, 2), seed=0)
    points = np.random.default_rng(0).normal(size=(2, 6))
    with pytest.raises(LimitReachedError, match=r"the ends of 1000000 segments needs .* GiB|MiB"):
        rt.segments(network, points, pairs=np.tile([0, 1], (10**6, 1)), max_bytes=10**7)
    calls: list[int] = []
    pairs = np.tile([0, 1], (3000, 1))
    enough = 10**6
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "_WORTH_COMPILING", worth)
        with pytest.raises(LimitReachedError, match=r"3000 segments, with \d+ knots.*fewer seg"):
            rt.segments(
                network, points, pairs=pairs, max_bytes=enough, progress=lambda *a: calls.append(1)
            )
        assert sum(calls) < 3
        found = rt.segments(network, points, pairs=pairs, max_bytes=20 * enough)
    assert len(found) == 3000


def test_points_of_one_segment_that_cannot_fit_are_refused() -> None:
    network = random_network_of((6, 200, 200, 2), seed=0)
    ends = np.random.default_rng(0).normal(size=(2, 1, 6))
    with pytest.raises(LimitReachedError, match=r"through \d+ points at once .*shorter segments"):
        rt.segments(network, *ends, max_bytes=10**5)


def test_threads_share_what_there_is() -> None:
    """However many threads are asked for, their work fits into a part of what is allowed."""
    network = random_network_of((6, 100, 100, 2), seed=0)
    starts, ends = np.random.default_rng(0).normal(size=(2, 500, 6))
    each = PerceptronKnots(network).n_bytes_at_once
    asked: list[int] = []
    real: Any = vars(following)["threads"]

    def note(n_threads: int) -> Any:
        asked.append(n_threads)
        return real(n_threads)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(following, "threads", note)
        patch.setattr(following, "_WORTH_COMPILING", 0)
        for room in (2, 13, 100):
            resources = following.Resources(n_threads=10, room=Room(room * each))
            following.Work(network, starts, ends, True, resources).joined()
    assert asked == [1, 3, 10]
