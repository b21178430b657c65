"""What is computed of a training run."""
