"""Algebraic multigrid by aggregation, and LOBPCG preconditioned with it."""
