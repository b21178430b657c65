"""Kernels for namespaces that compile them: CuPy.

A kernel goes once through arrays that operations on whole arrays would go through many times. Each
stands beside the operations that it replaces. Its body is that of a loop over i, in what C and CUDA
C++ share; the tests compile it for the processor and compare the two. CUDA may fuse a product and a
sum where C does not; all bounds of errors hold either way (`relutopo.geometry.network`).
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
    name, inputs, outputs, body : str
        All arrays are raw: they are indexed by the body, row by row.
    """

    name: str
    inputs: str
    outputs: str
    body: str

    def on(self, xp: Any, **constants: int) -> Any:
        """Return the kernel for a namespace, or None if it compiles none.

        Parameters
        ----------
        xp : module
        **constants : int
            Numbers that are known when it is compiled, such as lengths of small arrays.

        Returns
        -------
        callable
            Takes inputs and outputs, and how often the loop runs as `size`.
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
