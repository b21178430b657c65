"""What most kinds make: a network, a domain, and points with labels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

import numpy as np

import relutopo as rt

__all__ = ["NetworkCase", "rounder", "without_each"]

Matrix = list[list[float]]


@dataclass(frozen=True)
class NetworkCase:
    """A perceptron on a domain, and data.

    Attributes
    ----------
    weights : list of matrices
        Lists of rows.
    biases : list of lists
    domain : tuple
        ``("box", low, high)``, ``("polytope", A, b)`` or ``("slice", origin, basis, low, high)``.
    points : list of rows
    labels : list of int
    kind : str
        By what it is counted beside its dimension and depth.
    """

    weights: list[Matrix]
    biases: list[list[float]]
    domain: tuple[Any, ...]
    points: Matrix = field(default_factory=list)
    labels: list[int] = field(default_factory=list)

    def tags(self) -> dict[str, Any]:
        """Return dimension and depth."""
        return {"dim": self.dim, "depth": len(self.weights) - 1}

    @property
    def dim(self) -> int:
        """Dimension of the domain."""
        return len(self.domain[2][0] if self.domain[0] == "slice" else self._box_or_rows())

    def _box_or_rows(self) -> list[Any]:
        first: list[Any] = self.domain[1]
        return first[0] if self.domain[0] == "polytope" else first

    def network(self) -> rt.ReluNetwork:
        """Return the network."""
        return rt.ReluNetwork([np.array(w) for w in self.weights], [*map(np.array, self.biases)])

    def where(self) -> rt.Domain:
        """Return the domain."""
        shape, *parts = self.domain
        if shape == "box":
            return rt.Box(*parts)
        if shape == "polytope":
            return rt.Polytope(*parts)
        origin, basis, low, high = parts
        return rt.AffineSlice(origin, basis, rt.Box(low, high))

    def simpler(self) -> Iterator[NetworkCase]:
        """Yield the case with fewer neurons, layers, points and sides, and rounder numbers."""
        for n in range(len(self.weights) - 1, 0, -1):  # a layer less, where widths allow
            for at in range(len(self.weights) - n):
                w = self.weights[:at] + self.weights[at + n :]
                b = self.biases[:at] + self.biases[at + n :]
                if all(len(v[0]) == len(u) for u, v in itertools.pairwise(w)) and (
                    len(w[0][0]) == len(self.weights[0][0])
                ):
                    yield replace(self, weights=w, biases=b)
        for layer in range(len(self.weights) - 1):
            for unit in range(len(self.weights[layer])):
                if len(self.weights[layer]) > 1:
                    yield self._without(layer, unit)
        if len(self.weights[-1]) > 1:
            w, b = self.weights[:-1], self.biases[:-1]
            yield replace(
                self, weights=[*w, self.weights[-1][:-1]], biases=[*b, self.biases[-1][:-1]]
            )
        if self.domain[0] == "polytope":
            for a, b in zip(
                without_each(self.domain[1]), without_each(self.domain[2]), strict=True
            ):
                yield replace(self, domain=("polytope", a, b))
        labels = without_each(self.labels) if self.labels else [[]] * len(self.points)
        for points, fewer in zip(without_each(self.points), labels, strict=False):
            yield replace(self, points=points, labels=fewer)
        for name in ("weights", "biases", "points"):
            for other in rounder(getattr(self, name)):
                yield replace(self, **{name: other})
        for i, part in enumerate(self.domain[1:], start=1):
            for other in rounder(part):
                yield replace(self, domain=(*self.domain[:i], other, *self.domain[i + 1 :]))

    def _without(self, layer: int, unit: int) -> NetworkCase:
        weights, biases = list(self.weights), list(self.biases)
        weights[layer] = [row for i, row in enumerate(weights[layer]) if i != unit]
        biases[layer] = [b for i, b in enumerate(biases[layer]) if i != unit]
        weights[layer + 1] = [
            [x for i, x in enumerate(row) if i != unit] for row in weights[layer + 1]
        ]
        return replace(self, weights=weights, biases=biases)


def without_each(values: list[Any]) -> Iterator[list[Any]]:
    """Yield a list without large parts, then without each entry."""
    n = len(values)
    size = n // 2
    while size >= 1:
        for start in range(0, n, size):
            yield values[:start] + values[start + size :]
        size = 0 if size == 1 else max(1, size // 4)


def rounder(values: Any) -> Iterator[Any]:
    """Yield nested lists of numbers with one number rounder, or all of them."""
    flat = list(_flat(values))
    for digits in (0, 1, 2):
        everywhere = [_rounded(x, digits) for x in flat]
        if everywhere != flat:
            yield _like(values, iter(everywhere))
    if len(flat) > 60:
        return
    for i, x in enumerate(flat):
        for y in dict.fromkeys((0.0, 1.0, -1.0, _rounded(x, 0), _rounded(x, 1), _rounded(x, 3))):
            if y != x and len(repr(y)) < len(repr(x)):
                yield _like(values, iter([*flat[:i], y, *flat[i + 1 :]]))


def _rounded(x: Any, digits: int) -> Any:
    return round(x, digits) if isinstance(x, float) and isfinite(x) else x


def _flat(values: Any) -> Iterator[Any]:
    if isinstance(values, list):
        for value in values:
            yield from _flat(value)
    else:
        yield values


def _like(values: Any, flat: Iterator[Any]) -> Any:
    return [_like(value, flat) for value in values] if isinstance(values, list) else next(flat)
