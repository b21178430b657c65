"""What a decomposition will cost, before it is made."""
