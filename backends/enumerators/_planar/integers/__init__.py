"""Planes as integers of several digits, for networks in which they are short and often meet."""
