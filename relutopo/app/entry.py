"""What the command `relutopo` starts with: it works without the packages that the rest needs."""

from __future__ import annotations

import sys
from importlib import metadata

from relutopo.errors import MissingExtraError
from relutopo.optional import require

__all__ = ["main"]


def main() -> None:
    """Run the command with the arguments of the process."""
    if "--version" in sys.argv[1:]:
        print(f"relutopo {metadata.version('relutopo')}")
        return
    try:
        require("hydra", "the command 'relutopo'")
        from relutopo.app import cli  # loads Hydra
    except MissingExtraError as error:
        sys.exit(str(error))
    cli.main()
