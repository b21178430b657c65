"""Multi-layer perceptrons from named arrays: state dicts, trees of parameters, checkpoints.

Such a mapping contains only names and shapes. It does not tell what is between the layers, nor in
which order they are applied. It is read as a chain of linear layers with ReLU between them, and
only if the names leave no doubt which chain.

Invariants: numbers in names are compared as numbers, so layer 10 follows layer 9 whatever the order
of the mapping; names without numbers keep the order of the mapping, or, if that is sorted by name
or shapes do not fit in it, take the only order in which shapes fit; two parts that may be networks
of their own are never joined.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.devices.copies import host_array
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.perceptron import ReluNetwork

__all__ = ["network_of_state_dict", "parameters_in"]

_USUAL = ("state_dict", "model_state_dict", "model", "state")
"""Keys under which checkpoints keep the network itself, beside averages or other networks."""
_MOST_ORDERS = 5040
_KINDS = {"weight": ("weight", 2), "bias": ("bias", 1), "kernel": ("weight", 2)}
"""The kinds of arrays by the last part of their names, and their numbers of dimensions."""


def parameters_in(content: Any, key: str | None = None) -> Any:
    """Return the one mapping of arrays in the content of a checkpoint.

    Parameters
    ----------
    content : object
        A state dict, or mappings and lists around one.
    key : str, optional
        Which one: the keys and positions that lead to it, joined by points; or the first parts of
        the names of the wanted layers.

    Returns
    -------
    mapping, or an object with a ``state_dict`` in its place

    Raises
    ------
    InputError
        If there is none, nothing is found under `key`, or there are several to choose from.

    Examples
    --------
    >>> state = {"0.weight": np.ones((1, 2)), "0.bias": np.ones(1)}
    >>> sorted(parameters_in({"epoch": 3, "net": state, "average": state}, key="net"))
    ['0.bias', '0.weight']
    """
    if key is not None:
        content = _under(content, key)
    if _is_module(content):
        return content
    found = dict(_candidates(content, ()))
    usual = [path for path in found if len(path) == 1 and path[0] in _USUAL]
    if len(found) > 1 and len(usual) == 1:
        return found[usual[0]]
    if len(found) > 1:
        names = [".".join(path) for path in found]
        raise InputError(
            f"`model` must be one network, got {len(found)} mappings of arrays, under "
            f"{_listed(names)}; choose one, for example by key={names[0]!r}"
        )
    if not found:
        raise InputError(
            f"`model` must hold the weights of Linear layers under names that end in .weight, got "
            f"{_described(content)}; pass the module, or its state_dict()"
        )
    return next(iter(found.values()))


def network_of_state_dict(state: Mapping[Any, Any]) -> ReluNetwork:
    """Read named arrays as Linear layers with ReLU between them.

    Parameters
    ----------
    state : mapping
        Arrays, in nested mappings or under names with points. ``weight`` is
        (n_out, n_in), as in torch, and ``kernel`` (n_in, n_out), as in Flax and Keras; a missing
        ``bias`` counts as zero.

    Returns
    -------
    ReluNetwork
        Its `layer_names` tell which layers were read, in their order.

    Raises
    ------
    UnsupportedModuleError
        If an entry is neither a weight matrix nor a bias vector.
    InputError
        If there is more than one network, or the order of the layers is not certain.

    Examples
    --------
    >>> network_of_state_dict({"b1.weight": np.ones((1, 4)), "b0.weight": np.ones((4, 2))})
    ReluNetwork(2-4-1, layers b0, b1)
    """
    layers = _layers(state)
    _refuse_several_networks(layers)
    order = _order(layers, is_sorted=_is_sorted([name for name, _ in _leaves(state)]))
    for name, after in itertools.pairwise(order):
        if layers[name].n_outputs != layers[after].n_inputs:
            raise InputError(
                f"the layers must fit together in the order {_listed(order)}, got "
                f"{layers[name].n_outputs} outputs of {name!r} and {layers[after].n_inputs} inputs "
                f"of {after!r}; if they are several networks, choose one by its key, for example "
                f"key={order[0]!r}, else pass the module"
            )
    return ReluNetwork(
        [layers[name].weight for name in order],
        [layers[name].bias for name in order],
        layer_names=order,
    )


@dataclass(frozen=True, eq=False)
class _Layer:
    weight: Any
    bias: Any

    @property
    def n_inputs(self) -> int:
        return int(np.shape(self.weight)[1])

    @property
    def n_outputs(self) -> int:
        return int(np.shape(self.weight)[0])


def _under(content: Any, key: str) -> Any:
    """Return the content under a key with points."""
    here, rest = content, key.split(".")
    while rest:
        # Keys may contain points themselves: the longest one that exists is taken.
        for length in range(len(rest), 0, -1):
            step = ".".join(rest[:length])
            if isinstance(here, Mapping) and step in here:
                here = here[step]
                break
            if isinstance(here, (list, tuple)) and step.isdigit() and int(step) < len(here):
                here = here[int(step)]
                break
        else:
            part = _with_prefix(here, ".".join(rest) + ".")
            if part:
                return part
            raise InputError(
                f"`key` must name a part of the model, got {key!r}, which is not there; "
                f"it holds {_described(here)}"
            )
        rest = rest[length:]
    return here


def _with_prefix(content: Any, prefix: str) -> dict[str, Any]:
    if not isinstance(content, Mapping):
        return {}
    return {
        str(name)[len(prefix) :]: entry
        for name, entry in content.items()
        if str(name).startswith(prefix)
    }


def _is_module(entry: Any) -> bool:
    return hasattr(entry, "state_dict") and not isinstance(entry, Mapping)


def _is_array(entry: Any) -> bool:
    if hasattr(entry, "shape") and hasattr(entry, "dtype"):
        return True
    return isinstance(entry, (list, tuple)) and _dim(entry) > 0


def _dim(entry: Any) -> int:
    """Return the number of dimensions of an array; 0 for anything else, such as a ragged list."""
    if hasattr(entry, "shape"):
        return len(entry.shape)
    try:
        array = np.asarray(entry)
    except (ValueError, TypeError, RuntimeError):
        return 0
    return array.ndim if array.dtype.kind in "iuf" else 0


def _candidates(content: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all mappings of arrays with a matrix under the name of a weight, and their paths."""
    if _is_module(content):
        yield path, content
    elif isinstance(content, Mapping):
        if _is_tree(content) and not _is_checkpoint(content):
            if any(
                _last_part(name) in _KINDS and _dim(entry) > 1 for name, entry in _leaves(content)
            ):
                yield path, content
            return
        for key, entry in content.items():
            yield from _candidates(entry, (*path, str(key)))
    elif isinstance(content, (list, tuple)):
        for i, entry in enumerate(content):
            yield from _candidates(entry, (*path, str(i)))


def _is_checkpoint(content: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping has a state dict of torch under one of the usual keys."""
    usual = [content[key] for key in _USUAL if isinstance(content.get(key), Mapping)]
    return any("." in str(name) for state in usual for name in state)


def _is_tree(content: Mapping[Any, Any]) -> bool:
    """Tell whether a mapping contains only arrays, in mappings at any depth."""
    if not content:
        return False
    entries = list(content.values())
    below = [entry for entry in entries if isinstance(entry, Mapping)]
    # A number beside mappings is, for example, that of an epoch, and not part of a tree.
    is_mixed = bool(below) and any(_is_array(entry) and not _dim(entry) for entry in entries)
    return not is_mixed and all(
        _is_tree(entry) if isinstance(entry, Mapping) else _is_array(entry) for entry in entries
    )


def _leaves(content: Mapping[Any, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for key, entry in content.items():
        # Flax flattens its trees to tuples, or to names with slashes.
        parts = map(str, key) if isinstance(key, tuple) else [str(key).replace("/", ".")]
        name = (*path, *parts)
        if isinstance(entry, Mapping):
            yield from _leaves(entry, name)
        else:
            yield ".".join(name), entry


def _last_part(name: str) -> str:
    return name.rpartition(".")[2]


def _layers(state: Mapping[Any, Any]) -> dict[str, _Layer]:
    """Return the layers in the order of the mapping."""
    entries: dict[str, dict[str, Any]] = {}
    for name, array in _leaves(state):
        shape = tuple(np.shape(array))
        kind = _last_part(name)
        role, dim = _KINDS.get(kind, ("", -1))
        if len(shape) != dim:
            raise UnsupportedModuleError(
                f"`state` must hold weight matrices and bias vectors of Linear layers, got "
                f"{name!r} of shape {shape}; pass the module instead of its state dict"
            )
        entry = entries.setdefault(name.rpartition(".")[0], {})
        if role in entry:
            raise UnsupportedModuleError(
                f"`state` must hold one weight of each layer, got a weight and a kernel of "
                f"{name.rpartition('.')[0]!r}; pass the module instead"
            )
        entry[role] = np.transpose(host_array(array)) if kind == "kernel" else array
    for name, entry in entries.items():
        if "weight" not in entry:
            raise UnsupportedModuleError(
                f"`state` has a bias but no weight for layer {name!r}; pass the whole dict"
            )
    return {
        name: _Layer(entry["weight"], entry.get("bias", np.zeros(len(entry["weight"]))))
        for name, entry in entries.items()
    }


def _refuse_several_networks(layers: Mapping[str, _Layer]) -> None:
    """Raise an error if several parts, of two or more layers each, may be networks of their own."""
    for parts in _divisions(layers):
        shown = [
            f"{name!r} ({'-'.join(map(str, _widths([layers[layer] for layer in names])))})"
            for name, names in parts.items()
        ]
        first = next(iter(parts))
        raise InputError(
            f"`model` must be one chain of layers with ReLU between them, got parts that may be "
            f"networks of their own, {_listed(shown)}, and nothing tells what is between them; "
            f"choose one, for example by key={first!r}, pass the module, or, if they are one "
            "chain, a pair of lists (weights, biases)"
        )


def _widths(layers: Sequence[_Layer]) -> list[int]:
    return [layers[0].n_inputs, *(layer.n_outputs for layer in layers)]


def _divisions(layers: Mapping[str, _Layer]) -> Iterator[dict[str, list[str]]]:
    """Yield divisions of the layers, by their names, into parts of two or more layers."""
    by_module = {name: name.split(".") for name in layers}
    depth = max(map(len, by_module.values()), default=0)
    for length in range(1, depth):
        parts: dict[str, dict[str, list[str]]] = {}
        for name, steps in by_module.items():
            if len(steps) > length:
                above, head = ".".join(steps[: length - 1]), ".".join(steps[:length])
                parts.setdefault(above, {}).setdefault(head, []).append(name)
        for siblings in parts.values():
            several = {head: names for head, names in siblings.items() if len(names) > 1}
            if len(several) > 1:
                yield several
    # actor1, actor2, critic1, critic2: stems with numbers, if they may take the same inputs.
    stems: dict[str, list[str]] = {}
    for name in layers:
        stem = re.sub(r"\d+$", "", name)
        if stem != name and not stem.endswith("."):
            stems.setdefault(stem, []).append(name)
    several = {stem: names for stem, names in stems.items() if len(names) > 1}
    inputs = [layers[min(names, key=_tokens)].n_inputs for names in several.values()]
    if len(set(inputs)) < len(inputs):
        yield several


def _tokens(name: str) -> list[tuple[bool, int, str]]:
    """Return a name as text and numbers in turn."""
    pieces = re.findall(r"\d+|\D+", name)
    return [(True, int(p), "") if p.isdigit() else (False, 0, p) for p in pieces]


@dataclass(frozen=True, eq=False)
class _Node:
    """Layers whose names begin alike; `name` is that of the layer that ends here, if any."""

    names: list[str]
    below: dict[tuple[bool, int, str], _Node]

    @classmethod
    def of(cls, names: Sequence[str]) -> _Node:
        root = cls([], {})
        for name in names:
            node = root
            for token in _tokens(name):
                node = node.below.setdefault(token, cls([], {}))
            node.names.append(name)
        return root

    def orders(self) -> Iterator[list[str]]:
        """Yield all orders in which numbers ascend; names without numbers are in any order."""
        texts = [token for token in self.below if not token[0]]
        numbers = sorted(token for token in self.below if token[0])
        # Numbers stay together: h1, h2 and "h.out" are three siblings, of which two are in order.
        for order in itertools.permutations([*texts, None] if numbers else texts):
            tokens = [t for one in order for t in (numbers if one is None else [one])]
            parts = [self.below[token].orders() for token in tokens]
            for rows in itertools.product(*map(list, parts)):
                yield [*self.names, *itertools.chain.from_iterable(rows)]

    def n_orders(self) -> int:
        n_texts = sum(not token[0] for token in self.below)
        siblings = n_texts + (n_texts < len(self.below))
        return math.factorial(siblings) * math.prod(node.n_orders() for node in self.below.values())


def _order(layers: Mapping[str, _Layer], *, is_sorted: bool) -> list[str]:
    """Return the names in the order in which the layers are applied."""
    given = list(layers)
    if _numbers_ascend(given) and not is_sorted and _chain(layers, given):
        return given
    root = _Node.of(given)
    n_orders = root.n_orders()
    if n_orders == 1:
        return next(root.orders())
    if n_orders <= _MOST_ORDERS:
        fitting = [order for order in root.orders() if _chain(layers, order)]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            return given  # the error of the network says which shapes do not fit
    raise InputError(
        f"`model` must tell the order of its layers, got {_listed(given)}, sorted by name or not "
        "in the order of their numbers; pass the module, a state dict in the order of the layers, "
        "or a pair of lists (weights, biases)"
    )


def _numbers_ascend(names: Sequence[str]) -> bool:
    """Tell whether no name is followed by one that differs from it only by a smaller number."""
    last: dict[tuple[Any, ...], int] = {}
    for name in names:
        tokens = _tokens(name)
        for i, (is_number, number, _) in enumerate(tokens):
            if is_number:
                before = tuple(tokens[:i])
                if number < last.get(before, number):
                    return False
                last[before] = number
    return True


def _is_sorted(names: Sequence[str]) -> bool:
    """Tell whether names are in alphabetical order; in torch, weights come before biases."""
    return list(names) == sorted(names)


def _chain(layers: Mapping[str, _Layer], order: Sequence[str]) -> bool:
    return all(layers[a].n_outputs == layers[b].n_inputs for a, b in itertools.pairwise(order))


def _described(content: Any) -> str:
    if isinstance(content, Mapping):
        return f"a mapping with the keys {_listed([repr(key) for key in content]) or 'none'}"
    if isinstance(content, (list, tuple)):
        kinds = sorted({type(entry).__name__ for entry in content})
        return f"a {type(content).__name__} of {len(content)} ({', '.join(kinds)})"
    return type(content).__name__


def _listed(names: Sequence[str], most: int = 6) -> str:
    shown = [name[:60] for name in names[:most]]
    return ", ".join(shown) + (f", ... ({len(names)} in all)" if len(names) > most else "")
