"""How the network behaves on segments between training points."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from relutopo.paths.path_signatures import COLUMNS_OF_PATHS, path_signatures
from relutopo.reports.columns import Column
from relutopo.signatures.base import Signature
from relutopo.signatures.subject import Subject

__all__ = ["Paths"]

_PREFIX = "paths_"


@dataclass(frozen=True)
class Paths(Signature):
    """The numbers of `relutopo.path_signatures`; it has none if the targets are values.

    Parameters
    ----------
    n : int
        Largest number of pairs with equal labels, and of pairs with different labels.
    exact : bool, optional
        Whether segments that bounds leave open are recomputed in integers; by default for
        perceptrons only, see `relutopo.segments`.
    seed : int
        Of the choice of pairs.
    n_threads : int, optional
        By default the number of cores.
    device : int, optional
        Number of an NVIDIA card that finds the knots; by default the processor does.
    """

    n: int = 600
    exact: bool | None = None
    seed: int = 0
    n_threads: int | None = None
    device: int | None = None

    columns = tuple(
        Column(_PREFIX + column.name, column.unit, column.meaning) for column in COLUMNS_OF_PATHS
    )

    def compute(self, subject: Subject) -> Mapping[str, Any]:
        """Return the numbers, if the number of classes fits the outputs."""
        classes, labels, sizes = np.unique(subject.targets, return_inverse=True, return_counts=True)
        if len(classes) != max(2, subject.network.n_outputs) or sizes.max() < 2:
            return {}
        found = path_signatures(
            subject.network,
            subject.inputs,
            labels,
            n=self.n,
            seed=self.seed,
            exact=self.exact,
            n_threads=self.n_threads,
            device=self.device,
        )
        return {_PREFIX + name: value for name, value in found.items()}
