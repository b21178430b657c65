/*
 * The spectrum of a partition in several parts: its eigenvalues with the gap that decides on the
 * number of parts, the entries of an eigenvector part by part, and two eigenvectors against each other.
 */
(function (rt) {
  "use strict";

  const MOST_MARKS = 6000;
  const { store, element } = rt;
  if (!rt.data.scene.charts?.parts) return;

  const readVector = (text) => (/^[1-9]\d{0,2}$/.test(text) ? Number(text) : undefined);
  store.declare("across", { initial: 1, read: readVector, write: String });
  store.declare("up", { initial: 2, read: readVector, write: String });

  async function begin() {
    const panel = rt.panel(
      "parts",
      "Eigenvectors and parts",
      "Above, the eigenvalues: the band is the gap behind the last one that the parts come from. In the " +
        "middle, regions part by part, in the order of their entries; drag to select some. Below, two " +
        "eigenvectors against each other: parts are clouds.",
    );
    const chart = await rt.chart("parts", panel, "Eigenvalues, and eigenvectors by part");
    const selects = ["across", "up"].map((key) => {
      const select = element("select", { id: `vector-${key}` });
      select.addEventListener("change", () => store.set({ [key]: Number(select.value) }));
      return [key, select];
    });
    panel.append(
      element(
        "p.row",
        null,
        ...selects.flatMap(([key, select], i) => [
          element("label", { for: `vector-${key}` }, i ? "against" : "eigenvector"),
          select,
        ]),
      ),
    );
    const readout = element("p.readout", null);
    panel.append(readout);
    const fillTable = rt.tableOf(panel, "parts as a table", () => {
      const { parts } = rt.current.facts;
      const { categories } = rt.current.quantities.get("part");
      return {
        head: ["part", "regions", "data points", "weight", "conductance"],
        rows: parts.sizes.map((size, i) => [
          categories[i],
          rt.format(size),
          rt.format(parts.points[i]),
          rt.format4(parts.weights[i]),
          rt.format4(parts.conductance[i]),
        ]),
      };
    });

    let order = new Int32Array(); // regions part by part

    /** The entries of an eigenvector; of the last one where there are fewer. */
    function vector(number) {
      const n = rt.current.facts.parts.values.length;
      return rt.current.quantities.get(`vector_${Math.min(n, number)}`).values;
    }

    function showFrame() {
      const { parts } = rt.current.facts;
      panel.hidden = !parts;
      if (!parts) return;
      const { values, next } = parts;
      const number = [1, ...values.map((_, i) => i + 2)];
      const value = [0, ...values];
      if (Number.isFinite(next)) {
        number.push(values.length + 2);
        value.push(next);
      }
      chart.fill("values:all", { number, value });
      chart.model("ticks:values").ticks = number;
      const gap = chart.model("gap");
      gap.setv({ bottom: values[values.length - 1], top: next ?? 0, visible: Number.isFinite(next) });
      for (const [, select] of selects) {
        select.replaceChildren(
          ...values.map((_, i) => element("option", { value: i + 1 }, String(i + 2))),
        );
      }
      const hasTwo = values.length > 1;
      chart.model("embedding").visible = hasTwo;
      const [, up] = selects[1];
      up.hidden = up.previousElementSibling.hidden = !hasTwo;
      fillTable();
      showVectors();
    }

    /** Show entries in the colours that their parts have in the map. */
    function showVectors() {
      const frame = rt.current;
      if (!frame.facts.parts) return;
      const n = frame.facts.parts.values.length;
      const numbers = selects.map(([key]) => Math.min(n, store.get(key)));
      const [across, up] = numbers.map(vector);
      selects.forEach(([, select], i) => (select.value = String(numbers[i])));
      const part = frame.quantities.get("part");
      const inside = [];
      part.values.forEach((value, region) => value >= 0 && inside.push(region));
      inside.sort((a, b) => part.values[a] - part.values[b] || across[a] - across[b] || a - b);
      order = Int32Array.from(inside);
      const colours = rt.colours.every(part);
      const stride = Math.max(1, Math.ceil(order.length / MOST_MARKS));
      const marks = { rank: [], region: [], across: [], up: [], colour: [] };
      for (let i = 0; i < order.length; i += stride) {
        const region = order[i];
        marks.rank.push(i);
        marks.region.push(region);
        marks.across.push(across[region]);
        marks.up.push(up[region]);
        marks.colour.push(rt.colours.css([...colours.subarray(4 * region, 4 * region + 3)]));
      }
      chart.fill("order:all", { rank: marks.rank, entry: marks.across, colour: marks.colour });
      chart.fill("embedding:all", { across: marks.across, up: marks.up, colour: marks.colour });
      const ends = [];
      for (let i = 1; i < order.length; i++) {
        if (part.values[order[i]] !== part.values[order[i - 1]]) ends.push(i - 0.5);
      }
      chart.fill("order:ends", { rank: ends });
      chart.model("entries").axis_label = `eigenvector ${numbers[0] + 1}`;
      chart.model("embedding:across").axis_label = `eigenvector ${numbers[0] + 1}`;
      chart.model("embedding:up").axis_label = `eigenvector ${numbers[1] + 1}`;
      showRegion();
    }

    function showRegion() {
      const { parts } = rt.current.facts;
      if (!parts) return;
      const hovered = store.get("hover");
      const region = hovered >= 0 ? hovered : store.get("region");
      const rank = region >= 0 ? order.indexOf(region) : -1;
      chart.line("order:region", rank >= 0 ? rank : null);
      const [across, up] = selects.map(([key]) => vector(store.get(key))[region]);
      chart.fill("chosen", rank >= 0 ? { across: [across], up: [up] } : { across: [], up: [] });
      const last = parts.values.length + 1;
      const words = [
        `eigenvalue ${last}: ${rt.format4(parts.values[last - 2])}`,
        parts.next === null ? "no other" : `the next one at least ${rt.format4(parts.next)}`,
        `separation ${rt.format4(parts.separation)}`,
      ];
      if (rank >= 0) {
        const name = rt.formatQuantity(rt.current.quantities.get("part"), region);
        words.unshift(`region ${region}: ${name}, entry ${rt.format4(across)}`);
      }
      readout.textContent = words.join(" · ");
    }

    let isOwn = false; // whether the selection changes because of what is dragged here
    const area = chart.model("order:brush");

    rt.follow(chart.model("order"), {
      move: (from, to, over) => {
        const first = Math.max(0, Math.ceil(Math.min(from, to)));
        const past = Math.min(order.length, Math.floor(Math.max(from, to)) + 1);
        area.setv({ left: first - 0.5, right: past - 0.5, visible: true });
        if (!over) return;
        const chosen = past > first ? order.slice(first, past).sort() : null;
        isOwn = chosen !== null;
        store.set({ brush: "", selection: chosen });
        isOwn = false;
      },
      tap: (x) => {
        const at = Math.round(x);
        if (at >= 0 && at < order.length) store.set({ region: order[at] });
      },
    });
    rt.follow(chart.model("embedding"), {
      tap: (x, y) => {
        const [across, up] = selects.map(([key]) => vector(store.get(key)));
        const { x_range: xs, y_range: ys } = chart.model("embedding");
        const away = (region) =>
          Math.hypot((across[region] - x) / (xs.end - xs.start), (up[region] - y) / (ys.end - ys.start));
        let best = -1;
        for (const region of order) if (best < 0 || away(region) < away(best)) best = region;
        if (best >= 0) store.set({ region: best });
      },
    });
    store.on("selection", () => {
      if (!isOwn) area.visible = false;
    });
    store.on(["region", "hover"], showRegion);
    store.on(["across", "up", "seenTheme"], showVectors);
    store.on("current", showFrame);
    showFrame();
  }

  rt.withCharts(begin);
})((globalThis.relutopo ??= {}));
