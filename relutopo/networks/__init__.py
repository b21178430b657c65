"""What the geometry needs of a network, and every way to read one."""
