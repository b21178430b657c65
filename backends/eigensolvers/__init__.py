"""Backends of the eigensolver role, one file each."""
