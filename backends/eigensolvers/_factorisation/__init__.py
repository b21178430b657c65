"""A sparse Cholesky factorisation by nested dissection."""
