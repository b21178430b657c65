"""Networks along segments of their input space, whatever its dimension."""
