"""Torch modules as networks.

A module is copied, put into evaluation mode and double precision, and its forward pass is followed
(`relutopo.networks.following`), operation by operation (`relutopo.networks.torch_functions`). The
result is compared with the module's own forward pass at random points.

Only the copy is changed, and nothing that other threads see: a network may be read while other
threads train, even the module itself.

This module imports torch; `relutopo.as_network` imports it when it is given a torch module.
"""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MethodType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.calls import Call, described, remedy
from relutopo.networks.double_precision import InDouble
from relutopo.networks.following import Following, is_torch_layer, line_of
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.roundoff import nudged, outputs_in_range, roundoff, spread
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal
from relutopo.networks.torch_functions import OPERATIONS, SUPPORTED

__all__ = ["network_of_module", "perceptron_of", "perceptron_of_sequence"]

_DERIVING_HOOKS = (BasePruningMethod, SpectralNorm, WeightNorm)
"""Hooks that set attributes before a forward pass, and do not depend on its input."""


_WRAPPERS = (
    nn.DataParallel,
    nn.parallel.DistributedDataParallel,
    torch.optim.swa_utils.AveragedModel,
)
_HOOKS = (
    *("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"),
    *("_forward_hooks_with_kwargs", "_forward_pre_hooks_with_kwargs"),
)


def network_of_module(
    module: nn.Module,
    input_shape: Sequence[int] | None = None,
    *,
    output: str | int | None = None,
    fixed: Mapping[str, Any] | None = None,
) -> Network:
    """Read a torch module, in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Stays as it is.
    input_shape : sequence of int, optional
        Shape of one input without the batch axis; by default that of the first layer with
        weights if it is Linear.
    output : str or int, optional
        Which of several outputs is read: a key, a field, a number.
    fixed : mapping, optional
        Values of other arguments of the forward method, by name, as in a call with one row.

    Returns
    -------
    Network
        A `ReluNetwork` for alternating Linear and ReLU layers, otherwise a `GraphNetwork`. Its link
        is a sigmoid, a softmax or the like that comes last.

    Raises
    ------
    UnsupportedModuleError
        If an operation is not understood, or the result differs from the module's forward pass.
    InputError
        If the input shape is missing or does not fit.

    Examples
    --------
    >>> net = network_of_module(nn.Sequential(nn.Linear(2, 3), nn.LeakyReLU(), nn.Linear(3, 1)))
    >>> net
    GraphNetwork(2-3-1)
    """
    module = _unwrapped(module)
    _check_parts(module)
    given = module
    module = _copied(module).eval()
    # A perceptron on a card is read there. Other devices may not know double precision.
    on_card = any(parameter.is_cuda for parameter in module.parameters())
    module = _with_derived_weights(_in_double(module if on_card else module.cpu()))
    call = Call(output, fixed or {})
    if is_torch_layer(module) and not fixed:  # messages name places within a container
        module = nn.Sequential(module)
    is_plain = output is None and not fixed
    network: Network | None = _sequence(module) if is_plain else None
    network = network or _perceptron(module, call)
    module = _with_derived_weights(module.cpu())
    shape = tuple(input_shape or ())
    # Layers that are applied to each row of an input are no perceptron.
    if network is None or (len(shape) > 1 and math.prod(shape) != network.input_dim):
        call.check(module)
        _check_forward(module)
        shape = shape or _guessed_shape(module, call)
        network = _graph(module, shape, call)
        squares = (float((p.detach().double() ** 2).sum()) for p in given.parameters())
        network.weight_norm = math.sqrt(sum(squares))
    shape = shape or (network.input_dim,)
    if math.prod(shape) == network.input_dim:  # otherwise as_network complains
        _compare(module, network, shape, call)
    return network


def _check_parts(module: nn.Module) -> None:
    for path, part in _parts(module):
        if isinstance(part, torch.jit.ScriptModule):
            raise UnsupportedModuleError(
                f"`model` must be made of torch modules, got {type(part).__name__} at {path!r}, "
                "compiled by torch.jit; pass the module that it was made from"
            )
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if nn.parameter.is_lazy(tensor):
            raise InputError(
                f"`model` must have weights, got {name!r} of a lazy layer that has seen no input; "
                "call the model on a batch of inputs before"
            )
        if tensor.is_meta:
            raise InputError(
                f"`model` must hold its weights, got {name!r} on the meta device; load them, by "
                'model.to_empty(device="cpu") and model.load_state_dict(...)'
            )
        if not torch.isfinite(tensor).all():
            raise InputError(
                f"`model` must have finite weights, got NaN or infinity in {name!r}; did the "
                "training diverge? Load an earlier checkpoint"
            )


def _parts(module: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the module and all modules within it, with their paths for messages."""
    root = type(module).__name__
    return [(f"{root}.{name}" if name else root, part) for name, part in module.named_modules()]


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy in which no part is wrapped or compiled."""
    # torch refuses to copy tensors with a history, such as weights that a hook derives from others.
    memo: dict[int, Any] = {id(x): x.detach().clone() for x in _loose(module) if not x.is_leaf}
    try:
        module = copy.deepcopy(module, memo)
    except Exception as error:
        # Copying may run code of the module's own parts, which may raise anything.
        raise UnsupportedModuleError(
            f"`model` ({type(module).__name__}) must be such that copy.deepcopy can copy it, got "
            f"{type(error).__name__}: {error}; drop what it and its hooks keep besides its weights"
        ) from error
    return _plain(module)


def _plain(module: nn.Module) -> nn.Module:
    """Unwrap the parts of a copy, and undo compilation."""
    for part in list(module.modules()):
        for name, child in part._modules.items():
            if child is not None:
                part._modules[name] = _unwrapped(child)
    for part in module.modules():
        part._compiled_call_impl = None
        for name, value in list(vars(part).items()):
            if callable(inner := getattr(value, "_torchdynamo_orig_callable", None)):
                setattr(part, name, inner)
        if callable(inner := getattr(type(part).forward, "_torchdynamo_orig_callable", None)):
            part.forward = MethodType(inner, part)
    return module


def _loose(module: nn.Module) -> list[Tensor]:
    """Return the tensors that a module and its parts keep besides parameters and buffers."""
    found: list[Tensor] = []

    def collect(x: Any) -> Any:
        if isinstance(x, Tensor):
            found.append(x)
        return x

    for part in module.modules():
        _changed({k: x for k, x in vars(part).items() if k not in _REGISTERED}, collect)
    return found


_REGISTERED = {"_parameters", "_buffers", "_modules", *_HOOKS}


def _changed(tree: Any, change: Callable[[Any], Any]) -> Any:
    """Return nested lists, tuples and dictionaries with their contents changed."""
    if type(tree) is dict:
        return {key: _changed(x, change) for key, x in tree.items()}
    if type(tree) in (list, tuple):
        return type(tree)(_changed(x, change) for x in tree)
    return change(tree)


def _in_double(module: nn.Module) -> nn.Module:
    """Put a copy into double precision, including tensors that it keeps unregistered."""

    def double(x: Any) -> Any:
        if isinstance(x, nn.Module):
            return _in_double(_unwrapped(x))
        if isinstance(x, Tensor):
            return x.detach().double() if x.is_floating_point() else x.detach()
        return x

    module.double()
    for part in module.modules():
        for name, value in list(vars(part).items()):
            if name not in _REGISTERED and isinstance(
                value, (nn.Module, Tensor, list, tuple, dict)
            ):
                vars(part)[name] = _changed(value, double)
    return module


def _with_derived_weights(module: nn.Module) -> nn.Module:
    """Compute, as a forward pass would, the weights that a hook derives, pruned or normalised ones.

    They are plain attributes, which neither `double` nor `cpu` changes.
    """
    with torch.no_grad():
        for part, hook in _deriving_hooks(module):
            hook(part, None)
    return module


def _deriving_hooks(module: nn.Module) -> list[tuple[nn.Module, Callable[..., Any]]]:
    return [
        (part, hook)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
        if isinstance(hook, _DERIVING_HOOKS)
    ]


def perceptron_of(module: nn.Module) -> ReluNetwork | None:
    """Read a chain of Linear and ReLU layers, without comparing it with its forward pass.

    It takes a tenth of the time of `network_of_module`; for modules that were compared before.

    Parameters
    ----------
    module : torch.nn.Module
        Of any class; it is not changed, and not put into evaluation mode.

    Returns
    -------
    ReluNetwork or None
        None if the module is anything else, cannot be followed, or has weights, such as pruned
        ones, that a hook derives anew from others before each forward pass.

    Examples
    --------
    >>> perceptron_of(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    ReluNetwork(2-3-1)
    >>> perceptron_of(nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)))
    """
    module = _unwrapped(module)
    if _deriving_hooks(module):
        return None
    network = _sequence(module)
    if network is not None:
        return network
    # The module's code may change the module, so it runs on a copy that shares the weights.
    tensors = [*module.parameters(), *module.buffers(), *_loose(module)]
    try:
        return _perceptron(_plain(copy.deepcopy(module, {id(x): x for x in tensors})), Call())
    except Exception:
        # Copying may run code of the module's own parts, which may raise anything.
        return None


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside a wrapper for compilation or for training in several processes."""
    inner = module
    while True:
        if isinstance(inner, _WRAPPERS):
            inner = inner.module
        elif isinstance(compiled := getattr(inner, "_orig_mod", None), nn.Module):
            inner = compiled
        else:
            return inner


def _sequence(module: nn.Module) -> ReluNetwork | None:
    try:
        return perceptron_of_sequence(module)
    except InputError:  # layers do not fit: a Flatten between them may join rows
        return None


def perceptron_of_sequence(module: nn.Module) -> ReluNetwork:
    """Read a module made of Linear and ReLU layers in sequence, by the names of their classes.

    Nested `Sequential`s, `Identity` and `Flatten` are followed. Two neighbouring Linear
    layers would need a rounded product and are refused.

    Parameters
    ----------
    module : torch.nn.Module
        A `Sequential` or a single `Linear`.

    Raises
    ------
    UnsupportedModuleError
        If a submodule is of another kind; the message names it.

    Examples
    --------
    >>> perceptron_of_sequence(nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1)))
    ReluNetwork(2-3-1)
    """
    weights: list[Any] = []
    biases: list[Any] = []
    after_linear = False
    for path, layer in _leaves(module, type(module).__name__):
        kind = type(layer).__name__
        if kind == "Linear" and not after_linear:
            weights.append(layer.weight)
            biases.append(np.zeros(len(layer.weight)) if layer.bias is None else layer.bias)
            after_linear = True
        elif kind == "ReLU" and (after_linear or weights):
            after_linear = False
        elif kind not in ("Identity", "Flatten"):
            raise UnsupportedModuleError(
                f"`model` must be a sequence of Linear and ReLU layers, got "
                f"{kind} at {path!r}"
                + (" right after another Linear" if kind == "Linear" else "")
                + (" before any Linear" if kind == "ReLU" else "")
                + "; rewrite this part, or pass weights and biases to ReluNetwork"
            )
    if not weights:
        raise UnsupportedModuleError(
            f"`model` must contain a Linear layer, got {type(module).__name__} without one; "
            "pass the trained network itself"
        )
    if not after_linear:  # a ReLU ends the module: its neurons count as hidden
        weights.append(np.eye(len(biases[-1])))
        biases.append(np.zeros(len(biases[-1])))
    return ReluNetwork(weights, biases)


def _leaves(module: nn.Module | None, path: str) -> Iterator[tuple[str, Any]]:
    if module is not None and type(module).__name__ == "Sequential":
        for name, child in module._modules.items():  # named_children() leaves out repeated ones
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, module


def _perceptron(module: nn.Module, call: Call, shape: tuple[int, ...] = ()) -> ReluNetwork | None:
    """Return the network if the module is a chain of alternating Linear and ReLU, Linear last."""
    builder = _Chain(shape or _first_guess(module))
    following = Following(builder, module, OPERATIONS, SUPPORTED, allows_constants=False)
    try:
        output = _forward(following, module, call)
    except _FirstLayer as found:  # its number of inputs differs from the guess
        return None if shape else _perceptron(module, call, found.args)
    except Exception:
        # The module's own code may raise anything.
        return None
    network = builder.perceptron(output) if isinstance(output, Signal) else None
    return None if network is None else network.with_link(following.link)


def _first_guess(module: nn.Module) -> tuple[int, ...]:
    """Return the number of inputs of the first Linear layer in the module, or 1."""
    linear = (part for part in module.modules() if isinstance(part, nn.Linear))
    return (next((part.in_features for part in linear), 1),)


class _Chain(GraphBuilder):
    """Understands only chains of Linear and ReLU, and makes no matrices."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__(input_shape)
        self._layers: list[tuple[int, Any, Any]] = []

    def linear(self, x: Signal, weight: Tensor, bias: Tensor | None = None) -> Signal:
        """Note the layer."""
        n_out, n_in = weight.shape
        if len(x.shape) == 2 and x.shape[1] != n_in and not x.value:
            raise _FirstLayer(n_in)
        if x.shape != (1, n_in) or not self.is_whole(x):
            raise NotUnderstood("")
        return self._noted(x, n_out, weight, torch.zeros(n_out) if bias is None else bias)

    def kink(self, x: Signal, slope_on: Any, slope_off: Any) -> Signal:
        """Note the ReLU."""
        is_relu = isinstance(slope_off, float) and (slope_on, slope_off) == (1.0, 0.0)
        if not is_relu or not self.is_whole(x):
            raise NotUnderstood("")
        return self._noted(x, x.size, None, None).reshaped(x.shape)

    def affine(self, *_: Any) -> Signal:
        """Refuse everything else."""
        raise NotUnderstood("")

    def _noted(self, x: Signal, size: int, weight: Any, bias: Any) -> Signal:
        self._layers.append((x.value, weight, bias))
        self.sizes.append(size)
        return Signal(len(self._layers), torch.arange(size).reshape(1, size))

    def perceptron(self, output: Signal) -> ReluNetwork | None:
        """Return the network with this output."""
        weights: list[Any] = []
        biases: list[Any] = []
        value, is_linear = output.value, False
        if not self.is_whole(output):
            return None
        while value:
            value, weight, bias = self._layers[value - 1]
            if (weight is not None) is is_linear:
                return None
            is_linear = not is_linear
            if weight is not None:
                weights.append(weight)
                biases.append(bias)
        return ReluNetwork(weights[::-1], biases[::-1]) if is_linear else None


class _FirstLayer(Exception):
    """The first layer with weights was found; carries the number of entries of its input."""


class _Probe(GraphBuilder):
    """Finds the number of inputs of the first layer with weights."""

    def linear(self, x: Signal, weight: Tensor, bias: Tensor | None = None) -> Signal:
        """End the search."""
        raise _FirstLayer(weight.shape[1])

    def convolution(self, *_: Any, **__: Any) -> Signal:
        """End the search without an answer."""
        raise _FirstLayer(None)

    def batch_norm(self, x: Signal, norm: Any) -> Signal:
        """End the search: one channel for each input, if a Linear layer follows."""
        raise _FirstLayer(len(norm.running_mean))


def _check_forward(module: nn.Module) -> None:
    """Refuse containers that do not say in which order their modules are applied."""
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        values = ".values()" if isinstance(module, nn.ModuleDict) else ""
        raise InputError(
            f"`model` must have a forward method, got {type(module).__name__}; pass the module "
            f"that it is a part of, or torch.nn.Sequential(*model{values})"
        )


def _guessed_shape(module: nn.Module, call: Call) -> tuple[int, ...]:
    following = Following(_Probe(_first_guess(module)), module, OPERATIONS, SUPPORTED)
    n: int | None = None
    try:
        _forward(following, module, call)
    except _FirstLayer as found:
        (n,) = found.args
    except Exception as error:
        # The module's own code may raise anything, if the guess was wrong.
        if refusal := _fixed_batch(error):
            raise refusal from error
        n = None
    if n is None:
        raise _needs_shape(module)
    return (n,)


def _needs_shape(module: nn.Module) -> InputError:
    return InputError(
        f"`input_shape` is needed for a {type(module).__name__} that does not begin with a Linear "
        "layer; pass as_network(model, input_shape=(1, 28, 28)), for example, and decompose that"
    )


def _graph(module: nn.Module, shape: tuple[int, ...], call: Call) -> GraphNetwork:
    builder = GraphBuilder(shape)
    following = Following(builder, module, OPERATIONS, SUPPORTED)
    try:
        output = _forward(following, module, call)
    except (InputError, UnsupportedModuleError):
        raise
    except Exception as error:
        # The module's own code may raise anything.
        raise _own_error(module, shape, error) from error
    if not isinstance(output, Signal):
        raise UnsupportedModuleError(
            f"`model` ({type(module).__name__}) must return one tensor that depends on "
            f"its input, got {described(output)}; {remedy(output)}"
        )
    return builder.network(output).with_link(following.link)


def _forward(following: Following, module: nn.Module, call: Call) -> Any:
    """Follow the forward pass, without the hooks around it."""
    kept = []
    for part in module.modules():
        for name in _HOOKS:
            hooks = vars(part).get(name)
            if hooks:
                kept.append((part, name, hooks))
                setattr(part, name, type(hooks)())
    try:
        return following.run(call)
    finally:
        for part, name, hooks in kept:
            setattr(part, name, hooks)


def _own_error(module: nn.Module, shape: tuple[int, ...], error: Exception) -> InputError:
    """Return the error that reports an exception of the module's own code."""
    if refusal := _fixed_batch(error):
        return refusal
    said = f": {error}" if str(error) else ""
    return InputError(
        f"`model` ({type(module).__name__}) cannot take inputs of shape "
        f"(1, {', '.join(map(str, shape))}), it raised {type(error).__name__}{said}"
        f"{line_of(error)}; check `input_shape`, and what its forward method asks for"
    )


_GUARD = re.compile(r"Guard failed: .*size\(\)\[0\] == (\d+)")


def _fixed_batch(error: Exception) -> InputError | None:
    """Return the error for a program of torch.export that takes batches of one size only."""
    found = _GUARD.match(str(error))
    if not isinstance(error, AssertionError) or found is None:
        return None
    return InputError(
        f"`model` must take one input at a time, got a program that torch.export made for batches "
        f"of {found[1]}; export it with an example of one row, or an open first axis, "
        'dynamic_shapes=({0: torch.export.Dim("batch")},), or pass the module that it was made from'
    )


def _compare(module: nn.Module, network: Network, shape: tuple[int, ...], call: Call) -> None:
    """Compare the network with the module's forward pass at random points."""
    scales = np.repeat([0.1, 1.0, 10.0], 4)[:, None]
    points = scales * np.random.default_rng(0).standard_normal((len(scales), network.input_dim))
    computed = outputs_in_range(network, points)

    def outputs(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _outputs(module, rows, shape, call)

    error: Exception | None = None
    try:
        expected = outputs(points)
        problem = _difference(computed, expected)
        if not problem or _rounding(module, network, points, expected, outputs) == "small":
            return
    except Exception as raised:
        # The module's own code may raise anything.
        error, problem = raised, ""

    # One point at a time: some modules take no batches, others mix the inputs of a batch.
    def outputs_of_one(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([outputs(rows[i : i + 1]).ravel() for i in range(len(rows))])

    try:
        single = outputs_of_one(points)
    except Exception as raised:
        # The module's own code may raise anything.
        raise _own_error(module, shape, error or raised) from raised
    problem_of_one, rounding = _difference(computed, single), ""
    if problem_of_one:
        rounding = _rounding(module, network, points, single, outputs_of_one)
        problem_of_one = "" if rounding == "small" else problem_of_one
    if not problem_of_one and error is not None:
        return
    cause = "does it change what it uses again, or draw random numbers? Rewrite that part"
    if not problem_of_one:
        cause = "it mixes the inputs of a batch, as a mean over axis 0 does; rewrite that part"
    elif rounding:
        cause = (
            "its numbers are so large that they are lost where they cancel, as the 6 in "
            "ReLU(z) - ReLU(z - 6); scale its layers down"
        )
    elif hooked := ", ".join(repr(path) for path, part in _parts(module) if _has_hooks(part)):
        cause = f"it has hooks, at {hooked}; move what changes values into a forward method"
    raise UnsupportedModuleError(
        f"`model` ({type(module).__name__}) was followed, but the result "
        f"{problem_of_one or problem}; {cause}"
    )


def _outputs(
    module: nn.Module, points: NDArray[np.float64], shape: tuple[int, ...], call: Call
) -> NDArray[np.float64]:
    """Return the module's own outputs."""
    with torch.no_grad(), InDouble():
        # A copy, since the module may change its input in place.
        output = call(module, torch.tensor(points).reshape(-1, *shape))
    return np.asarray(output.double().numpy())


def _difference(computed: NDArray[np.float64], expected: NDArray[np.float64]) -> str:
    """Say how two tables of outputs differ; empty if they do not."""
    if expected.size != computed.size:
        return f"has {computed.size} outputs at {len(computed)} points, it has {expected.size}"
    difference = float(np.abs(expected.reshape(computed.shape) - computed).max(initial=0.0))
    if difference <= 1e-9 * max(1.0, float(np.abs(expected).max(initial=0.0))):
        return ""
    return f"differs from it by {difference:.3g} at random points"


def _rounding(
    module: nn.Module,
    network: Network,
    points: NDArray[np.float64],
    expected: NDArray[np.float64],
    outputs: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> str:
    """Say whether outputs differ only by rounding, as sums of large numbers that cancel do.

    The module is called twice: a difference between the calls, as from random draws or changed
    state, is not rounding.

    Returns
    -------
    str
        ``"small"`` if the module's own outputs are as uncertain, or they differ by little; empty if
        they do not differ by rounding; ``"large"`` if the network loses what the module keeps.
    """
    computed = network.predict(points)
    if expected.size != computed.size or not np.array_equal(expected, outputs(points)):
        return ""
    numbers = [*module.parameters(), *(x for x in module.buffers() if x.is_floating_point())]
    kept = [number.detach().clone() for number in numbers]

    def again(moved: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
        with torch.no_grad():
            for number, was in zip(numbers, kept, strict=True):
                number.copy_(torch.from_numpy(nudged(was.double().numpy(), rng)))
        return outputs(moved)

    try:
        of_module = spread(expected, again, points)
    finally:
        with torch.no_grad():
            for number, was in zip(numbers, kept, strict=True):
                number.copy_(was)
    expected = expected.reshape(computed.shape)
    difference, of_module = np.abs(expected - computed), of_module.reshape(computed.shape)
    if (difference <= of_module).all():
        return "small"
    if not difference.max(initial=0.0) <= max(of_module.max(), roundoff(network, points)):
        return ""
    little = _LITTLE * np.maximum(1.0, np.abs(expected))
    return "small" if (difference <= np.maximum(of_module, little)).all() else "large"


_LITTLE = 1e-3
"""Difference, relative to an output, that rounding within the network alone may make."""


def _has_hooks(part: nn.Module) -> bool:
    """Whether a forward pass calls hooks that are not followed."""
    hooks = [*part._forward_hooks.values(), *part._forward_pre_hooks.values()]
    return not all(isinstance(hook, _DERIVING_HOOKS) for hook in hooks)
