"""Links: final functions of a model's outputs that change no region and no decision.

A link is the last step of a model: a sigmoid, a softmax, an argmax. Its name is kept with the
network, and it is applied only when the model's own outputs are asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

__all__ = ["LINKS", "apply_link"]

LINKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "sigmoid": lambda z: np.asarray(expit(z)),
    "tanh": np.tanh,
    "hardsigmoid": lambda z: np.clip(z / 6 + 0.5, 0.0, 1.0),
    "softmax": lambda z: np.asarray(softmax(z, axis=1)),
    "log_softmax": lambda z: np.asarray(log_softmax(z, axis=1)),
    "log": np.log,
    "complement": lambda z: np.concatenate([1.0 - z, z], axis=1),
    "argmax": lambda z: np.argmax(z, axis=1)[:, None].astype(np.float64),
}
"""Links by name: functions of outputs of shape (n, n_outputs).

``log`` and ``complement`` (p becomes the pair 1 - p, p) only follow another link.
"""


def apply_link(link: str | None, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the outputs of a model with this link.

    Parameters
    ----------
    link : str or None
        Names of `LINKS`, joined by commas in the order in which they are applied; None changes
        nothing.
    outputs : (n, n_outputs) ndarray
        The outputs of the network before the link.

    Examples
    --------
    >>> apply_link("sigmoid", np.array([[0.0]])).tolist()
    [[0.5]]
    >>> apply_link("softmax, argmax", np.array([[0.0, 2.0, 1.0]])).tolist()
    [[1.0]]
    """
    for name in link.split(", ") if link else ():
        outputs = LINKS[name](outputs)
    return outputs
