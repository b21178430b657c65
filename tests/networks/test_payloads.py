"""Whatever a file is called and whatever it holds: reading it runs nothing."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import hostile
import relutopo as rt
from relutopo.complex import load_complex
from relutopo.errors import RelutopoError
from relutopo.learning.data_files import data_file
from relutopo.learning.runs import load_checkpoint
from relutopo.networks.reading import load_model
from relutopo.networks.storage import load_network
from relutopo.system.untrusted import PLAIN, read_json

joblib: Any = pytest.importorskip("joblib")

ENDINGS = (
    *(".pt", ".pth", ".ckpt", ".bin", ".pkl", ".pickle", ".tar", ".joblib", ".safetensors"),
    *(".npz", ".npy", ".onnx", ".keras", ".h5", ".msgpack", ".csv", ".tsv", ".parquet", ".json"),
    *(".yaml", ""),
)
READERS: dict[str, Callable[[Path], object]] = {
    "as_network": rt.as_network,
    "load_model": load_model,
    "load_checkpoint": load_checkpoint,
    "load_network": load_network,
    "load_complex": load_complex,
    "data": lambda path: data_file(str(path)),
    "json": lambda path: read_json(path, PLAIN, "a file", "write it anew"),
    "files": lambda path: rt.ModelFiles(path.parent / "rows", [path], rt.two_moons(n=20)),
}


def _saved(save: Callable[[Any, Any], object], content: Any) -> bytes:
    buffer = io.BytesIO()
    save(content, buffer)
    return buffer.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return buffer.getvalue()


def _with_header(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def _lambda() -> bytes:
    """What Keras writes for a layer that holds a program."""
    code = {"class_name": "__lambda__", "config": {"code": "pwned", "defaults": None}}
    layer = {"class_name": "Lambda", "config": {"function": code}, "module": "keras.layers"}
    model = {"class_name": "Sequential", "config": {"layers": [layer]}, "module": "keras"}
    text = json.dumps(model).encode()
    return _zipped({"config.json": text, "metadata.json": b"{}", "model.weights.h5": b""})


PAYLOAD: Any = hostile.Payload()
OBJECTS = np.array([PAYLOAD], dtype=object)
STATE = {"0.weight": torch.ones(1, 2), "0.bias": torch.zeros(1), "more": PAYLOAD}
CONTENTS: dict[str, Callable[[], bytes]] = {
    **{f"pickle {n}": lambda n=n: pickle.dumps(PAYLOAD, protocol=n) for n in range(6)},  # type: ignore[misc]
    "pickle in a list": lambda: pickle.dumps([np.ones(2), PAYLOAD]),
    "torch": lambda: _saved(torch.save, PAYLOAD),
    "torch, a state dict": lambda: _saved(torch.save, STATE),
    "torch, old": lambda: _saved(
        lambda x, file: torch.save(x, file, _use_new_zipfile_serialization=False), STATE
    ),
    "npy": lambda: _saved(lambda x, file: np.save(file, x, allow_pickle=True), OBJECTS),
    "npz": lambda: _saved(
        lambda x, file: np.savez(file, points=x, targets=x, weight=x, allow_pickle=True), OBJECTS
    ),
    "joblib": lambda: _saved(joblib.dump, {"a": OBJECTS}),
    "joblib, packed": lambda: _saved(lambda x, file: joblib.dump(x, file, compress=3), PAYLOAD),
    "safetensors": lambda: _with_header(
        {"__metadata__": {"format": pickle.dumps(PAYLOAD, 0).decode()},
         "weight": {"dtype": "O", "shape": [1], "data_offsets": [0, 40]}},
        pickle.dumps(PAYLOAD),
    ),
    "keras": _lambda,
    "yaml": lambda: b"seed: !!python/object/apply:os.system ['touch pwned']\n",
    "json": lambda: b'{"__reduce__": ["os.system", ["touch pwned"]]}',
    "text": lambda: b"x,y,target\n=cmd|' /C touch pwned'!A0,1,0\n__import__('os').system,2,1\n",
}  # fmt: skip


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.rglob("pwned*"))


def test_the_payload_would_run(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(PAYLOAD))
    (tmp_path / "pwned").unlink()
    torch.load(io.BytesIO(CONTENTS["torch"]()), weights_only=False)
    (tmp_path / "pwned").unlink()


@pytest.mark.parametrize("content", CONTENTS)
def test_nothing_in_a_file_runs(content: str, tmp_path: Path) -> None:
    written = CONTENTS[content]()
    for ending in ENDINGS:
        path = tmp_path / f"file{ending}"
        path.write_bytes(written)
        for name, read in READERS.items():
            with contextlib.suppress(RelutopoError):  # any other error is a fault
                read(path)
            assert not (tmp_path / "pwned").exists(), f"{name} of {path.name}"


def test_data_beside_an_onnx_file_is_bytes_only(tmp_path: Path) -> None:
    onnx: Any = pytest.importorskip("onnx")
    from onnx_graphs import mlp, write

    path = write(tmp_path / "model.onnx", mlp("x"))
    model = onnx.load(path)
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    assert rt.as_network(path).n_neurons == 3
    (tmp_path / "weights.bin").write_bytes(pickle.dumps(PAYLOAD) * 50)
    with contextlib.suppress(RelutopoError):
        rt.as_network(path)
