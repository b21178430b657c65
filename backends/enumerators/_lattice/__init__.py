"""The enumerator `cpu` in any dimension; see `enumeration`."""
