"""Certain signs: from error bounds of floats, then twice the precision, then integers."""
