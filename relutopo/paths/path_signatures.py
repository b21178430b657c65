"""Numbers of a network and its training data, from segments between the points.

S, the scale of the outputs, is the root of the mean square distance of the outputs at the points
from their mean. *Same* and *different* are pairs of points with equal and with different labels;
numbers of pairs are means over pairs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.arrays import as_outputs
from relutopo.checks import check_integer
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.paths.following import Resources, as_graph
from relutopo.paths.pairs import segment_pairs
from relutopo.paths.segments import Segments, card_of, follow, is_exact, points_of
from relutopo.paths.slopes import slopes
from relutopo.reports.columns import Column, row_of
from relutopo.system.interrupts import deliver_interrupts
from relutopo.system.memory import in_words

__all__ = ["COLUMNS_OF_PATHS", "path_signatures"]

COLUMNS_OF_PATHS = (
    Column("n_same", "pairs", "pairs of points with equal labels"),
    Column("n_different", "pairs", "pairs of points with different labels"),
    Column(
        "class_constant_same",
        "1",
        "share of pairs with equal labels between which the greatest output (the sign of a single "
        "one) never changes",
    ),
    Column("class_changes_same", "1", "changes of the greatest output, with equal labels"),
    Column(
        "first_class_change",
        "1",
        "where the greatest output changes first, as a fraction of the segment, with different "
        "labels; segments without a change do not count",
    ),
    Column(
        "departure_same",
        "1",
        "∫ |f - chord| dt along a segment, with equal labels, in units of `logit_scale`: 0 where "
        "the network is affine between the points",
    ),
    Column("departure_ratio", "1", "the same with equal labels over that with different labels"),
    Column(
        "variation_diff",
        "1",
        "length of the path of the outputs along a segment over their displacement, with "
        "different labels; at least 1",
    ),
    Column(
        "jacobian",
        "1/input",
        "root of the mean square Frobenius norm of the network's slope at the points, in units of "
        "`logit_scale`",
    ),
    Column("crossings_per_length", "1/input", "crossings of all segments over their length"),
    Column(
        "crossing_ratio", "1", "crossings a segment, with equal over those with different labels"
    ),
    Column(
        "hamming_ratio",
        "1",
        "neurons that differ between both ends, with equal over those with different labels",
    ),
    Column("logit_scale", "output", "S; a control"),
    Column(
        "midpoint_accuracy",
        "1",
        "share of midpoints of pairs with equal labels at which the greatest output is the label; "
        "a control",
    ),
    Column(
        "weight_norm",
        "1",
        "root of the sum of the squares of all weights and biases, those of a convolution counted "
        "once; a control; NaN for a graph whose parameters are not known, such as one of ONNX",
    ),
    Column("n_open", "segments", "segments on which something is uncertain"),
)
"""What `path_signatures` gives."""
_NUMBERS_AT_ONCE = 2**22


@deliver_interrupts
@in_words("take fewer pairs")
def path_signatures(
    model: Any,
    points: ArrayLike,
    labels: ArrayLike,
    *,
    n: int = 600,
    seed: int = 0,
    exact: bool | None = None,
    n_threads: int | None = None,
    device: int | None = None,
) -> dict[str, Any]:
    """Return a few numbers that tell how a network behaves between training points.

    Parameters
    ----------
    model : torch.nn.Module, Network, state dict, path, or pair (weights, biases)
        See `relutopo.as_network`.
    points : (n_points, ...) array_like
    labels : (n_points,) array_like
        Numbers of outputs, or as many other labels as there are outputs, which correspond to the
        outputs in ascending order; a single output is for two labels, positive for the second.
    n : int, default 600
        Largest number of pairs with equal labels, and of pairs with different labels.
    seed : int, default 0
        Of the choice of pairs.
    exact : bool, optional
        See `relutopo.segments`.
    n_threads : int, optional
        By default the number of cores; the results do not depend on it.
    device : int, optional
        Number of an NVIDIA card that finds the knots; see `relutopo.segments`.

    Returns
    -------
    dict
        Numbers by name; ``rt.columns("path_signatures")`` explains them.

    Raises
    ------
    InputError
        If there are no labels, they do not fit the points or the outputs, or there is no pair with
        equal labels or none with different labels.

    Examples
    --------
    >>> slope = [[[1.0, 0.0]]], [[-0.5]]
    >>> points, labels = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 0, 1, 1]
    >>> found = path_signatures(slope, points, labels)
    >>> found["class_constant_same"], found["first_class_change"], found["variation_diff"]
    (1.0, 0.5, 1.0)
    """
    n = check_integer("n", n, 1, remedy="pass how many pairs of each kind are wanted")
    if n_threads is not None:
        check_integer("n_threads", n_threads, 1, remedy="leave it out for all cores")
    resources = Resources(n_threads, card_of(device))
    network, x = points_of(model, points)
    exact = is_exact(exact, network)
    codes = as_outputs(labels, len(x), max(2, network.n_outputs))
    same = segment_pairs(x, codes, "within", n=n, seed=seed)
    different = segment_pairs(x, codes, "between", n=n, seed=seed)
    is_same = np.arange(len(same) + len(different)) < len(same)
    found = follow(network, x, np.concatenate([same, different]), exact, resources)
    scale = _logit_scale(network(x))
    values = {
        "n_same": len(same),
        "n_different": len(different),
        **_of_segments(found, is_same, scale),
        "jacobian": _over(_slope(network, x, exact), scale),
        "logit_scale": scale,
        "midpoint_accuracy": _midpoint_accuracy(network, x, same, codes),
        "weight_norm": _weight_norm(network),
        "n_open": found.record.n_open,
    }
    return row_of(path_signatures, COLUMNS_OF_PATHS, values, 0)


def _of_segments(found: Segments, is_same: NDArray[np.bool_], scale: float) -> dict[str, float]:
    """Return the numbers that are computed from segments."""
    changes, crossings, hamming = found.n_class_changes, found.n_crossings, found.hamming_distances
    departures, lengths = found.departures, float(found.lengths.sum())
    first = found.first_class_changes[~is_same]
    moved = found.displacements[~is_same]
    with np.errstate(divide="ignore", invalid="ignore"):
        ways = found.variations[~is_same] / moved

    def ratio(amounts: NDArray[Any]) -> float:
        return _over(float(amounts[is_same].mean()), float(amounts[~is_same].mean()))

    return {
        "class_constant_same": float((changes[is_same] == 0).mean()),
        "class_changes_same": float(changes[is_same].mean()),
        "first_class_change": _mean(first[np.isfinite(first)]),
        "departure_same": _over(float(departures[is_same].mean()), scale),
        "departure_ratio": ratio(departures),
        "variation_diff": _mean(ways[moved > 0]),
        "crossings_per_length": _over(float(crossings.sum()), lengths),
        "crossing_ratio": ratio(crossings),
        "hamming_ratio": ratio(hamming),
    }


def _over(value: float, unit: float) -> float:
    return value / unit if unit > 0 else float("nan")


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _logit_scale(outputs: NDArray[np.float64]) -> float:
    centred = outputs - outputs[0]  # exactly 0 where all are equal
    centred -= centred.mean(axis=0)
    return float(np.sqrt((centred**2).sum(axis=1).mean()))


def _slope(network: Network, x: NDArray[np.float64], exact: bool) -> float:
    """Return the root of the mean square Frobenius norm of the slope at points."""
    graph = as_graph(network)
    widest = max(graph.input_dim, graph.n_outputs, *graph.layer_sizes)
    step = max(1, _NUMBERS_AT_ONCE // (graph.n_outputs * widest))
    total = 0.0
    for first in range(0, len(x), step):
        part = x[first : first + step]
        patterns = (graph.signs(part) if exact else graph.preactivations(part)) > 0
        total += float((slopes(graph, patterns) ** 2).sum())
    return float(np.sqrt(total / len(x)))


def _midpoint_accuracy(
    network: Network,
    x: NDArray[np.float64],
    pairs: NDArray[np.int64],
    codes: NDArray[np.int64],
) -> float:
    outputs = network((x[pairs[:, 0]] + x[pairs[:, 1]]) / 2)
    is_single = outputs.shape[1] == 1
    decisions = outputs[:, 0] > 0 if is_single else outputs.argmax(axis=1)
    return float((decisions == codes[pairs[:, 0]]).mean())


def _weight_norm(network: Network) -> float:
    if network.weight_norm is not None:
        return network.weight_norm
    if not isinstance(network, ReluNetwork):
        return float("nan")
    squares = [float((array**2).sum()) for array in (*network.weights, *network.biases)]
    return float(np.sqrt(sum(squares)))
