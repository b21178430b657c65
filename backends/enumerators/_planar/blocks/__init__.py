"""Blocks: parts of a complex that are cut one at a time."""
