"""Tables of what campaigns have found.

``python -m tests.campaign.table results.json ...`` prints them; with ``--page docs/trust.md`` they
are written to that page.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.campaign.framework import VERDICTS

__all__ = ["summary", "written"]

_BEGIN, _END = "<!-- campaign:", "<!-- end of campaign -->"


def summary(results: Sequence[dict[str, Any]]) -> str:
    """Return a table of verdicts by kind, and one of the checks that each group of kinds met.

    Parameters
    ----------
    results : sequence of dict
        What the campaign writes, of one run or several.
    """
    kinds: dict[str, list[str]] = {}
    verdicts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    checks: defaultdict[str, Counter[str]] = defaultdict(Counter)
    labels: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for result in results:
        kinds |= result["kinds"]
        for key, by_tags in result["counts"].items():
            name, check, verdict = key.split("|")
            verdicts[name][verdict] += sum(by_tags.values())
            checks[name][check] += sum(by_tags.values())
            for tag in (tag for tags in by_tags for tag in tags.split()):
                label, _, value = tag.partition("=")
                labels[name][label].add(value)
    ordered = sorted(kinds, key=lambda name: kinds[name][0])  # stable
    rows = [["kind", *VERDICTS, "tried with"]]
    rows += [
        [name, *(f"{verdicts[name][v]:,}" for v in VERDICTS), _ranges(labels[name])]
        for name in ordered
    ]
    totals = [sum(counter[verdict] for counter in verdicts.values()) for verdict in VERDICTS]
    total = f"{len(kinds)} kinds, {sum(totals):,} inputs"
    rows.append([total, *(f"{n:,}" for n in totals), ""])
    by_group: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for name in ordered:
        by_group[kinds[name][0]] += checks[name]
    against = [["check", *by_group]]
    against += [
        [check, *(f"{counter[check]:,}" for counter in by_group.values())]
        for check in dict.fromkeys(check for name in ordered for check in kinds[name][1:])
    ]
    never = [
        f"- {name}: {', '.join(missing)}"
        for name in ordered
        if (missing := [check for check in kinds[name][1:] if not checks[name][check]])
    ]
    parts = [_table(rows), _table(against)]
    if never:
        parts.append("Never tried:\n\n" + "\n".join(never))
    return "\n\n".join(parts)


def _ranges(labels: dict[str, set[str]]) -> str:
    parts = []
    for label, values in labels.items():
        if all(value.isdigit() for value in values):
            ends = sorted(map(int, values))
            parts.append(f"{label} {ends[0]}" + (f" to {ends[-1]}" if len(ends) > 1 else ""))
        else:
            parts.append(f"{label} {', '.join(sorted(values))}")
    return "; ".join(parts)


def _table(rows: list[list[str]]) -> str:
    rule = ["---", *("---:" for _ in rows[0][1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [rows[0], rule, *rows[1:]])


def written(page: str, table: str) -> str:
    """Return a page with the tables between its two marks."""
    before, mark, rest = page.partition(_BEGIN)
    line, _, rest = rest.partition("\n")
    _, end, after = rest.partition(_END)
    assert mark, f"the page needs {_BEGIN!r}"
    assert end, f"the page needs {_END!r}"
    return f"{before}{mark}{line}\n\n{table}\n\n{end}{after}"


def main() -> None:
    """Print the tables of the files that are named, or write them to a page."""
    parser = argparse.ArgumentParser(prog="python -m tests.campaign.table", description=__doc__)
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--page", type=Path, help="write them between its marks")
    chosen = parser.parse_args()
    results = [json.loads(path.read_text()) for path in chosen.results]
    commits = ", ".join(dict.fromkeys(result["commit"] for result in results))
    seconds = sum(result["seconds"] for result in results)
    table = f"At {commits}, in {seconds:,} seconds:\n\n{summary(results)}"
    if chosen.page:
        page = chosen.page.read_text(encoding="utf-8")
        chosen.page.write_text(written(page, table), encoding="utf-8")
    else:
        print(table)


if __name__ == "__main__":
    main()
