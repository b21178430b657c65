/*
 * The keys of the page's state; `rt.current` is the frame that is shown.
 */
(function (rt) {
  "use strict";

  const natural = (most) => (text) =>
    /^\d{1,9}$/.test(text) && Number(text) < most() ? Number(text) : undefined;
  const one = (...words) => (text) => (words.includes(text) ? text : undefined);
  const index = (value) => (value >= 0 ? String(value) : "");
  const flag = { read: one("yes", "no"), write: String };
  const nRegions = () => (rt.current ? rt.current.nRegions : 0);
  const nNeurons = () => (rt.current ? rt.current.nNeurons : 0);
  const LONGEST = 1500; // of a selection that an address holds

  /** Write region numbers, ascending, as ranges: 3-5.9 */
  function asRanges(regions) {
    if (!regions) return "";
    const parts = [];
    for (let i = 0; i < regions.length; i++) {
      const first = regions[i];
      while (i + 1 < regions.length && regions[i + 1] === regions[i] + 1) i++;
      parts.push(regions[i] === first ? `${first}` : `${first}-${regions[i]}`);
    }
    const text = parts.join(".");
    return text.length <= LONGEST ? text : "";
  }

  function fromRanges(text) {
    if (!text) return null;
    if (text.length > LONGEST || !/^\d+(-\d+)?(\.\d+(-\d+)?)*$/.test(text)) return undefined;
    const found = new Set();
    for (const part of text.split(".")) {
      const [first, last = first] = part.split("-").map(Number);
      if (last < first || last >= nRegions()) return undefined;
      for (let region = first; region <= last; region++) found.add(region);
    }
    return Int32Array.from(found).sort();
  }

  function readView(text) {
    const [x, y, zoom] = text.split(",").map(Number);
    const isOne = Number.isFinite(x) && Number.isFinite(y) && zoom > 0 && zoom < 1e13;
    return isOne ? { x, y, zoom } : undefined;
  }

  rt.store = rt.createStore({
    /** Which frame is wanted, and the one that is shown; see frame.js. */
    frame: { initial: 0, read: natural(() => rt.data.scene.frames.length), write: String },
    current: { initial: null },
    playing: { initial: false },
    /** Why the frame that was wanted last is not shown; empty where it is. */
    trouble: { initial: "" },
    /** The quantity that colours the map, and how. */
    colour: {
      initial: rt.data.scene.colour,
      read: (text) => (rt.current?.quantities.has(text) ? text : undefined),
      write: String,
    },
    palette: {
      initial: "viridis",
      read: one("viridis", "cividis", "greys"),
      write: String,
    },
    diverging: { initial: "blue-orange", read: one("blue-orange", "purple-green"), write: String },
    theme: { initial: "auto", read: one("auto", "light", "dark"), write: String },
    /** The region that was clicked, and the one below the pointer; -1 for none. */
    region: { initial: -1, read: natural(nRegions), write: index },
    hover: { initial: -1 },
    /** Regions that were selected, ascending, as an Int32Array; null for all. */
    selection: { initial: null, read: fromRanges, write: asRanges },
    /** The neuron whose bent hyperplane is lit; -1 for none. */
    neuron: { initial: -1, read: natural(nNeurons), write: index },
    facets: { initial: "plain", read: one("none", "plain", "layer"), write: String },
    /** Names of overlays that are shown. */
    overlays: {
      initial: new Set(rt.data.scene.overlays),
      read: (text) => {
        const known = rt.current ? rt.current.overlayNames : [];
        const names = text.split(",").filter((name) => name !== "none");
        return names.every((name) => known.includes(name)) ? new Set(names) : undefined;
      },
      write: (names) => (names.size ? [...names].join(",") : "none"),
    },
    points: { initial: "yes", ...flag },
    /** Whether regions are filled; without them the dual graph is seen by itself. */
    filled: { initial: "yes", ...flag },
    /** The middle of the map, and its magnification; null for all of it. */
    view: {
      initial: null,
      read: readView,
      write: (view) =>
        view ? [view.x, view.y].concat(view.zoom).map((x) => Number(x.toPrecision(12))).join() : "",
    },
  });

  /** What the page is called, at the frame that is shown. */
  rt.title = () => rt.current?.facts.title ?? rt.data.scene.title;

  Object.defineProperty(rt, "current", { get: () => rt.store && rt.store.get("current") });

  const dark = matchMedia("(prefers-color-scheme: dark)");

  /** The theme that is seen, "light" or "dark". */
  rt.theme = () => {
    const wanted = rt.store.get("theme");
    return wanted === "auto" ? (dark.matches ? "dark" : "light") : wanted;
  };

  rt.store.declare("seenTheme", { initial: rt.theme() });
  const follow = () => {
    document.documentElement.dataset.theme = rt.theme();
    rt.store.set({ seenTheme: rt.theme() });
  };
  rt.store.on("theme", follow);
  dark.addEventListener("change", follow);
  follow();
})((globalThis.relutopo ??= {}));
