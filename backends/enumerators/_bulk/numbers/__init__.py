"""Maps, values and their bounds as arrays."""
