"""The results of an analysis: of one run, and of the jobs of a sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from rich.console import RenderableType

__all__ = ["Conclusion", "SweepConclusion"]


@dataclass(frozen=True)
class Conclusion:
    """The results of an analysis of one run.

    Attributes
    ----------
    tables : mapping of str to pandas.DataFrame
        By the name of their file; ``results`` is one of them.
    summary : sequence of rich renderables
        Shown at the terminal.
    measures : mapping of str to float
        The numbers by which jobs of a sweep are compared; the most important first. NaN where
        unknown.
    """

    tables: Mapping[str, pd.DataFrame]
    summary: Sequence[RenderableType]
    measures: Mapping[str, float]


@dataclass(frozen=True)
class SweepConclusion:
    """The results of an analysis of a sweep, besides the measures of its jobs.

    Attributes
    ----------
    summary : sequence of rich renderables
        Shown at the terminal.
    tables : mapping of str to pandas.DataFrame
        By the name of their file.
    figures : mapping of str to matplotlib.figure.Figure
        By the name of their file.
    """

    summary: Sequence[RenderableType] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
