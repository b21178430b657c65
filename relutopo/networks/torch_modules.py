"""Torch modules as graphs of affine maps and kinks.

A module is copied, put into evaluation mode and double precision, and traced with torch.fx. Its
operations become affine maps and kinks (`relutopo.networks.graph`):

- ReLU, LeakyReLU, PReLU and abs are kinks; hardtanh(z) = lo + ReLU(z - lo) - ReLU(z - hi);
- max(a, b) = a + ReLU(b - a), and max-pooling is a tournament of these. Its neurons compare two
  entries, so the regions are those on which all comparisons are constant: a refinement of the
  pieces on which the maximum is affine;
- batch normalisation in evaluation mode is the affine map with scale γ / sqrt(var + eps) and
  shift β - mean · scale, rounded to float64. Average pooling, means and divisions by a constant
  multiply by the rounded reciprocal. These floats *are* the network from then on, exactly.

The result is compared with the module's own forward pass at random points.

This module imports torch; `relutopo.as_network` imports it when it is given a torch module.
"""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils.parametrize import type_before_parametrizations
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.graph import GraphNetwork
from relutopo.networks.network import Network
from relutopo.networks.perceptron import ReluNetwork
from relutopo.networks.tensors import GraphBuilder, NotUnderstood, Signal, need_signal

__all__ = ["network_of_module", "perceptron_of", "perceptron_of_sequence"]

_SUPPORTED = (
    "Linear, convolutions in one and two dimensions, batch normalisation, pooling, ReLU, "
    "LeakyReLU, PReLU, ReLU6, Hardtanh, abs, max, sums, concatenation, and what moves entries"
)
_DERIVING_HOOKS = (BasePruningMethod, SpectralNorm, WeightNorm)
"""They set attributes before a forward pass, and do not look at its input."""


def network_of_module(module: nn.Module, input_shape: Sequence[int] | None = None) -> Network:
    """Read a torch module, in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        Stays as it is.
    input_shape : sequence of int, optional
        Shape of one input without the batch axis; by default that of the first layer with
        weights if it is Linear.

    Returns
    -------
    Network
        A `ReluNetwork` for Linear and ReLU layers in turn, otherwise a `GraphNetwork`.

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
    module = _copied(module).eval()
    # A perceptron on a card is read there. Other devices may not know double precision.
    on_card = any(parameter.is_cuda for parameter in module.parameters())
    module = _with_derived_weights((module if on_card else module.cpu()).double())
    if type(module) in _MODULES:  # torch.fx takes these as wholes only within another module
        module = nn.Sequential(module)
    network: Network | None = _sequence(module)
    traced = None if network is not None else _trace(module)
    if traced is not None:
        network = _chain(module, traced)
    module = _with_derived_weights(module.cpu())
    shape = tuple(input_shape or ())
    # Layers that see one row of an input, one after another, are no perceptron.
    if network is None or (len(shape) > 1 and math.prod(shape) != network.input_dim):
        traced = traced or _trace(module)
        shape = shape or _first_linear(module, traced)
        with torch.no_grad():
            network = _Walk(module, shape).network(traced)
    shape = shape or (network.input_dim,)
    if math.prod(shape) == network.input_dim:  # otherwise as_network complains
        _compare(module, network, shape)
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
    """Return the module and all within it, with their paths in messages."""
    root = type(module).__name__
    return [(f"{root}.{name}" if name else root, part) for name, part in module.named_modules()]


def _copied(module: nn.Module) -> nn.Module:
    """Return a copy, in which also the parts are unwrapped."""
    # torch copies no tensor that has a history, as weights have that a hook derives from others.
    tensors = [x for part in module.modules() for x in vars(part).values() if isinstance(x, Tensor)]
    memo: dict[int, Any] = {id(x): x.detach().clone() for x in tensors if not x.is_leaf}
    try:
        module = copy.deepcopy(module, memo)
    except Exception as error:
        # Copying may run code of the module's own parts, which may raise anything.
        raise UnsupportedModuleError(
            f"`model` ({type(module).__name__}) must be such that copy.deepcopy can copy it, got "
            f"{type(error).__name__}: {error}; drop what it and its hooks keep besides its weights"
        ) from error
    for part in list(module.modules()):
        for name, child in part._modules.items():
            if child is not None:
                part._modules[name] = _unwrapped(child)
    return module


def _with_derived_weights(module: nn.Module) -> nn.Module:
    """Derive, as a forward pass would, the weights that are pruned or normalised by a hook.

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

    It takes a tenth of the time of `network_of_module`, for modules that were compared before.

    Parameters
    ----------
    module : torch.nn.Module
        Of any class; stays as it is, and is neither copied nor put into evaluation mode.

    Returns
    -------
    ReluNetwork or None
        None if it is anything else, cannot be traced, or has weights that a hook will derive anew
        from others before the next forward pass, as pruned ones.

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
    try:
        return _chain(module, _trace(module))
    except UnsupportedModuleError:
        return None


def _unwrapped(module: nn.Module) -> nn.Module:
    """Return the module that was compiled, or is trained in several processes."""
    inner = module
    while True:
        if isinstance(inner, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = inner.module
        elif isinstance(compiled := getattr(inner, "_orig_mod", None), nn.Module):
            inner = compiled
        else:
            return inner


def _sequence(module: nn.Module) -> ReluNetwork | None:
    try:
        return perceptron_of_sequence(module)
    except InputError:  # where layers do not fit, Flatten may join rows between them
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
    if not after_linear:  # a ReLU ends the module: its neurons are hidden ones
        weights.append(np.eye(len(biases[-1])))
        biases.append(np.zeros(len(biases[-1])))
    return ReluNetwork(weights, biases)


def _leaves(module: nn.Module | None, path: str) -> Iterator[tuple[str, Any]]:
    if module is not None and type(module).__name__ == "Sequential":
        for name, child in module._modules.items():  # named_children() leaves out repeated ones
            yield from _leaves(child, f"{path}.{name}")
    else:
        yield path, module


def _chain(module: nn.Module, graph: fx.Graph) -> ReluNetwork | None:
    """Return the network if the graph is a chain of Linear and ReLU in turn, Linear at its end."""
    layers: list[nn.Linear] = []
    before, is_linear = None, False
    for node in graph.nodes:
        layer = module.get_submodule(str(node.target)) if node.op == "call_module" else None
        if node.op == "placeholder" and before is None:
            pass
        elif node.op == "output" and is_linear and node.args == (before,):
            biases = [np.zeros(len(x.weight)) if x.bias is None else x.bias for x in layers]
            return ReluNetwork([x.weight for x in layers], biases)
        elif node.args != (before,) or not set(node.kwargs) <= {"inplace"}:
            return None
        elif type(layer) is nn.Linear and not is_linear:
            layers.append(layer)
            is_linear = True
        elif is_linear and (
            type(layer) is nn.ReLU or (layer is None and _name(node.target) == "relu")
        ):
            is_linear = False
        else:
            return None
        before = node
    return None


def _trace(module: nn.Module) -> fx.Graph:
    try:
        return fx.Tracer().trace(module)
    except Exception as error:
        # Tracing runs the module's own code, which may raise anything.
        remedy = "rewrite what torch.fx cannot follow in its forward method"
        if isinstance(error, fx.proxy.TraceError):
            remedy = "remove control flow that depends on the data from its forward method"
        raise UnsupportedModuleError(
            f"`model` ({type(module).__name__}) cannot be traced: {error}; {remedy}"
        ) from error


def _first_linear(module: nn.Module, graph: fx.Graph) -> tuple[int, ...]:
    for node in graph.nodes:
        if node.op == "call_module":
            layer = module.get_submodule(node.target)
            if isinstance(layer, nn.Linear):
                return (layer.in_features,)
            if next(layer.parameters(), None) is not None:
                break
    raise InputError(
        f"`input_shape` is needed for a {type(module).__name__} that does not begin with a Linear "
        "layer; pass as_network(model, input_shape=(1, 28, 28)), for example, and decompose that"
    )


def _compare(module: nn.Module, network: Network, shape: tuple[int, ...]) -> None:
    """Compare the network with the module's forward pass at random points."""
    scales = np.repeat([0.1, 1.0, 10.0], 4)[:, None]
    points = scales * np.random.default_rng(0).standard_normal((len(scales), network.input_dim))
    try:
        with torch.no_grad():
            # A copy, since the module may change its input in place.
            expected = module(torch.tensor(points).reshape(-1, *shape)).numpy()
    except Exception as error:
        # The module's own code may raise anything.
        raise InputError(
            f"`model` ({type(module).__name__}) in double precision cannot take a batch of inputs "
            f"of shape {shape}: {error}; check `input_shape` and casts in its forward method"
        ) from error
    computed = network(points)
    if expected.size == computed.size:
        difference = float(np.abs(expected.reshape(computed.shape) - computed).max(initial=0.0))
        if difference <= 1e-9 * max(1.0, float(np.abs(expected).max(initial=0.0))):
            return
        problem = f"differs from it by {difference:.3g} at random points"
    else:
        problem = f"has {computed.shape[1]} outputs, it has {expected[0].size}"
    cause = (
        "does it change a tensor in place that it uses again, mix the inputs of a batch, or draw "
        "random numbers? Rewrite that part"
    )
    if hooked := ", ".join(repr(path) for path, part in _parts(module) if _has_hooks(part)):
        cause = f"it has hooks, at {hooked}; move what changes values into a forward method"
    raise UnsupportedModuleError(
        f"`model` ({type(module).__name__}) was traced, but the result {problem}; {cause}"
    )


def _has_hooks(part: nn.Module) -> bool:
    """Whether a forward pass calls hooks that are not followed."""
    hooks = [*part._forward_hooks.values(), *part._forward_pre_hooks.values()]
    return not all(isinstance(hook, _DERIVING_HOOKS) for hook in hooks)


class _Walk:
    """Follows the traced graph of one module."""

    def __init__(self, module: nn.Module, input_shape: tuple[int, ...]) -> None:
        self.module = module
        self.input_shape = input_shape
        self.builder = GraphBuilder(input_shape)

    def network(self, graph: fx.Graph) -> GraphNetwork:
        *nodes, last = graph.nodes
        needed = set(last.all_input_nodes)
        for node in reversed(nodes):
            if node in needed:
                needed.update(node.all_input_nodes)
        results: dict[fx.Node, Any] = {}
        for node in nodes:
            if node in needed or node.op == "placeholder":
                results[node] = self.result(node, results)
        output = fx.map_arg(last.args[0], results.__getitem__)
        if not isinstance(output, Signal):
            raise UnsupportedModuleError(
                f"`model` ({type(self.module).__name__}) must return one tensor that depends on "
                f"its input, got {type(output).__name__}; wrap it in a module that returns one"
            )
        return self.builder.network(output)

    def result(self, node: fx.Node, results: dict[fx.Node, Any]) -> Any:
        if node.op == "placeholder":
            if results:
                if node.args:  # a second argument with a default
                    return node.args[0]
                raise UnsupportedModuleError(
                    f"`model` ({type(self.module).__name__}) must take one input, got a second one "
                    f"named {node.name!r}; wrap it in a module that takes one"
                )
            return self.builder.input
        if node.op == "get_attr":
            return operator.attrgetter(str(node.target))(self.module)
        args = fx.map_arg(node.args, results.__getitem__)
        kwargs = dict(fx.map_arg(node.kwargs, results.__getitem__))
        try:
            return self.call(node, list(args), kwargs)
        except NotUnderstood as reason:
            raise UnsupportedModuleError(
                f"`model` has {self.describe(node)}, {reason}; replace it by what is supported "
                f"({_SUPPORTED}), or cut the model before it"
            ) from None
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            shapes = [tuple(x.shape) for x in _signals([args, kwargs])]
            raise InputError(
                f"{self.describe(node)} cannot take inputs of shape {shapes}: {error}; the model "
                f"was given inputs of shape (1, {', '.join(map(str, self.input_shape))}), check "
                "`input_shape`"
            ) from error

    def describe(self, node: fx.Node) -> str:
        root = type(self.module).__name__
        if node.op == "call_module":
            layer = self.module.get_submodule(str(node.target))
            return f"{type(layer).__name__} at {f'{root}.{node.target}'!r}"
        inside = list(node.meta.get("nn_module_stack", {}).values())
        path = inside[-1][0] if inside else ""
        where = f"{root}.{path}" if path else root
        return f"the operation {_name(node.target)} in {where!r}"

    def call(self, node: fx.Node, args: list[Any], kwargs: dict[str, Any]) -> Any:
        if node.op == "call_module":
            layer = self.module.get_submodule(str(node.target))
            if isinstance(layer, _MOVING_MODULES):
                return self.builder.move(args[0], lambda x: layer(x.double()))
            kind = type_before_parametrizations(layer)
            if kind not in _MODULES:
                raise NotUnderstood("which is not piecewise linear or not known")
            return _MODULES[kind](self.builder, layer, *args)
        name = _name(node.target)
        if not _signals([args, kwargs]):
            return _apply(node.target, args, kwargs)
        if name == "getattr" and args[1] in ("shape", "ndim"):
            return getattr(args[0].index, args[1])
        if name == "getitem" and not isinstance(args[0], Signal):
            return args[0][args[1]]
        if "input" in kwargs:
            args.insert(0, kwargs.pop("input"))
        if name in _SIZES:
            return getattr(args[0].index, name)(*args[1:], **kwargs)
        if name in _MOVES:
            return self.builder.move(args[0], lambda x: _apply(node.target, [x, *args[1:]], kwargs))
        if name not in _OPERATIONS:
            raise NotUnderstood("which is not piecewise linear or not known")
        return _OPERATIONS[name](self.builder, *args, **kwargs)


def _signals(tree: Any) -> list[Signal]:
    if isinstance(tree, Signal):
        return [tree]
    children = tree.values() if isinstance(tree, dict) else tree
    if isinstance(tree, (list, tuple, dict)):
        return [x for child in children for x in _signals(child)]
    return []


def _apply(target: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
    """Call a function, or the method of the first argument, of a traced node."""
    if isinstance(target, str):
        return getattr(args[0], target)(*args[1:], **kwargs)
    return target(*args, **kwargs)


def _name(target: Any) -> str:
    """Return the plain name of a function or method: torch.relu_ and Tensor.relu are `relu`."""
    if target in _DISPATCHED:
        return _DISPATCHED[target]
    name = target if isinstance(target, str) else getattr(target, "__name__", str(target))
    return str(name).rstrip("_") if not str(name).startswith("__") else str(name)


_MOVING_MODULES = (
    nn.Identity,
    nn.Flatten,
    nn.Unflatten,
    nn.PixelShuffle,
    nn.PixelUnshuffle,
    nn.ChannelShuffle,
    nn.ZeroPad1d,
    nn.ZeroPad2d,
    nn.ReflectionPad1d,
    nn.ReflectionPad2d,
    nn.ReplicationPad1d,
    nn.ReplicationPad2d,
    nn.CircularPad1d,
    nn.CircularPad2d,
)
_MOVES = {
    *("flatten", "reshape", "view", "permute", "transpose", "squeeze", "unsqueeze", "contiguous"),
    *("chunk", "split", "getitem", "expand", "flip", "clone", "unbind", "select", "narrow"),
    *("roll", "repeat", "tile", "unflatten", "movedim", "swapaxes", "detach", "pixel_shuffle"),
}
_SIZES = {"size", "dim", "numel"}


def _convolve(t: GraphBuilder, m: Any, x: Signal) -> Signal:
    padding = m.padding
    if m.padding_mode != "zeros":
        sides = m._reversed_padding_repeated_twice
        x = t.move(x, lambda i: F.pad(i.double(), sides, mode=m.padding_mode))
        padding = 0
    return t.convolution(x, m.weight, m.bias, m.stride, padding, m.dilation, m.groups)


def _prelu(t: GraphBuilder, x: Signal, weight: Tensor) -> Signal:
    need_signal(x)
    if weight.numel() > 1:
        weight = weight.reshape(-1, *[1] * (len(x.shape) - 2))
    return t.kink(x, 1.0, weight)


def _max_pool_module(rank: int) -> Callable[..., Signal]:
    return lambda t, m, x: t.max_pool(
        rank, x, m.kernel_size, m.stride, m.padding, m.dilation, m.ceil_mode, m.return_indices
    )


def _adaptive(rank: int, largest: bool) -> Callable[..., Signal]:
    return lambda t, m, x: t.adaptive_pool(rank, largest, x, m.output_size)


_MODULES: dict[type[nn.Module], Callable[..., Signal]] = {
    nn.Linear: lambda t, m, x: t.linear(x, m.weight, m.bias),
    nn.Conv1d: _convolve,
    nn.Conv2d: _convolve,
    nn.BatchNorm1d: lambda t, m, x: t.batch_norm(x, m),
    nn.BatchNorm2d: lambda t, m, x: t.batch_norm(x, m),
    nn.ReLU: lambda t, m, x: t.relu(x),
    nn.LeakyReLU: lambda t, m, x: t.kink(x, 1.0, m.negative_slope),
    nn.PReLU: lambda t, m, x: _prelu(t, x, m.weight),
    nn.ReLU6: lambda t, m, x: t.hardtanh(x, 0.0, 6.0),
    nn.Hardtanh: lambda t, m, x: t.hardtanh(x, m.min_val, m.max_val),
    nn.Dropout: lambda t, m, x: x,
    nn.Dropout1d: lambda t, m, x: x,
    nn.Dropout2d: lambda t, m, x: x,
    nn.AlphaDropout: lambda t, m, x: x,
    nn.MaxPool1d: _max_pool_module(1),
    nn.MaxPool2d: _max_pool_module(2),
    nn.AvgPool1d: lambda t, m, x: t.avg_pool(
        1, x, m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad
    ),
    nn.AvgPool2d: lambda t, m, x: t.avg_pool(
        2,
        x,
        m.kernel_size,
        m.stride,
        m.padding,
        m.ceil_mode,
        m.count_include_pad,
        m.divisor_override,
    ),
    nn.AdaptiveAvgPool1d: _adaptive(1, False),
    nn.AdaptiveAvgPool2d: _adaptive(2, False),
    nn.AdaptiveMaxPool1d: _adaptive(1, True),
    nn.AdaptiveMaxPool2d: _adaptive(2, True),
}

# Functions that torch wraps, so that their own name is lost.
_DISPATCHED: dict[Any, str] = {
    F.max_pool1d: "max_pool1d",
    F.max_pool2d: "max_pool2d",
    F.adaptive_max_pool1d: "adaptive_max_pool1d",
    F.adaptive_max_pool2d: "adaptive_max_pool2d",
}


def _pad(t: GraphBuilder, x: Signal, pad: Any, mode: str = "constant", value: Any = None) -> Signal:
    if mode == "constant" and value:
        raise NotUnderstood("a padding by another constant than zero")
    moved: Signal = t.move(x, lambda i: F.pad(i.double(), list(pad), mode=mode))
    return moved


def _stack(t: GraphBuilder, tensors: Sequence[Any], dim: int = 0) -> Signal:
    return t.concatenate([t.move(x, lambda i: i.unsqueeze(dim)) for x in tensors], dim)


_OPERATIONS: dict[str, Callable[..., Signal]] = {
    "relu": lambda t, x, inplace=False: t.relu(x),
    "leaky_relu": lambda t, x, negative_slope=0.01, inplace=False: t.kink(x, 1.0, negative_slope),
    "prelu": _prelu,
    "relu6": lambda t, x, inplace=False: t.hardtanh(x, 0.0, 6.0),
    "hardtanh": lambda t, x, min_val=-1.0, max_val=1.0, inplace=False: t.hardtanh(
        x, min_val, max_val
    ),
    "clamp": lambda t, x, min=None, max=None: t.hardtanh(x, min, max),
    "clamp_min": lambda t, x, min: t.hardtanh(x, min, None),
    "clamp_max": lambda t, x, max: t.hardtanh(x, None, max),
    "clip": lambda t, x, min=None, max=None: t.hardtanh(x, min, max),
    "abs": lambda t, x: t.kink(x, 1.0, -1.0),
    "absolute": lambda t, x: t.kink(x, 1.0, -1.0),
    "neg": lambda t, x: t.scale(x, -1.0),
    "add": lambda t, x, y, alpha=1.0: t.sum(x, y, alpha),
    "iadd": lambda t, x, y: t.sum(x, y),
    "sub": lambda t, x, y, alpha=1.0: t.sum(x, y, -alpha),
    "isub": lambda t, x, y: t.sum(x, y, -1.0),
    "mul": lambda t, x, y: t.product(x, y),
    "imul": lambda t, x, y: t.product(x, y),
    "truediv": lambda t, x, y: t.quotient(x, y),
    "itruediv": lambda t, x, y: t.quotient(x, y),
    "div": lambda t, x, y: t.quotient(x, y),
    "max": lambda t, x, y=None: t.maximum(x, y),
    "maximum": lambda t, x, y: t.maximum(x, y),
    "min": lambda t, x, y=None: t.minimum(x, y),
    "minimum": lambda t, x, y: t.minimum(x, y),
    "cat": lambda t, tensors, dim=0: t.concatenate(tensors, dim),
    "concat": lambda t, tensors, dim=0: t.concatenate(tensors, dim),
    "stack": _stack,
    "linear": lambda t, x, weight, bias=None: t.linear(x, weight, bias),
    "matmul": lambda t, x, y: t.matmul(x, y),
    "conv1d": lambda t, *args, **kwargs: t.convolution(*args, **kwargs),
    "conv2d": lambda t, *args, **kwargs: t.convolution(*args, **kwargs),
    "pad": _pad,
    "dropout": lambda t, *args, **kwargs: t.dropout(*args, **kwargs),
    "max_pool1d": lambda t, *args, **kwargs: t.max_pool(1, *args, **kwargs),
    "max_pool2d": lambda t, *args, **kwargs: t.max_pool(2, *args, **kwargs),
    "avg_pool1d": lambda t, *args, **kwargs: t.avg_pool(1, *args, **kwargs),
    "avg_pool2d": lambda t, *args, **kwargs: t.avg_pool(2, *args, **kwargs),
    "adaptive_avg_pool1d": lambda t, x, output_size: t.adaptive_pool(1, False, x, output_size),
    "adaptive_avg_pool2d": lambda t, x, output_size: t.adaptive_pool(2, False, x, output_size),
    "adaptive_max_pool1d": lambda t, x, output_size, return_indices=False: t.adaptive_pool(
        1, True, x, output_size
    ),
    "adaptive_max_pool2d": lambda t, x, output_size, return_indices=False: t.adaptive_pool(
        2, True, x, output_size
    ),
    "mean": lambda t, x, dim=None, keepdim=False: t.reduce("mean", x, dim, keepdim),
    "sum": lambda t, x, dim=None, keepdim=False: t.reduce("sum", x, dim, keepdim),
    "amax": lambda t, x, dim, keepdim=False: t.reduce("amax", x, dim, keepdim),
}
