"""Who may import whom: the rule of docs/architecture.md, read from the code.

Every import counts, those inside functions and those for type checkers only as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAYERS = (
    {"errors"},
    {"arrays", "checks", "optional", "registry", "system", "arithmetic", "reports"},
    {"devices"},
    {"networks"},
    {"geometry"},
    {"interfaces"},
    {"spectral", "homology", "learning"},
    {"complex"},
    {"decomposition"},
    {"gallery", "testing", "plots"},
    {"signatures"},
    {"analyses"},
    {"tracking"},
    {"app"},
)
"""Rooms of `relutopo` from the ground up. A room imports rooms below; its equals it does not, but
on the first floor, whose rooms all stand on `errors` alone and may use each other without circles.
"""
FLOOR = {room: floor for floor, rooms in enumerate(LAYERS) for room in rooms}
ONLY_THE_COMMAND = {"hydra", "omegaconf", "hydra_plugins"}


def modules() -> dict[str, Path]:
    """Return every module of the library and of the backends, by its dotted name."""
    found = {}
    for folder, package in (
        (ROOT / "relutopo", "relutopo"),
        (ROOT / "backends", "relutopo.backends"),
    ):
        for path in folder.rglob("*.py"):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join([package, *parts]).removesuffix(".__init__")] = path
    return found


@cache
def imports() -> dict[str, frozenset[tuple[str, bool]]]:
    """Return what each module imports, and whether it does so inside a function."""
    known = modules()
    return {name: frozenset(_imports(name, path, known)) for name, path in known.items()}


def _imports(name: str, path: Path, known: dict[str, Path]) -> Iterator[tuple[str, bool]]:
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inside
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join([*above, *filter(None, [node.module])]) if node.level else node.module
            assert base is not None
            for alias in node.names:
                target = f"{base}.{alias.name}"
                yield target if target in known else base, id(node) in inside


def edges() -> dict[str, set[str]]:
    """Return the imports among the project's own modules."""
    known = modules()
    return {
        name: {target for target, _ in found if target in known and target != name}
        for name, found in imports().items()
    }


def room(module: str) -> str:
    return module.split(".")[1]


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the strongly connected components of more than one module (Tarjan 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in graph[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            component: list[str] = []
            while not component or component[-1] != node:
                component.append(stack.pop())
            if len(component) > 1:
                found.append(sorted(component))

    for node in graph:
        if node not in index:
            visit(node)
    return found


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]


def test_no_modules_import_each_other() -> None:
    graph = edges()
    graph["relutopo"] = set()  # its names are imported when they are used
    assert circles(graph) == []


@pytest.mark.xfail(strict=True, reason="rooms that are still to be built")
def test_every_room_has_its_floor() -> None:
    rooms = {room(name) for name in modules() if name not in ("relutopo", "relutopo.backends")}
    assert rooms - {"backends"} == set(FLOOR)


@pytest.mark.xfail(strict=True, reason="analyses that are still spread over the command")
def test_no_arrow_points_upwards() -> None:
    wrong = [
        f"{name} imports {target}"
        for name, targets in edges().items()
        if name != "relutopo" and room(name) != "backends"
        for target in targets
        if target != "relutopo"
        and room(target) != room(name)
        and not FLOOR[room(target)] < FLOOR[room(name)]
        and not FLOOR[room(target)] == FLOOR[room(name)] == 1
    ]
    assert wrong == []


def test_nothing_imports_backends() -> None:
    wrong = [
        name
        for name, targets in edges().items()
        if not name.startswith("relutopo.backends")
        and any(target.startswith("relutopo.backends") for target in targets)
    ]
    assert wrong == []


def test_a_backend_imports_no_other_role_and_nothing_above_complexes() -> None:
    wrong = []
    for name, targets in edges().items():
        if name.startswith("relutopo.backends."):
            role = name.split(".")[2]
            for target in targets:
                if target.startswith("relutopo.backends."):
                    if target.split(".")[2] != role:
                        wrong.append(f"{name} imports {target}")
                elif target != "relutopo" and FLOOR[room(target)] > FLOOR["complex"]:
                    wrong.append(f"{name} imports {target}")
    assert wrong == []


def test_only_the_command_imports_hydra() -> None:
    wrong = [
        name
        for name, found in imports().items()
        if any(target.split(".")[0] in ONLY_THE_COMMAND for target, _ in found)
        and not name.startswith("relutopo.app")
    ]
    assert wrong == []


HEAVY = {
    *("numpy", "scipy", "numba", "llvmlite", "torch", "onnx", "cupy"),
    *("matplotlib", "pandas", "rich", "hydra"),
}


def weight(module: str, seen: set[str]) -> set[str]:
    """Return the heavy packages that importing a module loads."""
    known = imports()
    loaded = set()
    for target, is_inside in known[module]:
        top = target.split(".")[0]
        if is_inside or (target in known and target in seen):
            continue
        if top in HEAVY:
            loaded.add(top)
        elif target in known:
            seen.add(target)
            loaded |= weight(target, seen)
    return loaded


def test_imports_inside_functions_are_there_for_weight() -> None:
    known = imports()
    wrong = [
        f"{name} imports {target}"
        for name, found in known.items()
        for target, is_inside in found
        if is_inside and target in known and not weight(target, {target})
    ]
    assert wrong == []


def test_the_hall_is_small() -> None:
    assert len([p for p in (ROOT / "relutopo").glob("*.py") if p.stem != "__init__"]) <= 9
