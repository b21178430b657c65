/*
 * The persistence diagram and the Betti curves of a frame: a class that is touched lights its
 * representative in the map, and the threshold shows the complex as it enters.
 *
 * A class is named "degree:number", by the number of the cell that creates it.
 */
(function (rt) {
  "use strict";

  const SYMBOLS = ["●", "■", "▲", "◆"];
  const DASHES = ["solid", "dashed", "dotted", "dashed"];
  const MOST_ROWS = 200;
  const NEAR = 30; // pixels
  const { store, element } = rt;

  /** The place of a class in the arrays of a frame, -1 if it has none. */
  function place(frame, pair) {
    const degrees = frame.arrays["classes:degrees"];
    const numbers = frame.arrays["classes:numbers"];
    if (!degrees || !pair) return -1;
    const [degree, number] = pair.split(":").map(Number);
    for (let k = 0; k < degrees.length; k++) {
      if (degrees[k] === degree && numbers[k] === number) return k;
    }
    return -1;
  }

  /**
   * The cells of the representative of a class in a frame, or null.
   *
   * @returns {?{degree: number, cells: Int32Array}}
   */
  rt.cycle = function (frame, pair) {
    const k = place(frame, pair);
    if (k < 0) return null;
    const offsets = frame.arrays["cycles:offsets"];
    const cells = frame.arrays["cycles:cells"].subarray(offsets[k], offsets[k + 1]);
    return { degree: frame.arrays["classes:degrees"][k], cells };
  };

  store.declare("pair", {
    initial: "",
    read: (text) => (/^\d+:\d+$/.test(text) ? text : undefined),
    write: String,
  });
  store.declare("threshold", {
    initial: null,
    read: (text) => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined),
    write: (value) => (value === null ? "" : String(value)),
  });

  const degrees = rt.data.scene.degrees;
  if (!degrees) return;

  const ENTRIES = ["vertices", "facets", "regions"];
  const KINDS = ["vertices", "edges", "regions"];
  const KINDS_IN_SPACE = ["vertices", "edges", "faces", "regions"];

  /** Where a number is among ascending ones: how many are no greater, less one. */
  function placeOf(numbers, value) {
    let low = 0;
    let high = numbers.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (numbers[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  // The map: cells of the class, and those that have entered.

  let entries = { values: new Float64Array(), regions: null };

  function setFrame() {
    const { arrays, nRegions } = rt.current;
    const all = ENTRIES.flatMap((of) => [...new Set(arrays[`entry:${of}`] ?? [])]);
    const values = Float64Array.from(new Set(all)).sort();
    const regions = arrays["entry:regions"] ?? new Float64Array(nRegions);
    entries = { values, regions };
    // Places in the order are whole numbers, which the card holds exactly.
    rt.map.setEntries(Float32Array.from(regions, (value) => placeOf(values, value)));
    lightClass();
    lightEntered();
  }

  function lightClass() {
    const cycle = rt.cycle(rt.current, store.get("pair"));
    const kinds = rt.current.plane ? KINDS_IN_SPACE : KINDS;
    const kind = cycle && kinds[cycle.degree];
    rt.map.setCells("cycle", cycle && { [kind]: cycle.cells });
  }

  function lightEntered() {
    const threshold = store.get("threshold");
    const { arrays, beside, edges } = rt.current;
    if (threshold === null || !arrays["entry:facets"]) {
      rt.map.setThreshold(null);
      rt.map.setCells("entered", null);
      return;
    }
    rt.map.setThreshold(placeOf(entries.values, threshold));
    if (rt.current.plane) return; // a section has none of the lower cells
    // Faces of regions that have entered are seen with these.
    const isIn = (region) => region >= 0 && entries.regions[region] <= threshold;
    const found = { edges: [], vertices: [] };
    const covered = new Uint8Array(arrays["entry:vertices"].length);
    arrays["entry:facets"].forEach((value, edge) => {
      if (value > threshold) return;
      covered[edges[2 * edge]] = covered[edges[2 * edge + 1]] = 1;
      if (!isIn(beside[2 * edge]) && !isIn(beside[2 * edge + 1])) found.edges.push(edge);
    });
    arrays["entry:vertices"].forEach((value, vertex) => {
      if (value <= threshold && !covered[vertex]) found.vertices.push(vertex);
    });
    rt.map.setCells("entered", found, "entered");
  }

  store.on("current", setFrame);
  store.on("pair", lightClass);
  store.on("threshold", lightEntered);

  async function begin() {
    const panel = rt.panel(
      "classes",
      "Persistence",
      "Each mark is a class of homology, born and ended along the filtration. Touch one to light " +
        "its representative; move the threshold to see the complex enter.",
    );
    panel.append(
      rt.legend(
        "",
        Array.from({ length: degrees }, (_, k) => ({
          name: `degree ${k} ${SYMBOLS[k % 4]}`,
          series: (k % 5) + 1,
          dash: DASHES[k % 4],
        })),
      ),
    );
    const plots = element("div.beside", null);
    panel.append(plots);
    const diagram = await rt.chart("diagram", plots, "Persistence diagram: death against birth");
    const betti = await rt.chart("betti", plots, "Betti numbers along the filtration");
    const readout = element("p.readout", { "aria-live": "polite" });
    const slider = element("input", {
      type: "range",
      id: "threshold",
      min: "0",
      step: "1",
      oninput: () => store.set({ threshold: values[Number(slider.value)] ?? null }),
    });
    const number = element("output", { for: "threshold" });
    const whole = element(
      "button",
      { type: "button", onclick: () => store.set({ threshold: null }) },
      "whole complex",
    );
    const none = element(
      "button",
      { type: "button", onclick: () => store.set({ pair: "" }) },
      "no class",
    );
    const zoom = element("button", { type: "button", onclick: showLarge }, "zoom to it");
    const table = element("table");
    const noted = element("p.muted", null);
    panel.append(
      readout,
      element("p.row", null,
        element("label", { for: "threshold" }, "threshold"),
        slider,
        number,
        whole,
        zoom,
        none,
      ),
      noted,
      element(
        "details",
        null,
        element("summary", null, "classes as a table"),
        element("div.scrolled", null, table),
      ),
    );

    let values = new Float64Array(0);
    let top = 1;
    let rows = new Map();

    /** Where a class is drawn: what never ends is on the line above. */
    const height = (death) => (Number.isFinite(death) ? death : top);

    function showFrame() {
      const { arrays, facts } = rt.current;
      const births = arrays["classes:births"] ?? new Float64Array(0);
      const deaths = arrays["classes:deaths"] ?? new Float64Array(0);
      const ofClass = arrays["classes:degrees"] ?? new Int8Array(0);
      values = entries.values.filter(Number.isFinite);
      const ends = births.length ? [...births, ...deaths] : [values[0], values.at(-1)];
      const finite = ends.filter(Number.isFinite);
      const low = finite.reduce((a, b) => Math.min(a, b), Infinity);
      const high = finite.reduce((a, b) => Math.max(a, b), -Infinity);
      const room = (high - low || 1) * 0.06;
      top = high + 2 * room;
      if (finite.length) {
        diagram.model("births").setv({ start: low - room, end: high + room });
        diagram.model("deaths").setv({ start: low - room, end: top + room });
      }
      diagram.line("never", top);
      diagram.model("never:label").setv({ x: high + room, y: top });
      for (let degree = 0; degree < degrees; degree++) {
        const birth = [];
        const death = [];
        for (let k = 0; k < births.length; k++) {
          if (ofClass[k] !== degree) continue;
          birth.push(births[k]);
          death.push(height(deaths[k]));
        }
        diagram.fill(`classes:${degree}`, { birth, death });
        betti.fill(`betti:${degree}`, curve(degree, births, deaths, ofClass, values));
      }
      slider.max = String(Math.max(0, values.length - 1));
      slider.disabled = !values.length; // nothing enters at a finite value
      noted.textContent = facts.diagram?.note ?? "";
      fillTable(births, deaths, ofClass, arrays["classes:numbers"] ?? []);
      showClass();
      showThreshold();
    }

    function fillTable(births, deaths, ofClass, numbers) {
      const order = Array.from(births.keys()).sort(
        (a, b) => deaths[b] - births[b] - (deaths[a] - births[a]) || a - b,
      );
      rows = new Map();
      const body = element("tbody");
      for (const k of order.slice(0, MOST_ROWS)) {
        const pair = `${ofClass[k]}:${numbers[k]}`;
        const button = element(
          "button",
          { type: "button", onclick: () => choose(pair) },
          `${SYMBOLS[ofClass[k] % 4]} ${pair}`,
        );
        const row = element(
          "tr",
          null,
          element("th", { scope: "row" }, button),
          element("td", null, rt.format4(births[k])),
          element("td", null, rt.format4(deaths[k])),
          element("td", null, rt.format4(deaths[k] - births[k])),
        );
        rows.set(pair, { row, button });
        body.append(row);
      }
      const head = element("tr");
      for (const name of ["class", "birth", "death", "persistence"]) {
        head.append(element("th", { scope: "col" }, name));
      }
      const words =
        order.length > MOST_ROWS
          ? `the ${MOST_ROWS} most persistent of ${order.length} classes`
          : "classes, the most persistent first";
      table.replaceChildren(element("caption", null, words), element("thead", null, head), body);
    }

    const choose = (pair) => store.set({ pair: store.get("pair") === pair ? "" : pair });

    function showClass() {
      const pair = store.get("pair");
      const { arrays } = rt.current;
      const k = place(rt.current, pair);
      for (const [name, { row, button }] of rows) {
        row.classList.toggle("chosen", name === pair);
        button.setAttribute("aria-pressed", String(name === pair));
      }
      none.disabled = zoom.disabled = k < 0;
      if (k < 0) {
        diagram.fill("chosen", { birth: [], death: [] });
        readout.textContent = "";
        return;
      }
      const birth = arrays["classes:births"][k];
      const death = arrays["classes:deaths"][k];
      diagram.fill("chosen", { birth: [birth], death: [height(death)] });
      const cells = rt.cycle(rt.current, pair).cells.length;
      const end = Number.isFinite(death) ? `ends at ${rt.format4(death)}` : "never ends";
      readout.textContent =
        `class ${pair}: degree ${arrays["classes:degrees"][k]}, born at ${rt.format4(birth)}, ` +
        `${end}; ${cells ? `representative of ${cells} cells` : "no representative kept"}`;
    }

    /** Show the cells of the class with what is around them. */
    function showLarge() {
      const places = rt.map.segments("cycle");
      if (!places.length) return;
      const box = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = 0; i < places.length; i += 2) {
        box[0] = Math.min(box[0], places[i]);
        box[1] = Math.min(box[1], places[i + 1]);
        box[2] = Math.max(box[2], places[i]);
        box[3] = Math.max(box[3], places[i + 1]);
      }
      rt.map.go(rt.map.camera.around(box, 0.5), true);
    }

    function showThreshold() {
      const threshold = store.get("threshold");
      betti.line("threshold", threshold);
      const alive = diagram.model("alive");
      if (threshold === null) alive.visible = false;
      else alive.setv({ right: threshold, bottom: threshold, visible: true });
      whole.disabled = threshold === null;
      const at = threshold === null ? values.length - 1 : rt.nearest(values, threshold);
      slider.value = String(at);
      slider.setAttribute("aria-valuetext", rt.format4(values[at] ?? NaN));
      number.textContent = threshold === null ? "–" : rt.format4(threshold);
    }

    rt.follow(diagram.model("diagram"), {
      tap: (x, y) => {
        const nearest = near(diagram, x, y);
        if (nearest) choose(nearest);
      },
    });
    rt.follow(betti.model("betti"), {
      tap: (x) => moveTo(x),
      move: (_, x) => moveTo(x),
    });

    function moveTo(x) {
      if (values.length) store.set({ threshold: values[rt.nearest(values, x)] });
    }

    /** The class whose mark is nearest to a place, if it is near enough to be meant. */
    function near(chart, x, y) {
      const { arrays } = rt.current;
      const births = arrays["classes:births"];
      const horizontal = chart.model("births");
      const vertical = chart.model("deaths");
      const figure = chart.model("diagram");
      const across = figure.inner_width / (horizontal.end - horizontal.start);
      const up = figure.inner_height / (vertical.end - vertical.start);
      let best = -1;
      let least = NEAR;
      for (let k = 0; k < births.length; k++) {
        const dy = (height(arrays["classes:deaths"][k]) - y) * up;
        const far = Math.hypot((births[k] - x) * across, dy);
        if (far < least) [best, least] = [k, far];
      }
      return best < 0
        ? null
        : `${arrays["classes:degrees"][best]}:${arrays["classes:numbers"][best]}`;
    }

    store.on("pair", showClass);
    store.on("threshold", showThreshold);
    store.on("current", showFrame);
    showFrame();
  }

  /** A Betti number along the filtration, as corners of a step function. */
  function curve(degree, births, deaths, ofClass, values) {
    const changes = [];
    for (let k = 0; k < births.length; k++) {
      if (ofClass[k] !== degree) continue;
      changes.push([births[k], 1]);
      if (Number.isFinite(deaths[k])) changes.push([deaths[k], -1]);
    }
    changes.sort((a, b) => a[0] - b[0]);
    const value = values.length ? [values[0]] : [];
    const height = values.length ? [0] : [];
    let now = 0;
    changes.forEach(([at, by], i) => {
      now += by;
      if (i + 1 < changes.length && changes[i + 1][0] === at) return;
      value.push(at);
      height.push(now);
    });
    if (values.length) {
      value.push(values.at(-1));
      height.push(now);
    }
    return { value, height };
  }

  rt.bettiCurve = curve;
  rt.withCharts(begin);
})((globalThis.relutopo ??= {}));
