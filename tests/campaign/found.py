"""What campaigns have found, made small: kind, check, case. Each is right since it was mended."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from tests.campaign.cases import NetworkCase

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
]
