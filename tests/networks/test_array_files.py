"""Files of named arrays: as the library of safetensors and NumPy read them, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from relutopo import as_network, load_model, save_network
from relutopo.errors import InputError
from relutopo.networks.array_files import arrays_in_file

X = np.random.default_rng(0).standard_normal((20, 2))


def written(path: Path, arrays: dict[str, Any], types: dict[str, str] | None = None) -> Path:
    """Write a file of safetensors by the description of the format."""
    data, header = b"", {}
    for name, array in sorted(arrays.items()):
        array = np.asarray(array)
        kind = (types or {}).get(name, {"f": "F", "i": "I", "u": "U"}.get(array.dtype.kind, ""))
        kind = kind if len(kind) > 1 else f"{kind}{8 * array.itemsize}"
        ends = [len(data), len(data) + array.nbytes]
        header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": ends}
        data += array.tobytes()
    return _put(path, header, data)


def _put(path: Path, header: Any, data: bytes) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def deep() -> nn.Sequential:
    layers = [layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.ReLU())]
    return nn.Sequential(nn.Linear(2, 8), nn.ReLU(), *layers, nn.Linear(8, 1))


def outputs(module: nn.Module) -> Any:
    with torch.no_grad():
        return module.double()(torch.tensor(X)).numpy()


def test_layers_follow_their_numbers_in_files_sorted_by_name(tmp_path: Path) -> None:
    module = deep()
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    for path in (tmp_path / "model.safetensors", tmp_path / "model.npz"):
        if path.suffix == ".npz":
            np.savez(path, **dict(sorted(state.items())))
        else:
            written(path, state)
        for read in (as_network, load_model):
            np.testing.assert_allclose(read(path)(X), outputs(module), atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_types_of_numbers(dtype: torch.dtype, tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)).to(dtype)
    types = {"0.weight": "BF16", "0.bias": "BF16", "2.weight": "BF16", "2.bias": "BF16"}
    is_short = dtype is torch.bfloat16
    state = {
        name: (value.view(torch.int16) if is_short else value).numpy()
        for name, value in module.state_dict().items()
    }
    path = written(tmp_path / "model.safetensors", state, types if is_short else None)
    np.testing.assert_array_equal(as_network(path)(X), as_network(module)(X))


def test_the_library_of_safetensors_writes_and_reads_the_same(tmp_path: Path) -> None:
    library: Any = pytest.importorskip("safetensors.torch")
    module, path = deep(), tmp_path / "model.safetensors"
    library.save_file(module.state_dict(), path, metadata={"format": "pt"})
    np.testing.assert_allclose(as_network(path)(X), outputs(module), atol=1e-9)
    arrays: dict[str, Any] = {
        "a": torch.randn(3, 4), "b": torch.randn(2).bfloat16(), "c": torch.arange(6).view(2, 3),
        "d": torch.zeros(0, 5), "e": torch.tensor(2.0), "f": torch.tensor([True, False]),
        "g": torch.randn(3).half(), "h": torch.randn(2, 2).double(), "i": torch.ones(2).byte(),
    }  # fmt: skip
    library.save_file(arrays, path)
    found = arrays_in_file(path)
    assert set(found) == set(arrays)
    for name, value in arrays.items():
        assert found[name].shape == tuple(value.shape)
        np.testing.assert_array_equal(found[name], value.float() if name == "b" else value)
    ours = written(tmp_path / "ours.safetensors", {"w": np.ones((2, 3)), "n": np.arange(3)})
    for name, value in library.load_file(ours).items():
        np.testing.assert_array_equal(arrays_in_file(ours)[name], value)


def test_trees_of_flax_in_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w, v = rng.standard_normal((2, 5)), rng.standard_normal((5, 1))
    expected = np.maximum(X @ w, 0) @ v
    for point in (".", "/"):
        names = [f"params{point}Dense_{i}{point}kernel" for i in (0, 1)]
        path = written(tmp_path / "model.safetensors", dict(zip(names, (w, v), strict=True)))
        np.testing.assert_allclose(as_network(path)(X), expected, atol=1e-12)
    tree: dict[str, Any] = {"Dense_0.kernel": w, "Dense_1.kernel": v}
    np.savez(tmp_path / "model.npz", **tree)
    np.testing.assert_allclose(as_network(tmp_path / "model.npz")(X), expected, atol=1e-12)


def test_a_key_chooses_among_networks_in_a_file(tmp_path: Path) -> None:
    arrays = {
        f"{net}.{i}.weight": np.ones(shape)
        for net in ("online", "target")
        for i, shape in enumerate([(4, 2), (1, 4)])
    }
    path = written(tmp_path / "model.safetensors", arrays)
    with pytest.raises(InputError, match="choose one, for example by key='online'"):
        as_network(path)
    assert as_network(path, key="target").input_dim == 2


def test_what_a_file_declares_is_compared_with_its_size(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    good = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    wrong: list[Any] = [
        {"w": {**good, "shape": [2**40, 2**40]}},
        {"w": {**good, "shape": [-2, -2]}},
        {"w": {**good, "shape": [2, 3]}},
        {"w": {**good, "shape": 4}},
        {"w": {**good, "shape": [True, 4]}},
        {"w": {**good, "data_offsets": [0, 16, 32]}},
        {"w": {**good, "data_offsets": [0]}},
        {"w": {**good, "data_offsets": [-16, 0]}},
        {"w": {**good, "data_offsets": [16, 0]}},
        {"w": {**good, "data_offsets": [8, 24]}},
        {"w": {**good, "data_offsets": [0.0, 16.0]}},
        {"w": {**good, "dtype": "F4"}},
        {"w": {**good, "dtype": None}},
        {"w": {**good, "dtype": ["F32"]}},
        {"w": good, "v": good},
        {"w": good, "v": {**good, "shape": [1], "data_offsets": [12, 16]}},
        {"w": None},
        {"w": [1]},
        {},
        [],
        3,
    ]
    for header in wrong:
        _put(path, header, bytes(16))
        with pytest.raises(InputError, match=r"cannot be read: .*; write the weights anew"):
            as_network(path)
    for content in (b"", b"12345678", b"\xff" * 100, (2**62).to_bytes(8, "little") + b"{}",
                    (12).to_bytes(8, "little") + b'{"a":1,"a":2' + bytes(4)):  # fmt: skip
        path.write_bytes(content)
        with pytest.raises(InputError, match="cannot be read"):
            as_network(path)
    text = b'{"w": %s, "w": %s}' % ((json.dumps(good).encode(),) * 2)
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    with pytest.raises(InputError, match="twice"):
        as_network(path)


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        (".keras", "of Keras.* pass "),
        (".h5", "of Keras.* pass "),
        (".joblib", "of joblib.* pass "),
        (".msgpack", "Flax.* pass "),
        (".npy", "one array; write all"),
        (".csv", "a table; name it as the data"),
    ],
)
def test_files_of_other_kinds_are_named(ending: str, advice: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{ending}"
    path.write_bytes(b"anything")
    with pytest.raises(InputError, match=advice):
        as_network(path)


@pytest.mark.parametrize("last", [[], [nn.Sigmoid()]])
def test_files_of_save_network_are_models_too(last: list[nn.Module], tmp_path: Path) -> None:
    for module in (nn.Sequential(*deep(), *last), nn.Sequential(nn.Linear(2, 4), nn.Hardtanh())):
        network, path = as_network(module), tmp_path / "network.npz"
        save_network(path, network)
        for read in (as_network, load_model):
            again = read(path)
            np.testing.assert_array_equal(again.predict(X), network.predict(X))
    with pytest.raises(InputError, match="`output` must be left out for a file of save_network"):
        load_model(path, output=0)
