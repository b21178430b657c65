"""A process that looks for walls for another one: ``python -m relutopo.geometry.crew_member``."""

from __future__ import annotations

import os
import sys

from relutopo.geometry.crew import serve

if __name__ == "__main__":
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as target:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what is printed must not get between
        serve(sys.stdin.buffer, target)
