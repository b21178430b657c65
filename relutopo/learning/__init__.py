"""Data sets, a small trainer, checkpoints, and signatures along a training run."""
