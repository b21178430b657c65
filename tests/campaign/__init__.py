"""A campaign of hostile inputs, each compared with what does not depend on the code under test."""

MODULES = [
    "tests.campaign.network_kinds",
    "tests.campaign.graphs",
    "tests.campaign.homology",
    "tests.campaign.interrupts",
]
"""What registers kinds."""
