"""Numbers of a network and its training data alone: one file for each."""
