"""Run the benchmarks and write what they show: ``python -m benchmarks``.

Every part is a pytest-benchmark file in a process of its own. Its rows are kept in
``benchmarks/results`` one by one, so that parts can be measured one at a time (``--only``), and
nothing is lost of a run that is stopped; the page ``docs/benchmarks.md`` and its figures are then
made from all rows that there are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from relutopo.devices.cuda import cuda_device
from relutopo.errors import RelutopoError
from relutopo.system.files import atomic_write

from . import figures, peers, rows, tables

ROOT = Path(__file__).parents[1]
PARTS = ("enumerators", "search", "segments", "eigensolvers", "reducers", "pipeline")
NEED_PEERS = {"enumerators", "search", "eigensolvers", "reducers"}
"""Parts that are compared with packages of another environment."""
NEED_A_CARD = ("cuda",)
"""Parts that are measured only when they are asked for."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    every = ", ".join([*PARTS, *NEED_A_CARD])
    parser.add_argument("--only", metavar="PART,...", help=f"of {every}; the last needs a card")
    parser.add_argument("--select", metavar="EXPRESSION", help="pytest's -k; other rows stay")
    parser.add_argument("--quick", action="store_true", help="small sizes, into outputs/benchmarks")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--check", action="store_true", help="fail if the page is not up to date")
    chosen = parser.parse_args()
    parts = chosen.only.split(",") if chosen.only else list(PARTS)
    if not set(parts) <= {*PARTS, *NEED_A_CARD}:
        parser.error(f"--only takes {every}")
    results, text, pictures = (
        (ROOT / "outputs" / "benchmarks" / name for name in ("results", "page.md", "figures"))
        if chosen.quick
        else (ROOT / "benchmarks/results", ROOT / "docs/benchmarks.md", ROOT / "docs/figures")
    )
    if chosen.check:
        if text.read_text() != tables.render(rows.load(results)):
            sys.exit(f"{text} is not what the rows give; write it by python -m benchmarks --page")
        return
    failed = []
    if not chosen.page:
        if set(parts) & set(NEED_A_CARD):
            _require_card()
        if set(parts) & NEED_PEERS:
            peers.set_up()
        for part in parts:
            failed += [part] * (not measure(part, results, chosen.select, chosen.quick))
    found = rows.load(results)
    figures.draw(found, pictures)
    with atomic_write(text) as file:
        file.write(tables.render(found).encode())
    print(f"wrote {text}")
    if failed:
        sys.exit(f"there were failures in {', '.join(failed)}")


def _require_card() -> None:
    try:
        cuda_device(purpose="the benchmark 'cuda'")
    except RelutopoError as error:
        sys.exit(f"{error}\nNothing was measured, and nothing was written.")


def measure(part: str, results: Path, select: str | None, quick: bool) -> bool:
    """Run one part, which keeps its rows; return whether all of it succeeded."""
    print(f"== {part}", flush=True)
    path = results / f"{part}.json"
    before = rows.read(path)
    command = [sys.executable, "-m", "pytest", f"benchmarks/bench_{part}.py", "--verbose"]
    command += ["-p", "no:cacheprovider"]
    command += ["--benchmark-columns", "min,median,rounds", "--benchmark-sort", "name"]
    command += ["-k", select] if select else []
    environment = os.environ | {"RELUTOPO_BENCHMARKS_ROWS": str(path.absolute())}
    if quick:
        environment |= {"RELUTOPO_BENCHMARKS_QUICK": "1"}
    begin = time.perf_counter()
    code = subprocess.run(command, cwd=ROOT, env=environment).returncode
    seconds = time.perf_counter() - begin
    after = rows.read(path)
    measured = [row for row in after["rows"] if row not in before["rows"]]
    print(f"== {part}: {len(measured)} rows in {seconds:.0f} s", flush=True)
    if not measured:
        return False
    if select:
        seconds += before["seconds"]
    else:  # what a whole run has not measured again exists no more
        after["rows"] = measured
    rows.write(path, after | {"seconds": round(seconds, 1)})
    return code == 0


if __name__ == "__main__":
    main()
