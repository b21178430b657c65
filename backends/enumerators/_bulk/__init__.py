"""The enumerator that works by operations on whole arrays, on whatever device; see `enumerator`."""
