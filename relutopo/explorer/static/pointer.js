/*
 * Mouse, pen and fingers on the map: where one points to, moving, magnifying, choosing.
 */
(function (rt) {
  "use strict";

  const STILL = 5; // pixels that a click may move
  const { map, store } = rt;
  const { canvas, camera } = map;
  const down = new Map(); // pointers that touch, and where
  const box = rt.byId("rectangle");
  let start = null; // of a click or a rectangle
  let hovered = null;

  function place(event) {
    const { left, top } = canvas.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  }

  /**
   * What a place of the screen is on: a region, or the regions around it if it is on their border.
   *
   * @returns {{region: number, beside: number[], point: number[]}}
   */
  rt.pointedAt = function (left, top) {
    const point = camera.toPlane(left, top);
    const locator = rt.current.locator();
    const region = locator.at(...point);
    const beside = region === rt.ON_BOUNDARY ? locator.beside(...point) : [];
    return { region, beside, point };
  };

  function hover(event) {
    hovered = event && place(event);
    requestAnimationFrame(() => {
      if (!rt.current || !rt.current.nRegions) return;
      if (!hovered || down.size) {
        store.set({ hover: -1 });
        rt.hideTip();
        return;
      }
      const found = rt.pointedAt(...hovered);
      store.set({ hover: Math.max(found.region, -1) });
      rt.showTip(found, hovered);
    });
  }

  function click(event) {
    const { region, beside } = rt.pointedAt(...place(event));
    const chosen = region >= 0 ? region : (beside[0] ?? -1);
    if (event.ctrlKey || event.metaKey) {
      if (chosen >= 0) rt.toggleSelected(chosen);
    } else store.set({ region: chosen });
  }

  /** Add a region to the selection, or take it out. */
  rt.toggleSelected = function (region) {
    const chosen = new Set(store.get("selection") ?? []);
    if (!chosen.delete(region)) chosen.add(region);
    rt.select(chosen);
  };

  /** Select regions; none means all. */
  rt.select = function (regions) {
    const list = regions && Int32Array.from(regions).sort();
    store.set({ selection: list && list.length ? list : null });
  };

  /** Select the regions whose middles are in a box of the screen. */
  function selectWithin([left, top], [right, bottom]) {
    const [x, y] = camera.toPlane(Math.min(left, right), Math.max(top, bottom));
    const [u, v] = camera.toPlane(Math.max(left, right), Math.min(top, bottom));
    const frame = rt.current;
    const found = [];
    for (let region = 0; region < frame.nRegions; region++) {
      if (!frame.isThere(region)) continue;
      const [a, b] = frame.middle(region);
      if (a >= x && a <= u && b >= y && b <= v) found.push(region);
    }
    rt.select(found);
    rt.say(`${found.length} regions selected`);
  }

  function showBox(from, to) {
    box.hidden = !from;
    if (!from) return;
    Object.assign(box.style, {
      left: `${canvas.offsetLeft + Math.min(from[0], to[0])}px`,
      top: `${canvas.offsetTop + Math.min(from[1], to[1])}px`,
      width: `${Math.abs(from[0] - to[0])}px`,
      height: `${Math.abs(from[1] - to[1])}px`,
    });
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button > 0) return;
    canvas.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    start = down.size === 1 ? { at: place(event), moved: false, isBox: event.shiftKey } : null;
    rt.hideTip();
  });

  canvas.addEventListener("pointermove", (event) => {
    const before = down.get(event.pointerId);
    if (!before) {
      if (event.pointerType !== "touch") hover(event);
      return;
    }
    const here = place(event);
    if (start && Math.hypot(here[0] - start.at[0], here[1] - start.at[1]) > STILL) {
      start.moved = true;
    }
    if (down.size === 1 && start?.isBox) showBox(start.at, here);
    else if (down.size === 1 && (!start || start.moved)) {
      map.host.classList.add("moving");
      map.go(camera.panned(here[0] - before[0], here[1] - before[1]));
    } else if (down.size === 2) {
      const other = [...down.entries()].find(([id]) => id !== event.pointerId)[1];
      const apart = (p) => Math.hypot(p[0] - other[0], p[1] - other[1]) || 1;
      const middle = [(here[0] + other[0]) / 2, (here[1] + other[1]) / 2];
      const shift = [(here[0] - before[0]) / 2, (here[1] - before[1]) / 2];
      map.go(camera.panned(...shift));
      map.go(camera.zoomed(apart(here) / apart(before), ...middle));
    }
    if (!start || start.moved || start.isBox) down.set(event.pointerId, here);
  });

  function up(event, isDone) {
    if (!down.delete(event.pointerId)) return;
    map.host.classList.remove("moving");
    if (start && isDone) {
      if (start.isBox && start.moved) selectWithin(start.at, place(event));
      else if (!start.moved) click(event);
    }
    showBox(null);
    if (!down.size) start = null;
  }
  canvas.addEventListener("pointerup", (event) => up(event, true));
  canvas.addEventListener("pointercancel", (event) => up(event, false));
  canvas.addEventListener("pointerleave", () => hover(null));
  canvas.addEventListener("dblclick", (event) =>
    map.go(camera.zoomed(event.shiftKey ? 0.5 : 2, ...place(event)), true),
  );
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 16 : 1;
      const speed = event.ctrlKey ? 0.01 : 0.0018;
      const delta = Math.max(-200, Math.min(200, event.deltaY * lines));
      map.go(camera.zoomed(Math.exp(-delta * speed), ...place(event)));
    },
    { passive: false },
  );
  rt.byId("zoom-in").addEventListener("click", () => map.go(camera.zoomed(1.6), true));
  rt.byId("zoom-out").addEventListener("click", () => map.go(camera.zoomed(1 / 1.6), true));
  rt.byId("zoom-fit").addEventListener("click", () => map.go(null, true));
})((globalThis.relutopo ??= {}));
