"""Multi-layer perceptrons from lists of arrays, in the usual forms.

Weights are (n_out, n_in), as in torch. Lists of the other orientation, that of scikit-learn and
Keras, are refused and not transposed: if all layers are square, the two cannot be told apart.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from relutopo.devices.copies import host_array
from relutopo.errors import InputError
from relutopo.networks.perceptron import ReluNetwork

__all__ = ["network_of_weights"]


def network_of_weights(model: Sequence[Any]) -> ReluNetwork:
    """Read a pair (weights, biases), pairs (weight, bias), or weights and biases in turn.

    Parameters
    ----------
    model : sequence
        Biases may be None, which means zero, or have shape (n,), (1, n) or (n, 1).

    Raises
    ------
    InputError
        If it is none of these, or shapes do not fit together.

    Examples
    --------
    >>> first, last = (np.ones((3, 2)), np.zeros(3)), (np.ones((1, 3)), None)
    >>> network_of_weights([first, last])
    ReluNetwork(2-3-1)
    >>> network_of_weights([*first, *last])
    ReluNetwork(2-3-1)
    """
    readings = list(_readings(model))
    if not readings:
        raise InputError(
            f"`model` must be a pair (weights, biases), got a {type(model).__name__} of "
            f"{len(model)}; pass two lists of arrays, or a list of pairs (weight, bias)"
        )
    fitting = [reading for reading in readings if _fit(*map(_shapes, reading))]
    # Biases of shape (1, n) look like weights. Then a tuple of lists is taken for one pair
    # (weights, biases), and a list of tuples for pairs (weight, bias).
    kinds = {type(model), *map(type, model)}
    if len(fitting) > 1 and kinds == {tuple, list} and len(set(map(type, model))) == 1:
        fitting = fitting[:1] if isinstance(model, tuple) else fitting[1:]
    if len(fitting) > 1:
        raise InputError(
            "`model` must be a pair (weights, biases), got arrays that can also be read as pairs "
            "(weight, bias); pass biases of shape (n,)"
        )
    if not fitting:
        for weights, biases in readings:
            _refuse_transposed(_shapes(weights), _shapes(biases))
    weights, biases = (fitting or readings)[0]
    return ReluNetwork(weights, biases)


Reading = tuple[list[Any], list[Any]]


def _readings(model: Sequence[Any]) -> Iterator[Reading]:
    """Yield weights and biases for every way to read a list."""
    if len(model) == 2 and hasattr(model[0], "__len__"):
        weights, biases = list(model[0]), model[1]
        if biases is None:
            yield _with_flat(weights, [None] * len(weights))
        elif hasattr(biases, "__len__"):
            yield _with_flat(weights, list(biases))
    if all(isinstance(entry, (list, tuple)) and len(entry) == 2 for entry in model):
        yield _with_flat([entry[0] for entry in model], [entry[1] for entry in model])
    if all(_dim(entry) == 2 for entry in model[::2]) and all(
        entry is None or _dim(entry) == 1 for entry in model[1::2]
    ):
        yield _with_flat(list(model[::2]), [*model[1::2], *[None] * (len(model) % 2)])


def _with_flat(weights: list[Any], biases: list[Any]) -> Reading:
    """Return weights and biases, with zeros for missing biases and all biases of shape (n,)."""
    flat = []
    for i, bias in enumerate(biases):
        shape = _shape(bias)
        if bias is None:
            n_outputs = _shape(weights[i])[:1] if i < len(weights) else ()
            flat.append(np.zeros(n_outputs or 0))
        elif len(shape) == 2 and 1 in shape:
            flat.append(np.ravel(host_array(bias)))
        else:
            flat.append(bias)
    return weights, flat


def _dim(entry: Any) -> int:
    """Return the number of dimensions of an array; 0 for anything else, such as a ragged list."""
    if hasattr(entry, "shape"):
        return len(entry.shape)
    try:
        array = np.asarray(entry)
    except (ValueError, TypeError, RuntimeError):  # ragged, or lists of tensors
        return 0
    return array.ndim if array.dtype.kind in "biuf" else 0


def _shape(array: Any) -> tuple[int, ...]:
    """Return the shape of an array; () for anything else."""
    if hasattr(array, "shape"):
        return tuple(array.shape)
    return np.shape(array) if _dim(array) else ()


def _shapes(arrays: Sequence[Any]) -> list[tuple[int, ...]]:
    return [_shape(array) for array in arrays]


def _fit(weights: Sequence[tuple[int, ...]], biases: Sequence[tuple[int, ...]]) -> bool:
    return (
        len(weights) == len(biases)
        and all(len(w) == 2 and b == w[:1] for w, b in zip(weights, biases, strict=True))
        and all(a[0] == b[1] for a, b in itertools.pairwise(weights))
    )


def _refuse_transposed(
    weights: Sequence[tuple[int, ...]], biases: Sequence[tuple[int, ...]]
) -> None:
    if _fit([shape[::-1] for shape in weights], biases):
        shown = ", ".join(map(str, weights[:4])) + (", ..." if len(weights) > 4 else "")
        raise InputError(
            f"`weights` must have shape (n_out, n_in) in every layer, got {shown}, which are "
            "(n_in, n_out), as scikit-learn and Keras keep them; pass [w.T for w in weights]"
        )
