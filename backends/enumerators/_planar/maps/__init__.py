"""Affine maps of regions, and values at their vertices."""
