"""The charts below the map: axes, glyphs and lines of Bokeh, without data and without colours.

The data of a chart come from the scene when the page is open: sources are empty here, and the
page's scripts fill them by name. Colours follow the page's theme: a model with a tag
``{"css": {property: variable}}`` takes the colour of a CSS variable whenever the theme changes.

Invariant: no model contains code, because the page allows only its own scripts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relutopo.explorer.scene import Frame, Quantity, Scene
from relutopo.explorer.times import panels_of
from relutopo.optional import require

__all__ = ["alike", "library", "with_charts"]

_DASHES = ("solid", "dashed", "dotted", "dashdot")
_MARKERS = ("circle", "square", "triangle", "diamond")
_N_COLOURS = 5
_FONT = "system-ui, sans-serif"
_PURPOSE = "a page to explore"


def library() -> str:
    """Return the script that draws charts, from the installed package."""
    require("bokeh", _PURPOSE)
    from bokeh.resources import Resources

    return str(Resources(mode="inline", components=["bokeh"]).js_raw[0])


def with_charts(scene: Scene) -> Scene:
    """Return a scene with the charts that its frames can fill."""
    time = scene.facts.get("time", {})
    degrees = [frame.arrays.get("classes:degrees", np.zeros(0)) for frame in scene.frames]
    n_degrees = max((int(entry.max()) + 1 for entry in degrees if entry.size), default=0)
    has_spectrum = any("spectrum" in frame.facts for frame in scene.frames)
    has_parts = any("parts" in frame.facts for frame in scene.frames)
    panels = panels_of(time) if "panels" in time else {}
    charts = _charts(panels, n_degrees, spectrum=has_spectrum, parts=has_parts)
    facts = {**scene.facts, "charts": charts, "degrees": n_degrees}
    return replace(scene, frames=alike(scene.frames), facts=facts)


def alike(frames: Sequence[Frame]) -> tuple[Frame, ...]:
    """Give every frame the quantities that other frames have, without values."""
    known: dict[str, Quantity] = {}
    for frame in frames:
        known = {entry.name: entry for entry in frame.quantities} | known
    alike = []
    for frame in frames:
        own = {entry.name: entry for entry in frame.quantities}
        n = len(next(iter(own.values())).values) if own else 0
        alike.append(
            replace(
                frame,
                quantities=tuple(
                    own.get(name, replace(entry, values=_nothing(entry, n)))
                    for name, entry in known.items()
                ),
            )
        )
    return tuple(alike)


def _nothing(quantity: Quantity, n: int) -> NDArray[Any]:
    if quantity.kind == "category":
        return np.full(n, -1, dtype=np.int32)
    return np.full(n, np.nan, dtype=np.float32)


def _charts(
    panels: Mapping[str, Sequence[str]], degrees: int, *, spectrum: bool, parts: bool
) -> dict[str, Any]:
    """Return the charts of a page, by name, in the form that ``Bokeh.embed.embed_item`` takes."""
    require("bokeh", _PURPOSE)
    from bokeh.embed import json_item

    made = {"histogram": _histogram()}
    if panels:
        made["time"] = _time(panels)
    if degrees:
        made["diagram"] = _diagram(degrees)
        made["betti"] = _betti(degrees)
    if spectrum:
        made["spectrum"] = _spectrum()
    if parts:
        made["parts"] = _parts()
    return _renumbered({name: json_item(model) for name, model in made.items()})


def _renumbered(items: dict[str, Any]) -> dict[str, Any]:
    """Return items with their models numbered anew, independently of the process's counter.

    Examples
    --------
    >>> _renumbered({"a": {"id": "p1204", "of": "p1203"}, "b": {"id": "p1203"}})
    {'a': {'id': 'p1', 'of': 'p2'}, 'b': {'id': 'p2'}}
    """
    numbers: dict[str, str] = {}

    def number(found: re.Match[str]) -> str:
        return numbers.setdefault(found[0], f'"p{len(numbers) + 1}"')

    renumbered: dict[str, Any] = json.loads(re.sub(r'"p\d+"', number, json.dumps(items)))
    return renumbered


def _css(**colours: str) -> list[dict[str, Any]]:
    return [{"css": colours}]


def _series(k: int) -> str:
    return f"--series-{k % _N_COLOURS + 1}"


def _figure(name: str, x_label: str, y_label: str, height: int, **more: Any) -> Any:
    from bokeh.plotting import figure

    made = figure(
        name=name,
        height=height,
        sizing_mode="stretch_width",
        toolbar_location=None,
        tools="",
        background_fill_color=None,
        border_fill_color=None,
        outline_line_color=None,
        min_border_left=56,
        min_border_right=12,
        **more,
    )
    for axis, label in ((made.xaxis, x_label), (made.yaxis, y_label)):
        axis.axis_label = label or None
        axis.minor_tick_line_color = None
        axis.axis_label_text_font = axis.major_label_text_font = _FONT
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = axis.major_label_text_font_size = "12px"
    made.xgrid.visible = False
    return made


def _source(name: str, *columns: str) -> Any:
    from bokeh.models import ColumnDataSource

    return ColumnDataSource({column: [] for column in columns}, name=name)


def _line_at(figure: Any, name: str, dimension: Any, colour: str, dash: Any = "solid") -> None:
    from bokeh.models.annotations import Span

    figure.add_layout(
        Span(
            name=name,
            dimension=dimension,
            line_dash=dash,
            line_width=1.5,
            tags=_css(line_color=colour),
            visible=False,
        )
    )


def _area(figure: Any, name: str, colour: str = "--cursor") -> None:
    from bokeh.models.annotations import BoxAnnotation

    figure.add_layout(
        BoxAnnotation(
            name=name,
            fill_alpha=0.18,
            line_alpha=0.6,
            tags=_css(fill_color=colour, line_color=colour),
            visible=False,
        )
    )


def _time(panels: Mapping[str, Sequence[str]]) -> Any:
    from bokeh.layouts import column
    from bokeh.models import FixedTicker

    stack: list[Any] = []
    for panel, curves in panels.items():
        shared = {"x_range": stack[0].x_range} if stack else {}
        scale = "log" if panel == "loss" else "linear"
        is_last = panel == list(panels)[-1]
        made = _figure(
            f"time:{panel}",
            "training step" if is_last else "",
            {"loss": "loss", "share": "share", "number": ""}[panel],
            160 if is_last else 120,
            y_axis_type=scale,
            **shared,
        )
        made.xaxis.ticker = FixedTicker(ticks=[], name=f"ticks:{panel}")
        made.xaxis.name = f"steps:{panel}"
        made.yaxis.name = f"values:{panel}"
        made.xaxis.major_label_text_font_size = "12px" if is_last else "0px"
        made.yaxis.ticker.desired_num_ticks = 4
        for k, name in enumerate(curves):
            source = _source(f"curve:{name}", "x", "y")
            made.line(
                "x", "y", source=source, line_width=1.5, line_dash=_DASHES[k % len(_DASHES)],
                tags=_css(line_color=_series(k)),
            )  # fmt: skip
            made.scatter(
                "x", "y", source=source, size=5, marker=_MARKERS[k % len(_MARKERS)],
                name=f"points:{name}",
                tags=_css(line_color=_series(k), fill_color=_series(k)),
            )  # fmt: skip
        _line_at(made, f"event:0:{panel}", "height", "--muted", "dotted")
        _line_at(made, f"event:1:{panel}", "height", "--muted", "dashed")
        _line_at(made, f"cursor:{panel}", "height", "--cursor")
        stack.append(made)
    return column(*stack, sizing_mode="stretch_width", name="time")


def _diagram(degrees: int) -> Any:
    from bokeh.models import Range1d
    from bokeh.models.annotations import Label, Slope

    made = _figure(
        "diagram",
        "birth",
        "death",
        300,
        x_range=Range1d(start=0, end=1, name="births"),
        y_range=Range1d(start=0, end=1, name="deaths"),
    )
    made.add_layout(Slope(gradient=1, y_intercept=0, tags=_css(line_color="--muted")))
    _line_at(made, "never", "width", "--muted", "dotted")
    made.add_layout(
        Label(
            name="never:label",
            text="never ends",
            x=0,
            y=0,
            text_align="right",
            text_font=_FONT,
            text_font_size="12px",
            text_baseline="top",
            tags=_css(text_color="--muted"),
        )
    )
    _area(made, "alive")
    for k in range(degrees):
        made.scatter(
            "birth", "death", source=_source(f"classes:{k}", "birth", "death"), size=7,
            marker=_MARKERS[k % len(_MARKERS)], fill_alpha=0.6,
            tags=_css(line_color=_series(k), fill_color=_series(k)),
        )  # fmt: skip
    made.scatter(
        "birth", "death", source=_source("chosen", "birth", "death"), size=15, fill_alpha=0,
        line_width=2.5, tags=_css(line_color="--cursor"),
    )  # fmt: skip
    return made


def _betti(degrees: int) -> Any:
    made = _figure("betti", "filtration value", "Betti number", 300)
    for k in range(degrees):
        made.step(
            "value", "height", source=_source(f"betti:{k}", "value", "height"), mode="after",
            line_width=1.5, line_dash=_DASHES[k % len(_DASHES)], tags=_css(line_color=_series(k)),
        )  # fmt: skip
    _line_at(made, "threshold", "height", "--cursor")
    return made


def _spectrum() -> Any:
    from bokeh.layouts import column

    entries = _figure("entries", "", "entry", 170)
    entries.xaxis.major_label_text_font_size = "0px"
    sweep = _figure(
        "sweep",
        "regions in the order of the eigenvector",
        "conductance",
        170,
        x_range=entries.x_range,
        y_axis_type="log",
    )
    sweep.yaxis.ticker.desired_num_ticks = 4
    entries.scatter(
        "rank", "entry", source=_source("entries:all", "rank", "entry", "colour"), size=4,
        line_color="colour", fill_color="colour",
    )  # fmt: skip
    sweep.line(
        "rank", "conductance", source=_source("sweep:curve", "rank", "conductance"),
        line_width=1.5, tags=_css(line_color="--ink"),
    )  # fmt: skip
    for made, of in ((entries, "entries"), (sweep, "sweep")):
        _line_at(made, f"{of}:cut", "height", "--muted", "dashed")
        _line_at(made, f"{of}:best", "height", "--muted", "dotted")
        _line_at(made, f"{of}:region", "height", "--cursor")
        _area(made, f"{of}:brush")
    return column(entries, sweep, sizing_mode="stretch_width", name="spectrum")


def _parts() -> Any:
    from bokeh.layouts import column
    from bokeh.models import FixedTicker
    from bokeh.models.annotations import BoxAnnotation

    values = _figure("values", "number of the eigenvalue", "eigenvalue", 170)
    values.xaxis.ticker = FixedTicker(ticks=[], name="ticks:values")
    values.y_range.start = 0
    values.x_range.range_padding = 0.2
    values.add_layout(
        BoxAnnotation(
            name="gap",
            fill_alpha=0.18,
            line_alpha=0,
            tags=_css(fill_color="--cursor"),
            visible=False,
        )
    )
    of_values = _source("values:all", "number", "value")
    values.segment(
        "number", 0, "number", "value", source=of_values, line_width=1.5,
        tags=_css(line_color="--muted"),
    )  # fmt: skip
    values.scatter(
        "number", "value", source=of_values, size=8,
        tags=_css(line_color="--ink", fill_color="--ink"),
    )  # fmt: skip
    order = _figure("order", "regions, part by part", "", 190)
    order.yaxis.name = "entries"
    order.scatter(
        "rank", "entry", source=_source("order:all", "rank", "entry", "colour"), size=4,
        line_color="colour", fill_color="colour",
    )  # fmt: skip
    order.vspan(
        "rank", source=_source("order:ends", "rank"), line_dash="dashed",
        tags=_css(line_color="--muted"),
    )  # fmt: skip
    _line_at(order, "order:region", "height", "--cursor")
    _area(order, "order:brush")
    embedding = _figure("embedding", "", "", 280)
    embedding.xaxis.name, embedding.yaxis.name = "embedding:across", "embedding:up"
    embedding.scatter(
        "across", "up", source=_source("embedding:all", "across", "up", "colour"), size=5,
        line_color="colour", fill_color="colour", fill_alpha=0.7,
    )  # fmt: skip
    embedding.scatter(
        "across", "up", source=_source("chosen", "across", "up"), size=13, fill_alpha=0,
        line_width=2.5, tags=_css(line_color="--cursor"),
    )  # fmt: skip
    return column(values, order, embedding, sizing_mode="stretch_width", name="parts")


def _histogram() -> Any:
    made = _figure("histogram", "", "regions", 200)
    made.xaxis.name = "values"
    made.y_range.start = 0
    made.quad(
        left="left", right="right", bottom=0, top="count",
        source=_source("bins", "left", "right", "count", "colour"), fill_color="colour",
        line_width=0.5, tags=_css(line_color="--muted"),
    )  # fmt: skip
    _area(made, "brush")
    _line_at(made, "value", "height", "--cursor")
    return made
