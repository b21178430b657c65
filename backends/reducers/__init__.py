"""Backends of the reducer role, one file each."""
