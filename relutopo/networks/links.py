"""Links: final functions of a model's outputs that change no region and no decision.

A link is the last step of a model: a sigmoid, a softmax, an argmax. Its name is kept with the
network, and it is applied only when the model's own outputs are asked for.

Invariant: a link is strictly increasing, the same for each output, or it keeps the order of the
outputs. A hard sigmoid does not, since it saturates: it is made of kinks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, log_softmax, softmax

__all__ = ["LINKS", "apply_link", "reason_against_link"]

LINKS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "sigmoid": lambda z: np.asarray(expit(z)),
    "tanh": np.tanh,
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


_OVER_OUTPUTS = ("softmax", "log_softmax", "argmax")
_PROBABILITIES = ("sigmoid", "softmax", "complement")


def reason_against_link(names: Sequence[str], n_outputs: int) -> str | None:
    """Return why last steps change a decision, None if they are a link.

    Parameters
    ----------
    names : sequence of str
        Names of `LINKS`, in the order in which they are applied.
    n_outputs : int
        How many outputs the first of them takes.

    Examples
    --------
    >>> reason_against_link(["sigmoid", "complement"], 1)
    >>> reason_against_link(["softmax"], 1)
    'softmax of one output is constant'
    """
    for i, name in enumerate(names):
        before = names[i - 1] if i else ""
        if before == "argmax":
            return "argmax must be the last of them"
        if n_outputs == 1 and name in _OVER_OUTPUTS:
            return f"{name} of one output is constant"
        if n_outputs == 1 and before and name in ("sigmoid", "tanh"):
            return f"{name} after {before} moves the threshold"
        if name == "log" and before not in _PROBABILITIES:
            return "log is increasing for probabilities only"
        if name == "complement":
            if n_outputs > 1:
                return (
                    f"1 - p and p of {n_outputs} probabilities p are {2 * n_outputs} outputs, of "
                    "which the greatest is not that of p"
                )
            if tuple(names[:i]) != ("sigmoid",):
                return f"1 - p and p are equal where p is 0.5, which is not the zero of {before}"
            n_outputs = 2
    return None
