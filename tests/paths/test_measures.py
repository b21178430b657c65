"""Numbers of segments are integrals, and those of `path_signatures` what they are said to be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import relutopo as rt
from properties import examples
from relutopo.errors import InputError
from relutopo.gallery import random_network
from relutopo.paths import measures
from relutopo.paths.following import as_graph
from relutopo.paths.measures import mean_lengths
from relutopo.paths.slopes import slopes


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), exponent=st.integers(-12, 3))
@examples(60)
def test_mean_lengths_are_integrals(seed: int, k: int, exponent: int) -> None:
    """Also where the step is tiny, and where the line goes through zero or near it."""
    rng = np.random.default_rng(seed)
    starts = rng.normal(size=(3, k))
    ends = starts + 10.0**exponent * rng.normal(size=(3, k))
    starts[1] = -ends[1] * rng.uniform(0, 2)
    starts[2] = 0
    # The integrand is smooth on both sides of its least value, where nodes crowd.
    step = ends - starts
    square = (step**2).sum(axis=1)
    least = np.clip(-(starts * step).sum(axis=1) / np.where(square > 0, square, 1), 0, 1)
    nodes, weights = np.polynomial.legendre.leggauss(60)
    expected = np.zeros(3)
    edges = np.append(0.0, np.geomspace(1e-12, 1, 40))
    for way in (1 - least, -least):
        for a, b in pairwise(edges):
            for node, weight in zip(nodes, weights, strict=True):
                s = least + way * (a + (b - a) * (1 + node) / 2)
                lengths = np.linalg.norm(starts + s[:, None] * step, axis=1)
                expected += np.abs(way) * (b - a) * weight / 2 * lengths
    np.testing.assert_allclose(mean_lengths(starts, ends), expected, rtol=1e-10)


def test_numbers_of_segments_are_those_of_many_samples() -> None:
    network = random_network([3, 8, 6, 2], seed=4)
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 5, 3)) * 2
    found = rt.segments(network, a, b)
    t = np.linspace(0, 1, 40001)[:, None]
    for i in range(5):
        f = network((1 - t) * a[i] + t * b[i])
        gap = np.linalg.norm(f - (1 - t) * f[0] - t * f[-1], axis=1)
        area = (gap[1:] + gap[:-1]).sum() / 2 / (len(t) - 1)
        assert found.departures[i] == pytest.approx(area, rel=1e-6, abs=1e-9)
        way = np.linalg.norm(np.diff(f, axis=0), axis=1).sum()
        assert found.variations[i] == pytest.approx(way, rel=1e-3)
        assert found.displacements[i] == pytest.approx(np.linalg.norm(f[-1] - f[0]))
        ends = network.preactivations(np.stack([a[i], b[i]])) > 0
        assert found.hamming_distances[i] == (ends[0] != ends[1]).sum()
        classes = f.argmax(axis=1)
        changes = np.flatnonzero(classes[1:] != classes[:-1])
        assert found.n_class_changes[i] == len(changes)
        if len(changes):
            assert found.first_class_changes[i] == pytest.approx(t[changes[0], 0], abs=1e-4)
        else:
            assert np.isnan(found.first_class_changes[i])


@pytest.mark.parametrize("k", [1, 7])
def test_the_kernel_measures_the_same(k: int) -> None:
    """Steps of all sizes, constant outputs and straight ones too."""
    rng = np.random.default_rng(k)
    counts = rng.integers(2, 30, 200)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    t = np.concatenate([np.sort([0.0, *rng.random(count - 2), 1.0]) for count in counts])
    outputs = np.cumsum(rng.normal(size=(len(t), k)) * 10.0 ** rng.integers(-9, 3, (len(t), 1)), 0)
    outputs[: indptr[1]] = 1.0
    outputs[indptr[1] : indptr[2]] = t[indptr[1] : indptr[2], None]
    slow = measures.departures(t, outputs, indptr)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measures, "_WORTH_COMPILING", 0)
        quick = measures.departures(t, outputs, indptr)
    for one, other in zip(quick, slow, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12 * np.abs(outputs).max())


def test_an_absolute_value_departs_as_it_must() -> None:
    absolute = rt.GraphNetwork(1, [rt.Kink(0, np.array([1.0]), np.array([-1.0]))])
    found = rt.segments(absolute, [[-1.0]], [[1.0]])
    assert found.departures.tolist() == [0.5]
    assert found.variations.tolist() == [2.0]
    assert found.displacements.tolist() == [0.0]


def test_the_table_has_a_row_for_each_segment() -> None:
    pytest.importorskip("pandas")
    network = random_network([3, 8, 2], seed=1)
    x = np.random.default_rng(1).normal(size=(20, 3))
    y = np.arange(20) % 2
    found = rt.segments(network, x, pairs=rt.segment_pairs(x, n=30))
    table = found.table(y)
    assert len(table) == 30
    assert list(rt.columns("segments_table")) == list(table)
    assert (table.same_label == (y[table.start] == y[table.end])).all()
    np.testing.assert_array_equal(table.n_crossings, found.n_crossings)
    plain = rt.segments(network, x[:5], x[5:10])
    assert "start" not in plain.table()
    with pytest.raises(InputError, match="segments without pairs"):
        plain.table(y)
    with pytest.raises(InputError, match="got 3 labels of 20 points"):
        found.table(y[:3])


def test_signatures_are_what_they_are_said_to_be() -> None:
    network = random_network([4, 9, 7, 3], seed=2)
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(30, 4)), np.arange(30) % 3
    values = rt.path_signatures(network, x, y, n=40, seed=5)
    assert list(values) == list(rt.columns("path_signatures"))
    same = rt.segment_pairs(x, y, "within", n=40, seed=5)
    different = rt.segment_pairs(x, y, "between", n=40, seed=5)
    alike = rt.segments(network, x, pairs=same)
    unlike = rt.segments(network, x, pairs=different)
    f = network(x)
    scale = np.sqrt(((f - f.mean(axis=0)) ** 2).sum(axis=1).mean())
    step = 1e-6
    slopes = [(network(x + step * e) - network(x - step * e)) / (2 * step) for e in np.eye(4)]
    middles = network((x[same[:, 0]] + x[same[:, 1]]) / 2).argmax(axis=1)
    expected = {
        "n_same": 40,
        "n_different": 40,
        "class_constant_same": (alike.n_class_changes == 0).mean(),
        "class_changes_same": alike.n_class_changes.mean(),
        "first_class_change": np.nanmean(unlike.first_class_changes),
        "departure_same": alike.departures.mean() / scale,
        "departure_ratio": alike.departures.mean() / unlike.departures.mean(),
        "variation_diff": (unlike.variations / unlike.displacements).mean(),
        "jacobian": np.sqrt((np.array(slopes) ** 2).sum(axis=(0, 2)).mean()) / scale,
        "crossings_per_length": (alike.n_crossings.sum() + unlike.n_crossings.sum())
        / (alike.lengths.sum() + unlike.lengths.sum()),
        "crossing_ratio": alike.n_crossings.mean() / unlike.n_crossings.mean(),
        "hamming_ratio": alike.hamming_distances.mean() / unlike.hamming_distances.mean(),
        "logit_scale": scale,
        "midpoint_accuracy": (middles == y[same[:, 0]]).mean(),
        "weight_norm": np.sqrt(sum((w**2).sum() for w in (*network.weights, *network.biases))),
        "n_open": 0,
    }
    assert values == pytest.approx(expected, rel=1e-5)


def test_a_module_with_images_and_words_as_labels() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2)
    )
    images = torch.rand(12, 1, 6, 6)
    values = rt.path_signatures(module, images, ["cat", "dog"] * 6, n=10)
    squares = sum(float((p.detach() ** 2).sum()) for p in module.parameters())
    assert values["weight_norm"] == pytest.approx(np.sqrt(squares))
    assert 0 <= values["class_constant_same"] <= 1
    assert values["variation_diff"] >= 1
    assert values["n_open"] == 0


def test_one_output_and_affine_networks() -> None:
    line = rt.ReluNetwork([[[1.0, 0.0]]], [[0.0]])
    x, y = np.array([[-1.0, 0], [-2.0, 1], [1.0, 0], [2.0, 0]]), [-1, -1, 1, 1]
    values = rt.path_signatures(line, x, y)
    assert values["class_constant_same"] == values["midpoint_accuracy"] == 1
    assert values["departure_same"] == values["crossings_per_length"] == 0
    assert np.isnan(values["crossing_ratio"])
    assert values["first_class_change"] == pytest.approx((1 / 2 + 1 / 3 + 2 / 3 + 1 / 2) / 4)


def test_equal_outputs_have_no_scale() -> None:
    """The mean of equal numbers is another number, after rounding."""
    network = rt.gallery.random_network([6, 12, 12, 3], seed=0)
    found = rt.path_signatures(network, np.ones((12, 6)), np.arange(12) % 3)
    assert found["logit_scale"] == 0
    assert np.isnan([found["jacobian"], found["departure_same"]]).all()


def test_labels_that_do_not_fit_are_explained() -> None:
    network = random_network([2, 3, 3], seed=0)
    x = np.eye(2)
    with pytest.raises(InputError, match="one for each"):
        rt.path_signatures(network, x, [0, 1, 2])
    with pytest.raises(InputError, match="3 classes"):
        rt.path_signatures(network, x, ["a", "b"])


@pytest.mark.parametrize("kind", [int, float, np.float32])
def test_numbers_of_outputs_are_these_whatever_their_type(kind: type) -> None:
    """Also where some outputs have no point; other labels stand for outputs in their order."""
    network = random_network([2, 8, 4], seed=0)
    x = np.random.default_rng(0).normal(size=(30, 2))
    y = np.array([0, 2, 3])[np.arange(30) % 3]
    values = rt.path_signatures(network, x, y.astype(kind))
    assert values == rt.path_signatures(network, x, y)
    with pytest.raises(InputError, match="of 4 classes, got 3 others"):
        rt.path_signatures(network, x, np.array(["a", "b", "c"])[np.arange(30) % 3])
    four = np.arange(30) % 4
    words = np.array(["a", "b", "c", "d"])[four]
    assert rt.path_signatures(network, x, words) == rt.path_signatures(network, x, four)


@pytest.mark.parametrize("convolutional", [False, True])
def test_slopes_are_those_of_the_affine_maps(convolutional: bool) -> None:
    """The same numbers as forwards, also past residual blocks, pooling and leaky units."""
    torch.manual_seed(0)
    model = (
        nn.Sequential(
            *(nn.Conv2d(1, 3, 3), nn.LeakyReLU(0.2), nn.MaxPool2d(2), nn.BatchNorm2d(3)),
            *(nn.Flatten(), nn.Linear(12, 5), nn.ReLU(), nn.Linear(5, 4)),
        ).eval()
        if convolutional
        else nn.Sequential(nn.Linear(36, 9), nn.ReLU(), nn.Linear(9, 7), nn.ReLU(), nn.Linear(7, 4))
    )
    network = rt.as_network(model.double(), (1, 6, 6) if convolutional else None)
    x = np.random.default_rng(0).normal(size=(9, 36))
    patterns = network.preactivations(x) > 0
    maps = network.affine_maps(len(network.layer_sizes), patterns, np.abs(x).max(axis=0))
    found = slopes(as_graph(network), patterns)
    np.testing.assert_allclose(found, maps.planes[:, :36].transpose(0, 2, 1), atol=1e-12)
