"""The dictionary of columns is that of the code."""

from __future__ import annotations

from pathlib import Path

from relutopo.analyses.columns import dictionary


def test_the_page_of_columns_is_made_from_the_code() -> None:
    page = Path(__file__).parents[2] / "docs" / "columns.md"
    assert page.read_text() == dictionary(), "python -m relutopo.analyses.columns > docs/columns.md"
