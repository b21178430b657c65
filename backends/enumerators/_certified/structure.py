"""What a network's structure says about its planes, without any number that it computes.

On a region every neuron is a linear form of a few *atoms*: entries of values that many others
contribute to, inputs, and the constant 1. Maxima, as in pooling, choose one of two entries by the
sign of a neuron, so two windows that overlap can choose the same entry, and their neurons the same
plane; entries that a kink has set to zero leave the form. Two such planes coincide, or a third one
passes through the point where they meet, in whatever way the network's weights are chosen, so no
error bound can tell, and integers need thousands of digits for it.

Invariant: a form is an exact identity on the closure of the region. Atoms count as independent, so
a zero that is found is certain, and one that is not found is left to numbers.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from fractions import Fraction
from functools import lru_cache
from itertools import repeat
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.graph import Affine, GraphNetwork
from relutopo.networks.network import Network

__all__ = ["Form", "Forms", "Span", "Structure", "multiple"]

Form: TypeAlias = dict[tuple[int, int], Fraction | int]
"""Coefficients by the atoms' names: the number of a value and an entry; (-1, 0) is the constant."""
_Terms: TypeAlias = list[tuple[int, int, Fraction | int]]
"""The number of a value, an entry of it, and its factor."""

_MOST_TERMS = 4
"""A row of more terms is an atom: in general position nothing coincides behind it."""
_LONGEST, _DEEPEST = 12, 200
_REGIONS_KEPT = 64
_ONE = (-1, 0)


class Structure:
    """Forms of a network's neurons.

    Parameters
    ----------
    network : GraphNetwork

    Examples
    --------
    The greatest of three inputs, max(max(x, y), z): where y > x, the second neuron is z - y.

    >>> from relutopo.networks.graph import Kink
    >>> first = Affine((0,), (np.array([[-1.0, 1.0, 0.0]]),), np.zeros(1))
    >>> second = Affine((0, 2), (np.array([[-1.0, 0.0, 1.0]]), np.array([[-1.0]])), np.zeros(1))
    >>> kinks = [Kink(i, np.ones(1), np.zeros(1)) for i in (1, 3)]
    >>> structure = Structure(GraphNetwork(3, [first, kinks[0], second, kinks[1]]))
    >>> structure.on(np.array([0b01], dtype=np.uint8)).form(1)
    {(0, 2): 1, (0, 1): -1}
    """

    def __init__(self, network: GraphNetwork) -> None:
        self.network = network
        self._regions = lru_cache(_REGIONS_KEPT)(self._forms_on)
        self._terms: dict[tuple[int, int], _Terms | None] = {}

    @classmethod
    def of(cls, network: Network) -> Structure | None:
        """Return the structure of a graph; of a perceptron None, as its rows have many terms."""
        return cls(network) if isinstance(network, GraphNetwork) else None

    def on(self, packed: NDArray[np.uint8]) -> Forms:
        """Return the forms on a region, by its packed pattern."""
        return self._regions(packed.tobytes())

    def _forms_on(self, packed: bytes) -> Forms:
        bits = unpack_patterns(np.frombuffer(packed, dtype=np.uint8)[None], 8 * len(packed))[0]
        return Forms(self, bits)

    def terms(self, number: int, row: int) -> _Terms | None:
        """Return the terms of a row of an affine map, or None if there are many."""
        name = number, row
        if name not in self._terms:
            self._terms[name] = self._found_terms(number, row)
        return self._terms[name]

    def _found_terms(self, number: int, row: int) -> _Terms | None:
        node = self.network.nodes[number - 1]
        assert isinstance(node, Affine)
        found: _Terms = []
        for source, (ends, columns, numbers) in zip(node.sources, node.rows, strict=True):
            here = slice(int(ends[row]), int(ends[row + 1]))
            if len(found) + here.stop - here.start > _MOST_TERMS:
                return None
            factors = map(_exactly, numbers[here].tolist())
            found += zip(repeat(source), columns[here].tolist(), factors)
        if node.bias[row]:
            found.append((*_ONE, _exactly(float(node.bias[row]))))
        return found


class Forms:
    """The forms of neurons on a region.

    Parameters
    ----------
    structure : Structure
    bits : ndarray of bool
        The region's pattern, as far as there is one.
    """

    def __init__(self, structure: Structure, bits: NDArray[np.bool_]) -> None:
        self._structure, self._bits = structure, bits
        self._forms: dict[tuple[int, int], Form] = {
            (0, i): {(0, i): 1} for i in range(structure.network.input_dim)
        }
        self._forms[_ONE] = {_ONE: 1}

    def form(self, label: int) -> Form:
        """Return the form of a neuron; it depends on the bits of the layers before."""
        network = self._structure.network
        layer = bisect_right(network.layer_offsets, label) - 1
        unit = label - network.layer_offsets[layer]
        for value, size, start in network.targets(layer):
            if start <= unit < start + size:
                return self._form(value, unit - start, 0)
        raise AssertionError(label)

    def agrees(self, other: Forms, label: int) -> bool:
        """Tell whether a neuron has the same form on another region, as its pattern is the same."""
        offsets = self._structure.network.layer_offsets
        n = offsets[bisect_right(offsets, label) - 1]
        return self is other or np.array_equal(self._bits[:n], other._bits[:n])

    def _form(self, number: int, row: int, depth: int) -> Form:
        name = number, row
        known = self._forms.get(name)
        if known is not None:
            return known
        structure = self._structure
        form: Form = {name: 1}
        node = structure.network.nodes[number - 1]
        if isinstance(node, Affine):
            terms = structure.terms(number, row) if depth < _DEEPEST else None
            if terms is not None:
                form = {}
                for source, column, factor in terms:
                    _add(form, self._form(source, column, depth + 1), factor)
                if len(form) > _LONGEST:
                    form = {name: 1}
        else:
            is_on = self._bits[structure.network.first_neuron(number) + row]
            slope = _exactly(float((node.slope_on if is_on else node.slope_off)[row]))
            inner = self._form(node.source, row, depth + 1) if slope else {}
            form = {key: slope * factor for key, factor in inner.items()}
        self._forms[name] = form
        return form


class Span:
    """The span of some forms.

    Parameters
    ----------
    forms : iterable of Form

    Examples
    --------
    >>> span = Span([{(0, 0): 1, (0, 1): -1}, {(0, 1): 2, (0, 2): -2}])
    >>> span.rest({(0, 2): 3, (0, 0): -3}), span.rest({(0, 0): 1}) == {(0, 2): 1}
    ({}, True)
    """

    def __init__(self, forms: Iterable[Form]) -> None:
        self._rows: list[tuple[tuple[int, int], Form]] = []
        for form in forms:
            rest = self.rest(form)
            if rest:
                pivot = min(rest)
                self._rows.append((pivot, _by(rest, rest[pivot])))

    def rest(self, form: Form) -> Form:
        """Return what is left of a form; nothing if it lies in the span."""
        rest = dict(form)
        for pivot, row in self._rows:
            if pivot in rest:
                _add(rest, row, -rest[pivot])
        return rest


def multiple(form: Form) -> tuple[tuple[tuple[int, int], Fraction | int], ...]:
    """Return what is the same of a form and of all its multiples.

    Examples
    --------
    >>> multiple({(0, 1): 2, (0, 0): -4}) == multiple({(0, 0): 2, (0, 1): -1})
    True
    """
    return tuple(sorted(_by(form, form[min(form)]).items()))


def _by(form: Form, divisor: Fraction | int) -> Form:
    """Return a form divided by a number."""
    if divisor in (1, -1):
        return {key: divisor * factor for key, factor in form.items()}
    return {key: Fraction(factor) / divisor for key, factor in form.items()}


def _add(form: Form, more: Form, factor: Fraction | int) -> None:
    """Add a multiple of another form to a form, in place."""
    for key, value in more.items():
        total = form.get(key, 0) + factor * value
        if total:
            form[key] = total
        else:
            form.pop(key, None)


def _exactly(number: float) -> Fraction | int:
    return int(number) if number.is_integer() else Fraction(number)
