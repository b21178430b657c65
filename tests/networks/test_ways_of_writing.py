"""Ways in which people write forward methods: each is read, and equal to the module."""

from __future__ import annotations

import functools
import math
import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relutopo import as_network
from relutopo.errors import InputError, UnsupportedModuleError

Forward = Callable[..., Any]


class Model(nn.Module):
    """Two layers, a parameter, a buffer, plain things; the forward method is given."""

    scale: Tensor

    def __init__(self, forward: Forward, n_in: int = 2) -> None:
        super().__init__()
        self.way = forward
        self.a, self.b, self.c = nn.Linear(n_in, 8), nn.Linear(8, 8), nn.Linear(8, 1)
        self.norm = nn.BatchNorm1d(8)
        self.z = nn.Parameter(torch.randn(1, 3))
        self.register_buffer("scale", torch.tensor([0.5, 2.0]))
        self.plain = torch.tensor([0.25, -1.5])  # neither parameter nor buffer
        self.layers = [nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)]  # a plain list
        self.by_name = {"act": nn.LeakyReLU(0.2), "last": nn.Linear(8, 1)}
        self.act: Callable[[Tensor], Tensor] = F.relu
        self.hidden = nn.ModuleList([nn.Linear(8, 8) for _ in range(2)])
        self.device, self.flag, self.count = torch.device("cpu"), False, 0

    def forward(self, x: Tensor, *args: Any, **kwargs: Any) -> Any:
        return self.way(self, x, *args, **kwargs)


def relu(x: Tensor) -> Tensor:
    return torch.relu(x)


WAYS: dict[str, Forward] = {}


def way(function: Forward) -> Forward:
    """Enter a way of writing into the table."""
    assert function.__name__ not in WAYS
    WAYS[function.__name__] = function
    return function


# Devices and types of numbers

CASTS: dict[str, Callable[[Any, Any], Any]] = {
    "to_device": lambda m, x: x.to("cpu"),
    "to_a_card": lambda m, x: x.to(m.device).to(device=m.device, non_blocking=True),
    "to_dtype": lambda m, x: x.to(torch.float32),
    "to_both": lambda m, x: x.to("cpu", torch.float32, copy=True),
    "to_another": lambda m, x: x.to(m.a.weight),
    "to_a_parameter's": lambda m, x: x.to(next(m.parameters()).device),
    "float": lambda m, x: x.float(),
    "double": lambda m, x: x.double(),
    "half_and_back": lambda m, x: x.half().float(),
    "bfloat": lambda m, x: x.bfloat16().to(m.a.weight.dtype),
    "type": lambda m, x: x.type(torch.float32).type("torch.FloatTensor"),
    "type_as": lambda m, x: x.type_as(m.a.weight),
    "as_tensor": lambda m, x: torch.as_tensor(x, dtype=torch.float32, device=m.device),
    "as_tensor_plain": lambda m, x: torch.as_tensor(x),
    "cpu": lambda m, x: x.cpu(),
    "contiguous": lambda m, x: x.contiguous(),
    "detach": lambda m, x: x.detach().clone(),
    "clone": lambda m, x: torch.clone(x),
    "data": lambda m, x: x.data,
    "requires_grad": lambda m, x: x.requires_grad_(True),
    "requires_grad_set": lambda m, x: [setattr(x, "requires_grad", False), x][1],  # type: ignore[func-returns-value]
    "if_dtype": lambda m, x: x if x.dtype == m.a.weight.dtype else x.to(m.a.weight.dtype),
    "if_device": lambda m, x: x.cpu() if x.is_cuda or x.device.type != "cpu" else x,
    "if_floating": lambda m, x: x if x.is_floating_point() else x.float(),
    "if_grad": lambda m, x: x.detach() if x.requires_grad else x,
    "nan_to_num": lambda m, x: torch.nan_to_num(x),
    "zero_of_its_own": lambda m, x: x + torch.zeros(2),
    "ones_of_its_own": lambda m, x: x * torch.ones(2, dtype=torch.float32, device=m.device),
    "new_tensor": lambda m, x: x + x.new_tensor([1.0, 2.0]),
    "linspace": lambda m, x: x + torch.linspace(0, 1, 2),
    "full_like": lambda m, x: x - torch.full_like(x, 0.5),
    "short_constant": lambda m, x: x * torch.tensor([0.5, 2.0]).half(),
    "plain_tensor": lambda m, x: (x - m.plain) / m.scale,
    "plain_matrix": lambda m, x: x @ torch.diag(m.plain),
    "numpy_number": lambda m, x: np.float64(0.5) * x / np.sqrt(2.0) + np.float32(1),
    "math_number": lambda m, x: x * math.sqrt(x.shape[-1]) - math.pi,
    "item_of_a_constant": lambda m, x: x * m.scale[0].item() + float(m.scale.sum()),
}

# Questions that the code asks


@way
def a_row_alone(m: Model, x: Tensor) -> Any:
    if x.dim() == 1:
        x = x.unsqueeze(0)
    return m.c(relu(m.a(x)))


@way
def ndim_and_len(m: Model, x: Tensor) -> Any:
    if x.ndim < 2 or len(x.shape) < 2:
        x = x[None]
    if len(x) == 0:
        return torch.zeros(0, 1)
    return m.c(relu(m.a(x)))


@way
def asserts(m: Model, x: Tensor) -> Any:
    assert x.shape[1] == m.a.in_features, f"expected {m.a.in_features}, got {x.shape}"
    assert x.size(-1) == 2
    assert isinstance(x, torch.Tensor)
    assert torch.is_tensor(x)
    torch._assert(x.shape[-1] == 2, "two inputs")  # type: ignore[no-untyped-call]
    return m.c(relu(m.a(x)))


@way
def raises(m: Model, x: Tensor) -> Any:
    if x.shape[-1] != 2:
        raise ValueError(f"wrong shape {tuple(x.shape)}")
    if torch.isnan(x).any() or not torch.isfinite(x).all():
        raise ValueError("NaN")
    return m.c(relu(m.a(x)))


@way
def flag_with_default(m: Model, x: Tensor, features: bool = False) -> Any:
    h = relu(m.a(x))
    return (m.c(h), h) if features else m.c(h)


@way
def mask_is_none(m: Model, x: Tensor, mask: Tensor | None = None, *, scale: float = 2.0) -> Any:
    h = relu(m.a(x))
    if mask is not None:
        h = h * mask
    return m.c(h) * scale


@way
def args_and_kwargs(m: Model, x: Tensor, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs.get("more"):
        raise TypeError("too much")
    return m.c(relu(m.a(x)))


@way
def training_and_flags(m: Model, x: Tensor) -> Any:
    if m.training:
        x = x + torch.randn_like(x)
    h = m.norm(m.a(x)) if not m.flag else m.a(x)
    return m.c(F.dropout(relu(h), 0.5, m.training))


@way
def try_and_except(m: Model, x: Tensor) -> Any:
    try:
        x = x.view(-1, 3)
    except RuntimeError:
        x = x.view(-1, 2)
    return m.c(relu(m.a(x)))


@way
def shapes_unpacked(m: Model, x: Tensor) -> Any:
    batch, n = x.shape
    h = m.a(x.view(batch, n)).reshape(batch, -1, 2)
    b, k, _ = h.size()
    return m.c(relu(h.view(b, k * 2)))


@way
def batch_of_one_dimension(m: Model, x: Tensor) -> Any:
    return m.c(relu(m.a(x.view(x.size(0), -1)))).squeeze(-1)


@way
def printing(m: Any, x: Tensor) -> Any:
    m.text = f"{x} {x!r} {x.shape} {x.mean()}"
    m.count += 1
    return m.c(relu(m.a(x)))


@way
def contexts(m: Model, x: Tensor) -> Any:
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        h = relu(m.a(x))
    with torch.set_grad_enabled(m.training), torch.autocast("cpu", dtype=torch.bfloat16):
        return m.c(h)


@way
def row_by_row(m: Model, x: Tensor) -> Any:
    return torch.stack([m.c(relu(m.a(row))) for row in x])


@way
def column_by_column(m: Model, x: Tensor) -> Any:
    first, second = x[:, 0:1], x[..., 1:]
    u, v = torch.unbind(x, dim=1)
    w = sum(m.z[0, i] * column for i, column in enumerate(x.T))
    return m.c(relu(m.a(torch.cat((first, second), -1)))) + (u - v + w).unsqueeze(1)


@way
def unused_branch(m: Any, x: Tensor) -> Any:
    h = relu(m.a(x))
    m.probabilities = torch.softmax(m.c(h), dim=-1)
    m.saved = h.sigmoid().max(dim=1)
    return m.c(h)


# Layers made on the way, or kept without being registered


@way
def relu_made(m: Model, x: Tensor) -> Any:
    return m.c(nn.ReLU()(m.a(x)))


@way
def several_made(m: Model, x: Tensor) -> Any:
    act = nn.Sequential(nn.Hardtanh(-1, 2), nn.LeakyReLU(), nn.Identity())
    return nn.Flatten()(m.c(act(nn.Unflatten(1, (8,))(m.a(x)))))


@way
def dropout_made_in_evaluation(m: Model, x: Tensor) -> Any:
    return m.c(nn.Dropout(0.5).train(m.training)(relu(m.a(x))))


@way
def plain_list(m: Model, x: Tensor) -> Any:
    x = m.a(x)
    for layer in m.layers:
        x = layer(x)
    return m.c(relu(x))


@way
def plain_dictionary(m: Model, x: Tensor) -> Any:
    return m.by_name["last"](m.by_name["act"](m.a(x)))


@way
def function_kept(m: Model, x: Tensor) -> Any:
    return m.c(m.act(m.a(x)))


@way
def partial_and_names(m: Model, x: Tensor) -> Any:
    act = functools.partial(F.leaky_relu, negative_slope=0.3)
    return m.c(getattr(F, "relu6")(getattr(m, "b")(act(m.a(x)))))  # noqa: B009


@way
def module_list(m: Model, x: Tensor) -> Any:
    h = relu(m.a(x))
    for i, layer in enumerate(m.hidden):
        h = h + relu(layer(h)) if i % 2 else relu(layer(h))
    return m.c(functools.reduce(lambda y, layer: relu(layer(y)), m.hidden, h))


@way
def weights_by_hand(m: Model, x: Tensor) -> Any:
    h = x @ m.a.weight.t() + m.a.bias
    h = torch.relu(F.linear(h, m.b.weight.abs(), bias=m.b.bias))
    return F.linear(input=h, weight=m.c.weight)


@way
def functional_call(m: Model, x: Tensor) -> Any:
    weights = {name: 2 * value for name, value in m.a.named_parameters()}
    return m.c(relu(torch.func.functional_call(m.a, weights, (x,))))


# Constants beside the input


@way
def latent_code(m: Model, x: Tensor) -> Any:
    h = torch.cat([x, m.z.expand(x.shape[0], -1)], 1)
    return m.c(relu(F.pad(h, (0, 3)) @ m.b.weight))


@way
def latent_code_repeated(m: Model, x: Tensor) -> Any:
    code = m.z.repeat(len(x), 1)[:, :1].expand_as(x)
    return m.c(relu(m.b(torch.hstack((x, code, torch.ones_like(x), x.new_zeros(x.shape))))))


@way
def column_of_ones(m: Model, x: Tensor) -> Any:
    h = torch.column_stack([torch.ones(x.shape[0]), x])
    return relu(h) @ m.z.T


@way
def stacked_with_a_constant(m: Model, x: Tensor) -> Any:
    h = torch.stack([x, m.scale.expand(x.size(0), 2)], dim=1)
    return relu(h).flatten(1) @ torch.arange(4.0).unsqueeze(1)


@way
def padded_by_a_number(m: Model, x: Tensor) -> Any:
    return m.c(relu(F.pad(x, (1, 5), value=0.7)))


@way
def fixed_time(m: Model, x: Tensor, t: float = 0.3) -> Any:
    time = torch.full((x.shape[0], 6), t, device=x.device, dtype=x.dtype)
    return m.c(relu(m.b(torch.cat((x, time), dim=-1))))


@way
def written_into_zeros(m: Model, x: Tensor) -> Any:
    out = torch.zeros(x.shape[0], 8)
    out[:, :2] = x
    out[:, 5] = 1.0
    out[:, 2:5] += m.z
    return m.c(relu(m.b(out)))


# Other spellings of kinks

KINKS: dict[str, Callable[[Any], Any]] = {
    "where": lambda h: torch.where(h > 0, h, 0),
    "where_zeros": lambda h: torch.where(h > 0, h, torch.zeros_like(h)),
    "where_method": lambda h: h.where(h > 0, torch.tensor(0.0)),
    "where_below": lambda h: torch.where(h < 0, 0.0, h),
    "where_not": lambda h: torch.where(~(h > 0), 0.1 * h, h),
    "where_leaky": lambda h: torch.where(h >= 0, h, 0.01 * h),
    "where_reversed": lambda h: torch.where(torch.zeros(8) < h, 2 * h, h / 3),
    "where_shifted": lambda h: torch.where(h > 0.5, h, torch.full_like(h, 0.5)),
    "where_of_two": lambda h: torch.where(h > h.flip(1), h, h.flip(1)),
    "where_abs": lambda h: torch.where(h > 0, h, -h),
    "where_nested": lambda h: torch.where(
        h > 1, torch.ones_like(h), torch.where(h < -1, -torch.ones_like(h), h)
    ),
    "where_nested_within": lambda h: torch.where(
        h > -1, torch.where(h > 0, 2 * h, 0.5 * h), 0.1 * h - 0.4
    ),
    "where_nested_not": lambda h: torch.where(~(h > 1), torch.where(h > 0, h, 0.0), 0.5 * h + 0.5),
    "hardtanh_by_masks": lambda h: _clipped(h),
    "where_plus": lambda h: torch.where(h - 1 > 0, 3 * h - 1, h + 1),
    "mask": lambda h: h * (h > 0),
    "mask_before": lambda h: (h > 0) * h,
    "mask_float": lambda h: h * (h > 0).float(),
    "mask_type": lambda h: h * (h.detach() >= 0).to(h.dtype),
    "mask_type_as": lambda h: h.mul((h > 0).type_as(h)),
    "mask_int": lambda h: h * torch.gt(h, 0).int(),
    "mask_leaky": lambda h: h * (h > 0) + 0.2 * h * (h <= 0),
    "mask_scaled": lambda h: (h > 0).float() * 2.0 * h - (1 - (h > 0).float()) * h,
    "masked_fill": lambda h: h.masked_fill(h < 0, 0.0),
    "masked_fill_": lambda h: h.clone().masked_fill_(h <= 0, 0),
    "sign": lambda h: h * torch.sign(h),
    "heaviside": lambda h: h * torch.heaviside(h, torch.zeros(1)),
    "max_zeros": lambda h: torch.max(h, torch.zeros_like(h)),
    "max_zeros_first": lambda h: torch.max(torch.zeros_like(h), h),
    "max_tensor": lambda h: torch.max(h, torch.tensor(0.0)),
    "maximum": lambda h: torch.maximum(h, h.new_zeros(())),
    "min": lambda h: -torch.min(-h, torch.zeros(8)),
    "fmax": lambda h: torch.fmax(h, 0.5 * h),
    "clamp": lambda h: h.clamp(min=0),
    "clamp_": lambda h: h.clone().clamp_(0, 1),
    "clip": lambda h: torch.clip(h, -0.5, 1.5),
    "clamp_tensor": lambda h: torch.clamp(h, min=torch.linspace(-1, 0, 8)),
    "clamp_by_another": lambda h: torch.clamp(h, max=h.roll(1, 1)),
    "relu6": F.relu6,
    "abs": lambda h: (h + h.abs()) / 2,
    "abs_builtin": lambda h: abs(h) + 0.5 * h,
    "threshold": nn.Threshold(0, 0),
    "threshold_shifted": nn.Threshold(0.3, 0.3),
    "threshold_function": lambda h: F.threshold(h, -1.0, -1.0),
    "threshold_plain": lambda h: torch.threshold(h, 0.0, 0.0),
    "rrelu": nn.RReLU(0.1, 0.4).eval(),
    "rrelu_function": lambda h: F.rrelu(h, 0.1, 0.3, training=False),
    "hardsigmoid": nn.Hardsigmoid(),
    "hardsigmoid_function": F.hardsigmoid,
    "softshrink": nn.Softshrink(0.4),
    "softshrink_function": lambda h: F.softshrink(h),
    "hardtanh": lambda h: F.hardtanh(h, -2.0, 0.5),
    "hardtanh_": lambda h: F.hardtanh_(h.clone()),
    "leaky_relu_": lambda h: F.leaky_relu_(h.clone(), 0.3),
    "prelu": nn.PReLU(8),
    "prelu_function": lambda h: F.prelu(h, torch.tensor([0.3])),
    "set_item": lambda h: _with_zeros(h),
    "crelu": lambda h: torch.cat([h.relu(), (-h).relu()], 1)[:, ::2],
    "maxout": lambda h: h.view(-1, 4, 2).max(dim=2)[0].repeat(1, 2),
    "maxout_values": lambda h: h.view(-1, 2, 4).max(dim=1, keepdim=True).values.flatten(1).tile(2),
    "min_over_an_axis": lambda h: torch.min(h.unflatten(1, (2, 4)), 1)[0].repeat(1, 2),
    "amin": lambda h: h - h.amin(dim=1, keepdim=True) + h.amax(-1, True),
    "groups_by_pooling": lambda h: F.max_pool1d(h[:, None], 3, 1, 1)[:, 0],
    "median_of_three": lambda h: torch.max(torch.min(h, h.roll(1, 1)), h.roll(2, 1)),
    "positive_and_negative": lambda h: F.relu(h) - 0.1 * F.relu(-h),
    "hinge": lambda h: (1 - h).clamp_min(0) + h.clamp_max(1.0),
}


def _clipped(h: Tensor) -> Tensor:
    h = h.clone()
    h[h > 1] = 1.0
    h[h < -1] = -1.0
    return h


def _with_zeros(h: Tensor) -> Tensor:
    h = h.clone()
    h[h < 0] = 0
    return h


# Affine maps in other words

AFFINE: dict[str, Callable[[Any, Any], Any]] = {
    "mm": lambda m, h: torch.mm(h, m.b.weight),
    "matmul": lambda m, h: torch.matmul(h, m.b.weight.mT),
    "constant_on_the_left": lambda m, h: (m.b.weight @ h.T).T,
    "addmm": lambda m, h: torch.addmm(m.b.bias, h, m.b.weight.t(), alpha=2.0),
    "addmm_method": lambda m, h: m.b.bias.addmm(h, m.b.weight, beta=0.5),
    "einsum": lambda m, h: torch.einsum("bi,ij->bj", h, m.b.weight),
    "einsum_left": lambda m, h: torch.einsum("ij,bj->bi", m.b.weight, h),
    "bmm": lambda m, h: torch.bmm(h.unsqueeze(1), m.b.weight.expand(h.size(0), 8, 8)).squeeze(1),
    "baddbmm": lambda m, h: torch.baddbmm(
        m.b.bias, h[:, None], m.b.weight.expand(len(h), 8, 8), beta=2
    )[:, 0],
    "tensordot": lambda m, h: torch.tensordot(h, m.b.weight, dims=([1], [1])),
    "sum_of_products": lambda m, h: (h.unsqueeze(1) * m.b.weight).sum(-1) + m.b.bias,
    "inner": lambda m, h: torch.inner(h, m.b.weight),
    "cumsum": lambda m, h: h.cumsum(1),
    "diff": lambda m, h: torch.diff(h, dim=1, prepend=torch.zeros(len(h), 1)),
    "mean_taken_off": lambda m, h: h - h.mean(1, keepdim=True),
    "mean_of_all_axes": lambda m, h: h.reshape(-1, 2, 4).mean((1, 2))[:, None].expand(-1, 8),
    "lerp": lambda m, h: torch.lerp(h, h.flip(1), 0.3),
    "addcmul": lambda m, h: torch.addcmul(h, h, m.b.bias, value=0.5),
    "division": lambda m, h: torch.true_divide(h, 3).div(m.b.bias.abs() + 1),
    "right_minus": lambda m, h: 1 - torch.sub(h, 2, alpha=3),
    "rsub": lambda m, h: torch.rsub(h, m.b.bias),
    "squares_of_constants": lambda m, h: h / (m.b.weight**2).sum(1).sqrt(),
    "normalised_weights": lambda m, h: F.linear(h, F.normalize(m.b.weight)),
    "softmax_of_weights": lambda m, h: h @ torch.softmax(m.b.weight, 1),
    "interpolate": lambda m, h: F.interpolate(
        h[:, None], scale_factor=2, mode="linear", align_corners=True
    )[:, 0, ::2],
    "convolution": lambda m, h: F.conv1d(h[:, None], m.z[None], padding="same")[:, 0],
    "transposed_convolution": lambda m, h: F.conv_transpose1d(
        h[:, None], m.z[None], m.scale[:1], padding=1
    )[:, 0],
    "unfold": lambda m, h: h.unfold(1, 2, 2).flatten(1),
    "image_patches": lambda m, h: F.unfold(h.view(-1, 1, 2, 4), 2, stride=2).flatten(1),
    "gather": lambda m, h: h.gather(1, torch.arange(7, -1, -1).expand(len(h), 8)),
    "index_select": lambda m, h: torch.index_select(h, 1, torch.tensor([1, 0, 2, 3, 7, 6, 5, 4])),
    "fancy_index": lambda m, h: h[:, [3, 1, 2, 0, 4, 5, 6, 7]],
    "mask_of_a_constant": lambda m, h: torch.where(m.b.bias > 0, h, -h),
    "triangle": lambda m, h: torch.tril(h.view(-1, 2, 4)).flatten(1),
    "einops_like": lambda m, h: h.reshape(-1, 2, 2, 2).permute(0, 3, 1, 2).flatten(1),
    "swaps": lambda m, h: (
        h.view(-1, 2, 4).swapaxes(1, 2).movedim(1, 2).transpose(-1, -2).flatten(1)
    ),
    "chunks": lambda m, h: torch.cat([y * i for i, y in enumerate(h.chunk(4, -1))], -1),
    "split": lambda m, h: torch.hstack(h.split([3, 5], dim=1)[::-1]),
    "in_place": lambda m, h: h.clone().add_(1).mul_(2).sub_(m.b.bias).div_(3).neg_(),
    "in_place_view": lambda m, h: _halved(h),
}


def _halved(h: Tensor) -> Tensor:
    h = h.clone()
    part = h[:, :4]
    part *= 0.5
    h.view(-1, 2, 4)[:, 1, 0] -= h[:, 0]
    return h


def _hidden(function: Callable[[Tensor], Tensor]) -> Forward:
    return lambda m, x: m.c(function(m.b(relu(m.a(x)))))


for _name, _cast in CASTS.items():
    WAYS[f"cast: {_name}"] = lambda m, x, f=_cast: m.c(relu(m.a(f(m, x))))
for _name, _kink in KINKS.items():
    WAYS[f"kink: {_name}"] = _hidden(_kink)
for _name, _map in AFFINE.items():
    WAYS[f"affine: {_name}"] = lambda m, x, f=_map: m.c(relu(f(m, m.a(x))))
    WAYS[f"affine after a kink: {_name}"] = lambda m, x, f=_map: m.c(f(m, relu(m.a(x))))


def model_of(name: str) -> Model:
    generator = torch.Generator().manual_seed(len(name))
    state = torch.get_rng_state()
    model = Model(WAYS[name], 8 if name == "padded_by_a_number" else 2)
    torch.set_rng_state(state)
    for part in (model, *model.layers, model.by_name["last"]):
        for parameter in part.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator)
    model.norm.running_mean = torch.randn(8, generator=generator)
    return model.eval()


def check_inside(module: nn.Module, reference: Callable[[Tensor], Tensor], n_in: int = 2) -> None:
    """Compare values of what is read, at points that lie inside of regions."""
    network = as_network(module, (n_in,))
    x = 2 * np.random.default_rng(1).standard_normal((40, n_in))
    with torch.no_grad():
        expected = reference(torch.tensor(x, dtype=torch.float)).double().numpy().reshape(40, -1)
    np.testing.assert_allclose(network(x), expected, rtol=1e-4, atol=2e-3)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", WAYS)
def test_ways_of_writing(name: str) -> None:
    model = model_of(name)
    plain = model_of(name)
    if any(word in name for word in ("half", "bfloat", "double", "contexts")):
        plain.way = lambda m, x: m.c(relu(m.a(x)))  # without casts, which would round or not fit
    check_inside(model, plain)
    assert model.count == 0  # what the forward method changes is changed in a copy


# Wrappers, and code that is run by others


class Clipped(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, most: float) -> Tensor:
        return x.clamp(0, most)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return (*gradients, None)


CLIP: Any = Clipped.apply


def checkpointed(m: Model, x: Tensor) -> Any:
    from torch.utils.checkpoint import checkpoint

    h = checkpoint(lambda y: relu(m.b(y)), m.a(x), use_reentrant=False)
    return m.c(h)


EMA: Any = torch.optim.swa_utils.get_ema_multi_avg_fn


def averaged(module: nn.Module) -> nn.Module:
    return torch.optim.swa_utils.AveragedModel(module)


def exported(module: nn.Module) -> nn.Module:
    batch = ({0: torch.export.Dim("batch")},)
    return torch.export.export(module, (torch.randn(3, 2),), dynamic_shapes=batch).module()


def leaky() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1)).eval()


WRAPPED: dict[str, Callable[[], nn.Module]] = {
    "averaged": lambda: averaged(leaky()),
    "averaged with an average of one's own": lambda: torch.optim.swa_utils.AveragedModel(
        leaky(), multi_avg_fn=EMA(0.9)
    ),
    "averaged, parallel": lambda: averaged(nn.DataParallel(leaky())),
    "an average within": lambda: nn.Sequential(averaged(leaky()), nn.Linear(1, 2)),
    "a graph of fx": lambda: torch.fx.symbolic_trace(leaky()),
    "exported": lambda: exported(leaky()),
    "compiled in place": lambda: _compiled_in_place(leaky()),
    "compiled": lambda: nn.Sequential(_compiled(leaky())),
    "a function of autograd": lambda: Model(lambda m, x: m.c(CLIP(m.a(x), 1.5))),
    "checkpointed": lambda: Model(checkpointed),
    "named children": lambda: nn.Sequential(
        OrderedDict(first=nn.Linear(2, 4), act=nn.Hardsigmoid(), last=nn.Linear(4, 1))
    ),
    "an ensemble by mean": lambda: Model(
        lambda m, x: torch.stack([m.c(relu(layer(m.a(x)))) for layer in m.hidden]).mean(0)
    ),
    "an ensemble by mean of a cat": lambda: Model(
        lambda m, x: torch.cat([m.c(relu(layer(m.a(x)))) for layer in m.hidden], -1).mean(dim=1)
    ),
    "an ensemble by sum": lambda: Model(
        lambda m, x: sum(m.c(relu(layer(m.a(x)))) for layer in m.hidden) / len(m.hidden)
    ),
    "an ensemble by max": lambda: Model(
        lambda m, x: torch.stack([m.c(relu(layer(m.a(x)))) for layer in m.hidden]).amax(0)
    ),
    "an ensemble by einsum": lambda: Model(
        lambda m, x: torch.einsum("k,kbo->bo", m.scale, torch.stack([m.a(x), m.a(-x)]).relu())
    ),
}


def _compiled(module: nn.Module) -> nn.Module:
    wrapped: Any = torch.compile(module)
    return cast(nn.Module, wrapped)


def _compiled_in_place(module: nn.Module) -> nn.Module:
    module.compile()
    return module


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", WRAPPED)
def test_wrapped_modules(name: str) -> None:
    with torch.random.fork_rng():
        module = WRAPPED[name]()
    plain: Any = getattr(module, "_orig_mod", module)
    plain = plain[0]._orig_mod if name == "compiled" else plain
    plain = plain.forward if "in place" in name else plain
    if isinstance(getattr(plain, "module", None), nn.DataParallel):
        plain = plain.module.module
    check_inside(module, plain)


def _relu_scripted(x: Tensor) -> Tensor:
    return torch.relu(x)


with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    SCRIPTED: Any = torch.jit.script(_relu_scripted)


class Pair(NamedTuple):
    first: Tensor
    second: Tensor


REFUSED: dict[str, tuple[Forward, str]] = {
    "tanh": (lambda m, x: m.c(torch.tanh(m.a(x))), r"operation tanh in 'Model', which is not .*"),
    "sigmoid": (lambda m, x: m.c(m.a(x).sigmoid()), r"operation sigmoid .* but smooth \(line \d+"),
    "made": (lambda m, x: m.c(nn.GELU()(m.a(x))), r"GELU in 'Model', which is not .* but smooth"),
    "normalised": (
        lambda m, x: m.c(F.layer_norm(m.a(x), (8,))),
        "operation layer_norm in 'Model', which is not piecewise linear, but smooth",
    ),
    "squares": (lambda m, x: m.c(m.a(x) ** 2), "operation pow .* a power"),
    "rounded": (lambda m, x: m.c(m.a(x).round()), "operation round .* but jumps"),
    "whole": (lambda m, x: m.c(m.a(x).long().float()), "operation long .* cast to whole numbers"),
    "a step": (lambda m, x: m.c((m.a(x) > 0).float()), r"Linear at 'Model\.c', .* that jumps"),
    "a jump": (lambda m, x: m.c(torch.where(m.a(x) > 0, 1.0, m.a(x))), "by a comparison at which"),
    "two comparisons": (lambda m, x: m.c(m.a(x) * (m.b(m.a(x)) > 0)), "comparison of something el"),
    "a threshold": (lambda m, x: m.c(F.threshold(m.a(x), 0.1, 2.0)), "jumps from 2.0 to 0.1"),
    "control flow": (
        lambda m, x: m.c(m.a(x)) if (x > 0).all() else m.c(-m.a(x)),
        r"cannot be followed: the operation __bool__ in 'Model' asks whether .* \(line \d",
    ),
    "a number taken out": (lambda m, x: m.c(m.a(x)) * x.max().item(), "operation item .* takes a"),
    "float": (lambda m, x: m.c(m.a(x)) * float(x[0, 0]), "operation __float__ .* takes a number"),
    "numpy": (
        lambda m, x: torch.tensor(np.maximum(x.numpy(), 0)),
        "operation numpy .* leaves tor",
    ),
    "chosen by data": (lambda m, x: m.a(x)[m.a(x) > 0], "operation getitem .* places that depend"),
    "dropout that stays": (
        lambda m, x: m.c(nn.Dropout()(m.a(x))),
        r"Dropout in 'Model', a dropout that stays random; .* build it in __init__ \(line",
    ),
    "noise": (lambda m, x: m.c(m.a(x) + torch.randn(8)), "operation randn .* draws random numbers"),
    "noise like it": (lambda m, x: m.c(m.a(x + torch.randn_like(x))), "randn_like .* draws random"),
    "a layer made": (lambda m, x: nn.Linear(8, 1)(m.a(x)), "Linear in 'Model', which draws random"),
    "batch statistics": (
        lambda m, x: nn.BatchNorm1d(8)(m.a(x)),
        "BatchNorm1d in 'Model', which normalises by the batch",
    ),
    "a tuple": (lambda m, x: (m.c(m.a(x)), x), "must return one tensor .* got tuple"),
    "a named tuple": (lambda m, x: Pair(m.a(x), x), "must return one tensor .* got Pair"),
    "a dictionary": (
        lambda m, x: {"logits": m.a(x), "twice": 2 * m.a(x)},
        "got dict with 'logits', 'twice'; in as_network choose one, for example by output='logits'",
    ),
    "nothing": (lambda m, x: None, "must return one tensor .* got NoneType"),
    "a constant": (lambda m, x: m.z, "must return one tensor .* got Parameter"),
    "scripted": (
        lambda m, x: m.c(SCRIPTED(m.a(x))),
        "operation relu in 'Model', which compiled code calls; call what it was compiled from",
    ),
    "a product": (lambda m, x: m.c(m.a(x) * m.a(x)), "a product of two tensors that both depend"),
    "attention": (
        lambda m, x: F.scaled_dot_product_attention(*[m.a(x)[None]] * 3)[0],
        "operation scaled_dot_product_attention .* but smooth",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_named(name: str) -> None:
    forward, message = REFUSED[name]
    model = Model(forward).eval()
    state = torch.get_rng_state()
    with pytest.raises(UnsupportedModuleError, match=message) as caught:
        as_network(model, (2,))
    assert "Proxy" not in str(caught.value)
    assert torch.equal(torch.get_rng_state(), state)


def test_errors_of_the_code_itself_are_told() -> None:
    def missing(m: Any, x: Tensor) -> Any:
        return m.nothing(x)

    def picky(m: Any, x: Tensor) -> Any:
        assert x.shape[1] == 3, f"three inputs, not {x.shape[1]}"
        return m.c(m.a(x))

    with pytest.raises(InputError, match=r"raised AttributeError: 'Model' .* 'nothing' \(line"):
        as_network(Model(missing), (2,))
    with pytest.raises(InputError, match=r"shape \(1, 2\), it raised AssertionError: three inputs"):
        as_network(Model(picky), (2,))


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("shape", [(2,), (1, 4, 4)])
def test_exported_programs_for_batches_of_one_size(shape: tuple[int, ...]) -> None:
    layers = [nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 1)]
    module = leaky() if shape == (2,) else nn.Sequential(*layers).eval()
    for n in (2, 3, 64):
        program = torch.export.export(module, (torch.randn(n, *shape),)).module()
        for given in (shape, None):
            with pytest.raises(InputError, match=rf"torch\.export made for batches of {n}; export"):
                as_network(program, given)
    one = torch.export.export(module, (torch.randn(1, *shape),)).module()
    check_rows(as_network(one, shape), module, shape)
    sizes = ({0: torch.export.Dim("batch", min=2, max=64)},)
    few = torch.export.export(module, (torch.randn(3, *shape),), dynamic_shapes=sizes).module()
    check_rows(as_network(few, shape), module, shape)


def check_rows(network: Any, module: nn.Module, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).standard_normal((20, network.input_dim))
    with torch.no_grad():
        expected = module(torch.tensor(x, dtype=torch.float).reshape(-1, *shape)).numpy()
    np.testing.assert_allclose(network(x), expected, rtol=1e-4, atol=1e-5)
