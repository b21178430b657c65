"""What a page knows of an eigenvector: regions in its order, and the conductance of every cut."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.spectral.agreement import sweep_of
from relutopo.spectral.fiedler import FiedlerPartition

__all__ = ["parts_of_spectrum"]


def parts_of_spectrum(
    partition: FiedlerPartition,
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Return arrays and facts of a frame that shows an eigenvector.

    Parameters
    ----------
    partition : FiedlerPartition
    """
    sweep = sweep_of(partition)
    arrays: dict[str, NDArray[Any]] = {
        "spectrum:order": sweep.order,
        "spectrum:entries": partition.vector[sweep.order],
        "spectrum:conductance": sweep.conductance.astype(np.float32),
    }
    least, by_sign = (float(sweep.conductance[k]) for k in (sweep.best, sweep.sign))
    facts = {
        "cut": sweep.sign,
        "best": sweep.best,
        "conductance": least,
        "signConductance": by_sign if math.isfinite(by_sign) else None,
        "value": partition.value,
    }
    return arrays, {"spectrum": facts}
