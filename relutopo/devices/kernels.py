"""Kernels: loops over elements, for namespaces that compile them (CuPy).

What operations on whole arrays would go through many times, or cannot do, is written as the body
of a loop over i, in what C and CUDA C++ share, beside the operations on arrays of NumPy that it
replaces. The tests compile it for the processor and compare the two. CUDA may fuse a product and a
sum where C does not; all bounds of errors hold either way (`relutopo.networks.network`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

__all__ = ["Kernel"]

# Of 32 neighbouring threads every one has a bit of a word. The last macro must be reached by all of
# them, and on a processor the words must be zero before.
_MACROS = """
#ifdef __CUDACC__
#define LOWEST_BIT(word) (__ffsll((long long)(word)) - 1)
#define N_BITS(word) __popcll(word)
#define INFINITE __longlong_as_double(0x7ff0000000000000LL)
#define SET_BIT(words, first, j, flag) { \\
    unsigned int found = __ballot_sync(0xffffffffu, flag); \\
    if (((j) & 31) == 0) words[(first) + ((j) >> 5)] = found; }
#else
#define LOWEST_BIT(word) __builtin_ctzll(word)
#define N_BITS(word) __builtin_popcountll(word)
#define INFINITE HUGE_VAL
#define SET_BIT(words, first, j, flag) { \\
    if (flag) words[(first) + ((j) >> 5)] |= 1u << ((j) & 31); }
#endif
"""


@dataclass(frozen=True)
class Kernel:
    """A loop over elements, in the terms of `cupy.ElementwiseKernel`.

    Attributes
    ----------
    name : str
        A name in C, of this kernel alone.
    inputs, outputs : str
        Types and names of the parameters. What is ``raw`` is an array, indexed row by row.
    body : str
        Of the loop; ``i`` is the element. It can use the macros LOWEST_BIT, N_BITS, INFINITE, and
        SET_BIT(words, first, j, flag), which sets bit j of the 32-bit words from ``words[first]``
        on, where threads i, i + 1, ... have consecutive j.
    """

    name: str
    inputs: str
    outputs: str
    body: str

    def on(self, xp: Any, **constants: int) -> Any:
        """Return what runs it, or None if a namespace compiles no kernels.

        Parameters
        ----------
        xp : module
        **constants : int
            Numbers that are known when it is compiled, such as lengths of small arrays.

        Returns
        -------
        callable
            Takes inputs and outputs. The loop is over the elements of the outputs that are not raw;
            where all are, `size` says how often it runs.

        Examples
        --------
        >>> import numpy as np
        >>> Kernel("twice", "float64 x", "float64 y", "y = 2 * x;").on(np) is None
        True
        """
        if not hasattr(xp, "ElementwiseKernel"):
            return None
        return _compiled(xp, self, tuple(sorted(constants.items())))


@cache
def _compiled(xp: Any, kernel: Kernel, constants: tuple[tuple[str, int], ...]) -> Any:
    definitions = "".join(f"#define {name} {value}\n" for name, value in constants)
    return xp.ElementwiseKernel(
        kernel.inputs,
        kernel.outputs,
        kernel.body,
        kernel.name,
        preamble=_MACROS + definitions,
    )
