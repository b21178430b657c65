"""What the `relutopo` command is made of: jobs, sweeps, and their configuration."""
