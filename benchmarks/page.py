"""Measure a page in the browser: ``python -m benchmarks.page``.

For random networks on the plane: the size of the file, when the first picture is there, memory of
the browser's processes, milliseconds of the page's own scripts in a picture while the map moves,
and the time of a picture against that of as many plain triangles, of one colour and at the same
places, drawn in the same browser in turn. The machine should have nothing else to do; seconds of a
processor and ratios stand also where it has.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import relutopo as rt

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

from browser import Opened, browser

SIZES = {10_000: (2, 160, 140, 1), 200_000: (2, 380, 380, 380, 1)}
PLAIN = """async (argument) => {
  const rt = globalThis["relutopo"], frame = rt.current, source = rt.map.canvas;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [source.width, source.height];
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
  const made = (type, text) => {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, "#version 300 es\\nprecision highp float;" + text);
    gl.compileShader(shader);
    return shader;
  };
  const program = gl.createProgram();
  gl.attachShader(program, made(gl.VERTEX_SHADER,
    "in vec2 p; uniform vec2 m, s; void main() { gl_Position = vec4((p - m) * s, 0.0, 1.0); }"));
  gl.attachShader(program, made(gl.FRAGMENT_SHADER,
    "out vec4 c; void main() { c = vec4(0.2, 0.5, 0.8, 1.0); }"));
  gl.linkProgram(program);
  gl.useProgram(program);
  const { offsets, corners, vertices, nRegions, centre } = frame;
  const places = new Float32Array(6 * (corners.length - 2 * nRegions));
  let k = 0;
  for (let r = 0; r < nRegions; r++) {
    for (let j = offsets[r] + 2; j < offsets[r + 1]; j++) {
      for (const i of [offsets[r], j - 1, j]) {
        places[k++] = vertices[2 * corners[i]] - centre[0];
        places[k++] = vertices[2 * corners[i] + 1] - centre[1];
      }
    }
  }
  gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
  gl.bufferData(gl.ARRAY_BUFFER, places, gl.STATIC_DRAW);
  gl.enableVertexAttribArray(0);
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0);
  const pixel = new Uint8Array(4);
  const sync = (gl) => gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, pixel);
  const own = source.getContext("webgl2");
  const [across, up] = rt.map.camera.scale();
  const plain = (shift) => {
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.uniform2f(gl.getUniformLocation(program, "m"), shift, 0);
    gl.uniform2f(gl.getUniformLocation(program, "s"),
      (2 * across) / rt.map.camera.width, (2 * up) / rt.map.camera.height);
    gl.drawArrays(gl.TRIANGLES, 0, places.length / 2);
    sync(gl);
  };
  const whole = rt.map.camera.whole();
  const mapped = (shift) => {
    rt.map.camera.set({ ...whole, x: whole.x + shift });
    rt.map.draw();
    sync(own);
  };
  const times = { plain: [], map: [], scripts: [] };
  for (let i = 0; i < argument.repeats; i++) {
    for (const [name, draw] of [["plain", plain], ["map", mapped]]) {
      const begin = performance.now();
      draw((i * frame.bounds[2]) / 400);
      times[name].push(performance.now() - begin);
    }
    times.scripts.push(rt.map.lastDraw);
  }
  return { triangles: places.length / 6, ...times };
}"""


def median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def processes(opened: Opened) -> list[tuple[str, int]]:
    """Return the browser's processes: their kind and their number."""
    session = opened.page.context.browser.new_browser_cdp_session()
    found = session.send("SystemInfo.getProcessInfo")["processInfo"]
    return [(str(entry["type"]), int(entry["id"])) for entry in found]


def processor_seconds(opened: Opened) -> float:
    """Return what the page's process has computed so far, on all of its threads."""
    ticks = [
        sum(map(int, Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[11:13]))
        for kind, number in processes(opened)
        if kind == "renderer"
    ]
    return max(ticks) / os.sysconf("SC_CLK_TCK")


def memory(opened: Opened) -> dict[str, float]:
    """Return the resident megabytes of the browser's processes, by their kind."""
    found: dict[str, float] = {}
    for kind, number in processes(opened):
        status = Path(f"/proc/{number}/status").read_text()
        kilobytes = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmRSS"))
        found[kind] = max(found.get(kind, 0.0), kilobytes / 1024)
    heap = opened.page.context.new_cdp_session(opened.page).send("Runtime.getHeapUsage")
    found["heap"] = heap["usedSize"] / 2**20
    found["arrays"] = heap.get("backingStorageSize", 0) / 2**20
    return found


def measured(n: int, widths: tuple[int, ...], repeats: int) -> None:
    complex_ = rt.decompose(rt.gallery.random_network(widths, seed=1), rt.Box(-1, 1, dim=2))
    with tempfile.TemporaryDirectory() as folder, browser() as started:
        path = Path(folder) / "page.html"
        begin = time.perf_counter()
        rt.explore(complex_, path)
        making = time.perf_counter() - begin
        with started.opened(path) as opened:
            first, computed = opened.js("rt.times"), processor_seconds(opened)
            times: dict[str, Any] = opened.page.evaluate(PLAIN, {"repeats": repeats})
            used = memory(opened)
            zoomed = opened.js(
                "(rt.map.go({x: 0, y: 0, zoom: 12}), rt.map.draw(), rt.map.lastDraw)"
            )
    plain, own = median(times["plain"]), median(times["map"])
    print(
        f"{complex_.n_regions} regions (about {n}), {times['triangles']} triangles:\n"
        f"  file {path_size(complex_)} made in {making:.1f} s\n"
        f"  first picture {first['drawn'] / 1000:.2f} s after navigation, "
        f"read {first['parsed'] / 1000:.2f} s, unpacked {first['unpacked'] / 1000:.2f} s; "
        f"{computed:.2f} s of a processor until charts are there, too\n"
        f"  memory {', '.join(f'{kind} {size:.0f} MB' for kind, size in used.items())}\n"
        f"  own scripts {median(times['scripts']):.2f} ms a picture, greatest "
        f"{max(times['scripts']):.2f} ms; magnified {zoomed:.2f} ms\n"
        f"  picture {own:.0f} ms, plain triangles {plain:.0f} ms, ratio {own / plain:.2f}"
    )


def path_size(complex_: rt.CellComplex) -> str:
    return f"{len(rt.explore(complex_).html.encode()) / 1e6:.2f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.page", description=__doc__)
    parser.add_argument("--regions", type=int, choices=SIZES, help="one size only")
    parser.add_argument("--repeats", type=int, default=11)
    chosen = parser.parse_args()
    for n, widths in SIZES.items():
        if chosen.regions in (None, n):
            measured(n, widths, chosen.repeats)


if __name__ == "__main__":
    main()
