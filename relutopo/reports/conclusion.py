"""What comes of an analysis of one run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Conclusion"]


@dataclass(frozen=True)
class Conclusion:
    """What comes of an analysis.

    Attributes
    ----------
    summary : sequence of rich renderables
        For the person at the terminal.
    measures : mapping of str to float
        The numbers by which jobs of a sweep are compared; the most important first. NaN where
        there is none.
    """

    summary: Sequence[RenderableType]
    measures: Mapping[str, float]
