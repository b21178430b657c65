"""Numbers whose signs are certain: rounding bounds, and integers."""
