"""The page that people touch: a complex, a partition, a slice in the browser."""
