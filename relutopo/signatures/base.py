"""The base class of signatures.

A signature is computed from a network and its *training* data alone: a `Subject` has no other data.
Numbers that use held-out data are measures, and belong to analyses.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from relutopo.reports.columns import Column, row_of

if TYPE_CHECKING:
    from relutopo.signatures.subject import Subject

__all__ = ["Signature", "means_and_spreads", "with_spread"]


def with_spread(columns: Iterable[Column]) -> tuple[Column, ...]:
    """Return each column of means over filtrations, followed by one of standard deviations.

    Examples
    --------
    >>> [column.name for column in with_spread([Column("height", "1", "of the peak")])]
    ['height', 'height_std']
    """
    return tuple(
        entry
        for column in columns
        for entry in (
            column,
            replace(
                column,
                name=f"{column.name}_std",
                meaning=f"standard deviation of `{column.name}` over filtrations (n - 1 in the "
                "denominator); NaN for one",
            ),
        )
    )


def means_and_spreads(values: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the values of the columns of `with_spread`, as far as they are known.

    Parameters
    ----------
    values : mapping of str to sequence of float
        By column of means a value for each filtration, equally many.

    Examples
    --------
    >>> means_and_spreads({"height": [1.0, 3.0]}), means_and_spreads({"height": [2.0]})
    ({'height': 2.0, 'height_std': 1.4142135623730951}, {'height': 2.0})
    """
    numbers = np.array(list(values.values()), dtype=np.float64)
    found: dict[str, float] = {}
    if numbers.shape[1] > 0:
        found |= zip(values, numbers.mean(axis=1).tolist(), strict=True)
    if numbers.shape[1] > 1:
        names = (f"{name}_std" for name in values)
        found |= zip(names, numbers.std(axis=1, ddof=1).tolist(), strict=True)
    return found


class Signature(ABC):
    """A named number, or a few, of a network and its training data alone.

    Derive a frozen dataclass whose fields are its options, declare `columns`, and implement
    `compute`. A package makes it known by an entry point in the group ``relutopo.signature``.

    Attributes
    ----------
    columns : tuple of Column
        The columns of its values.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Density(Signature):
    ...     columns = (Column("density", "regions", "regions for each unit of volume"),)
    ...
    ...     def compute(self, subject):
    ...         return {"density": subject.complex.n_regions / subject.complex.volumes.sum()}
    """

    columns: ClassVar[tuple[Column, ...]]

    @abstractmethod
    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the value of each column.

        Laws: the same subject gives the same values; columns without a value on a network are left
        out; randomness comes from ``subject.seed`` and ``subject.step`` only.

        Parameters
        ----------
        subject : Subject
            It computes costly results once for all signatures: ``subject.complex``, whose
            ``output_maps()`` are the affine maps of the regions, ``subject.graph()``,
            ``subject.partition(...)``, and ``subject.regions``, the region of each training point,
            negative for points outside the domain or between regions. Signatures that need no
            complex use ``subject.network``, ``subject.inputs`` and ``subject.targets``.
        """

    def row(self, subject: Subject) -> dict[str, Any]:
        """Return a value for each column, the missing value where there is none; see `row_of`."""
        return row_of(self, self.columns, self.compute(subject), subject.dim_of(self.columns))
