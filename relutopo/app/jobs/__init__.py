"""One job of the command: its identity, its folder, its work."""
