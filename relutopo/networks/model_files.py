"""Reading the contents of model files: those of `torch.save`, and those of named arrays.

Invariant: nothing in a file is executed when it is read, unless the caller says that it may be.
"""

from __future__ import annotations

import pickle
import zipfile
from typing import Any

from relutopo.errors import InputError, LimitReachedError
from relutopo.networks.array_files import ARRAY_FILES, arrays_in_file
from relutopo.networks.torch_files import load_tensors_only
from relutopo.optional import require

__all__ = ["model_in_file"]

_DAMAGED = "it is damaged, or no file of torch.save"
_KERAS = (
    "it is a file of Keras; read it by keras.saving.load_model(path), if you trust those who made "
    "it, and pass the model"
)
_OTHERS = {
    **dict.fromkeys((".keras", ".h5", ".hdf5"), _KERAS),
    ".joblib": "it is a file of joblib, and reading it runs code from the file; if you trust those "
    "who made it, pass joblib.load(path)",
    ".npy": "it holds one array; write all weights and biases by numpy.savez(path, ...)",
    **dict.fromkeys((".csv", ".tsv", ".parquet"), "it is a table; name it as the data"),
    ".msgpack": "it is a file of Flax; pass flax.serialization.msgpack_restore(bytes), or write it "
    "as safetensors",
}
"""Endings of files that other libraries read, and advice for each."""


def model_in_file(name: str, trust: bool) -> Any:
    """Return the content of a file of `torch.save`, safetensors or `numpy.savez`.

    Parameters
    ----------
    name : str
        A file that exists.
    trust : bool
        Whether the file may hold whole Python objects; see `relutopo.load_model`.

    Raises
    ------
    InputError
        If the file cannot be read, or needs `trust`.

    Examples
    --------
    >>> import tempfile, torch
    >>> path = tempfile.mkdtemp() + "/model.pt"
    >>> torch.save({"epoch": 3, "state_dict": torch.nn.Linear(2, 1).state_dict()}, path)
    >>> sorted(model_in_file(path, trust=False))
    ['epoch', 'state_dict']
    """
    if name.endswith(ARRAY_FILES):
        return _load_arrays(name)
    for ending, advice in _OTHERS.items():
        if name.endswith(ending):
            raise InputError(f"the model {name!r} cannot be read: {advice}")
    _refuse_programs(name)
    return _load_trusted(name) if trust else _load_plain(name)


def _refuse_programs(name: str) -> None:
    """Raise an `InputError` for files of `torch.jit.save` and `torch.export.save`."""
    try:
        if not zipfile.is_zipfile(name):
            return
        with zipfile.ZipFile(name) as archive:
            entries = archive.namelist()
    except Exception as error:  # a damaged directory raises errors of many kinds
        raise _unreadable(name, f"{_DAMAGED} ({_reason(error)})") from error
    if any("/code/" in entry or "/models/" in entry for entry in entries):
        raise _unreadable(name, "it is a program of TorchScript or torch.export")


def _load_plain(name: str) -> Any:
    try:
        return load_tensors_only(name)
    except LimitReachedError:
        raise
    except Exception as error:
        # torch raises unpickling, runtime, end-of-file and zip errors alike for a damaged file.
        if zipfile.is_zipfile(name) and isinstance(error, pickle.UnpicklingError):
            raise InputError(
                f"the model {name!r} holds more than tensors, a whole module for example; it "
                "cannot be read as a state dict and anything else runs code from the file; write "
                "it with torch.save(model.state_dict(), path), or as ONNX; or, if you trust those "
                "who made it, read it by load_model and pass trust=True"
            ) from error
        raise _unreadable(name, f"{_DAMAGED} ({_reason(error)})") from error


def _load_arrays(name: str) -> Any:
    try:
        return arrays_in_file(name)
    except LimitReachedError:
        raise
    except Exception as error:  # damaged files raise errors of many kinds
        raise InputError(
            f"the model {name!r} cannot be read: it is damaged, or holds more than arrays "
            f"({_reason(error)}); write the weights anew, by safetensors or numpy.savez"
        ) from error


def _reason(error: Exception) -> str:
    """Return the message of an error, without torch's advice, which suits other programs."""
    text = (str(error).splitlines() or [""])[0]
    return text if isinstance(error, (ImportError, ValueError)) and text else type(error).__name__


def _load_trusted(name: str) -> Any:
    torch = require("torch", "reading a model")
    try:
        return torch.load(name, map_location="cpu", weights_only=False)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"the model {name!r} cannot be read: {error}; the module that defines its class must "
            "be importable under that name: run with PYTHONPATH=<folder of the module>"
        ) from error
    except Exception as error:  # unpickling runs any code, which may raise anything
        raise _unreadable(name, f"{_DAMAGED} ({type(error).__name__})") from error


def _unreadable(name: str, reason: str) -> InputError:
    return InputError(
        f"the model {name!r} cannot be read: {reason}; write it with "
        "torch.save(model.state_dict(), path), or as ONNX"
    )
