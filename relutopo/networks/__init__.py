"""Networks as the geometry needs them, and every way to read one."""
