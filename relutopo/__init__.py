"""relutopo: the polyhedral decomposition of ReLU networks and its topology.

Importing this package loads NumPy and SciPy only.
"""

from relutopo.api import decompose
from relutopo.geometry.complex import ON_BOUNDARY, OUTSIDE, CellComplex
from relutopo.geometry.domain import Box, Domain
from relutopo.geometry.graph import GraphNetwork
from relutopo.geometry.mesh import save_mesh
from relutopo.geometry.network import Network, ReluNetwork, as_network
from relutopo.geometry.polytope import Polytope
from relutopo.geometry.slices import AffineSlice
from relutopo.homology.boundary import BoundaryMatrix, boundary_matrix
from relutopo.homology.decision_boundary import DecisionBoundary, decision_boundary
from relutopo.homology.diagram import BettiCurve, Diagram
from relutopo.homology.filtration import Filtration
from relutopo.homology.persistence import betti_curves, betti_numbers, filtration, persistence
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.export import save_graphml
from relutopo.spectral.fiedler import FiedlerPartition, fiedler_partition
from relutopo.spectral.region_search import RegionSearch, search_regions
from relutopo.whole_space import WholeSpace, decompose_whole_space

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
    "persistence",
    "save_graphml",
    "save_mesh",
    "search_regions",
]
