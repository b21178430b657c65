"""relutopo: the polyhedral decomposition of ReLU networks and its topology.

Importing this package loads nothing else: a name of the public face is imported, with NumPy and
SciPy, when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from relutopo.complex import CellComplex, load_complex
    from relutopo.decomposition import WholeSpace, decompose, decompose_whole_space
    from relutopo.geometry.cells import ON_BOUNDARY, OUTSIDE
    from relutopo.geometry.domain import Box, Domain
    from relutopo.geometry.mesh import save_mesh
    from relutopo.geometry.polytope import Polytope
    from relutopo.geometry.slices import AffineSlice
    from relutopo.geometry.storage import save_complex
    from relutopo.homology.boundary import boundary_matrix
    from relutopo.homology.decision_boundary import DecisionBoundary, decision_boundary
    from relutopo.homology.diagram import BettiCurve, Diagram
    from relutopo.homology.filtration import Filtration
    from relutopo.homology.persistence import betti_curves, betti_numbers, filtration, persistence
    from relutopo.interfaces.reducer import BoundaryMatrix
    from relutopo.networks.graph import GraphNetwork
    from relutopo.networks.network import Network
    from relutopo.networks.perceptron import ReluNetwork
    from relutopo.networks.reading import as_network
    from relutopo.spectral.dual_graph import DualGraph
    from relutopo.spectral.export import save_graphml
    from relutopo.spectral.fiedler import FiedlerPartition, fiedler_partition
    from relutopo.spectral.region_search import RegionSearch, search_regions

__version__ = "0.1.0"

__all__ = [
    "ON_BOUNDARY",
    "OUTSIDE",
    "AffineSlice",
    "BettiCurve",
    "BoundaryMatrix",
    "Box",
    "CellComplex",
    "DecisionBoundary",
    "Diagram",
    "Domain",
    "DualGraph",
    "FiedlerPartition",
    "Filtration",
    "GraphNetwork",
    "Network",
    "Polytope",
    "RegionSearch",
    "ReluNetwork",
    "WholeSpace",
    "as_network",
    "betti_curves",
    "betti_numbers",
    "boundary_matrix",
    "decision_boundary",
    "decompose",
    "decompose_whole_space",
    "fiedler_partition",
    "filtration",
    "load_complex",
    "persistence",
    "save_complex",
    "save_graphml",
    "save_mesh",
    "search_regions",
]

_NAMES = {
    "relutopo.decomposition": "WholeSpace decompose decompose_whole_space",
    "relutopo.complex": "CellComplex load_complex",
    "relutopo.geometry.cells": "ON_BOUNDARY OUTSIDE",
    "relutopo.geometry.storage": "save_complex",
    "relutopo.geometry.domain": "Box Domain",
    "relutopo.networks.graph": "GraphNetwork",
    "relutopo.geometry.mesh": "save_mesh",
    "relutopo.networks.network": "Network",
    "relutopo.networks.perceptron": "ReluNetwork",
    "relutopo.networks.reading": "as_network",
    "relutopo.geometry.polytope": "Polytope",
    "relutopo.geometry.slices": "AffineSlice",
    "relutopo.homology.boundary": "boundary_matrix",
    "relutopo.interfaces.reducer": "BoundaryMatrix",
    "relutopo.homology.decision_boundary": "DecisionBoundary decision_boundary",
    "relutopo.homology.diagram": "BettiCurve Diagram",
    "relutopo.homology.filtration": "Filtration",
    "relutopo.homology.persistence": "betti_curves betti_numbers filtration persistence",
    "relutopo.spectral.dual_graph": "DualGraph",
    "relutopo.spectral.export": "save_graphml",
    "relutopo.spectral.fiedler": "FiedlerPartition fiedler_partition",
    "relutopo.spectral.region_search": "RegionSearch search_regions",
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names.split()}

if not TYPE_CHECKING:  # type checkers know the names from above, and no others

    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module 'relutopo' has no attribute {name!r}")
        value = globals()[name] = getattr(import_module(_HOMES[name]), name)
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
