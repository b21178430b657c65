"""Resize in ONNX files against torch and onnxruntime, from which the onnx package's own differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import relutopo as rt
from onnx_graphs import node, write
from relutopo.errors import RelutopoError, UnsupportedModuleError

pytest.importorskip("onnx")

f4 = np.float32


def resizing(
    path: Path, shape: tuple[int, ...], *, opset: int = 18, scales: Any = None, sizes: Any = None,
    **how: Any,
) -> Path:  # fmt: skip
    """Write a model that only resizes an input of this shape, the batch axis open."""
    if opset >= 11:
        names, constants = ["x", "", "k"], {"k": np.array([1, 1, *(scales or ())], f4)}
        if sizes is not None:
            names, constants = ["x", "", "", "k"], {"k": np.array(sizes)}
            how["axes"] = list(range(2, 2 + len(sizes)))
    else:
        names, constants = ["x", "k"], {"k": np.array([1, 1, *scales], f4)}
    kind = "Resize" if opset >= 10 else "Upsample"
    nodes = [node(kind, names, "y", **how)]
    return write(path, nodes, ("batch", *shape), constants, opset=opset)


def matrix_of(network: Any) -> Any:
    return network(np.eye(network.input_dim)).T


def matrix_in_torch(shape: tuple[int, ...], **how: Any) -> Any:
    units = torch.eye(int(np.prod(shape)), dtype=torch.float64)
    return F.interpolate(units.reshape(-1, *shape), **how).reshape(len(units), -1).numpy().T


@pytest.fixture(autouse=True)
def without_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is right where nothing but the reference implementation can be asked."""
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)


@pytest.mark.parametrize("corners", [False, True])
@pytest.mark.parametrize("mode", ["linear", "bilinear", "bicubic"])
@pytest.mark.parametrize("n", [2, 3, 5, 6])
def test_sizes_are_those_of_torch(mode: str, n: int, corners: bool, tmp_path: Path) -> None:
    shape = (2, n) if mode == "linear" else (2, n, 4)
    how: dict[str, Any] = {
        "mode": mode.removeprefix("bi"),
        "coordinate_transformation_mode": "align_corners" if corners else "half_pixel",
    }
    for wanted in (1, 3, 4, 7):
        sizes = [wanted, 5][: len(shape) - 1]
        network = rt.as_network(resizing(tmp_path / "m.onnx", shape, sizes=sizes, **how))
        expected = matrix_in_torch(shape, size=sizes, mode=mode, align_corners=corners)
        np.testing.assert_allclose(matrix_of(network), expected, atol=1e-12)


@pytest.mark.parametrize("mode", ["nearest", "linear", "bicubic"])
@pytest.mark.parametrize("scale", [0.5, 1.25, 1.4, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("n", [4, 5, 6])
def test_scales_are_those_of_torch(mode: str, scale: float, n: int, tmp_path: Path) -> None:
    """Among them 5 · 1.4, which is 7 in single precision, and a little less as a number."""
    shape = (1, n, n) if mode == "bicubic" else (1, n)
    scales = [scale] * (len(shape) - 1)
    how: dict[str, Any] = {"mode": mode.removeprefix("bi")}
    if mode == "nearest":
        how |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    path = resizing(tmp_path / "m.onnx", shape, scales=scales, **how)
    expected = matrix_in_torch(shape, scale_factor=scales, mode=mode)
    np.testing.assert_allclose(matrix_of(rt.as_network(path)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("n", "scale", "how", "reason"),
    [
        # torch and onnxruntime end at the last entry, the cases of the onnx package before it.
        (3, 1.5, {"mode": "linear", "coordinate_transformation_mode": "align_corners"}, "corners"),
        (5, 0.5, {"mode": "cubic", "coordinate_transformation_mode": "align_corners"}, "corners"),
        # torch and onnxruntime copy three entries, by the definition they are moved.
        (3, 1.3, {"mode": "linear"}, "as many other places"),
        (3, 1.3, {"mode": "cubic"}, "as many other places"),
        (4, 1.2, {"mode": "nearest", "nearest_mode": "floor"}, "as many other places"),
        (6, 7 / 3, {"mode": "nearest", "coordinate_transformation_mode": "asymmetric",
                    "nearest_mode": "ceil"}, "are rounded"),
    ],
)  # fmt: skip
def test_what_runtimes_compute_in_another_way_is_refused(
    n: int, scale: float, how: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    path = resizing(tmp_path / "m.onnx", (1, n, 4), scales=[scale, 1.0], **how)
    with pytest.raises(UnsupportedModuleError, match=f"{reason}.*with a fixed output size"):
        rt.as_network(path)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_a_single_entry_stays(mode: str, tmp_path: Path) -> None:
    path = resizing(tmp_path / "m.onnx", (2, 1, 2), scales=[1.3, 1.0], mode=mode)
    np.testing.assert_array_equal(matrix_of(rt.as_network(path)), np.eye(4))


@pytest.mark.parametrize("opset", [9, 10])
def test_old_operator_sets_are_read_where_they_are_clear(opset: int, tmp_path: Path) -> None:
    for n, scale in ((5, 2.5), (4, 0.5), (3, 2.0)):
        network = rt.as_network(resizing(tmp_path / "m.onnx", (1, n), opset=opset, scales=[scale]))
        expected = matrix_in_torch((1, n), scale_factor=scale)
        np.testing.assert_array_equal(matrix_of(network), expected)
    path = resizing(tmp_path / "m.onnx", (1, 5), opset=opset, scales=[0.6])
    with pytest.raises(UnsupportedModuleError, match="are rounded"):
        rt.as_network(path)


def test_proportions_and_axes(tmp_path: Path) -> None:
    k, how = np.array([4, 9]), {"mode": "linear", "axes": [2, 3]}
    for policy, size in (("not_larger", (4, 6)), ("not_smaller", (6, 9)), ("stretch", (4, 9))):
        nodes = [
            node("Resize", ["x", "", "", "k"], "y", keep_aspect_ratio_policy=policy, **how)
        ]  # fmt: skip
        path = write(tmp_path / "m.onnx", nodes, ("batch", 1, 2, 3), {"k": k}, opset=18)
        expected = matrix_in_torch((1, 2, 3), size=size, mode="bilinear")
        np.testing.assert_allclose(matrix_of(rt.as_network(path)), expected, atol=1e-12)


TRANSFORMS = (
    *("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric"),
)


def test_random_resizing_is_that_of_onnxruntime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    runtime: Any = pytest.importorskip("onnxruntime")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    rng, n_equal = np.random.default_rng(0), 0
    for _ in range(120):
        shape = (1, *map(int, rng.integers(1, 7, 2)))
        mode = str(rng.choice(["nearest", "linear", "cubic"]))
        how: dict[str, Any] = {
            "mode": mode, "coordinate_transformation_mode": str(rng.choice(TRANSFORMS)),
            "exclude_outside": int(rng.integers(2)) if mode == "cubic" else 0,
            "nearest_mode": str(rng.choice(["floor", "ceil", "round_prefer_floor",
                                            "round_prefer_ceil"])),
        }  # fmt: skip
        if rng.random() < 0.5:
            how["sizes"] = rng.integers(1, 9, 2).tolist()
        else:
            how["scales"] = rng.choice([0.5, 0.75, 1.0, 1.3, 1.4, 1.5, 2.0, 2.5], 2).tolist()
        path = resizing(tmp_path / "m.onnx", shape, opset=19, **how)
        try:
            session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            units = np.eye(int(np.prod(shape)), dtype=f4).reshape(-1, 1, *shape)
            expected = np.stack([session.run(None, {"x": x})[0].ravel() for x in units], axis=1)
            network = rt.as_network(path)
        except RelutopoError:
            continue
        except Exception:  # what onnxruntime does not know
            continue
        np.testing.assert_allclose(matrix_of(network), expected, atol=1e-5, err_msg=str(how))
        n_equal += 1
    assert n_equal > 30
