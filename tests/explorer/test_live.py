"""Families whose complexes are made when they are looked at, in a notebook with a kernel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

import relutopo as rt
from browser import Browser
from relutopo.errors import InputError
from relutopo.explorer.live import LivePage
from relutopo.explorer.page import static

NET = rt.gallery.random_network([3, 8, 1], seed=0)
AXES = np.eye(3)[:, :2]
HEIGHTS = [-0.5, 0.0, 0.5, 0.75]


def slice_at(z: float) -> rt.CellComplex:
    if z > 0.7:
        raise ValueError(f"no slice <b>at</b> {z}")
    return rt.decompose(NET, rt.AffineSlice([0, 0, z], AXES))


class Counted:
    """A function that knows what it was called with."""

    def __init__(self, function: Callable[[float], Any]) -> None:
        self.function, self.calls = function, list[float]()

    def __call__(self, z: float) -> Any:
        self.calls.append(z)
        return self.function(z)


def test_what_nobody_looks_at_is_not_made() -> None:
    made = Counted(slice_at)
    page = rt.explore(made, family=HEIGHTS)
    assert isinstance(page, LivePage)
    assert repr(page) == "LivePage(1 of 4 complexes made)"
    beginning = page.beginning.html
    assert 'id="frame-0"' in beginning
    assert 'id="frame-1"' not in beginning
    page.packed(2), page.packed(2), page.packed(0)
    assert made.calls == [-0.5, 0.5]


def test_saved_it_is_the_page_of_all_complexes(tmp_path: Path) -> None:
    page = rt.explore(slice_at, tmp_path / "page.html", family=HEIGHTS[:3])
    all_ = rt.explore({f"{z:g}": slice_at(z) for z in HEIGHTS[:3]})
    assert page.html == all_.html == (tmp_path / "page.html").read_text(encoding="utf-8")


def test_names_of_a_mapping_are_those_of_the_slider() -> None:
    page = rt.explore(slice_at, family={"<low>": -0.5, "high": 0.5}, title="two")
    assert [frame.label for frame in page.scene.frames] == ["<low>", "high"]
    assert page.scene.title == "two"


@pytest.mark.parametrize(
    ("x", "family", "message"),
    [
        (slice_at, 3, "`family` must be what `x` is called with, one after another, got 3"),
        (slice_at, [], "`family` must have an entry at least, got none"),
        (slice_at(0), [0], "`x` must be a function with `family`, .* got CellComplex"),
        (rt.Box, [0], "`x` must be a function with `family`, .* got the class Box"),
        (lambda z: z, [0], "`x` must be a complex"),
        (slice_at, None, "`x` must be a complex.* got function"),
    ],
)
def test_what_does_not_fit_is_refused(x: Any, family: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        rt.explore(x, family=family)


HOST = """<!doctype html><div id="cell"></div><script type="module">
const listeners = [];
const model = {{
  get: (name) => JSON.parse(document.getElementById("state").textContent)[name],
  send: async (message) => {{
    const answer = JSON.parse(await kernel(message.wanted));
    for (const listener of listeners) listener(answer);
  }},
  on: (_, listener) => listeners.push(listener),
  off: () => listeners.splice(0),
}};
{module}
globalThis.leave = render({{ model, el: document.getElementById("cell") }});
</script><script type="application/json" id="state">{state}</script>"""


class Channel:
    """Stands for the widget of a page: keeps what it is sent."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []

    def send(self, content: dict[str, Any]) -> None:
        self.sent.append(content)


@pytest.mark.slow
def test_the_slider_shows_what_the_kernel_makes(browser: Browser, tmp_path: Path) -> None:
    made = Counted(slice_at)
    page: Any = rt.explore(made, family=HEIGHTS)
    state = {"html": page.beginning.html, "title": "<t>", "height": 700}
    module = static("widget.js").replace("export default { render };", "")
    data = json.dumps(state).replace("<", "\\u003c")
    host = tmp_path / "notebook.html"
    host.write_text(HOST.format(module=module, state=data), encoding="utf-8")

    def kernel(index: int) -> str:
        channel = Channel()
        page._answer(channel, {"wanted": index}, [])
        return json.dumps(channel.sent[0])

    with browser.opened(host, is_page=False) as opened:
        opened.page.context.expose_function("kernel", kernel)
        opened.page.reload()

        def inside(script: str) -> Any:
            return opened.page.frames[1].evaluate(
                f"() => {{ const rt = relutopo; return {script} }}"
            )

        def until(script: str) -> None:
            end = monotonic() + 20
            while monotonic() < end:
                try:
                    if inside(script):
                        return
                except Exception:  # the frame is not there yet
                    pass
                opened.page.wait_for_timeout(50)
            raise AssertionError(script)

        until("document.documentElement.dataset.charts === 'ready'")
        for index in (2, 1):
            inside(f"rt.store.set({{ frame: {index} }})")
            until(f"rt.current.index === {index}")
            complex_ = slice_at(HEIGHTS[index])
            assert inside("rt.current.nRegions") == complex_.n_regions
            assert inside("document.querySelector('#summary b').textContent") == "4"
            assert "certified" in inside("document.getElementById('notes').textContent")
        # On its way over others the slider asks for none of them.
        inside("rt.store.set({ frame: 2 })")
        inside("rt.store.set({ frame: 0 })")
        until("rt.current.index === 0")
        # What fails is told, as text, and what was shown stays.
        inside("rt.store.set({ frame: 3 })")
        until("document.querySelector('output[for=moment]').textContent.includes('could not')")
        told = inside("document.querySelector('output[for=moment]').textContent")
        assert "ValueError: no slice <b>at</b> 0.75" in told
        assert inside("[rt.store.get('frame'), rt.current.index]") == [0, 0]
        inside("rt.store.set({ frame: 1 })")
        until("rt.current.index === 1 && rt.store.get('trouble') === ''")
        assert made.calls == [-0.5, 0.5, 0.0, 0.75]
        assert not opened.complaints
        assert not opened.requests


CELL = """
import numpy as np
import relutopo as rt
net, axes = rt.gallery.random_network([3, 8, 1], seed=0), np.eye(3)[:, :2]
page = rt.explore(lambda z: rt.decompose(net, rt.AffineSlice([0, 0, z], axes)), family=[-0.5, 0.5])
page
"""


@pytest.mark.slow
def test_a_kernel_makes_what_the_notebook_asks_for() -> None:
    """The messages that a notebook sends, to a kernel of its own."""
    pytest.importorskip("anywidget")
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3")
    try:

        def heard(message_type: str, is_it: Callable[[Any], bool] = bool) -> Any:
            while True:
                message = client.get_iopub_msg(timeout=120)
                assert message["msg_type"] != "error", message["content"]
                if message["msg_type"] == message_type and is_it(message["content"]):
                    return message["content"]

        client.execute(CELL)
        opening = heard("comm_open", lambda c: "html" in c["data"].get("state", {}))
        shown = heard("display_data")
        widget = shown["data"]["application/vnd.jupyter.widget-view+json"]
        assert widget["model_id"] == opening["comm_id"]
        assert "text/html" not in shown["data"]
        html = opening["data"]["state"]["html"]
        assert html.startswith("<!doctype html>")
        assert 'id="frame-1"' not in html
        data = {"method": "custom", "content": {"wanted": 1}}
        asked = {"comm_id": opening["comm_id"], "data": data}
        client.shell_channel.send(client.session.msg("comm_msg", asked))
        answer = heard("comm_msg", lambda c: c["data"].get("method") == "custom")
        content = answer["data"]["content"]
        expected: Any = rt.explore(slice_at, family=[-0.5, 0.5])
        assert content == {"wanted": 1, "frame": expected.packed(1)}
        client.execute("print(page)")
        assert heard("stream")["text"].strip() == "LivePage(2 of 2 complexes made)"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
