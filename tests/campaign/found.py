"""What campaigns have found, made small: kind, check, case. Each is right since it was mended."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from tests.campaign.cases import NetworkCase
from tests.campaign.files import FileCase
from tests.campaign.graphs import GraphCase

__all__ = ["FOUND"]

_ = inf, nan  # cases print them so

FOUND: list[tuple[str, str, Any]] = [
    (
        "ternary",
        "location",
        NetworkCase(
            weights=[[[1.0, 0.0]], [[0.0]]],
            biases=[[1.0], [0.0]],
            domain=("box", [-2.0, 0.0], [-1.0, 1.0]),
            points=[[-1.0, 0.625]],
        ),
    ),
    (
        "points on kinks",
        "location",
        NetworkCase(
            weights=[[[1.0]], [[1.0]]],
            biases=[[0.0], [1.0]],
            domain=("box", [0.0], [1.0]),
            points=[[0.0]],
        ),
    ),
    (
        "scaled by 1e±150",
        "exact enumerator",
        NetworkCase(
            weights=[
                [[1.0, 0.0], [0.0, -1.1110131849487984e42]],
                [[0.0, -7.033258509485798e100], [0.0, 8.514948761055952e-65]],
                [[0.0, 0.0]],
            ],
            biases=[[0.0, -2.360488392739201e41], [0.0, -1.059688584831588e-65], [0.0]],
            domain=("box", [-0.2, -1.8], [2.0, 0.0]),
        ),
    ),
    (
        "scaled by 1e±150",
        "brute force",
        NetworkCase(
            weights=[[[-1.6e123]], [[1.0e124]], [[1.4e90]], [[0.0]]],
            biases=[[1.0], [0.0], [0.0], [0.0]],
            domain=("box", [-2.0], [0.0]),
        ),
    ),
    (
        "scaled by 1e±150",
        "exact enumerator",
        NetworkCase(
            weights=[
                [[1.0, 0.0], [0.0, -1.1110131849487984e42]],
                [[0.0, -7.033258509485798e100], [0.0, 8.514948761055952e-65]],
                [[0.0, 0.0]],
            ],
            biases=[[0.0, -2.360488392739201e41], [0.0, -1.059688584831588e-65], [0.0]],
            domain=("box", [-0.2, -1.8], [2.0, 0.0]),
        ),
    ),
    (
        "scaled by 1e±150",
        "brute force",
        NetworkCase(
            weights=[[[-1.6e123]], [[1.0e124]], [[1.4e90]], [[0.0]]],
            biases=[[1.0], [0.0], [0.0], [0.0]],
            domain=("box", [-2.0], [0.0]),
        ),
    ),
    (
        "rows whose squares vanish",
        "search of regions",
        NetworkCase(
            weights=[[[0.0, 1.6188315761928726e-168]], [[0.0]]],
            biases=[[0.0], [0.0]],
            domain=("box", [0.0, -0.2], [1.0, 1.0]),
        ),
    ),
    (
        "at the ends of the floats",
        "search of regions",
        NetworkCase(
            weights=[[[1e-300]], [[2.2e-308]], [[0.0]]],
            biases=[[1.0], [1.0], [1.0]],
            domain=("box", [0.0], [2.0]),
        ),
    ),
    ("damaged files: onnx", "refused or read", FileCase("onnx", [(359344, "set", 185)])),
    ("damaged files: onnx", "refused or read", FileCase("onnx", [(847249, "set", 80)])),
    ("damaged files: torch", "refused or read", FileCase("torch", [(986173, "flip", 70)])),
    (
        "cliques with weak bridges",
        "80 digits, amg_lobpcg",
        GraphCase(4, [(0, 1, 1.0), (0, 2, 1.0), (0, 3, 1e-21)], []),
    ),
]
