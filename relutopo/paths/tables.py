"""The table of segments.

Invariant: every column is declared here as a `Column`.
"""

from __future__ import annotations

from relutopo.reports.columns import Column

__all__ = ["COLUMNS_OF_SEGMENTS"]

COLUMNS_OF_SEGMENTS = (
    Column("segment", "segment", "its number"),
    Column("start", "point", "number of the point where it begins; only for segments of pairs"),
    Column("end", "point", "number of the point where it ends; only for segments of pairs"),
    Column("same_label", "1", "whether both points have one label; only if labels are given"),
    Column("length", "input", "Euclidean length"),
    Column("n_crossings", "knots", "places inside the segment at which neurons switch"),
    Column("n_meetings", "knots", "those of them at which different planes meet"),
    Column("hamming", "neurons", "neurons in which the patterns at both ends differ"),
    Column("n_class_changes", "1", "how many times another output becomes the greatest"),
    Column(
        "first_class_change",
        "1",
        "where that happens first, as a fraction of the segment; NaN if it does not",
    ),
    Column("displacement", "output", "distance of the outputs at both ends"),
    Column("variation", "output", "length of the path of the outputs along the segment"),
    Column(
        "departure",
        "output",
        "mean distance, over the segment, of the outputs from the chord that joins those at both "
        "ends: 0 where the network is affine",
    ),
)
"""What `Segments.table` has."""
