"""State dicts, trees of parameters and checkpoints: right, or refused; never another network."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from properties import examples
from relutopo import as_network, load_model
from relutopo.errors import InputError
from relutopo.networks.perceptron import ReluNetwork

L = nn.Linear
X = np.random.default_rng(0).standard_normal((20, 2))


class Chain(nn.Module):
    """Linear layers under any names, registered in one order and applied in that of `names`."""

    def __init__(self, names: list[str], widths: list[int], registered: list[str] | None = None):
        super().__init__()
        sizes = dict(zip(names, itertools.pairwise(widths), strict=True))
        for name in registered or names:
            *parents, last = name.split(".")
            here: nn.Module = self
            for parent in parents:
                if not hasattr(here, parent):
                    here.add_module(parent, nn.Module())
                here = getattr(here, parent)
            here.add_module(last, L(*sizes[name]))
        self.names = names

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, name in enumerate(self.names):
            x = self.get_submodule(name)(torch.relu(x) if i else x)
        return x


def outputs(module: nn.Module) -> np.ndarray:
    with torch.no_grad():
        result: np.ndarray = module.double()(torch.tensor(X)).numpy()
    return result


def by_name(state: Mapping[str, Any]) -> dict[str, Any]:
    return dict(sorted(state.items()))


DEEP = ["first", *(f"hidden.{i}" for i in range(11)), "last"]
ORDERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "given": dict,
    "by name": by_name,
    "reversed": lambda state: dict(reversed(list(state.items()))),
    "by last letters": lambda state: dict(sorted(state.items(), key=lambda item: item[0][::-1])),
    "weights first": lambda state: dict(
        sorted(state.items(), key=lambda item: item[0].endswith("bias"))
    ),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize(
    ("names", "widths"),
    [
        (DEEP, [2, *[8] * 12, 1]),
        ([f"{2 * i}" for i in range(13)], [2, *[4] * 12, 1]),
        ([f"net.{i}" for i in range(12)], [2] * 13),
        ([f"fc{i}" for i in range(1, 13)], [2] * 13),
        ([f"layers.{i}.linear" for i in range(12)], [2, *[4] * 11, 2]),
        ([f"Dense_{i}" for i in range(11)], [2] * 12),
        (["blocks.0.9", "blocks.0.10", "blocks.0.11"], [2, 2, 2, 2]),
        (["input", *(f"mid{i:d}" for i in (8, 9, 10, 11)), "output"], [2, 5, 5, 5, 5, 5, 1]),
    ],
    ids=lambda value: value[0] if isinstance(value[0], str) else "",
)
def test_numbers_in_names_order_the_layers_whatever_the_order_of_the_mapping(
    order: str, names: list[str], widths: list[int]
) -> None:
    module = Chain(names, widths)
    network = as_network(ORDERS[order](module.state_dict()))
    assert isinstance(network, ReluNetwork)
    assert list(network.layer_names) == names
    np.testing.assert_allclose(network(X), outputs(module), atol=1e-6)


@examples(50)
@given(st.permutations(range(6)), st.permutations(["net.8", "net.9", "net.10"]))
def test_no_order_of_a_mapping_gives_another_network(entries: list[int], names: list[str]) -> None:
    module = Chain(sorted(names, key=lambda name: int(name[4:])), [2, 2, 2, 2])
    items = list(module.state_dict().items())
    network = as_network(dict(items[i] for i in entries))
    np.testing.assert_allclose(network(X), outputs(module), atol=1e-6)


def test_names_without_numbers_follow_in_the_order_of_registration() -> None:
    module = Chain(["zeta", "eta", "alpha"], [2, 4, 4, 2])
    np.testing.assert_allclose(as_network(module.state_dict())(X), outputs(module), atol=1e-6)


def test_shapes_order_what_names_do_not() -> None:
    module = Chain(["zeta", "eta", "alpha"], [2, 4, 3, 1])
    network = as_network(by_name(module.state_dict()))
    np.testing.assert_allclose(network(X), outputs(module), atol=1e-6)
    module = Chain(DEEP, [2, *[8] * 12, 1], registered=["first", "last", *DEEP[1:-1]])
    np.testing.assert_allclose(as_network(module.state_dict())(X), outputs(module), atol=1e-6)


@pytest.mark.parametrize(
    ("names", "widths"),
    [(["zeta", "eta", "alpha"], [2, 2, 2, 2]), (["b.in", "b.mid", "b.out"], [2, 2, 2, 2])],
)
def test_an_order_that_nothing_tells_is_refused(names: list[str], widths: list[int]) -> None:
    state = by_name(Chain(names, widths).state_dict())
    with pytest.raises(InputError, match=r"must tell the order of its layers, got .*sorted by"):
        as_network(state)


def mlp(*widths: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for pair in itertools.pairwise(widths):
        layers += [L(*pair), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def residual_blocks() -> nn.Module:
    block = {"fc1": L(4, 4), "fc2": L(4, 4)}
    blocks = nn.ModuleList([nn.ModuleDict(block) for _ in range(3)])
    return nn.ModuleDict({"stem": L(2, 4), "blocks": blocks, "head": L(4, 1)})


SEVERAL = {
    "online and target": nn.ModuleDict({"net": mlp(2, 8, 2), "target": mlp(2, 8, 2)}),
    "below a common prefix": nn.ModuleDict(
        {"policy": nn.ModuleDict({"q_net": mlp(2, 8, 2), "q_net_target": mlp(2, 8, 2)})}
    ),
    "actor and critic": nn.ModuleDict({"actor": mlp(2, 8, 2), "critic": mlp(2, 8, 1)}),
    "encoder and decoder": nn.ModuleDict({"encoder": mlp(2, 8, 3), "decoder": mlp(3, 8, 2)}),
    "members of an ensemble": nn.ModuleList([mlp(2, 8, 2) for _ in range(3)]),
    "residual blocks": residual_blocks(),
    "stems with numbers": nn.ModuleDict(
        {"a1": L(2, 8), "a2": L(8, 2), "b1": L(2, 8), "b2": L(8, 2)}
    ),
    "different sizes": nn.ModuleDict({"net": mlp(4, 8, 2), "target": mlp(4, 8, 2)}),
}


@pytest.mark.parametrize("case", SEVERAL)
@pytest.mark.parametrize("order", ["given", "by name"])
def test_parts_that_may_be_networks_of_their_own_are_not_joined(case: str, order: str) -> None:
    with pytest.raises(InputError, match=r"may be networks of their own.*choose one.*by key="):
        as_network(ORDERS[order](SEVERAL[case].state_dict()))


def test_a_key_chooses_one_of_several_networks() -> None:
    pair = SEVERAL["below a common prefix"].double()
    for key in ("q_net", "q_net_target"):
        network = as_network(pair.state_dict(), key=f"policy.{key}")
        np.testing.assert_allclose(
            network(X), outputs(pair.get_submodule(f"policy.{key}")), atol=1e-12
        )
    with pytest.raises(InputError, match=r"`key` must name a part .* got 'policy\.net'"):
        as_network(pair.state_dict(), key="policy.net")


STATE = mlp(2, 8, 1).state_dict()
OTHER = mlp(2, 8, 1).state_dict()
MOMENTS = {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(8, 2)}}


@pytest.mark.parametrize("key", ["net", "model_state", "network", "params", "ema", "state_dict"])
@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: [s], lambda s: {"deeper": s}])
def test_the_one_network_of_a_checkpoint_is_found(
    key: str, wrap: Callable[[Any], Any], tmp_path: Path
) -> None:
    content = {
        "epoch": 3,
        "loss": torch.tensor(0.5),
        "optimizer": {"state": MOMENTS, "param_groups": [{"lr": 0.1, "params": [0]}]},
        "history": [0.5, 0.25],
        "config": {"width": 8, "name": "run"},
        key: wrap(STATE),
    }
    torch.save(content, tmp_path / "a.ckpt")
    expected = as_network(STATE)(X)
    for read in (
        as_network(content),
        as_network(tmp_path / "a.ckpt"),
        load_model(tmp_path / "a.ckpt"),
    ):
        np.testing.assert_array_equal(read(X), expected)


def test_lists_of_networks_are_chosen_from_by_position() -> None:
    assert as_network([STATE]).n_neurons == 8
    with pytest.raises(InputError, match=r"got 2 mappings of arrays, under 0, 1; .*key='0'"):
        as_network([STATE, OTHER])
    chosen = as_network({"state_dicts": [STATE, OTHER]}, key="state_dicts.1")
    np.testing.assert_array_equal(chosen(X), as_network(OTHER)(X))


def test_the_usual_key_counts_beside_averages() -> None:
    read = as_network({"state_dict": STATE, "ema": OTHER})
    np.testing.assert_array_equal(read(X), as_network(STATE)(X))


def test_kernels_of_flax_are_turned() -> None:
    layers = {
        f"Dense_{i}": {"kernel": STATE[f"{2 * i}.weight"].numpy().T, "bias": STATE[f"{2 * i}.bias"]}
        for i in range(2)
    }
    flat = {(a, b): array for a, layer in layers.items() for b, array in layer.items()}
    slashes = {"/".join(key): array for key, array in flat.items()}
    for tree in ({"params": layers}, layers, flat, slashes):
        np.testing.assert_array_equal(as_network(tree)(X), as_network(STATE)(X))


def test_what_was_read_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="relutopo"):
        network = as_network(Chain(["only_here.in", "only_here.out"], [2, 7, 1]).state_dict())
    assert repr(network) == "ReluNetwork(2-7-1, layers only_here.in, only_here.out)"
    assert f"read 2 Linear layers with ReLU between them: {network!r}" in caplog.text


def test_outputs_of_the_model_tell_whether_it_was_read_right() -> None:
    module = nn.Sequential(L(2, 8), nn.Tanh(), L(8, 1))
    values = module(torch.tensor(X, dtype=torch.float32))
    with pytest.raises(InputError, match=r"`expected` outputs differ by up to .* something else"):
        as_network(module.state_dict(), expected=(X, values))
    chain = mlp(2, 8, 1)
    values = chain(torch.tensor(X, dtype=torch.float32))
    assert as_network(chain.state_dict(), expected=(X, values)).n_neurons == 8
    assert as_network(chain.state_dict(), expected=(X, values[:, 0])).n_neurons == 8
    with pytest.raises(InputError, match=r"outputs of shape \(20, 1\), got \(5, 1\)"):
        as_network(chain, expected=(X, values[:5]))
    with pytest.raises(InputError, match=r"must be a pair \(points, outputs\), got ndarray"):
        as_network(chain, expected=X)  # type: ignore[arg-type]


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"a": {"b": [1, 2]}}, [1, 2], [{}], 3])
def test_what_holds_no_weights_is_refused(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(InputError, match="must hold the weights of Linear layers"):
        as_network(tmp_path / "a.pt")


def test_a_key_is_for_mappings_and_files() -> None:
    with pytest.raises(InputError, match="`key` must be left out for a Sequential, got 'net'"):
        as_network(mlp(2, 3, 1), key="net")
