"""Power laws of cost against size, fitted on logarithmic axes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relutopo.errors import InputError

__all__ = ["PowerLaw", "fit_power_law"]


@dataclass(frozen=True)
class PowerLaw:
    """cost ≈ factor · size^exponent.

    Attributes
    ----------
    exponent, factor : float
    spread : float
        Standard deviation of log(cost) around the law, as a factor ≥ 1: most costs lie within it.
    n : int
        Number of measurements.
    """

    exponent: float
    factor: float
    spread: float
    n: int

    def __call__(self, sizes: ArrayLike) -> NDArray[np.float64]:
        """Return the costs that the law gives for some sizes."""
        return self.factor * np.asarray(sizes, dtype=np.float64) ** self.exponent


def fit_power_law(sizes: ArrayLike, costs: ArrayLike) -> PowerLaw | None:
    """Fit a power law by least squares on logarithmic axes.

    Parameters
    ----------
    sizes, costs : (n,) array_like
        Positive.

    Returns
    -------
    PowerLaw or None
        None if there are not two different sizes.

    Raises
    ------
    InputError
        If the lengths differ, or a number is not positive and finite.

    Examples
    --------
    >>> law = fit_power_law([10, 100, 1000], [2.0, 20.0, 200.0])
    >>> round(law.exponent, 9), round(law.factor, 9)
    (1.0, 0.2)
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (sizes, costs))
    if x.shape != y.shape or x.ndim != 1:
        raise InputError(
            f"`sizes` and `costs` must have one length, got the shapes {x.shape} and {y.shape}; "
            "pass one cost for each size"
        )
    for name, values in (("sizes", x), ("costs", y)):
        if not (np.isfinite(values).all() and (values > 0).all()):
            raise InputError(
                f"`{name}` must be positive and finite, got {values.tolist()}; leave out what was "
                "not measured"
            )
    if len(np.unique(x)) < 2:
        return None
    exponent, offset = np.polyfit(np.log(x), np.log(y), 1)
    residuals = np.log(y) - (exponent * np.log(x) + offset)
    freedom = max(len(x) - 2, 1)
    spread = float(np.exp(np.sqrt(np.sum(residuals**2) / freedom)))
    return PowerLaw(float(exponent), float(np.exp(offset)), spread, len(x))
