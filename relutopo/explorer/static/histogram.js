/*
 * The histogram of the quantity that colours the map. A range that is dragged over it, or written
 * into its two fields, selects regions; it stays when the frame changes, and in the address.
 */
(function (rt) {
  "use strict";

  const MOST_BINS = 60;
  const { store, element } = rt;

  store.declare("brush", { initial: "", read: readBrush, write: String });

  /** A range "low..high" with low <= high, or categories "0,2,3". */
  function readBrush(text) {
    return range(text) || /^\d+(,\d+)*$/.test(text) ? text : undefined;
  }

  function range(text) {
    const parts = text.split("..");
    if (parts.length !== 2 || parts.includes("")) return null;
    const [low, high] = parts.map(Number);
    return Number.isFinite(low) && Number.isFinite(high) && low <= high ? { low, high } : null;
  }

  /** The quantity that colours the map, with its values in the frame. */
  function coloured() {
    return rt.current.quantities.get(store.get("colour"));
  }

  /** The regions that a brush selects, ascending; null if there is none. */
  function selected(quantity, brush) {
    if (!brush || !quantity) return null;
    const found = [];
    if (quantity.kind === "category") {
      const chosen = new Set(brush.split(",").map(Number));
      quantity.values.forEach((value, region) => chosen.has(value) && found.push(region));
    } else {
      const ends = range(brush);
      if (!ends) return null;
      quantity.values.forEach(
        (value, region) => value >= ends.low && value <= ends.high && found.push(region),
      );
    }
    return Int32Array.from(found);
  }

  /**
   * Numbers of regions in intervals of equal width, of few integers one for each, and a region of
   * each interval.
   */
  function bins(values) {
    let low = Infinity;
    let high = -Infinity;
    let integers = true;
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
      if (integers && !Number.isInteger(value)) integers = false;
    }
    if (!(low <= high)) return { left: [], right: [], count: [], example: [] };
    const most = Math.min(MOST_BINS, Math.max(8, Math.sqrt(values.length)));
    let width = high / most - low / most; // the difference may be beyond all numbers
    if (integers && high - low < Number.MAX_SAFE_INTEGER) {
      width = Math.max(1, Math.ceil((high - low + 1) / MOST_BINS));
      [low, high] = [low - 0.5, high + 0.5];
    }
    if (width === 0) [low, width] = [low - 0.5, 1];
    const n = Math.max(1, Math.ceil(high / width - low / width - 1e-9));
    const count = new Array(n).fill(0);
    const example = new Array(n).fill(-1);
    values.forEach((value, region) => {
      if (!Number.isFinite(value)) return;
      const i = Math.min(n - 1, Math.max(0, Math.floor(value / width - low / width)));
      count[i]++;
      example[i] = region;
    });
    return {
      example,
      left: count.map((_, i) => low + i * width),
      right: count.map((_, i) => low + (i + 1) * width),
      count,
    };
  }

  let isOwn = false; // whether the selection changes because the range does

  async function begin() {
    const panel = rt.panel("histogram", "Distribution", "");
    const sentence = panel.querySelector(".muted");
    const plot = element("div");
    panel.append(plot);
    const chart = await rt.chart("histogram", plot, "Histogram of the quantity in the map");
    const categories = element("fieldset.categories", null);
    const low = element("input", { type: "number", id: "brush-low", step: "any" });
    const high = element("input", { type: "number", id: "brush-high", step: "any" });
    const clear = element(
      "button",
      { type: "button", onclick: () => store.set({ brush: "", selection: null }) },
      "clear",
    );
    const ends = element("span.row", null,
      element("label", { for: "brush-low" }, "from"),
      low,
      element("label", { for: "brush-high" }, "to"),
      high,
    );
    const readout = element("p.readout", { "aria-live": "polite" });
    panel.append(categories, element("p.row", null, ends, clear), readout);
    const table = element("div");
    panel.append(table);
    const fillTable = rt.tableOf(table, "histogram as a table", () => {
      const { left, right, count } = bins(coloured().values);
      return {
        head: ["from", "to", "regions"],
        rows: count.map((n, i) => [rt.format4(left[i]), rt.format4(right[i]), rt.format(n)]),
      };
    });

    for (const field of [low, high]) {
      field.addEventListener("change", () => {
        const text = `${low.value || -Number.MAX_VALUE}..${high.value || Number.MAX_VALUE}`;
        store.set({ brush: range(text) ? text : "" });
      });
    }

    function showFrame() {
      const quantity = coloured();
      if (!quantity) return;
      const isNumber = quantity.kind === "number";
      plot.hidden = ends.hidden = table.hidden = !isNumber;
      categories.hidden = isNumber;
      const unit = quantity.unit && quantity.unit !== "1" ? ` (${quantity.unit})` : "";
      const how = isNumber ? "Drag over it" : "Choose some";
      sentence.textContent = `${quantity.label}${unit}. ${how} to select regions.`;
      if (isNumber) {
        chart.model("values").axis_label = `${quantity.label}${unit}`;
        showBins();
        fillTable();
      } else showCategories(quantity);
      select();
    }

    /** Show bars in the colours that their regions have in the map. */
    function showBins() {
      const quantity = coloured();
      const found = bins(quantity.values);
      const colour = found.example.map((region) =>
        rt.colours.css(region < 0 ? [0, 0, 0] : rt.colours.of(quantity, region)),
      );
      chart.fill("bins", { left: found.left, right: found.right, count: found.count, colour });
    }

    /** Show the colours of the theme and the palette. */
    function recolour() {
      const quantity = coloured();
      if (quantity?.kind === "number") showBins();
      else if (quantity) {
        showCategories(quantity);
        select();
      }
    }

    function showCategories(quantity) {
      const counts = new Map();
      for (const value of quantity.values) counts.set(value, (counts.get(value) ?? 0) + 1);
      const most = Math.max(1, ...quantity.categories.map((_, k) => counts.get(k) ?? 0));
      const colours = rt.colours.categories(quantity);
      categories.replaceChildren(element("legend", null, quantity.label));
      quantity.categories.forEach((name, k) => {
        const box = element("input", { type: "checkbox", id: `category-${k}`, value: String(k) });
        box.addEventListener("change", () => {
          const chosen = [...categories.querySelectorAll("input:checked")].map((one) => one.value);
          store.set({ brush: chosen.join(",") });
        });
        const count = counts.get(k) ?? 0;
        const bar = element("span.bar", { "aria-hidden": "true" });
        bar.style.background = rt.colours.css(colours.subarray(4 * k, 4 * k + 3));
        bar.style.width = `${(100 * count) / most}%`;
        categories.append(
          element(
            "div",
            null,
            box,
            element("label", { for: `category-${k}` }, name),
            element("span.track", { "aria-hidden": "true" }, bar),
            element("span.count", null, String(count)),
          ),
        );
      });
    }

    /** Let the selection follow from the brush. */
    function select() {
      const quantity = coloured();
      const brush = store.get("brush");
      if (brush) {
        isOwn = true;
        store.set({ selection: selected(quantity, brush) });
        isOwn = false;
      }
      const area = chart.model("brush");
      const found = brush ? range(brush) : null;
      if (found) area.setv({ left: found.low, right: found.high, visible: true });
      else area.visible = false;
      // An end that nobody gave stays open.
      low.value = found && found.low > -Number.MAX_VALUE ? String(found.low) : "";
      high.value = found && found.high < Number.MAX_VALUE ? String(found.high) : "";
      const chosen = new Set(brush && !found ? brush.split(",") : []);
      for (const box of categories.querySelectorAll("input")) box.checked = chosen.has(box.value);
    }

    function showNumber() {
      const selection = store.get("selection");
      clear.disabled = selection === null;
      readout.textContent =
        selection === null ? "" : `${selection.length} of ${rt.current.nRegions} regions selected`;
    }

    function showValue() {
      const quantity = coloured();
      const hovered = store.get("hover");
      const region = hovered >= 0 ? hovered : store.get("region");
      const known = quantity?.kind === "number" && region >= 0;
      chart.line("value", known ? quantity.values[region] : null);
    }

    rt.follow(chart.model("histogram"), {
      move: (from, to, over) => {
        const [left, right] = from < to ? [from, to] : [to, from];
        chart.model("brush").setv({ left, right, visible: true });
        if (over) store.set({ brush: left < right ? `${left}..${right}` : "" });
      },
      tap: () => store.set({ brush: "", selection: null }),
    });

    store.on("colour", (changed) => {
      // A brush is one of the quantity that it was drawn over.
      if (store.get("brush") && !changed.has("brush")) store.set({ brush: "", selection: null });
      showFrame();
    });
    store.on("brush", select);
    store.on("current", showFrame);
    store.on(["palette", "diverging", "seenTheme"], recolour);
    store.on("selection", (changed) => {
      // What was selected otherwise is not that of the range any more.
      const isOther = !isOwn && !changed.has("current") && !changed.has("brush");
      if (isOther && store.get("brush")) store.set({ brush: "" });
      showNumber();
    });
    store.on(["region", "hover"], showValue);
    showFrame();
    showNumber();
  }

  rt.withCharts(begin);
})((globalThis.relutopo ??= {}));
