"""Implementations of the backend roles; reached by name through `relutopo.registry`."""
