"""Pooling with every setting: equal to torch, or refused as torch refuses it."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from relutopo import as_network
from relutopo.errors import InputError, UnsupportedModuleError

Case = tuple[nn.Module, tuple[int, ...]]


class Function(nn.Module):
    """A module that is one function."""

    def __init__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        super().__init__()
        self.function, self.args, self.kwargs = function, args, kwargs

    def forward(self, x: Tensor) -> Any:
        return self.function(x, *self.args, **self.kwargs)


def max_pools() -> Iterator[Case]:
    settings: Any = itertools.product((1, 2, 3), (None, 1, 3), (0, 1), (1, 2), (False, True))
    for kernel, stride, padding, dilation, ceil in settings:
        for n in (1, 2, 5):
            yield nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil), (2, n)
    settings = itertools.product(
        ((1, 1), (2, 3), (3, 3)), (2, 3, (3, 2)), (1, 2, (2, 3)), (0, 1), (False, True)
    )
    for shape, kernel, stride, padding, ceil in settings:
        yield nn.MaxPool2d(kernel, stride, padding, ceil_mode=ceil), (1, *shape)
    settings = itertools.product(
        (2, (2, 1, 2)), (None, 1, (1, 2, 1)), (0, (1, 0, 1)), (False, True)
    )
    for kernel, stride, padding, ceil in settings:
        yield nn.MaxPool3d(kernel, stride, padding, ceil_mode=ceil), (1, 2, 3, 2)
    yield Function(F.max_pool1d, 2, 1, padding=1), (3,)  # one map, without channels
    yield Function(F.max_pool1d, kernel_size=[2], stride=[], ceil_mode=True), (2, 3)
    yield Function(torch.max_pool2d, (2, 2), (1, 2), (1, 0), (1, 1), True), (1, 3, 4)
    yield Function(lambda x: F.max_pool2d(x, 2, 1, return_indices=True)[0]), (1, 3, 3)
    yield Function(lambda x: torch.max_pool1d_with_indices(x, 2)[0]), (1, 4)


def average_pools() -> Iterator[Case]:
    settings: Any = itertools.product((1, 2, 3), (None, 1, 3), (0, 1), *((False, True),) * 2)
    for kernel, stride, padding, ceil, counted in settings:
        for n in (1, 2, 4, 5):
            yield nn.AvgPool1d(kernel, stride, padding, ceil, counted), (2, n)
    settings = itertools.product(
        ((1, 2), (3, 4)), (2, (3, 2)), (None, (2, 3)), (0, 1), *((False, True),) * 2, (None, 3)
    )
    for shape, kernel, stride, padding, ceil, counted, divisor in settings:
        yield nn.AvgPool2d(kernel, stride, padding, ceil, counted, divisor), (1, *shape)
    settings = itertools.product(
        (None, 1, (3, 1, 2)), (0, (1, 0, 1)), *((False, True),) * 2, (None, 5)
    )
    for stride, padding, ceil, counted, divisor in settings:
        yield nn.AvgPool3d((2, 1, 3), stride, padding, ceil, counted, divisor), (1, 3, 2, 4)
    yield Function(F.avg_pool1d, (2,), (1,), (1,), True, False), (1, 4)
    yield Function(F.avg_pool2d, 2, divisor_override=7), (1, 4, 4)


def adaptive_pools() -> Iterator[Case]:
    for n, out in itertools.product((1, 2, 3, 5), (1, 2, 3, 7)):
        yield nn.AdaptiveMaxPool1d(out), (2, n)
        yield nn.AdaptiveAvgPool1d(out), (2, n)
    sizes: Any = itertools.product(((1, 3), (4, 5)), (1, 2, (3, None), (None, 2), (5, 1)))
    for shape, size in sizes:
        yield nn.AdaptiveMaxPool2d(size), (2, *shape)
        yield nn.AdaptiveAvgPool2d(size), (2, *shape)
    for wanted in (1, (2, 1, 3), (None, 2, 2)):
        yield nn.AdaptiveMaxPool3d(wanted), (1, 3, 2, 4)
        yield nn.AdaptiveAvgPool3d(wanted), (1, 3, 2, 4)
    yield Function(lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[0]), (1, 3, 3)
    yield Function(F.adaptive_avg_pool1d, 3), (2, 4)


def outcome(module: nn.Module, shape: tuple[int, ...]) -> str:
    """Compare a module as it is read with torch; return what came out, in a word."""
    x = torch.tensor(np.random.default_rng(0).standard_normal((8, *shape)))
    try:
        expected, refusal = module(x).numpy().reshape(8, -1), ""
    except (RuntimeError, ValueError) as error:
        expected, refusal = None, str(error)
    if expected is None or not np.isfinite(expected).all():
        with pytest.raises((InputError, UnsupportedModuleError)) as caught:
            as_network(module, shape)
        text = str(caught.value)
        if expected is None:
            reason = refusal.rpartition(". ")[2][:40]  # before it torch tells of channels
            assert reason in text, (refusal, text)
            assert type(module).__name__ in text
            return "refused"
        assert "window that lies in the padding, where the maximum is -inf" in text
        return "infinite"
    found = as_network(module, shape)(x.numpy().reshape(8, -1))
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-13)
    return "equal"


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize(
    ("cases", "most_refused"), [(max_pools, 0.4), (average_pools, 0.2), (adaptive_pools, 0.0)]
)
def test_every_setting_equals_torch(
    cases: Callable[[], Iterator[Case]], most_refused: float
) -> None:
    counts: Counter[str] = Counter()
    for module, shape in cases():
        try:
            counts[outcome(module, shape)] += 1
        except BaseException:
            print(module, shape)
            raise
    assert counts["equal"] >= (1 - most_refused) * counts.total(), counts


@pytest.mark.parametrize("n", [1, 2, 3])
def test_small_maps_of_the_usual_stem(n: int) -> None:
    assert outcome(nn.MaxPool2d(3, 2, 1), (2, n, n)) == "equal"
