"""relutopo: the polyhedral decomposition of ReLU networks and its topology.

Importing this package loads NumPy and SciPy only.
"""

from relutopo.api import decompose
from relutopo.geometry.complex import ON_BOUNDARY, OUTSIDE, CellComplex
from relutopo.geometry.domain import Box, Domain
from relutopo.geometry.network import Network, ReluNetwork, as_network
from relutopo.spectral.dual_graph import DualGraph
from relutopo.spectral.fiedler import FiedlerPartition, fiedler_partition

__version__ = "0.1.0"

__all__ = [
    "ON_BOUNDARY",
    "OUTSIDE",
    "Box",
    "CellComplex",
    "Domain",
    "DualGraph",
    "FiedlerPartition",
    "Network",
    "ReluNetwork",
    "as_network",
    "decompose",
    "fiedler_partition",
]
