"""A campaign of hostile inputs, each compared with what does not depend on the code under test."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "support"))  # as pytest does

MODULES = [
    "tests.campaign.network_kinds",
    "tests.campaign.graphs",
    "tests.campaign.homology",
    "tests.campaign.interrupts",
    "tests.campaign.modules",
    "tests.campaign.files",
    "tests.campaign.processes",
    "tests.campaign.command",
    "tests.campaign.arguments",
    "tests.campaign.kills",
]
"""What registers kinds."""
