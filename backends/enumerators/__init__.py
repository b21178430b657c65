"""Backends of the enumerator role, one file each."""
