"""The interactive page: a complex, a partition, a slice in the browser."""
