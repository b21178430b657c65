/*
 * The legend: what the colours, the lines and the points of the map are, in words.
 */
(function (rt) {
  "use strict";

  const { element, store } = rt;
  const legend = rt.byId("legend");
  const SURFACE = "The boundary of all places where the network decides for one class, in the domain.";
  const FACETS = { plain: "facets", layer: "facets by layer" };

  /** The link to the documentation of a quantity, where one is known. */
  function documented(docs) {
    const base = rt.data.scene.docs;
    if (!docs || !base) return null;
    const address = `${base.replace(/\/$/, "")}/${docs}`;
    return element("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, " Documentation");
  }

  function bar(quantity) {
    const { low, high, map, least, greatest } = rt.colours.range(quantity);
    const bytes = rt.colours.palette(rt.colours.nameFor(quantity));
    const stops = Array.from({ length: 17 }, (_, i) => {
      const at = 4 * Math.round((i / 16) * (rt.colours.N - 1));
      return rt.colours.css([...bytes.subarray(at, at + 3)]);
    });
    const isLog = quantity.scale === "log";
    const [from, to] = [Math.min(low, high), Math.max(low, high)];
    const isReversed = low > high;
    let places;
    if (least === greatest && !quantity.limits) {
      places = [[least, rt.format(isLog ? 10 ** least : least, 4)]];
    } else if (isLog) {
      const step = Math.max(1, Math.ceil((to - from) / 5));
      places = [];
      for (let k = Math.ceil(from); k <= to; k += step) places.push([k, rt.powerOfTen(k)]);
      if (places.length < 2) places = [from, to].map((k) => [k, rt.format(10 ** k, 3)]);
    } else {
      const isWhole = quantity.values instanceof Int32Array;
      let { values, digits } = rt.ticks(from, to, 4);
      if (isWhole && values.some((x) => !Number.isInteger(x))) {
        ({ values, digits } = { values: [Math.ceil(from), Math.floor(to)], digits: 0 });
      }
      places = values.map((x) => [x, Math.abs(x) < 1e-3 && x !== 0 ? rt.format(x, 3) : rt.tickText(x, digits)]);
    }
    const share = (x) => 100 * ((x - low) / (high - low));
    const strip = element("div.strip");
    strip.style.background = `linear-gradient(to right, ${stops.join(", ")})`;
    const ends = isReversed ? [greatest > low, least < high] : [least < low, greatest > high];
    const scale = element("div.scale", { "aria-hidden": "true" });
    for (const [x, words] of places) {
      const tick = element("span", null, words);
      tick.style.left = `${share(x)}%`;
      scale.append(tick);
    }
    const unit = map === Math.log10 ? ", by magnitude" : "";
    const [a, b] = [least, greatest].map((x) => rt.format(isLog ? 10 ** x : x, 4));
    const box = element("div.bar", { role: "img", "aria-label": `from ${a} to ${b}${unit}` }, strip, scale);
    ends.forEach((isBeyond, i) => isBeyond && box.classList.add(i ? "above" : "below"));
    return box;
  }

  function categories(quantity) {
    const bytes = rt.colours.categories(quantity);
    const counts = new Map();
    for (const value of quantity.values) counts.set(value, (counts.get(value) ?? 0) + 1);
    const items = quantity.categories.flatMap((name, i) => {
      if (!counts.has(i)) return [];
      const swatch = element("i.swatch");
      swatch.style.background = rt.colours.css([...bytes.subarray(4 * i, 4 * i + 3)]);
      const regions = () => {
        const found = [];
        quantity.values.forEach((value, region) => value === i && found.push(region));
        return found;
      };
      return element(
        "li",
        null,
        element(
          "button.key",
          {
            type: "button",
            title: `Select these ${counts.get(i)} regions`,
            onclick: () => rt.select(regions()),
          },
          swatch,
          name,
          element("span.muted", null, rt.format(counts.get(i))),
        ),
      );
    });
    return element("ul.keys", null, ...items);
  }

  function line(ink, words, title = null) {
    const sample = element("i.line");
    sample.style.background = Array.isArray(ink) ? rt.colours.css(ink) : rt.colours.css(rt.colours.ink(ink));
    return element("li", { title }, sample, words);
  }

  /** Shapes of classes of data points, in a square of 12. */
  rt.shapes = [
    "M6 1.5a4.5 4.5 0 1 0 0 9a4.5 4.5 0 1 0 0-9z",
    "M6 1.2 11 10H1z",
    "M2 2h8v8H2z",
    "M6 .8 11.2 6 6 11.2.8 6z",
    "M6 10.8 1 2h10z",
    "M4 1h4v3h3v4H8v3H4V8H1V4h3z",
  ];

  /** A small picture of a class's data points. */
  rt.shape = function (k, n) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 12 12");
    svg.setAttribute("class", "shape");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    path.setAttribute("d", rt.shapes[k % rt.shapes.length]);
    path.setAttribute("fill", rt.colours.css(n ? rt.colours.classColour(k, n) : rt.colours.ink("ink")));
    svg.append(path);
    return svg;
  };

  function others(frame) {
    const items = [];
    const shown = store.get("overlays");
    for (const overlay of frame.overlays.values()) {
      if (shown.has(overlay.name)) items.push(line(overlay.look, overlay.label, overlay.meaning));
    }
    if (shown.has("graph")) items.push(line("graph", "dual graph"));
    const name = rt.surfaceName(frame);
    if (name !== null) items.push(line("own", `surface of one class: ${name}`, SURFACE));
    const neuron = store.get("neuron");
    if (neuron >= 0) items.push(line("neuron", `where ${frame.callNeuron(neuron)} switches`));
    const facets = store.get("facets");
    if (facets === "plain") items.push(line("muted", FACETS.plain));
    if (facets === "layer") {
      const n = frame.layers.length;
      frame.layers.forEach((_, k) => {
        if (n <= 8 || k === 0 || k === n - 1) items.push(line(rt.colours.layer(k, n), `layer ${k}`));
      });
    }
    if (frame.hasPoints && store.get("points") === "yes") {
      const { classes } = frame.facts;
      if (!classes.length) items.push(element("li", null, rt.shape(0, 0), "data"));
      classes.slice(0, 12).forEach((name, k) => {
        items.push(element("li", null, rt.shape(k, classes.length), `class ${name}`));
      });
      if (classes.length > 12) items.push(element("li.muted", null, `and ${classes.length - 12} more`));
    }
    return items.length ? element("ul.marks", null, ...items) : null;
  }

  function show() {
    const frame = rt.current;
    const quantity = frame && frame.quantities.get(store.get("colour"));
    if (!quantity) return;
    const unit = ["", "1", "text"].includes(quantity.unit) ? "" : quantity.unit;
    const marks = others(frame);
    const isNumber = quantity.kind === "number";
    const missing = quantity.values.filter((x) => (isNumber ? !Number.isFinite(x) : x < 0)).length;
    const scale = isNumber ? bar(quantity) : categories(quantity);
    const what = isNumber ? "without a number" : "without a value";
    const none = element("p.muted", null, element("i.swatch"), `${what}: ${rt.counted(missing, "region")}`);
    none.firstChild.style.background = rt.colours.css(rt.colours.ink("outside"));
    legend.replaceChildren(
      element(
        "div.what",
        null,
        element("h2", null, quantity.label, unit && unit !== quantity.label ? element("span.unit", null, ` ${unit}`) : null),
        missing < quantity.values.length ? scale : null,
        missing ? none : null,
      ),
      element("p.meaning", null, quantity.meaning, documented(quantity.docs)),
      ...(marks ? [marks] : []),
    );
  }

  /** Fill the list of all quantities and lines that the page can show. */
  rt.fillGlossary = function (list) {
    const frame = rt.current;
    list.replaceChildren(
      ...[...frame.quantities.values(), ...frame.overlays.values()].flatMap((entry) => [
        element("dt", null, entry.label),
        element("dd", null, entry.meaning, entry.docs ? documented(entry.docs) : null),
      ]),
      ...(frame.plane ? [element("dt", null, "surface of one class"), element("dd", null, SURFACE)] : []),
    );
  };

  store.on(
    ["current", "colour", "palette", "diverging", "seenTheme", "overlays", "surface", "facets", "neuron", "points"],
    show,
  );
})((globalThis.relutopo ??= {}));
