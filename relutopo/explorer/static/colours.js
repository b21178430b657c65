/*
 * Colours, in both themes; those of classes, sides and layers are those of `relutopo.plots`.
 *
 * Sequential palettes grow lighter evenly, and both ends of diverging ones differ for every kind of
 * colour vision. "viridis" and "cividis" (J. R. Nuñez and others, PLoS ONE 13 (2018), e0199239)
 * are given by a few colours, between which the page interpolates.
 */
(function (rt) {
  "use strict";

  const SEQUENTIAL = {
    viridis: "440154 482475 414487 355f8d 2a788e 21918c 22a884 44bf70 7ad151 bddf26 fde725",
    cividis: "00224e 083370 35456c 4f576c 666970 7d7c78 948e77 aea371 c8b866 e5cf52 fee838",
    greys: "f4f4f2 dcdcda c2c2c0 a5a5a3 868684 666664 474745 2a2a29",
  };
  const DIVERGING = {
    light: {
      "blue-orange": "2a6f9f 3d88bd a3cbe6 f6f4f0 f7c597 dc7b2e b85c12",
      "purple-green": "5d3790 8d6fb5 cdc0e0 f6f4f2 bfe3bb 63b06c 1f7a37",
    },
    dark: {
      "blue-orange": "8cc8f2 5d9fce 3a6685 2b2e33 80573a c88549 f7b277",
      "purple-green": "c3a8e8 9579be 5f4f7a 2b2e33 3f6b48 65ab72 9fe0a6",
    },
  };
  const CATEGORIES = {
    light: "8fbfe0 f5b57d eac8dd a9a9a9 d6effb f6e9a8 c9a08c b5e3d2",
    dark: "2f6a96 a9652a 8a5378 6c6f75 3d8399 8a7c25 73503f 2f7f66",
  };
  const CLASSES = {
    light: "003a5c d55e00 a8327e 1a1a1a 2a8ac4 b58f00 7d2a00 009e73",
    dark: "b5dcfa ff9d5c f2a5d4 f5f5f5 5cb8ee ffe066 dba68c 5fd6ac",
  };
  const TWO_CLASSES = { light: "003a5c 7d2a00", dark: "c4e4ff ffc795" };
  const LAYERS = {
    light: "14138a f39c2f b5179e 3a9bd9 7a4a21 8a8a8a",
    dark: "a3a1ff f5b15c f07ad9 6fc3f5 d2a077 b5b5b5",
  };
  const INKS = {
    light: {
      outside: "d4d4d4",
      onCut: "f6f4f0",
      pale: "ffffff",
      facet: "1a1a1a",
      ink: "1a1a1a",
      muted: "5f6368",
      casing: "ffffff",
      boundary: "00855f",
      cut: "1a1a1a",
      own: "7a3fb8",
      cycle: "c2185b",
      neuron: "c2185b",
      lit: "c2185b",
      graph: "3b3b3b",
      select: "0b57d0",
    },
    dark: {
      outside: "4a4d52",
      onCut: "33363c",
      pale: "17191d",
      facet: "e8e8e8",
      ink: "ececec",
      muted: "a4a9b0",
      casing: "101215",
      boundary: "3ddbaa",
      cut: "f5f5f5",
      own: "c9a4f5",
      cycle: "ff80ab",
      neuron: "ff80ab",
      lit: "ff80ab",
      graph: "d0d0d0",
      select: "8ab8ff",
    },
  };

  const rgb = (hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const list = (text) => text.split(" ").map(rgb);
  const linear = (c) => (c / 255) ** 2.2;

  /** So many colours between given ones, mixed as light is. */
  function between(colours, n) {
    const found = new Uint8Array(4 * n);
    for (let i = 0; i < n; i++) {
      const at = (i / (n - 1)) * (colours.length - 1);
      const k = Math.min(colours.length - 2, Math.floor(at));
      for (let c = 0; c < 3; c++) {
        const mixed = linear(colours[k][c]) * (1 - at + k) + linear(colours[k + 1][c]) * (at - k);
        found[4 * i + c] = Math.round(255 * mixed ** (1 / 2.2));
      }
      found[4 * i + 3] = 255;
    }
    return found;
  }

  /** A colour of a list, and beyond its end others like these. */
  function cyclic(colours, i) {
    const colour = colours[i % colours.length];
    const turn = Math.floor(i / colours.length) % 3;
    return colour.map((c) => Math.round(turn === 0 ? c : turn === 1 ? c * 0.72 : 255 - (255 - c) * 0.55));
  }

  const N = 256;

  rt.colours = {
    N,
    sequential: Object.keys(SEQUENTIAL),
    diverging: Object.keys(DIVERGING.light),

    /** The name of the palette in which a quantity is shown. */
    nameFor: (quantity) =>
      rt.store.get(quantity.scale === "signed" ? "diverging" : "palette"),

    /** 256 colours of a palette of numbers, as bytes. */
    palette: (name) => {
      if (name in DIVERGING.light) return between(list(DIVERGING[rt.theme()][name]), N);
      const colours = list(SEQUENTIAL[name]);
      if (name === "greys" && rt.theme() === "dark") colours.reverse();
      return between(colours, N);
    },

    /** Colours of a quantity's categories, as bytes. */
    categories: (quantity) => {
      const colours = list(CATEGORIES[rt.theme()]);
      const numbers = quantity.colours.length
        ? quantity.colours
        : quantity.categories.map((_, i) => i);
      const found = new Uint8Array(4 * Math.max(1, numbers.length));
      numbers.forEach((number, i) => {
        const colour = number < 0 ? rt.colours.ink("onCut") : cyclic(colours, number);
        found.set([...colour, 255], 4 * i);
      });
      return found;
    },

    /** The colour of data points of a class. */
    classColour: (k, n) =>
      cyclic(list((n <= 2 ? TWO_CLASSES : CLASSES)[rt.theme()]), k),

    /** The colour of a layer's facets. */
    layer: (k, n) => {
      const colours = list(LAYERS[rt.theme()]);
      if (n <= colours.length) return colours[k];
      const row = between(list(SEQUENTIAL.viridis).slice(rt.theme() === "dark" ? 3 : 0, 10), n);
      return [...row.subarray(4 * k, 4 * k + 3)];
    },

    /** Other colours, by what they are for. */
    ink: (name) => rgb(INKS[rt.theme()][name]),

    css: ([r, g, b]) => `rgb(${r} ${g} ${b})`,

    /**
     * How numbers of a quantity become places in its palette: both ends, and a function that is
     * applied to numbers first.
     */
    range: (quantity) => {
      const map = quantity.scale === "log" ? Math.log10 : (x) => x;
      if (quantity.range) return quantity.range;
      let [low, high] = [Infinity, -Infinity];
      for (const value of quantity.values) {
        const mapped = map(value);
        if (Number.isFinite(mapped)) {
          if (mapped < low) low = mapped;
          if (mapped > high) high = mapped;
        }
      }
      const [least, greatest] = [low, high];
      if (quantity.limits) [low, high] = quantity.limits.map(map);
      if (!(low < Infinity)) [low, high] = [0, 1];
      if (low === high) [low, high] = [low - 0.5, high + 0.5];
      quantity.range = { low, high, map, least, greatest };
      return quantity.range;
    },

    /** The colours of all regions, as bytes. */
    every: (quantity) => {
      const { values, kind } = quantity;
      const found = new Uint8Array(4 * values.length);
      const outside = [...rt.colours.ink("outside"), 255];
      const bytes =
        kind === "category"
          ? rt.colours.categories(quantity)
          : rt.colours.palette(rt.colours.nameFor(quantity));
      const { low, high, map } = kind === "category" ? {} : rt.colours.range(quantity);
      for (let region = 0; region < values.length; region++) {
        let at = values[region];
        if (kind !== "category") {
          const t = Math.min(1, Math.max(0, (map(at) - low) / (high - low)));
          at = Number.isNaN(t) ? -1 : Math.round(t * (N - 1));
        }
        found.set(at < 0 ? outside : bytes.subarray(4 * at, 4 * at + 4), 4 * region);
      }
      return found;
    },

    /** The colour of a region. */
    of: (quantity, region) => {
      const value = quantity.values[region];
      if (quantity.kind === "category") {
        if (value < 0) return rt.colours.ink("outside");
        return [...rt.colours.categories(quantity).subarray(4 * value, 4 * value + 3)];
      }
      const { low, high, map } = rt.colours.range(quantity);
      const mapped = map(value);
      if (Number.isNaN(mapped)) return rt.colours.ink("outside");
      const t = Math.min(1, Math.max(0, (mapped - low) / (high - low)));
      const at = 4 * Math.round(t * (N - 1));
      return [...rt.colours.palette(rt.colours.nameFor(quantity)).subarray(at, at + 3)];
    },
  };
})((globalThis.relutopo ??= {}));
