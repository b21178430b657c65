"""Numbers whose signs are certain: rounding bounds, and integers; small kernels of all packages."""
