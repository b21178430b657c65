/*
 * The eigenvector of a frame in its order, with the cut by sign and the sweep: how well each prefix
 * of the order is separated from the rest.
 */
(function (rt) {
  "use strict";

  const MOST_MARKS = 6000;
  const MOST_ROWS = 500;
  const { store, element } = rt;
  if (!rt.data.scene.charts?.spectrum) return;

  async function begin() {
    const panel = rt.panel(
      "spectrum",
      "Eigenvector",
      "Regions in the order of their entries in the Fiedler vector. The dashed line is the cut by " +
        "sign, the dotted one the cut of least conductance along the order. Drag to select regions.",
    );
    const chart = await rt.chart("spectrum", panel, "Entries of the Fiedler vector in order");
    const readout = element("p.readout", null);
    panel.append(readout);
    const fillTable = rt.tableOf(panel, "order as a table", () => {
      const { arrays } = rt.current;
      const regions = [...arrays["spectrum:order"].subarray(0, MOST_ROWS)];
      return {
        head: ["place", "region", "entry", "conductance of the cut behind it"],
        rows: regions.map((region, i) => [
          String(i + 1),
          String(region),
          rt.format4(arrays["spectrum:entries"][i]),
          rt.format4(arrays["spectrum:conductance"][i] ?? NaN),
        ]),
      };
    });

    function showFrame() {
      const { arrays, facts } = rt.current;
      const order = arrays["spectrum:order"];
      panel.hidden = !order;
      if (!order) return;
      const sweep = arrays["spectrum:conductance"];
      showEntries();
      const rank = [];
      const conductance = [];
      for (let i = 0; i < sweep.length; i++) {
        if (!(sweep[i] > 0) || !Number.isFinite(sweep[i])) continue; // equal entries aren't cut
        rank.push(i + 0.5);
        conductance.push(sweep[i]);
      }
      chart.fill("sweep:curve", { rank, conductance });
      for (const of of ["entries", "sweep"]) {
        chart.line(`${of}:cut`, facts.spectrum.cut + 0.5);
        chart.line(`${of}:best`, facts.spectrum.best + 0.5);
      }
      fillTable();
      showRegion();
    }

    /** Show entries in the colours that their sides have in the map. */
    function showEntries() {
      const { arrays, quantities } = rt.current;
      const order = arrays["spectrum:order"];
      const sides = quantities.get("part");
      if (!order || !sides) return;
      const stride = Math.max(1, Math.ceil(order.length / MOST_MARKS));
      const data = { rank: [], entry: [], colour: [] };
      for (let i = 0; i < order.length; i += stride) {
        data.rank.push(i);
        data.entry.push(arrays["spectrum:entries"][i]);
        data.colour.push(rt.colours.css(rt.colours.of(sides, order[i])));
      }
      chart.fill("entries:all", data);
    }

    function showRegion() {
      const { arrays, facts } = rt.current;
      const order = arrays["spectrum:order"];
      if (!order) return;
      const hovered = store.get("hover");
      const region = hovered >= 0 ? hovered : store.get("region");
      const at = region >= 0 ? order.indexOf(region) : -1;
      for (const of of ["entries", "sweep"]) chart.line(`${of}:region`, at >= 0 ? at : null);
      const words = [
        `conductance by sign ${rt.format4(facts.spectrum.signConductance)}`,
        `least ${rt.format4(facts.spectrum.conductance)}`,
      ];
      if (at >= 0) {
        const entry = rt.format4(arrays["spectrum:entries"][at]);
        words.unshift(`region ${region}: place ${at + 1} of ${order.length}, entry ${entry}`);
      }
      readout.textContent = words.join(" · ");
    }

    let isOwn = false; // whether the selection changes because of what is dragged here

    function brush(from, to, over) {
      const order = rt.current.arrays["spectrum:order"];
      const first = Math.max(0, Math.ceil(Math.min(from, to)));
      const past = Math.min(order.length, Math.floor(Math.max(from, to)) + 1);
      for (const of of ["entries", "sweep"]) {
        chart.model(`${of}:brush`).setv({ left: first - 0.5, right: past - 0.5, visible: true });
      }
      if (!over) return;
      const chosen = past > first ? Int32Array.from(order.subarray(first, past)).sort() : null;
      isOwn = chosen !== null;
      store.set({ brush: "", selection: chosen });
      isOwn = false;
    }

    for (const of of ["entries", "sweep"]) {
      rt.follow(chart.model(of), {
        move: brush,
        tap: (x) => {
          const order = rt.current.arrays["spectrum:order"];
          const at = Math.round(x);
          if (order && at >= 0 && at < order.length) store.set({ region: order[at] });
        },
      });
    }
    store.on("selection", () => {
      if (isOwn) return;
      for (const of of ["entries", "sweep"]) chart.model(`${of}:brush`).visible = false;
    });
    store.on(["region", "hover"], showRegion);
    store.on("seenTheme", showEntries);
    store.on("current", showFrame);
    showFrame();
  }

  rt.withCharts(begin);
})((globalThis.relutopo ??= {}));
