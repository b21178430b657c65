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
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from relutopo.geometry.patterns import unpack_patterns
from relutopo.networks.graph import Affine, GraphNetwork
from relutopo.networks.network import Network

__all__ = ["Form", "Forms", "Span", "Structure", "direction"]

_Number: TypeAlias = float | Fraction
_Name: TypeAlias = tuple[int, int]
Form: TypeAlias = dict[_Name, _Number]
"""Coefficients by the atoms' names: the number of a value and an entry; (-1, 0) is the constant."""
_Terms: TypeAlias = list[tuple[_Name, _Number]]

_FEW, _MANY = 4, 32
"""Rows of few terms are followed to their atoms, rows of many to the entries that are chosen for
their terms. Longer rows are atoms: no two of them sum the same entries where windows are small."""
_LONGEST, _DEEPEST = 96, 200
_REGIONS_KEPT = 64
_ONE = (-1, 0)


class _Rule(NamedTuple):
    """How an entry is made: by the terms `on` where a neuron is positive, and `off` elsewhere.

    No neuron, -1, decides for entries that are the same sum everywhere.
    """

    neuron: int
    off: _Terms
    on: _Terms


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
    {(0, 2): 1.0, (0, 1): -1.0}
    """

    def __init__(self, network: GraphNetwork) -> None:
        self.network = network
        self._regions = lru_cache(_REGIONS_KEPT)(self._forms_on)
        self._rules: dict[_Name, _Rule | None] = {_ONE: None}

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

    def rule(self, name: _Name) -> _Rule | None:
        """Return how an entry is made, or None for an atom."""
        if name not in self._rules:
            self._rules[name] = self._found_rule(name)
        return self._rules[name]

    def _found_rule(self, name: _Name) -> _Rule | None:
        number, row = name
        node = self.network.nodes[number - 1] if number else None
        if node is None:
            return None
        if not isinstance(node, Affine):
            neuron = self.network.first_neuron(number) + row
            off, on = node.slope_off[row], node.slope_on[row]
            source = node.source, row
            return _Rule(neuron, _times([(source, 1.0)], off), _times([(source, 1.0)], on))
        terms = _terms(node, row)
        if terms is None:
            return None
        if len(terms) > _FEW:  # where nothing is chosen, no two rows sum the same
            return _Rule(-1, terms, terms) if any(self._is_choice(t) for t, _ in terms) else None
        last = max(range(len(terms)), key=lambda i: terms[i][0], default=0)
        if not terms or not self._is_kink(terms[last][0][0]):
            return _Rule(-1, terms, terms)
        # As in max(a, b) = a + ReLU(b - a), where the last kink's sign chooses one entry.
        (kink, factor), rest = terms[last], terms[:last] + terms[last + 1 :]
        of_kink = self.rule(kink)
        assert of_kink is not None
        off, on = (
            _merged([*rest, *_times(self._unfolded(part), factor)])
            for part in (of_kink.off, of_kink.on)
        )
        return _Rule(of_kink.neuron, off, on)

    def _is_choice(self, name: _Name) -> bool:
        """Return whether an entry is one of two others, or a kink behind such a one."""
        while True:
            number, row = name
            node = self.network.nodes[number - 1] if number > 0 else None
            if isinstance(node, Affine) and len(_terms(node, row) or ()) > _FEW:
                return False
            rule = self.rule(name)
            if rule is None or len(rule.on) != 1:
                return False
            if len(rule.off) == 1 and rule.off[0][0] != rule.on[0][0]:
                return True
            name = rule.on[0][0]

    def _is_kink(self, number: int) -> bool:
        return number > 0 and not isinstance(self.network.nodes[number - 1], Affine)

    def _unfolded(self, terms: _Terms) -> _Terms:
        """Return the terms of what a kink lets through."""
        if not terms:
            return terms
        ((number, row), factor) = terms[0]
        node = self.network.nodes[number - 1] if number else None
        inner = _terms(node, row) if isinstance(node, Affine) else None
        return terms if inner is None or len(inner) > _FEW else _times(inner, factor)


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
        self._forms: dict[_Name, Form] = {}

    def form(self, label: int) -> Form:
        """Return the form of a neuron; it depends on the bits of the layers before."""
        network = self._structure.network
        layer = bisect_right(network.layer_offsets, label) - 1
        unit = label - network.layer_offsets[layer]
        for value, size, start in network.targets(layer):
            if start <= unit < start + size:
                return self._form((value, unit - start), 0)
        raise AssertionError(label)

    def agrees(self, other: Forms, label: int) -> bool:
        """Tell whether a neuron has the same form on another region, as its pattern is the same."""
        offsets = self._structure.network.layer_offsets
        n = offsets[bisect_right(offsets, label) - 1]
        return self is other or np.array_equal(self._bits[:n], other._bits[:n])

    def _form(self, name: _Name, depth: int) -> Form:
        form = self._forms.get(name)
        if form is None:
            end, factor = self._chosen(name)
            if not factor:
                form = {}
            else:
                form = self._forms.get(end) or self._sum(end, depth)
                self._forms[end] = form
                if factor != 1.0:
                    form = dict(_times(list(form.items()), factor))
            self._forms[name] = form
        return form

    def _chosen(self, name: _Name) -> tuple[_Name, _Number]:
        """Return the entry that an entry is a multiple of, and the factor."""
        factor: _Number = 1.0
        while (terms := self._terms(name)) is not None and len(terms) <= 1:
            if not terms:
                return name, 0.0
            ((name, more),) = terms
            factor = _product(factor, more)
        return name, factor

    def _terms(self, name: _Name) -> _Terms | None:
        rule = self._structure.rule(name)
        if rule is None:
            return None
        return rule.on if rule.neuron >= 0 and self._bits[rule.neuron] else rule.off

    def _sum(self, name: _Name, depth: int) -> Form:
        """Return the form of an entry with several terms, or with none that are known."""
        terms = self._terms(name)
        if terms is None or depth > _DEEPEST:
            return {name: 1.0}
        form: Form = {}
        for term, factor in terms:
            if len(terms) <= _FEW:
                _add(form, self._form(term, depth + 1), factor)
            else:
                end, more = self._chosen(term)
                _add(form, {end: 1.0}, _product(factor, more))
        return form if len(form) <= _LONGEST else {name: 1.0}


class Span:
    """The span of some forms.

    Parameters
    ----------
    forms : iterable of Form

    Examples
    --------
    >>> span = Span([{(0, 0): 1.0, (0, 1): -1.0}, {(0, 1): 1.0, (0, 2): -1.0}])
    >>> span.rest({(0, 2): 3.0, (0, 0): -3.0}), span.rest({(0, 0): 1.0})
    ({}, {(0, 2): 1.0})
    """

    def __init__(self, forms: Iterable[Form]) -> None:
        self._rows: list[tuple[_Name, Form]] = []
        for form in forms:
            rest = self.rest(form)
            if rest:
                self._rows.append((min(rest), rest))

    def rest(self, form: Form) -> Form:
        """Return what is left of a form; nothing if it lies in the span."""
        rest = dict(form)
        for pivot, row in self._rows:
            if pivot in rest:
                _add(rest, row, -_ratio(rest[pivot], row[pivot]))
        return rest


def direction(form: Form) -> tuple[tuple[_Name, _Number], ...]:
    """Return what is the same of a form and of all its multiples.

    Examples
    --------
    >>> direction({(0, 1): 1.0, (0, 0): -3.0}) == direction({(0, 0): 6.0, (0, 1): -2.0})
    True
    """
    first = form[min(form)]
    return tuple(sorted((name, _ratio(factor, first)) for name, factor in form.items()))


def _terms(node: Affine, row: int) -> _Terms | None:
    """Return the terms of a row of an affine map, or None if there are very many."""
    found: _Terms = []
    for source, (ends, columns, numbers) in zip(node.sources, node.rows, strict=True):
        here = slice(int(ends[row]), int(ends[row + 1]))
        if len(found) + here.stop - here.start > _MANY:
            return None
        names = zip(repeat(source), columns[here].tolist())
        found += zip(names, numbers[here].tolist(), strict=True)
    if node.bias[row]:
        found.append((_ONE, float(node.bias[row])))
    return found


def _merged(terms: _Terms) -> _Terms:
    form: Form = {}
    for name, factor in terms:
        _add(form, {name: 1.0}, factor)
    return list(form.items())


def _times(terms: _Terms, factor: _Number) -> _Terms:
    return [(name, _product(own, factor)) for name, own in terms] if factor else []


def _add(form: Form, more: Form, factor: _Number) -> None:
    """Add a multiple of another form to a form, in place."""
    for name, value in more.items():
        added = _product(factor, value)
        total = form.get(name)
        if total is None:
            if added:
                form[name] = added
        elif total == -added:
            del form[name]
        else:
            form[name] = Fraction(total) + Fraction(added)


def _product(a: _Number, b: _Number) -> _Number:
    """Return a product exactly; floats stay floats where one of them is 1 or -1."""
    if a == 1.0:
        return b
    if b == 1.0:
        return a
    if a == -1.0:
        return -b
    if b == -1.0:
        return -a
    return Fraction(a) * Fraction(b)


def _ratio(a: _Number, b: _Number) -> _Number:
    if a == b:
        return 1.0
    return -1.0 if a == -b else Fraction(a) / Fraction(b)
