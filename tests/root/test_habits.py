"""What people write by habit works, or is refused with what to write in its place."""

from __future__ import annotations

import dataclasses
from collections import namedtuple
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import relutopo as rt
from relutopo.errors import RelutopoError

BOX = rt.Box(-1.5, 1.5, dim=2)
X = np.random.default_rng(0).uniform(-1, 1, (60, 2))
Y = (X[:, 0] > 0).astype(int)


def perceptron(*sizes: int) -> nn.Sequential:
    torch.manual_seed(0)
    layers: list[nn.Module] = []
    for before, after in pairwise(sizes):
        layers += [nn.Linear(before, after), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


NET = perceptron(2, 6, 6, 1)
COMPLEX = rt.decompose(NET, BOX, enumerator="exact")
PART = rt.fiedler_partition(COMPLEX, X)


class Returning(nn.Module):
    """Returns what a function makes of the output."""

    def __init__(self, made: Callable[[torch.Tensor], Any]) -> None:
        super().__init__()
        self.layers, self._made = NET, made

    def forward(self, x: torch.Tensor) -> Any:
        return self._made(self.layers(x))


@dataclasses.dataclass
class Result:
    """As libraries of language models return it."""

    logits: torch.Tensor
    loss: torch.Tensor | None = None


Named = namedtuple("Named", "logits")


class WithLists(nn.Module):
    """Layers in a list of Python, which torch does not see, and in one that it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = nn.ModuleList([nn.Linear(2, 5), nn.Linear(5, 4)])
        self.unseen = [nn.Linear(4, 3), nn.Linear(3, 1)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.seen:
            x = nn.functional.relu(layer(x), inplace=True)
        hidden: torch.Tensor = self.unseen[0](x)
        return cast("torch.Tensor", self.unseen[1](hidden.relu_()))


def of_one_kind(layer: nn.Module) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 5), layer, nn.Linear(5, 1)).eval()


def with_negative_slopes() -> nn.Sequential:
    found = nn.PReLU(5)
    found.weight.data = torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0])
    return of_one_kind(found)


@pytest.mark.parametrize(
    "model",
    [
        Returning(lambda x: {"logits": x}),
        Returning(Named),
        Returning(Result),
        WithLists(),
        of_one_kind(nn.LeakyReLU(-0.3)),
        of_one_kind(nn.RReLU()),
        with_negative_slopes(),
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 5)), nn.ReLU(),
                      nn.utils.parametrizations.spectral_norm(nn.Linear(5, 1))).eval(),
        perceptron(2, 6, 1).half(),
        perceptron(2, 6, 1).bfloat16(),
        nn.DataParallel(NET),
    ],
)  # fmt: skip
def test_modules(model: nn.Module) -> None:
    complex_ = rt.decompose(model, BOX, enumerator="exact")
    dtype = next(model.parameters()).dtype
    with torch.no_grad():
        result = model(torch.tensor(X, dtype=dtype))
    for name in ("logits",):
        result = result[name] if isinstance(result, dict) else getattr(result, name, result)
    error = 1e-5 if dtype == torch.float32 else 100 * float(torch.finfo(dtype).eps)
    assert complex_.network(X) == pytest.approx(result.double().numpy(), abs=error)


def test_reading_a_module_in_training_leaves_it_as_it_was() -> None:
    layer = nn.utils.parametrizations.spectral_norm(nn.Linear(2, 5))
    model = nn.Sequential(layer, nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5), nn.Linear(5, 1))
    before = {name: value.clone() for name, value in model.train().state_dict().items()}
    network = rt.as_network(model)
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    with torch.no_grad():
        expected = model.eval()(torch.tensor(X, dtype=torch.float32)).numpy()
    assert network(X) == pytest.approx(expected, abs=1e-5)


def test_points_and_labels_of_any_kind_give_one_agreement(tmp_path: Path) -> None:
    on_disk = np.memmap(tmp_path / "points", dtype=np.float64, mode="w+", shape=X.shape)
    on_disk[:] = X
    fixed = X.copy()
    fixed.setflags(write=False)
    expected = PART.agreement(X, Y)
    for points in (on_disk, fixed, X.tolist(), torch.tensor(X, requires_grad=True),
                   pd.DataFrame(X, columns=list("ab")).astype("Float64")):  # fmt: skip
        assert rt.fiedler_partition(COMPLEX, points).agreement(points, Y) == expected
    for labels in (Y.astype(bool), Y.tolist(), pd.array(Y, dtype="Int64"), torch.tensor(Y),
                   pd.Series(np.array(["a", "b"])[Y], dtype="category")):  # fmt: skip
        assert PART.agreement(X, labels) == expected


def test_points_on_edges_and_twice() -> None:
    edge = np.array([[-1.5, -1.5], [1.5, 1.5], [0.0, 1.5], [-1.5, 0.2]])
    assert (COMPLEX.locate(edge) >= 0).all()
    twice = PART.agreement(np.r_[X, X], np.r_[Y, Y])
    assert twice.accuracy == PART.agreement(X, Y).accuracy
    one = rt.decompose(perceptron(1, 4, 1), X[:, :1], enumerator="exact")
    assert rt.fiedler_partition(one, X[:, :1]).agreement(X[:, :1], Y).n_used == 60


def test_a_network_is_a_function_of_vertices() -> None:
    whole = rt.filtration(COMPLEX, "lower_star", function=COMPLEX.network)
    flat = rt.filtration(COMPLEX, "lower_star", function=lambda x: COMPLEX.network(x)[:, 0])
    assert np.array_equal(whole.order, flat.order)


LINEAR = nn.Linear(2, 1)
REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "two outputs": (
        lambda: rt.decompose(Returning(lambda x: {"logits": x, "more": x}), BOX),
        "in as_network choose one, for example by output='logits'",
    ),
    "layers in a list": (
        lambda: rt.decompose([nn.Linear(2, 3), nn.Linear(3, 1)], BOX),
        r"got a list of 2; pass torch.nn.Sequential\(\*model\), with the activations",
    ),
    "a list of modules": (
        lambda: rt.decompose(nn.ModuleList([LINEAR]), BOX),
        r"must have a forward method, got ModuleList; .* torch.nn.Sequential\(\*model\)",
    ),
    "modules by name": (
        lambda: rt.decompose(nn.ModuleDict({"a": LINEAR}), BOX),
        r"got ModuleDict; .* torch.nn.Sequential\(\*model.values\(\)\)",
    ),
    "ends of axes": (
        lambda: rt.decompose(NET, [(-1, 1), (-2, 2)]),
        r"pass Box\(\[-1, -2\], \[1, 2\]\) for ends",
    ),
    "points with labels": (
        lambda: rt.decompose(NET, (X, Y)),
        r"got a pair of arrays of shapes \(60, 2\) and \(60,\); pass the points without",
    ),
    "one class": (lambda: PART.agreement(X, np.zeros(60)), "exactly two classes, got 1"),
    "labels with NaN": (
        lambda: PART.agreement(X, np.where(X[:, 0] > 0.9, np.nan, 1.0)), "missing, got nan in row"
    ),
    "one column each": (lambda: PART.agreement(X, np.eye(2)[Y]), r"pass labels.argmax\(axis=1\)"),
    "compiled by torch.jit": (
        lambda: rt.decompose(torch.jit.trace(NET, torch.zeros(1, 2)), BOX),  # type: ignore[no-untyped-call]
        "pass the module that it was made from",
    ),
    "no weights yet": (
        lambda: rt.decompose(nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.LazyLinear(1)), BOX),
        "call the model on a batch of inputs before",
    ),
    "one dimension without rows": (
        lambda: rt.decompose(perceptron(1, 2, 1), X[:, 0]),
        r"at least two points of shape \(n, d\), got an array of shape \(60,\)",
    ),
    "a function": (lambda: rt.decompose(NET.forward, BOX), "got method; pass the module"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, message = REFUSED[name]
    with pytest.raises(RelutopoError, match=message):
        call()
