"""Hydra configuration files of the `relutopo` command."""
