/*
 * The note beside the pointer: the numbers of the region below it.
 */
(function (rt) {
  "use strict";

  const MOST = 7;
  const tip = rt.byId("tip");

  const NEAR = 7; // pixels from a data point

  rt.hideTip = () => (tip.hidden = true);

  /** The data point below the pointer in words, or null. */
  function pointAt(frame, left, top) {
    const { points, pointClasses, pointValues, pointNumbers } = frame.arrays;
    if (!points || rt.store.get("points") !== "yes") return null;
    let [nearest, found] = [NEAR * NEAR, -1];
    for (let i = 0; i < points.length / 2; i++) {
      const [x, y] = rt.map.camera.toScreen(points[2 * i], points[2 * i + 1]);
      const away = (x - left) ** 2 + (y - top) ** 2;
      if (away < nearest) [nearest, found] = [away, i];
    }
    if (found < 0) return null;
    let label = "";
    if (pointClasses) label = `, class ${frame.facts.classes[pointClasses[found]]}`;
    else if (pointValues) label = `, value ${rt.format(pointValues[found])}`;
    return `Data point ${pointNumbers ? pointNumbers[found] : found}${label}`;
  }

  /** The numbers of a region, that of the colours first. */
  function ofRegion(frame, region) {
    const first = frame.quantities.get(rt.store.get("colour"));
    const others = [...frame.quantities.values()].filter((entry) => entry !== first);
    const rows = [first, ...others].filter(Boolean).slice(0, MOST);
    const swatch = rt.element("i.swatch");
    if (first) swatch.style.background = rt.colours.css(rt.colours.of(first, region));
    return [
      rt.element("b", null, swatch, `Region ${region}`),
      rt.element(
        "dl",
        null,
        ...rows.flatMap((entry, i) => [
          rt.element(i ? "dt" : "dt.first", null, entry.label),
          rt.element(i ? "dd" : "dd.first", null, rt.formatQuantity(entry, region)),
        ]),
      ),
    ];
  }

  /** Say what is at a place of the map; see `rt.pointedAt`. */
  rt.showTip = function ({ region, beside, point }, [left, top]) {
    const frame = rt.current;
    const datum = pointAt(frame, left, top);
    const parts = datum ? [rt.element("p.datum", null, datum)] : [];
    if (region >= 0) parts.push(...ofRegion(frame, region));
    else if (region === rt.ON_BOUNDARY) {
      parts.push(
        rt.element("b", null, `On a facet of regions ${beside.join(", ")}`),
        rt.element("p", null, frame.callPoint(point)),
      );
    }
    tip.hidden = !parts.length;
    tip.replaceChildren(...parts);
    const { canvas } = rt.map;
    const { clientWidth, clientHeight } = canvas;
    const isRight = left > clientWidth - tip.offsetWidth - 30;
    const isLow = top > clientHeight - tip.offsetHeight - 30;
    const wanted = canvas.offsetLeft + left + (isRight ? -tip.offsetWidth - 14 : 16);
    // On a narrow screen there may be room on neither side: it stays on the page.
    const start = canvas.getBoundingClientRect().left - canvas.offsetLeft;
    const most = document.documentElement.clientWidth - tip.offsetWidth - start - 4;
    tip.style.left = `${Math.max(4 - start, Math.min(most, wanted))}px`;
    tip.style.top = `${canvas.offsetTop + top + (isLow ? -tip.offsetHeight - 10 : 16)}px`;
  };
})((globalThis.relutopo ??= {}));
