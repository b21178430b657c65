"""The knots of one segment of a graph, from the changes at knots, by compiled kernels.

On a piece every value is α + β t. At a knot, where a unit with coefficients a, b switches, later
values change by multiples of a + b t, and in images only the entries whose receptive field contains
the unit. So for every value we store the coefficients on the first piece, and for each knot the
entries that change, with their multiples. An affine node maps both. A kink examines each of its
units wherever it changes, and at the end; where the sign differs from the one before, there is a
zero in between. A knot costs as much as the changes it causes, not a forward pass.

Bounds
------
Let S_k be the greatest ``|α_k| + |β_k|`` on any piece; for the result of a kink it follows from the
unit's greatest values on the pieces where it has each slope. For an affine node,
``H_j = Σ_k |w_jk| S_k + |b_j|`` bounds all its coefficients, which change at c_j knots. There m
terms w v of the changes v of its sources are added up, the sum is multiplied by the unit's a and b,
and both are added to the coefficients. So ::

    E_j = 1.01 Σ_k |w_jk| E_k + 1.02 u ((n_j + 10 + 4 c_j) H_j + Σ (m + 3) (|a| + |b|) Σ |w v|),

bounds ``|δα_j| + |δβ_j|`` on all pieces, where row j has n_j entries and the sums run over its
knots and their terms. Signs, knots and the errors of knots follow from E as in
`relutopo.paths.kernels`; the order of knots is checked at the end.

If this leaves a few signs open, or the order of neighbouring knots, they are taken from the floats
first and checked afterwards. Each is the sign of a unit at a knot, the zero of another unit, with
the pattern after all earlier knots. Both units are recomputed to twice the precision, by a forward
pass of α and β with that pattern, where a sum of n terms is off by at most ``8 (n + 4)² u²`` times
their absolute values, and compared as fractions. If all signs are confirmed, everything is certain
by induction over knots. Otherwise `relutopo.paths.knots` follows the segment.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from relutopo.arithmetic.rounding import ONCE, UNIT_ROUNDOFF
from relutopo.networks.graph import Affine, GraphNetwork, Kink
from relutopo.paths.knots import Knots
from relutopo.paths.twins import twins_of

__all__ = ["GraphKnots"]

_Floats: TypeAlias = NDArray[np.float64]
_Ints: TypeAlias = NDArray[np.int64]
_Changes: TypeAlias = tuple[_Ints, NDArray[np.int32], _Floats]

_STEP = 4.0
_LEAST = 1e-290
_MOST_ASKED = 24
"""Most open signs along a segment that are checked afterwards."""


@dataclass(frozen=True)
class _Track:
    """A value along the segment.

    Attributes
    ----------
    alpha, beta : (n,) ndarrays
        Coefficients on the first piece.
    error, size : (n,) ndarrays
        E and S.
    changes : (indptr, units, amounts)
        For each knot; see `relutopo.paths.change_kernels`.
    counts : (n,) ndarray of int64
        At how many knots each entry changes.
    """

    alpha: _Floats
    beta: _Floats
    error: _Floats
    size: _Floats
    changes: _Changes
    counts: _Ints

    @property
    def n_bytes(self) -> int:
        """What the arrays take."""
        arrays = self.alpha, self.beta, self.error, self.size, self.counts, *self.changes
        return sum(array.nbytes for array in arrays)


class GraphKnots:
    """Finds the knots of a graph on a segment.

    Invariant: a segment that is not open is as exact as with `relutopo.paths.knots`; the results of
    an open segment are void.

    Parameters
    ----------
    graph : GraphNetwork
        A graph for which `suits` is true.

    Attributes
    ----------
    most_segments : int
        How many segments can be followed in one call.
    n_bytes_at_once : int
        Most bytes that following one segment has taken so far.

    Examples
    --------
    >>> absolute = GraphNetwork(1, [Kink(0, np.array([1.0]), np.array([-1.0]))])
    >>> found = GraphKnots(absolute).find(np.array([[-1.0]]), np.array([[3.0]]))
    >>> found.t.tolist(), found.outputs.ravel().tolist(), found.neurons.tolist()
    ([0.0, 0.25, 1.0], [1.0, 0.0, 3.0], [0])
    """

    most_segments = 1

    def __init__(self, graph: GraphNetwork) -> None:
        self.graph = graph
        self.n_bytes_at_once = 1
        self._last_use = {0: 0}
        self._kinks = [k for k, node in enumerate(graph.nodes, start=1) if isinstance(node, Kink)]
        self._columns: dict[int, sparse.csc_array] = {}
        self._rows: dict[int, sparse.csr_array] = {}
        for number, node in enumerate(graph.nodes, start=1):
            sources = node.sources if isinstance(node, Affine) else (node.source,)
            self._last_use |= dict.fromkeys(sources, number)
            self._last_use[number] = number
            if isinstance(node, Affine):
                matrix = sparse.csr_array(
                    sparse.hstack([*map(sparse.csr_array, node.matrices)], format="csr")
                )
                matrix.eliminate_zeros()
                self._rows[number], self._columns[number] = matrix, matrix.tocsc()

    @staticmethod
    def suits(graph: GraphNetwork) -> bool:
        """Whether no two units of a layer are multiples of each other."""
        twins = (twins_of(graph, layer) for layer in range(len(graph.layer_sizes)))
        return all(len(each.chosen) == len(each.place) for each in twins)

    def find(self, starts: _Floats, ends: _Floats) -> Knots:
        """Return the knots of a segment.

        Parameters
        ----------
        starts, ends : (1, d) ndarrays
            Finite, taken as exact.
        """
        with np.errstate(all="ignore"):  # values that overflow are open
            found = self._find(starts[0], ends[0])
        if found is not None:
            return found
        nothing = np.zeros((2, self.graph.n_outputs))
        none = np.empty(0, dtype=np.int64)
        return Knots(
            indptr=np.array([0, 2]),
            t=np.array([0.0, 1.0]),
            t_errors=np.zeros(2),
            outputs=nothing,
            output_errors=nothing,
            first=np.zeros((1, self.graph.n_neurons), dtype=bool),
            points=none,
            neurons=none,
            meets=np.zeros(2, dtype=bool),
            n_open=np.ones(1, dtype=np.int64),
        )

    def _find(self, start: _Floats, end: _Floats) -> Knots | None:
        from relutopo.paths.change_kernels import bend, sample

        graph = self.graph
        step = end - start
        values = {
            0: _Track(
                *(start, step, 2 * UNIT_ROUNDOFF * np.abs(step), np.abs(start) + np.abs(step)),
                (np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0)),
                np.zeros(len(start), dtype=np.int64),
            )
        }
        knots, neurons = np.empty((4, 0)), np.empty(0, dtype=np.int64)
        questions = np.empty((3, 0), dtype=np.int64)
        first = np.zeros((1, graph.n_neurons), dtype=bool)
        for number, node in enumerate(graph.nodes, start=1):
            if isinstance(node, Affine):
                values[number] = self._image(number, node, values, knots)
            else:
                source = values[node.source]
                n_open, asked, on, new, units, changes, size, steepest = bend(
                    *(source.alpha.copy(), source.beta.copy(), source.error),
                    *(np.stack([node.slope_off, node.slope_on]), source.changes, knots),
                )
                neuron = graph.first_neuron(number)
                asked[1] += neuron
                questions = np.concatenate([questions, asked], axis=1)
                if n_open or questions.shape[1] > _MOST_ASKED:
                    return None
                first[0, neuron : neuron + node.size] = on
                order = np.argsort(new[0], kind="stable")
                new, units = new[:, order], units[order]
                places = np.searchsorted(knots[0], new[0], side="right")
                knots = np.insert(knots, places, new[:4], axis=1)
                neurons = np.insert(neurons, places, neuron + units)
                questions[0] += np.searchsorted(places, questions[0], side="right")
                for other, value in values.items():
                    values[other] = _with_knots(value, places)
                slopes = np.where(on, node.slope_on, node.slope_off)
                values[number] = _bent(
                    source,
                    node,
                    slopes,
                    size,
                    steepest,
                    _with_turns(changes, places, units, new[4]),
                )
            kept = sum(value.n_bytes for value in values.values())
            # Changes are copied where their number turns out.
            self.n_bytes_at_once = max(self.n_bytes_at_once, kept + 2 * values[number].n_bytes)
            for other in [k for k in values if self._last_use[k] <= number < len(graph.nodes)]:
                del values[other]
        last = values[len(graph.nodes)]
        t, tau = knots[:2]
        close = np.flatnonzero(~(t[:-1] + tau[:-1] < t[1:] - tau[1:]))
        if len(close) + questions.shape[1] > _MOST_ASKED:
            return None
        patterns = {at: _pattern(first[0], neurons[: max(0, at)]) for at in {*close, *questions[0]}}
        on = [int(patterns[at][neurons[at + 1]]) for at in close]
        asked = np.concatenate([questions, [close, neurons[close + 1], on]], axis=1)
        if not self._are_true(start, end, asked, patterns, neurons):
            return None
        outputs, errors = sample(
            last.alpha.copy(), last.beta.copy(), last.error, last.changes, knots
        )
        return Knots(
            indptr=np.array([0, len(t) + 2]),
            t=np.concatenate([[0.0], t, [1.0]]),
            t_errors=np.concatenate([[0.0], tau, [0.0]]),
            outputs=outputs + 0.0,  # never -0
            output_errors=errors,
            first=first,
            points=1 + np.arange(len(t)),
            neurons=neurons,
            meets=np.zeros(len(t) + 2, dtype=bool),
            n_open=np.zeros(1, dtype=np.int64),
        )

    def _are_true(
        self,
        start: _Floats,
        end: _Floats,
        asked: _Ints,
        patterns: dict[int, NDArray[np.bool_]],
        neurons: _Ints,
    ) -> bool:
        """Whether neurons have the signs that were assumed."""
        for at, pattern in patterns.items():
            values, errors = self._twice(start, end, pattern)
            own = _Line.of(values, errors, neurons[at]) if 0 <= at < len(neurons) else None
            for neuron, on in asked[1:, asked[0] == at].T.tolist():
                other = _Line.of(values, errors, neuron)
                if own is not None:
                    value, error = other.at_zero_of(own)
                else:
                    value, error = other.alpha + (at >= 0) * other.beta, 2 * other.error
                if not (value > error if on else value < -error):
                    return False
        return True

    def _twice(
        self, start: _Floats, end: _Floats, pattern: NDArray[np.bool_]
    ) -> tuple[_Floats, _Floats]:
        """Return α and β of all neurons on the piece with a pattern, to twice the precision.

        Returns
        -------
        values : (2, 2, n_neurons) ndarray
            High and low parts of both.
        errors : (n_neurons,) ndarray
            Error bound of each of both; NaN where something overflows.
        """
        from relutopo.paths.change_kernels import map_twice

        step = end - start
        part = step - end
        rest = (end - (step - part)) - (start + part)
        zero = np.zeros_like(start)
        known = {0: (np.array([[start, zero], [step, rest]]), zero)}
        found, errors = np.empty((2, 2, len(pattern))), np.empty(len(pattern))
        for number, node in enumerate(self.graph.nodes[: self._kinks[-1]], start=1):
            if isinstance(node, Affine):
                matrix, bias = self._rows[number], node.bias
                sources = node.sources
            else:
                neuron = self.graph.first_neuron(number)
                place = slice(neuron, neuron + node.size)
                found[:, :, place], errors[place] = known[node.source]
                slopes = np.where(pattern[place], node.slope_on, node.slope_off)
                matrix, bias = sparse.diags_array(slopes, format="csr"), np.zeros(node.size)
                sources = (node.source,)
            pairs = np.concatenate([known[k][0] for k in sources], axis=2)
            error = np.concatenate([known[k][1] for k in sources])
            sizes = abs(matrix)
            total = sizes @ np.abs(pairs[:, 0]).sum(axis=0) * 1.01 + np.abs(bias)
            rounding = 8 * ((np.diff(matrix.indptr) + 4) * UNIT_ROUNDOFF) ** 2
            images = [
                map_twice(matrix.indptr, matrix.indices, matrix.data, constant, pair)
                for constant, pair in zip((bias, np.zeros_like(bias)), pairs, strict=True)
            ]
            lost = 1.01 * ONCE * (sizes @ error) + 1.01 * rounding * total + _LEAST * (total > 0)
            known[number] = np.array(images), lost
            for k in [k for k in known if self._last_use[k] <= number]:
                del known[k]
        return found, errors

    def _image(
        self, number: int, node: Affine, values: dict[int, _Track], knots: _Floats
    ) -> _Track:
        """Return the result of an affine node."""
        from relutopo.paths.change_kernels import spread

        source = _beside([values[k] for k in node.sources])
        matrix, rows = self._columns[number], abs(self._rows[number])
        steepness = np.abs(knots[2]) + np.abs(knots[3])
        changes, counts, losses = spread(
            *(matrix.indptr, matrix.indices, matrix.data, node.size, source.changes, steepness)
        )
        size = rows @ source.size + np.abs(node.bias)
        rounded = (np.diff(rows.indptr) + 10 + 4 * counts) * size + losses
        least = _LEAST * (1 + steepness.max(initial=0.0))
        error = 1.01 * ONCE * (rows @ source.error)
        error += (1.02 * UNIT_ROUNDOFF * rounded + least) * (size > 0)
        return _Track(
            *(matrix @ source.alpha + node.bias, matrix @ source.beta, error, 1.01 * size),
            *(changes, counts),
        )


@dataclass(frozen=True)
class _Line:
    """α + β t as fractions, and an error bound of each of both."""

    alpha: Fraction
    beta: Fraction
    error: Fraction

    @staticmethod
    def of(values: _Floats, errors: _Floats, neuron: int) -> _Line:
        """Return the line of a neuron; 0, which decides nothing, if something has overflowed."""
        numbers = values[:, :, neuron]
        if not (np.isfinite(numbers).all() and np.isfinite(errors[neuron])):
            return _Line(Fraction(0), Fraction(0), Fraction(1))
        (a, a_low), (b, b_low) = numbers.tolist()
        return _Line(
            *(Fraction(a) + Fraction(a_low), Fraction(b) + Fraction(b_low)),
            Fraction(float(errors[neuron])),
        )

    def at_zero_of(self, other: _Line) -> tuple[Fraction, Fraction]:
        """Return the value where another line is zero, times a positive number, and its error."""
        value = self.alpha * other.beta - self.beta * other.alpha
        error = self.error * (abs(other.alpha) + abs(other.beta) + 2 * other.error)
        error += other.error * (abs(self.alpha) + abs(self.beta))
        if abs(other.beta) <= other.error:
            return Fraction(0), Fraction(1)
        return (value if other.beta > 0 else -value), error


def _pattern(first: NDArray[np.bool_], switched: _Ints) -> NDArray[np.bool_]:
    """Return the pattern after the knots at which the given neurons have switched."""
    switches: NDArray[np.bool_] = np.bincount(switched, minlength=len(first)) % 2 == 1
    return first ^ switches


def _beside(values: list[_Track]) -> _Track:
    """Return several values joined into one."""
    from relutopo.paths.change_kernels import merge

    changes, shift = values[0].changes, len(values[0].alpha)
    for value in values[1:]:
        changes = merge(changes, value.changes, shift)
        shift += len(value.alpha)
    alpha, beta, error, size, counts = (
        np.concatenate([getattr(value, name) for value in values])
        for name in ("alpha", "beta", "error", "size", "counts")
    )
    return _Track(alpha, beta, error, size, changes, counts)


def _bent(
    source: _Track,
    node: Kink,
    slopes: _Floats,
    size: _Floats,
    steepest: _Floats,
    changes: _Changes,
) -> _Track:
    """Return the result of a kink."""
    counts = np.bincount(changes[1], minlength=node.size)
    error = 1.01 * steepest * source.error
    if node.rounding:
        error += (_STEP * UNIT_ROUNDOFF * (counts + 2) * size + _LEAST) * (size > 0)
    return _Track(slopes * source.alpha, slopes * source.beta, error, 1.01 * size, changes, counts)


def _with_knots(value: _Track, places: _Ints) -> _Track:
    """Insert knots at which a value does not change, before the knots with the given numbers."""
    indptr, units, amounts = value.changes
    return replace(value, changes=(np.insert(indptr, places, indptr[places]), units, amounts))


def _with_turns(changes: _Changes, places: _Ints, turned: _Ints, turns: _Floats) -> _Changes:
    """Insert knots at which one unit changes, before the knots with the given numbers."""
    indptr, units, amounts = changes
    counts = np.insert(np.diff(indptr), places, 1)
    at = indptr[places]
    return (
        np.concatenate([[0], np.cumsum(counts)]),
        np.insert(units, at, turned.astype(np.int32)),
        np.insert(amounts, at, turns),
    )
