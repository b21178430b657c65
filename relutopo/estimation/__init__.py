"""The cost of a decomposition, estimated before it is made."""
