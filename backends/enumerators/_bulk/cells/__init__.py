"""Faces and incidences as arrays."""
