"""The three backend roles, and the records that they return.

Each role is an abstract class with one method that a backend must implement. The docstring of the
role states the laws that every backend obeys; tests check them for every registered backend.

Invariant: a backend's result is used only after `checked_cells`, `checked_eigenpair` or
`checked_reduction`, which test the laws that can be tested in the time of reading the result.
"""

from relutopo.interfaces.eigensolver import (
    EigenResult,
    Eigensolver,
    PreparedLaplacian,
    checked_eigenpair,
    checked_preparation,
    refused_record,
)
from relutopo.interfaces.enumerator import Enumerator, checked_cells
from relutopo.interfaces.progress import Progress, check_progress
from relutopo.interfaces.reducer import BoundaryMatrix, Reducer, Reduction, checked_reduction
from relutopo.system.public_names import listing

__all__ = [
    "BoundaryMatrix",
    "EigenResult",
    "Eigensolver",
    "Enumerator",
    "PreparedLaplacian",
    "Progress",
    "Reducer",
    "Reduction",
    "check_progress",
    "checked_cells",
    "checked_eigenpair",
    "checked_preparation",
    "checked_reduction",
    "refused_record",
]

__dir__ = listing(__name__)
