"""Dual graphs, weighted Laplacians, and Fiedler partitions."""
