"""The plan of the house: which room imports which, read from the code.

``python docs/plan.py`` draws it as ``docs/figures/plan.svg``. `LAYERS` is the import rule; the
tests hold the code to it, and the picture to the code.

Every import counts, those inside functions and those for type checkers as well.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "figures" / "plan.svg"
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("arrays", "checks", "optional", "registry", "system", "arithmetic", "reports"),
    ("devices",),
    ("networks",),
    ("geometry",),
    ("interfaces",),
    ("spectral", "homology", "learning"),
    ("complex", "paths"),
    ("estimation",),
    ("decomposition", "gallery"),
    ("testing", "plots"),
    ("signatures",),
    ("analyses",),
    ("tracking", "explorer"),
    ("app",),
)
"""Rooms of `relutopo` from the ground up. A room imports rooms below. Rooms on one floor do not
import each other, but for the first floor, whose small rooms may, without circles."""
FLOOR: dict[str, int] = {name: floor for floor, names in enumerate(LAYERS) for name in names}
Graph = dict[str, set[str]]


def modules() -> dict[str, Path]:
    """Return every module of the library and of the backends, by its dotted name."""
    found = {}
    for folder, package in (("relutopo", "relutopo"), ("backends", "relutopo.backends")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *parts]).removesuffix(".__init__")] = path
    return found


def _imports_among(
    statements: Iterable[ast.AST], inside: bool = False
) -> Iterator[tuple[ast.AST, bool]]:
    """Yield imports among statements and in their blocks, and whether in a function."""
    for node in statements:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, inside
        within = inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        for block in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _imports_among(getattr(node, block, ()), within)


def imports_of(name: str, known: Mapping[str, Path]) -> Iterator[tuple[str, bool]]:
    """Yield what a module imports, and whether it does so inside a function."""
    path = known[name]
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node, is_inside in _imports_among(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, is_inside
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [node.module])])
            for alias in node.names:
                target = f"{base}.{alias.name}"
                yield target if target in known else base, is_inside


def edges() -> Graph:
    """Return the imports among the project's own modules.

    The package `relutopo` itself is left out: its names are imported when they are first used.
    """
    known = modules()
    return {
        name: {
            target
            for target, _ in imports_of(name, known)
            if target in known and target not in (name, "relutopo")
        }
        for name in known
        if name != "relutopo"
    }


def room(module: str) -> str:
    """Return the room that a module is in: ``geometry``, or ``backends.reducers``.

    Examples
    --------
    >>> room("relutopo.geometry.cells"), room("relutopo.backends.reducers.z2")
    ('geometry', 'backends.reducers')
    """
    parts = module.split(".")[1:]
    return ".".join(parts[:2]) if parts[0] == "backends" else parts[0]


def rooms(graph: Graph) -> Graph:
    """Return the imports among rooms."""
    found: Graph = {}
    for name, targets in graph.items():
        if name != "relutopo.backends":
            own = room(name)
            found.setdefault(own, set()).update(room(target) for target in targets)
            found[own].discard(own)
    return found


def circles(graph: Graph) -> list[list[str]]:
    """Return the strongly connected components of more than one node.

    R. Tarjan, "Depth-first search and linear graph algorithms", SIAM J. Comput. 1 (1972).

    Examples
    --------
    >>> circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})
    [['a', 'b', 'c']]
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(graph[node]):
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

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def upward(graph: Graph) -> list[str]:
    """Return the imports that the rule forbids, as sentences."""
    wrong = []
    for name, targets in sorted(graph.items()):
        own = room(name)
        for target in sorted(targets):
            other = room(target)
            if other == own:
                continue
            if own.startswith("backends"):
                is_right = FLOOR.get(other, len(LAYERS)) <= FLOOR["complex"]
            else:
                floor = FLOOR.get(other, len(LAYERS))
                is_right = floor < FLOOR[own] or floor == FLOOR[own] == 1
            if not is_right:
                wrong.append(f"{name} imports {target}")
    return wrong


def drawn(graph: Graph) -> Graph:
    """Return the arrows that are not implied by others, of a graph without circles.

    Examples
    --------
    >>> drawn({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    {'a': {'b'}, 'b': {'c'}, 'c': set()}
    """
    below: Graph = {}

    def reach(node: str) -> set[str]:
        if node not in below:
            below[node] = set().union(*({t} | reach(t) for t in graph[node]))
        return below[node]

    return {
        node: {t for t in targets if not any(t in reach(other) for other in targets - {t})}
        for node, targets in graph.items()
    }


def picture() -> str:
    """Return the plan as SVG: floors from the ground up, arrows not implied by others."""
    graph = edges()
    backends = sorted(name for name in rooms(graph) if name.startswith("backends"))
    width, height, gap, step = 128.0, 32.0, 14.0, 68.0
    columns = max(map(len, LAYERS))
    total, top = columns * (width + gap) + gap, len(LAYERS) * step + gap
    place: dict[str, tuple[float, float]] = {}
    for floor, names in enumerate(LAYERS):
        # Rows of three stand aside, so that arrows to the floor below pass between their rooms.
        shift = -(width + gap) / 2 if len(names) == 3 else 0.0
        left = (total - len(names) * (width + gap) + gap) / 2 + shift
        for i, name in enumerate(names):
            place[name] = (left + i * (width + gap), top - (floor + 1) * step)
    right = total - len(backends) * (width + gap)
    for i, name in enumerate(backends):
        place[name] = (right + i * (width + gap), top - (FLOOR["plots"] + 2.5) * step)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total:.0f} {top:.0f}" '
        'font-family="sans-serif" font-size="13">',
        "<title>Rooms of relutopo: each stands above what it imports</title>",
        f'<rect width="{total:.0f}" height="{top:.0f}" fill="#ffffff"/>',
        '<marker id="head" viewBox="0 0 6 6" refX="6" refY="3" markerWidth="6" markerHeight="6" '
        'orient="auto"><path d="M0 0 6 3 0 6z" fill="#9aa5b1"/></marker>',
        f'<text x="{right:.0f}" y="{top - (FLOOR["plots"] + 2.5) * step - 8:.0f}" '
        'fill="#52606d">backends/, reached by name</text>',
    ]
    for own, targets in sorted(drawn(rooms(graph)).items()):
        for other in sorted(targets):
            (x, y), (u, v) = place[own], place[other]
            start, end = (x + width / 2, y + height), (u + width / 2, v)
            if y == v:  # on one floor: from side to side
                start, end = (x, y + height / 2), (u + width, v + height / 2)
                if u > x:
                    start, end = (x + width, y + height / 2), (u, v + height / 2)
            line = f"M{start[0]:.0f} {start[1]:.0f} L{end[0]:.0f} {end[1]:.0f}"
            parts.append(f'<path d="{line}" fill="none" stroke="#9aa5b1" marker-end="url(#head)"/>')
    for name, (x, y) in place.items():
        fill = "#fff3e0" if name.startswith("backends") else "#e8f0fa"
        is_folder = name.startswith("backends") or (ROOT / "relutopo" / name).is_dir()
        label = name.removeprefix("backends.") + ("/" if is_folder else "")
        parts += [
            f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{height:.0f}" rx="5" '
            f'fill="{fill}" stroke="#52606d"/>',
            f'<text x="{x + width / 2:.0f}" y="{y + 21:.0f}" text-anchor="middle">{label}</text>',
        ]
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    print(PICTURE.relative_to(ROOT))
