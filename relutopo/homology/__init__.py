"""Filtrations, boundary matrices over Z/2, persistence, and cycles that represent classes."""
