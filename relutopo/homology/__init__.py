"""Boundary matrices over Z/2 and what their reduction says."""
