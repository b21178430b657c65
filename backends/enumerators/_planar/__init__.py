"""The enumerator `cpu` on lines and planes; see `enumeration`."""
