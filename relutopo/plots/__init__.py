"""Figures of complexes, partitions, homology and costs."""
