"""Modules with several outputs or arguments: one is chosen, the others are given values."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import relutopo as rt
from relutopo.errors import InputError, UnsupportedModuleError
from relutopo.networks.reading import load_model

X = np.random.default_rng(0).standard_normal((20, 2))


class Pair(NamedTuple):
    logits: Tensor
    value: Tensor


@dataclasses.dataclass
class Output:
    logits: Tensor
    hidden: Any = None


class Model(nn.Module):
    def __init__(self, way: Callable[..., Any], n_in: int = 2) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(n_in, 8), nn.ReLU())
        self.head, self.value = nn.Linear(8, 3), nn.Linear(8, 1)
        self.way = way

    def forward(self, x: Tensor) -> Any:
        return self.way(self, x, self.body(x))


def equal(network: rt.Network, expected: Callable[[Tensor], Tensor], points: Any = X) -> None:
    with torch.no_grad():
        wanted = expected(torch.tensor(points, dtype=torch.float)).reshape(len(points), -1)
    np.testing.assert_allclose(network(points), wanted.numpy(), atol=1e-5)


WAYS: dict[str, tuple[Callable[..., Any], str | int, str | int]] = {
    "tuple": (lambda m, x, h: (m.head(h), m.value(h)), 0, 1),
    "negative number": (lambda m, x, h: (m.head(h), m.value(h)), 0, -1),
    "list": (lambda m, x, h: [m.head(h), m.value(h)], "0", "1"),
    "dictionary": (lambda m, x, h: {"logits": m.head(h), "v": m.value(h)}, "logits", "v"),
    "key with a point": (lambda m, x, h: {"a.b": m.head(h), "v": m.value(h)}, "a.b", 1),
    "named tuple": (lambda m, x, h: Pair(m.head(h), m.value(h)), "logits", "value"),
    "data class": (lambda m, x, h: Output(m.head(h), m.value(h)), "logits", "hidden"),
    "within each other": (lambda m, x, h: (m.head(h), {"v": [m.value(h)]}), 0, "1.v.0"),
    "beside what is smooth": (
        lambda m, x, h: {"logits": m.head(h), "p": m.head(h).exp() ** 2, "v": m.value(h)},
        "logits",
        "v",
    ),
    "beside what is none": (lambda m, x, h: (m.head(h), None, "text", m.value(h)), 0, 3),
}


@pytest.mark.parametrize("name", WAYS)
def test_a_choice_of_output(name: str) -> None:
    way, logits, value = WAYS[name]
    model = Model(way).eval()
    with pytest.raises(UnsupportedModuleError, match=r"one tensor .* choose one, .* output="):
        rt.as_network(model)
    equal(rt.as_network(model, output=logits), lambda x: model.head(model.body(x)))
    equal(rt.as_network(model, output=value), lambda x: model.value(model.body(x)))
    for wrong in ("no", 9, -9, "0.1.2"):
        with pytest.raises(InputError, match=r"`output` must be the name .* returns"):
            rt.as_network(model, output=wrong)


def test_a_chosen_output_has_its_link() -> None:
    model = Model(lambda m, x, h: (m.head(h).softmax(-1), m.value(h).squeeze(-1))).eval()
    assert rt.as_network(model, output=0).link == "softmax"
    assert rt.as_network(model, output=1).link is None


class Conditioned(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.c = nn.Linear(3, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor, t: Any, scale: float = 1.0, *, double: bool = False) -> Tensor:
        t = torch.as_tensor(t, dtype=x.dtype)
        x = torch.cat([x, t.expand(len(x), 1)], 1) * scale
        y: Tensor = self.c(torch.relu(self.a(x)))
        return 2 * y if double else y


def test_arguments_that_are_fixed() -> None:
    model = Conditioned().eval()
    with pytest.raises(
        UnsupportedModuleError, match=r"second one named 't'; .* fixed=\{'t': \.\.\."
    ):
        rt.as_network(model, (2,))
    for t in (0.5, np.array([[0.5]]), torch.tensor([[0.5]]), [[0.5]], [0.5]):
        network = rt.as_network(model, (2,), fixed={"t": t})
        equal(network, lambda x: model(x, 0.5))
    more = {"t": 0.5, "scale": 2.0, "double": True}
    equal(rt.as_network(model, (2,), fixed=more), lambda x: model(x, **more))
    x = np.array([[0.3, -0.2]], dtype=np.float32)
    network = rt.as_network(model, (1,), fixed={"x": x})
    assert network.input_dim == 1
    with torch.no_grad():
        expected = [float(model(torch.tensor(x), t)) for t in (-1.0, 0.0, 2.0)]
    np.testing.assert_allclose(network([[-1.0], [0.0], [2.0]])[:, 0], expected, atol=1e-6)
    with pytest.raises(InputError, match=r"`fixed` must name arguments .* 'x', 't', 'scale'"):
        rt.as_network(model, (2,), fixed={"time": 1.0})
    with pytest.raises(InputError, match="`fixed` must be a mapping of names to values, got float"):
        rt.as_network(model, (2,), fixed=0.5)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="`fixed` must be left out for a ReluNetwork"):
        rt.as_network(rt.ReluNetwork([[[1.0]]], [[0.0]]), fixed={"t": 1.0})


def test_modules_in_files(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    torch.save(Conditioned().eval(), path)
    network = load_model(path, trust=True, input_shape=(2,), fixed={"t": 0.5})
    assert network.input_dim == 2
    torch.save(nn.Linear(2, 1).state_dict(), path)
    with pytest.raises(InputError, match="`output` must be left out for a state dict"):
        load_model(path, output=0)
