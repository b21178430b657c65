"""Arrays on devices: moved without copies where possible, and clear words where nothing works."""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from relutopo import ReluNetwork, as_network
from relutopo.devices.cuda import cuda_device
from relutopo.devices.device import Device, numpy_device
from relutopo.devices.pinned import LARGE
from relutopo.errors import DeviceError, DeviceMemoryError, InputError, MissingExtraError

N_CARDS = 2


class OutOfMemoryError(MemoryError):
    """What CuPy raises."""


class Stream:
    """One of the streams that pieces of large arrays go through; there is no other."""

    n_waiting = 0

    def synchronize(self) -> None:
        Stream.n_waiting = 0


class ArrayOnCard(np.ndarray):
    """An array with CuPy's ways from and to the host."""

    def get(self, stream: Stream, out: Any) -> None:
        assert (self.shape, self.dtype) == (out.shape, out.dtype)
        assert isinstance(stream, Stream)
        out[...] = self.view(np.ndarray)

    def set(self, array: Any, stream: Stream) -> None:
        assert (self.shape, self.dtype) == (array.shape, array.dtype)
        Stream.n_waiting += isinstance(stream, Stream)
        self[...] = array


class FakeCupy(ModuleType):
    """NumPy under CuPy's name, with the few functions that ask a card."""

    ndarray = np.ndarray
    ones = staticmethod(np.ones)
    asarray = staticmethod(np.asarray)
    asnumpy = staticmethod(np.asarray)
    ascontiguousarray = staticmethod(lambda array: array.copy())
    empty = staticmethod(ArrayOnCard)

    def __init__(self, n_cards: int = N_CARDS, n_free: int = 3 * 2**30) -> None:
        super().__init__("cupy")
        self.n_freed = 0
        self.n_in_pool = 0
        self.imported: list[Any] = []
        runtime = SimpleNamespace(
            getDeviceCount=lambda: n_cards,
            getDeviceProperties=lambda index: {"name": f"Card {index}".encode()},
            memGetInfo=lambda: (n_free, 4 * 2**30),
        )
        self.cuda = SimpleNamespace(
            runtime=runtime,
            memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            Device=lambda index: nullcontext(index),
            Stream=lambda non_blocking: Stream(),
            alloc_pinned_memory=lambda n_bytes: np.empty(n_bytes, np.uint8),
            get_current_stream=lambda: SimpleNamespace(synchronize=lambda: None),
        )

    def get_default_memory_pool(self) -> Any:
        return SimpleNamespace(free_all_blocks=self._free, free_bytes=lambda: self.n_in_pool)

    def get_default_pinned_memory_pool(self) -> Any:
        return SimpleNamespace(free_all_blocks=lambda: None)

    def from_dlpack(self, tensor: Any) -> Any:
        self.imported.append(tensor)
        return tensor

    def _free(self) -> None:
        self.n_freed += 1


class TensorOnCard:
    """What DLPack shows of a torch tensor on a card."""

    def __init__(self, index: int) -> None:
        self.index = index
        self.is_detached = False

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, self.index

    def detach(self) -> TensorOnCard:
        tensor = TensorOnCard(self.index)
        tensor.is_detached = True
        return tensor


class Pinned:
    """What DLPack shows of a tensor in pinned memory of the host."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __dlpack_device__(self) -> tuple[int, int]:
        return 3, 0

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__()


def install(monkeypatch: pytest.MonkeyPatch, cupy: ModuleType) -> None:
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    for name in ("cupyx", "cupyx.scipy"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "cupyx.scipy.sparse", scipy.sparse)


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> FakeCupy:
    fake = FakeCupy()
    install(monkeypatch, fake)
    return fake


def test_numpy_takes_tensors_without_a_copy() -> None:
    device = numpy_device()
    tensor = torch.arange(3.0, dtype=torch.float64, requires_grad=True)
    array = device.to_device(tensor)
    assert np.shares_memory(array, tensor.detach().numpy())
    assert device.holds(array)
    assert device.holds(tensor)
    assert not device.holds(TensorOnCard(0))
    assert device.to_host(array) is array
    device.require_memory(2**62, "nothing")
    with device.session():
        np.testing.assert_array_equal(device.to_device([1.0, 2.0]), [1, 2])


def test_a_card_tells_its_name_and_takes_tensors_by_reference(cupy: FakeCupy) -> None:
    device = cuda_device(1)
    assert device.name == "Card 1"
    assert (device.xp, device.sparse) == (cupy, scipy.sparse)
    array = device.to_device(TensorOnCard(1))
    assert array is cupy.imported[0]
    assert array.is_detached
    assert device.holds(array)
    assert not device.holds(TensorOnCard(0))
    assert not device.holds(np.ones(1))
    with pytest.raises(InputError, match=r"on card 0, .* computes on card 1; set `device=0`"):
        device.to_device(TensorOnCard(0))
    on_host = torch.arange(3.0, requires_grad=True)
    np.testing.assert_array_equal(device.to_device(on_host), [0, 1, 2])
    for n in (3, 10**6):
        for array in (np.arange(n), np.arange(2 * n)[::2]):
            copied = device.to_device(Pinned(array))
            np.testing.assert_array_equal(copied, array)
            assert not Stream.n_waiting
    assert len(cupy.imported) == 1


def test_an_interrupt_leaves_no_copy_running(
    cupy: FakeCupy, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = ArrayOnCard.set

    def interrupted(self: ArrayOnCard, array: Any, stream: Stream) -> None:
        copy(self, array, stream)
        raise KeyboardInterrupt

    monkeypatch.setattr(ArrayOnCard, "set", interrupted)
    with pytest.raises(KeyboardInterrupt):
        cuda_device().to_device(Pinned(np.arange(LARGE)))
    assert not Stream.n_waiting


def test_memory_is_free_after_a_session_however_it_ends(cupy: FakeCupy) -> None:
    device = cuda_device()
    with device.session():
        assert cupy.n_freed == 0
    assert cupy.n_freed == 1
    with pytest.raises(KeyboardInterrupt), device.session():
        raise KeyboardInterrupt
    assert cupy.n_freed == 2


def test_running_out_of_memory_is_told_and_lets_go_of_the_arrays(cupy: FakeCupy) -> None:
    device = cuda_device()

    def work() -> None:
        array = TensorOnCard(0)
        raise OutOfMemoryError(f"cannot allocate 7 bytes for {array}")

    message = "Card 0 has too little memory: cannot"
    with pytest.raises(DeviceMemoryError, match=message) as caught, device.session():
        work()
    cause = caught.value.__cause__
    assert isinstance(cause, OutOfMemoryError)
    trace = cause.__traceback__
    while trace is not None and trace.tb_frame.f_code is not work.__code__:
        trace = trace.tb_next
    assert trace is not None
    assert "array" not in trace.tb_frame.f_locals


def test_too_little_memory_names_what_is_needed_and_what_is_there(cupy: FakeCupy) -> None:
    device = cuda_device()
    device.require_memory(3 * 2**30, "this")
    message = "this needs 5.0 GiB on Card 0, which has 3.0 GiB free of 4.0 GiB; close other"
    with pytest.raises(DeviceMemoryError, match=message):
        device.require_memory(5 * 2**30, "this")
    # What earlier arrays have left in CuPy's pool can be used again.
    cupy.n_in_pool = 2**30
    device.require_memory(4 * 2**30, "this")
    assert issubclass(DeviceMemoryError, MemoryError)


@pytest.mark.parametrize("dtype", [np.uint8, np.float64])
@pytest.mark.parametrize("columns", [slice(None), slice(3)])
def test_large_arrays_come_back_in_pieces(cupy: FakeCupy, dtype: Any, columns: slice) -> None:
    whole = np.random.default_rng(0).integers(0, 200, (LARGE, 9)).astype(dtype)
    array = whole[:, columns].view(ArrayOnCard)
    device = cuda_device()
    np.testing.assert_array_equal(device.to_host(array), array.view(np.ndarray))
    out = np.zeros((2, *array.shape), dtype=dtype)
    assert device.to_host(array, out=out[1]).base is out
    np.testing.assert_array_equal(out[1], array.view(np.ndarray))
    assert not out[0].any()


def test_arrays_of_all_sizes_come_back_together(cupy: FakeCupy) -> None:
    rng = np.random.default_rng(0)
    sizes: list[Any] = [3, LARGE, 0, (LARGE, 2), 3 * LARGE + 5]
    arrays = [rng.integers(0, 99, size).astype(np.int32).view(ArrayOnCard) for size in sizes]
    for device in (cuda_device(), numpy_device()):
        back = device.all_to_host(arrays)
        for array, host in zip(arrays, back, strict=True):
            assert host.dtype == array.dtype
            np.testing.assert_array_equal(host, array.view(np.ndarray))


def test_without_cupy_the_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)
    message = re.escape('pip install "relutopo[cuda12]" or "relutopo[cuda13]"')
    with pytest.raises(MissingExtraError, match=f"this needs the package 'cupy'.*{message}"):
        cuda_device(purpose="this")


@pytest.mark.parametrize("index", [-1, N_CARDS])
def test_a_card_that_does_not_exist(cupy: FakeCupy, index: int) -> None:
    with pytest.raises(
        InputError, match=f"`device` must be an integer from 0( to 1)?, got {index}"
    ):
        cuda_device(index)


def test_no_card_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, FakeCupy(n_cards=0))
    with pytest.raises(DeviceError, match="CUDA sees none; check `nvidia-smi`"):
        cuda_device()


def test_no_driver(monkeypatch: pytest.MonkeyPatch, cupy: FakeCupy) -> None:
    def fail() -> int:
        raise RuntimeError("cudaErrorInsufficientDriver")

    monkeypatch.setattr(cupy.cuda.runtime, "getDeviceCount", fail)
    with pytest.raises(DeviceError, match="finds none: cudaErrorInsufficientDriver; check"):
        cuda_device()


def test_missing_cuda_libraries(monkeypatch: pytest.MonkeyPatch, cupy: FakeCupy) -> None:
    def fail(array: Any) -> Any:
        raise RuntimeError("libnvrtc.so: cannot open shared object file")

    monkeypatch.setattr(cupy, "asarray", fail, raising=False)
    with pytest.raises(DeviceError, match="cannot compute on it: libnvrtc"):
        cuda_device()


@pytest.mark.gpu
def test_a_real_card() -> None:
    device: Device = cuda_device()
    xp = device.xp
    with device.session():
        array = device.to_device(np.arange(5.0))
        assert isinstance(array, xp.ndarray)
        np.testing.assert_array_equal(device.to_host(array * 2), 2 * np.arange(5.0))
        del array
    with pytest.raises(DeviceMemoryError, match="this needs"):
        device.require_memory(2**60, "this")
    with pytest.raises(DeviceMemoryError, match="too little memory"), device.session():
        xp.zeros(2**50, dtype=np.uint8)
    if torch.cuda.is_available():
        tensor = torch.arange(3.0, device="cuda:0")
        array = device.to_device(tensor)
        assert array.data.ptr == tensor.data_ptr()
        module = torch.nn.Sequential(torch.nn.Linear(2, 5), torch.nn.ReLU(), torch.nn.Linear(5, 1))
        network = as_network(module.to("cuda:0"))
        assert isinstance(network, ReluNetwork)
        with torch.no_grad():
            next(module.parameters()).add_(1)
        ((kept, _), _), host = network.arrays_on(device), network.weights[0]
        assert isinstance(kept, xp.ndarray)
        np.testing.assert_array_equal(device.to_host(kept), host)
