"""Jobs of the command: identity, folder, execution."""
