"""The PHAT library (Bauer, Kerber, Reininghaus, Wagner, J. Symbolic Computation 78, 2017).

Its Python functions take lists of lists and return pairs one by one. Its binary formats, through
temporary files in both directions, take a tenth of the time; the files are kept in memory if the
system has a folder for that. A matrix file is a sequence of int64: the number of columns, then for
each column its dimension, its number of rows and its rows. A pair file is the number of pairs, then
birth and death of each.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.checks import check_choice, check_flag
from relutopo.interfaces import Reducer, Reduction
from relutopo.interfaces.reducer import BoundaryMatrix
from relutopo.optional import require

__all__ = ["PhatReducer"]

_SHARED_MEMORY = Path("/dev/shm")


class PhatReducer(Reducer):
    """Calls PHAT.

    Parameters
    ----------
    algorithm : {"twist", "chunk", "standard", "row", "spectral_sequence"}
        How columns are reduced.
    representation : str
        How PHAT stores columns: "bit_tree_pivot_column", "sparse_pivot_column",
        "full_pivot_column", "vector_vector", "vector_heap", "vector_set" or "vector_list".
    dualized : bool, default False
        Reduce the anti-transpose instead (cohomology); the pairs are the same.

    Raises
    ------
    MissingExtraError
        If PHAT is not installed.
    InputError
        If PHAT has no such algorithm or representation.

    Examples
    --------
    >>> from relutopo.interfaces.reducer import BoundaryMatrix
    >>> edge = BoundaryMatrix(np.array([0, 0, 0, 2]), np.array([0, 1]), np.array([0, 0, 1]))
    >>> result = PhatReducer("chunk").reduce(edge)
    >>> result.pairs.tolist(), result.essential.tolist(), result.method
    ([[1, 2]], [0], 'phat (chunk, bit_tree_pivot_column)')
    """

    def __init__(
        self,
        algorithm: str = "twist",
        representation: str = "bit_tree_pivot_column",
        dualized: bool = False,
    ) -> None:
        self._phat = require("phat", "the reducer 'phat'")
        algorithms = {a.name.removesuffix("_reduction"): a for a in self._phat.reductions}
        representations = {r.name: r for r in self._phat.representations}
        remedy = "leave it out"
        self.algorithm = check_choice("algorithm", algorithm, algorithms, remedy=remedy)
        self.representation = check_choice(
            "representation", representation, representations, remedy=remedy
        )
        self.dualized = check_flag("dualized", dualized)
        self._algorithm = algorithms[self.algorithm]
        self._representation = representations[self.representation]

    def __repr__(self) -> str:
        return f"PhatReducer({self.algorithm!r}, {self.representation!r}, {self.dualized})"

    def reduce(self, boundary: BoundaryMatrix) -> Reduction:
        """Return the persistence pairs; see `Reducer`."""
        begin = time.perf_counter()
        in_memory = _SHARED_MEMORY.is_dir() and os.access(_SHARED_MEMORY, os.W_OK)
        with tempfile.TemporaryDirectory(dir=_SHARED_MEMORY if in_memory else None) as folder:
            matrix = self.load(boundary, Path(folder))
            found = self.pair(matrix)
            pair_file = Path(folder) / "pairs"
            _succeed(found.save_binary(str(pair_file)), pair_file)
            pairs = np.fromfile(pair_file, dtype=np.int64)[1:].reshape(-1, 2)
        death = np.full(boundary.n_columns, -1, dtype=np.int64)
        death[pairs[:, 0]] = pairs[:, 1]
        births = np.flatnonzero(death >= 0)
        pairs = np.stack([births, death[births]], axis=1)
        death[pairs[:, 1]] = 0
        essential = np.flatnonzero(death < 0)
        options = f"{self.algorithm}, {self.representation}{', dualized' * self.dualized}"
        return Reduction(pairs, essential, time.perf_counter() - begin, f"phat ({options})")

    def load(self, boundary: BoundaryMatrix, folder: Path) -> Any:
        """Return PHAT's own boundary matrix, read from a file in `folder`."""
        path = folder / "matrix"
        _encode(boundary).tofile(path)
        matrix = self._phat.boundary_matrix(representation=self._representation)
        _succeed(matrix.load(str(path)), path)
        return matrix

    def pair(self, matrix: Any) -> Any:
        """Return PHAT's own persistence pairs of its own boundary matrix, which is destroyed."""
        if self.dualized:
            return matrix.compute_persistence_pairs_dualized(self._algorithm)
        return matrix.compute_persistence_pairs(self._algorithm)


def _encode(boundary: BoundaryMatrix) -> NDArray[np.int64]:
    n = boundary.n_columns
    heads = 1 + boundary.indptr[:-1] + 2 * np.arange(n)
    numbers = np.empty(1 + 2 * n + len(boundary.indices), dtype=np.int64)
    is_row = np.ones(len(numbers), dtype=bool)
    is_row[0] = is_row[heads] = is_row[heads + 1] = False
    numbers[0] = n
    numbers[heads] = boundary.dimensions
    numbers[heads + 1] = np.diff(boundary.indptr)
    numbers[is_row] = boundary.indices
    return numbers


def _succeed(done: bool, path: Path) -> None:
    if not done:
        raise OSError(f"PHAT could not use the temporary file {path}; is the disk full?")
