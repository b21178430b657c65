"""Local complexity: by hand, by brute force, and against exact complexes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import relutopo as rt
from properties import examples
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.signatures.local_complexity import LocalComplexity
from relutopo.signatures.subject import Subject


def axes_only(radius: float, x: float, y: float) -> rt.LocalCounts:
    """Return what is around a point of the kinks |x|, |y| and, behind them, |x| + |y| = 1."""
    first = [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    network = rt.ReluNetwork([first, [[1.0, 1.0, 1.0, 1.0]], [[1.0]]], [[0.0] * 4, [-1.0], [0.0]])
    return rt.local_complexity(network, [[x, y]], radius, n_slices=1, enumerator="exact")


def test_a_diamond_by_hand() -> None:
    far = axes_only(0.1, 3.0, 2.0)
    assert far.n_switching.tolist() == [[0, 0]]
    assert (far.n_regions.tolist(), far.facet_densities.tolist()) == ([[1]], [[0.0]])
    # Around the origin the four neurons of the first layer switch, the diamond is out of reach.
    near = axes_only(0.5, 0.0, 0.0)
    assert near.n_switching.tolist() == [[4, 0]]
    assert near.n_regions.tolist() == [[4]]
    assert near.facet_densities[0, 0] == pytest.approx(4 * 0.5 / (np.pi * 0.25))
    # On a side of the diamond: one straight facet through the middle of the disc.
    side = axes_only(0.2, 0.5, 0.5)
    assert side.n_switching.tolist() == [[0, 1]]
    assert side.n_regions.tolist() == [[2]]
    assert side.facet_densities[0, 0] == pytest.approx(2 * 0.2 / (np.pi * 0.04))


@examples(20)
@given(st.integers(0, 10**6), st.sampled_from([(2, 6, 5, 1), (5, 8, 6, 3), (3, 4, 4, 4, 2)]))
def test_neurons_that_switch_are_those_with_both_signs(seed: int, widths: tuple[int, ...]) -> None:
    network = random_network(list(widths), seed=seed)
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(4, widths[0]))
    many, few = (rt.local_complexity(network, x, 0.7, n_directions=n, seed=seed) for n in (99, 1))
    assert many.n_directions == widths[0]
    assert (many.n_switching <= np.asarray(network.layer_sizes)).all()
    # Vertices lie in the ball: what switches there does so among many of its points, nearly.
    inside = rng.normal(size=(20_000, widths[0]))
    inside *= 0.7 / np.linalg.norm(inside, axis=1)[:, None]
    for counts, centre in zip(many.values, x, strict=True):
        active = network.preactivations(centre + np.concatenate([inside, 0.5 * inside])) > 0
        assert counts <= (active.any(axis=0) & ~active.all(axis=0)).sum() + 1
    assert few.values.sum() <= many.values.sum() + few.n_switching.size


def distance(polygon: NDArray[np.float64]) -> float:
    """Return the distance of the origin from a convex polygon."""
    spans = np.roll(polygon, -1, axis=0) - polygon
    crosses = polygon[:, 0] * spans[:, 1] - polygon[:, 1] * spans[:, 0]
    if (crosses > 0).all() or (crosses < 0).all():
        return 0.0
    along = np.clip(-np.sum(polygon * spans, axis=1) / np.sum(spans**2, axis=1), 0, 1)
    return float(np.linalg.norm(polygon + along[:, None] * spans, axis=1).min())


@pytest.mark.filterwarnings("ignore:.*of all neurons switch")  # so large a disc is wanted here
@examples(15)
@given(st.integers(0, 10**6))
def test_regions_in_a_disc_are_those_near_its_centre(seed: int) -> None:
    network = random_network([2, 5, 4, 1], seed=seed, bias=0.5)
    rng = np.random.default_rng(seed)
    x = rng.uniform(-1, 1, (1, 2))
    found = rt.local_complexity(network, x, 0.8, n_slices=2, enumerator="exact", seed=seed)
    # In two dimensions every plane is the whole one.
    assert found.n_regions[0, 0] == found.n_regions[0, 1]
    assert found.facet_densities[0, 0] == pytest.approx(found.facet_densities[0, 1])
    complex_ = rt.decompose(network, rt.Box(x[0] - 0.8, x[0] + 0.8), enumerator="exact")
    seen = sum(distance(complex_.region(r).vertices - x) < 0.8 for r in range(complex_.n_regions))
    assert found.n_regions[0, 0] == seen
    # Crofton: random lines through the disc cross facets as often as these are long.
    directions = rng.uniform(0, np.pi, 3000)
    offsets = rng.uniform(-0.8, 0.8, 3000)
    normals = np.stack([np.cos(directions), np.sin(directions)], axis=1)
    along = np.stack([-normals[:, 1], normals[:, 0]], axis=1) * np.sqrt(0.64 - offsets**2)[:, None]
    middles = x + offsets[:, None] * normals
    segments = rt.segments(network, middles - along, middles + along)
    crossings = segments.neuron_indptr[-1] / 3000
    expected = crossings * np.pi / 2 * 1.6 / (np.pi * 0.64)
    assert found.facet_densities[0, 0] == pytest.approx(expected, rel=0.15, abs=0.1)


def test_images_of_a_convolutional_network() -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 2, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(32, 3)
    )
    images = torch.rand(3, 1, 6, 6)
    found = rt.local_complexity(model, images, 0.5, n_slices=1, enumerator="exact")
    assert found.n_switching.shape == (3, 1)
    table = found.table()
    assert set(table) == set(rt.columns(table).of_names)
    assert table["n_regions_error"].isna().all()


def test_progress_counts_points_twice_if_there_are_planes() -> None:
    network = rt.gallery.random_network([3, 6, 2], seed=0)
    points = np.random.default_rng(0).normal(size=(4, 3))
    calls: list[tuple[int, int, str]] = []

    def note(done: int, total: int, /, message: str = "") -> None:
        calls.append((done, total, message))

    rt.local_complexity(network, points, 0.1, n_slices=2, progress=note)
    assert calls[0] == (4, 4, "neurons that switch")
    assert calls[1:] == [(i, 4, "planes") for i in (1, 2, 3, 4)]


def test_a_count_of_everything_says_nothing() -> None:
    network = random_network([2, 6, 1], seed=0)
    with pytest.warns(
        UserWarning, match="of all neurons switch within radius 1e\\+06.*smaller radius"
    ):
        rt.local_complexity(network, [[0.0, 0.0]], 1e6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"radius": 0.0}, "`radius` must be"),
        ({"radius": "wide"}, "`radius` must be"),
        ({"n_directions": 0}, "`n_directions` must be"),
        ({"n_slices": -1}, "`n_slices` must be"),
        ({"points": np.zeros((0, 2))}, "`points` must be"),
        ({"points": [[np.nan, 0.0]]}, "`points` must be"),
        ({"points": [[1.0]]}, "`points` must have shape"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], message: str) -> None:
    asked = {"points": [[0.0, 0.0]], "radius": 0.1} | change
    network = random_network([2, 3, 1], seed=0)
    with pytest.raises(InputError, match=message):
        rt.local_complexity(network, **asked)  # type: ignore[arg-type]


def test_no_planes_through_points_of_a_line() -> None:
    with pytest.raises(InputError, match="`n_slices` must be 0 for a network with one input"):
        rt.local_complexity(random_network([1, 3, 1], seed=0), [[0.0]], 0.1, n_slices=1)


def test_the_signature_is_the_mean_over_training_points() -> None:
    data = rt.two_moons(n=30)
    network = random_network([2, 8, 1], seed=1)
    domain = rt.Box.around(data.points)
    subject = Subject(network, data, domain, enumerator="exact")
    row = LocalComplexity(radius=0.3).compute(subject)
    values = rt.local_complexity(network, data.points, 0.3).values
    assert row["local_complexity"] == pytest.approx(values.mean())
    assert row["local_complexity_std"] == pytest.approx(values.std())
