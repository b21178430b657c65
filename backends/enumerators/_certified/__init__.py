"""Signs that are certain: bounds of rounding, then twice the precision, then integers."""
