"""Kernels: loops over elements, for namespaces that make them (CuPy).

What operations on whole arrays would go through many times, or cannot do, is written as the body
of a loop, in what C and CUDA C++ share. The tests compile it for the processor and compare it with
the operations on arrays of NumPy beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

__all__ = ["Kernel"]


@dataclass(frozen=True)
class Kernel:
    """A kernel over elements, in the terms of `cupy.ElementwiseKernel`.

    Attributes
    ----------
    name : str
        A name in C, of this kernel alone.
    inputs, outputs : str
        Types and names of the parameters; an output at least is not ``raw``, and has the elements
        that the loop is over.
    body : str
        Of the loop; ``i`` is the element.
    """

    name: str
    inputs: str
    outputs: str
    body: str

    def on(self, xp: Any) -> Any:
        """Return what runs it, called with all inputs and outputs; None if `xp` makes no kernels.

        Examples
        --------
        >>> import numpy as np
        >>> Kernel("twice", "float64 x", "float64 y", "y = 2 * x;").on(np) is None
        True
        """
        return _made(xp, self)


@lru_cache(maxsize=64)
def _made(xp: Any, kernel: Kernel) -> Any:
    if not hasattr(xp, "ElementwiseKernel"):
        return None
    return xp.ElementwiseKernel(kernel.inputs, kernel.outputs, kernel.body, kernel.name)
