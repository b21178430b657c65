/*
 * The panel of the region that was clicked: its numbers, its pattern layer by layer, its affine map,
 * its neighbours.
 */
(function (rt) {
  "use strict";

  const MOST_UNITS = 4096; // that are drawn as squares
  const panel = rt.byId("region-panel");
  const { element, store } = rt;

  /** The facts of a region as a list of terms. */
  function numbers(frame, region) {
    const rows = [...frame.quantities.values()].flatMap((entry) => [
      element("dt", { title: entry.meaning }, entry.label),
      element("dd", null, rt.formatQuantity(entry, region)),
    ]);
    const point = frame.callPoint(frame.inside(region));
    return element("dl.numbers", null, ...rows, element("dt", null, "around"), element("dd", null, point));
  }

  /** A row of squares for each layer, filled where a neuron is on. */
  function pattern(frame, region) {
    const rows = frame.layers.map((size, layer) => {
      const first = frame.firstOfLayer[layer];
      const bits = Array.from({ length: size }, (_, unit) => frame.isOn(region, first + unit));
      const nOn = bits.filter(Boolean).length;
      const row = element(
        "div.layer",
        null,
        element("span.name", null, `layer ${layer}`),
        element("span.count", { "aria-hidden": "true" }, `${nOn} of ${size} on`),
        element(
          "span.bits",
          { role: "img", "aria-label": `${nOn} of ${size} on: ${bits.map(Number).join("")}` },
        ),
      );
      const squares = row.querySelector(".bits");
      if (frame.nNeurons <= MOST_UNITS) {
        const chosen = store.get("neuron");
        bits.forEach((isOn, unit) => {
          const square = element(isOn ? "i.on" : "i", {
            title: `${frame.callNeuron(first + unit)}: ${isOn ? "on" : "off"}`,
            "data-neuron": first + unit,
          });
          if (first + unit === chosen) square.classList.add("chosen");
          squares.append(square);
        });
      }
      return row;
    });
    const list = element("div.pattern", null, ...rows);
    list.addEventListener("click", (event) => {
      const neuron = event.target.dataset?.neuron;
      if (neuron === undefined) return;
      store.set({ neuron: Number(neuron) === store.get("neuron") ? -1 : Number(neuron) });
    });
    return list;
  }

  /** The affine function of a region, a line for each output. */
  function map(frame, region) {
    const rows = frame.map(region);
    if (!rows) return null;
    const lines = rows.map(({ slopes, constant }, j) => {
      const terms = slopes.map((slope, i) => [slope, ` ${frame.facts.inputs[i]}`]);
      const words = [...terms, [constant, ""]].map(([value, behind], i) => {
        const size = rt.format(Math.abs(value), 5) + behind;
        return i ? `${value < 0 ? " − " : " + "}${size}` : `${value < 0 ? "−" : ""}${size}`;
      });
      const name = rows.length === 1 ? "f" : `f${rt.subscript(j)}`;
      return element("li", null, `${name} = ${words.join("")}`);
    });
    return element("ul.formula", null, ...lines);
  }

  function neighbours(frame, region) {
    const rows = frame.facetsOf(region).map(({ neighbour, neurons, side }) => {
      if (neighbour < 0) return element("li.side", null, side);
      const behind = neurons.length
        ? neurons.slice(0, 3).map(frame.callNeuron).join("; ") + (neurons.length > 3 ? " …" : "")
        : "";
      const button = element(
        "button.link",
        {
          type: "button",
          onclick: () => {
            store.set({ region: neighbour });
            rt.map.showRegion(neighbour);
            panel.querySelector("h2").focus();
          },
          onpointerenter: () => store.set({ hover: neighbour }),
          onpointerleave: () => store.set({ hover: -1 }),
          onfocus: () => store.set({ hover: neighbour }),
          onblur: () => store.set({ hover: -1 }),
        },
        String(neighbour),
      );
      return element("li", null, button, element("span.muted", null, behind));
    });
    return element("ul.neighbours", null, ...rows);
  }

  function show() {
    const [frame, region] = [rt.current, store.get("region")];
    if (!frame) return;
    if (region < 0 || region >= frame.nRegions) {
      panel.replaceChildren(
        element("h2", { tabindex: "-1" }, "Region"),
        element("p.muted", null, "Click a region of the map to see its numbers, its pattern, its map and its neighbours."),
      );
      return;
    }
    const quantity = frame.quantities.get(store.get("colour"));
    const swatch = element("i.swatch");
    if (quantity) swatch.style.background = rt.colours.css(rt.colours.of(quantity, region));
    const isSelected = Boolean(store.get("selection")?.includes(region));
    const formula = map(frame, region);
    panel.replaceChildren(
      element(
        "div.head",
        null,
        element("h2", { tabindex: "-1" }, swatch, `Region ${region}`),
        element(
          "button",
          { type: "button", onclick: () => rt.map.go(rt.map.camera.around(rt.boxOf(region)), true) },
          "Zoom",
        ),
        element(
          "button",
          { type: "button", "aria-pressed": String(isSelected), onclick: () => rt.toggleSelected(region) },
          "Select",
        ),
        element(
          "button",
          { type: "button", "aria-label": "Close", onclick: () => store.set({ region: -1 }) },
          "×",
        ),
      ),
      numbers(frame, region),
      element("h3", null, "Pattern"),
      pattern(frame, region),
      ...(formula ? [element("h3", null, "Map"), formula] : []),
      element("h3", null, "Neighbours"),
      neighbours(frame, region),
      element("div", { id: "region-history" }),
    );
    rt.onRegion?.(region);
  }

  /** The box of a region. */
  rt.boxOf = (region) => [...rt.current.boxes.subarray(4 * region, 4 * region + 4)];

  store.on(["current", "region", "colour", "palette", "diverging", "seenTheme", "selection", "neuron"], show);
})((globalThis.relutopo ??= {}));
