"""Rows of measurements in files, and what they have in common."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from relutopo.system.files import atomic_write

from .measuring import QUICK, machine

Row = dict[str, Any]
MIB = 2**20


@dataclass(frozen=True)
class Rows:
    """All rows, by part, and where and when they were measured."""

    parts: dict[str, list[Row]]
    machines: dict[str, dict[str, Any]]
    seconds: dict[str, float]

    def all(self, part: str, **facts: Any) -> list[Row]:
        """Return the rows that have these facts."""
        rows = self.parts.get(part, [])
        return [row for row in rows if all(row.get(k) == v for k, v in facts.items())]

    def best(self, part: str, **facts: Any) -> Row | None:
        """Return the fastest of them."""
        return min(self.all(part, **facts), key=lambda row: row["seconds"], default=None)


def read(path: Path) -> dict[str, Any]:
    """Return the rows of a part, and how long it took to measure them; see `keep`."""
    nothing: dict[str, Any] = {"machine": {}, "seconds": 0.0, "rows": []}
    return json.loads(path.read_text()) if path.exists() else nothing


def keep(path: Path, row: Row) -> None:
    """Put the row of a test into a part, in the place of an earlier one."""
    content = read(path)
    content["rows"] = [other for other in content["rows"] if other["test"] != row["test"]] + [row]
    write(path, content | {"machine": {**machine(), "quick": QUICK}})


def write(path: Path, content: dict[str, Any]) -> None:
    with atomic_write(path) as file:
        file.write(json.dumps(content, indent=1).encode() + b"\n")


def load(folder: Path) -> Rows:
    content = {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))}
    return Rows(
        {part: entry["rows"] for part, entry in content.items()},
        {part: entry["machine"] for part, entry in content.items()},
        {part: entry["seconds"] for part, entry in content.items()},
    )


def microseconds(row: Row) -> float:
    return 1e6 * float(row["seconds"]) / int(row["n_regions"])


def series(rows: Rows) -> list[Row]:
    every = [row for row in rows.all("enumerators", dim=2) if len(row["shape"]) == 4]
    return sorted(every, key=lambda row: row["n_regions"])


def host_and_card(rows: Rows, role: str) -> list[tuple[Row, Row]]:
    """Return the best rows of the processor and of the card, for each size that has both."""
    every = rows.all("cuda", role=role)
    pairs = []
    for n in sorted({row["n_regions"] for row in every}):
        of_size = sorted(
            (row for row in every if row["n_regions"] == n), key=lambda row: row["seconds"]
        )
        host = [row for row in of_size if "card_bytes" not in row]
        card = [row for row in of_size if "card_bytes" in row]
        if host and card:
            pairs.append((host[0], card[0]))
    return pairs


def shape(row: Row) -> str:
    shape = row["shape"]
    if len(shape) > 5 and len(set(shape[1:-1])) == 1:
        return f"[{shape[0]}]+[{shape[1]}]*{len(shape) - 2}+[{shape[-1]}]"
    return f"[{','.join(map(str, shape))}]"


def timed_part(peer: Row, of: str, before: str = " ") -> str:
    """Return in words how much of a peer's work was timed, if it was not all of it.

    Its seconds are scaled to all of it.
    """
    if peer["n_timed"] == peer["n"]:
        return ""
    return f"{before}scaled up from {peer['n_timed']:,} of its {peer['n']:,} {of}"


def curves(rows: Rows) -> dict[str, list[Row]]:
    """Return the rows of each solver on unweighted pencils, by its name."""
    curves: dict[str, list[Row]] = {}
    for row in sorted(rows.all("eigensolvers", weights="unweighted"), key=lambda r: r["n_nodes"]):
        curves.setdefault(row.get("solver") or row["name"], []).append(row)
    return curves
