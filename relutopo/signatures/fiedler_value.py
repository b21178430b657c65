"""The Fiedler value of the dual graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relutopo.signatures.base import Column, Signature
from relutopo.signatures.subject import Cut, Subject

__all__ = ["FiedlerValue"]


@dataclass(frozen=True)
class FiedlerValue(Cut, Signature):
    """The smallest non-zero eigenvalue of the weighted Laplacian; see `Cut` for its options.

    It depends on the training data by the vertex weights.
    """

    columns = (Column("fiedler_value", "1", "eigenvalue of the Fiedler vector"),)

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the value, if there is a Fiedler vector."""
        part = subject.partition(self).part
        return {} if part is None else {"fiedler_value": part.value}
