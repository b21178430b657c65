"""Who may import whom: the rule of docs/architecture.md, read from the code by docs/plan.py."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).parents[2]
plan = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "plan.py")))
MODULES: dict[str, Path] = plan.modules()
IMPORTS: dict[str, list[tuple[str, bool]]] = {
    name: list(plan.imports_of(name, MODULES)) for name in MODULES
}
EDGES: dict[str, set[str]] = plan.edges()
HEAVY = {
    *("numpy", "scipy", "numba", "llvmlite", "torch", "onnx", "cupy"),
    *("matplotlib", "pandas", "rich", "hydra"),
}
ONLY_THE_COMMAND = {"hydra", "omegaconf", "hydra_plugins"}


def test_no_modules_import_each_other() -> None:
    assert plan.circles(EDGES) == []


def test_circles_and_arrows_upwards_would_be_found() -> None:
    spoiled = {**EDGES, "relutopo.errors": {"relutopo.app.cli"}}
    assert any("relutopo.errors" in circle for circle in plan.circles(spoiled))
    assert "relutopo.errors imports relutopo.app.cli" in plan.upward(spoiled)


def test_every_room_has_its_floor() -> None:
    rooms = {room for room in plan.rooms(EDGES) if not room.startswith("backends")}
    assert rooms == set(plan.FLOOR)


def test_no_arrow_points_upwards() -> None:
    assert plan.upward(EDGES) == []


def test_nothing_imports_backends_and_no_backend_another_role() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in EDGES.items()
        for target in targets
        if target.startswith("relutopo.backends.") and plan.room(name) != plan.room(target)
    ]
    assert wrong == []


def test_what_is_private_stays_within_its_folder() -> None:
    wrong = []
    for name, targets in EDGES.items():
        for target in targets:
            parts = target.split(".")
            private = [i for i, part in enumerate(parts) if part.startswith("_")]
            if private and not name.startswith(".".join(parts[: private[0]]) + "."):
                wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_only_the_command_imports_hydra() -> None:
    wrong = [
        name
        for name, found in IMPORTS.items()
        if any(target.split(".")[0] in ONLY_THE_COMMAND for target, _ in found)
        and not name.startswith("relutopo.app")
    ]
    assert wrong == []


def weight(module: str, seen: set[str]) -> set[str]:
    """Return the heavy packages that importing a module loads."""
    loaded = set()
    for target, is_inside in IMPORTS[module]:
        top = target.split(".")[0]
        if is_inside or target in seen:
            continue
        if top in HEAVY:
            loaded.add(top)
        elif target in MODULES:
            seen.add(target)
            loaded |= weight(target, seen)
    return loaded


def test_imports_inside_functions_are_there_for_weight() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, found in IMPORTS.items()
        for target, is_inside in found
        if is_inside and target in MODULES and not weight(target, {target})
    ]
    assert wrong == []


def test_the_picture_of_the_plan_is_that_of_the_code() -> None:
    assert plan.PICTURE.read_text(encoding="utf-8") == plan.picture(), "run make plan"


def test_the_hall_is_small() -> None:
    loose = [path for path in (ROOT / "relutopo").glob("*.py") if path.stem != "__init__"]
    assert len(loose) <= 9


def test_the_architecture_page_has_the_rule() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for floor, names in enumerate(plan.LAYERS):
        row = next(line for line in page.splitlines() if line.startswith(f"| {floor} |"))
        listed = row.split("|")[2].partition(":")[0]
        assert listed.replace("`", "").split() == list(names)
