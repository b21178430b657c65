"""Lists, bit sets and equal rows as arrays."""
