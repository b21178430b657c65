/*
 * The note beside the pointer: the numbers of the region below it.
 */
(function (rt) {
  "use strict";

  const MOST = 7;
  const tip = rt.byId("tip");

  rt.hideTip = () => (tip.hidden = true);

  /** Say what is at a place of the map; see `rt.pointedAt`. */
  rt.showTip = function ({ region, beside, point }, [left, top]) {
    const frame = rt.current;
    tip.hidden = region === rt.OUTSIDE;
    if (tip.hidden) return;
    if (region === rt.ON_BOUNDARY) {
      tip.replaceChildren(
        rt.element("b", null, `On a facet of regions ${beside.join(", ")}`),
        rt.element("p", null, frame.callPoint(point)),
      );
    } else {
      const first = frame.quantities.get(rt.store.get("colour"));
      const others = [...frame.quantities.values()].filter((entry) => entry !== first);
      const rows = [first, ...others].filter(Boolean).slice(0, MOST);
      const swatch = rt.element("i.swatch");
      if (first) swatch.style.background = rt.colours.css(rt.colours.of(first, region));
      tip.replaceChildren(
        rt.element("b", null, swatch, `Region ${region}`),
        rt.element(
          "dl",
          null,
          ...rows.flatMap((entry, i) => [
            rt.element(i ? "dt" : "dt.first", null, entry.label),
            rt.element(i ? "dd" : "dd.first", null, rt.formatQuantity(entry, region)),
          ]),
        ),
      );
    }
    const { clientWidth, clientHeight } = rt.map.canvas;
    const isRight = left > clientWidth - tip.offsetWidth - 30;
    const isLow = top > clientHeight - tip.offsetHeight - 30;
    tip.style.left = `${rt.map.canvas.offsetLeft + left + (isRight ? -tip.offsetWidth - 14 : 16)}px`;
    tip.style.top = `${rt.map.canvas.offsetTop + top + (isLow ? -tip.offsetHeight - 10 : 16)}px`;
  };
})((globalThis.relutopo ??= {}));
