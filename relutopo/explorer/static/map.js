/*
 * The map: its layers, its view, and when it is drawn.
 *
 * Invariant: nothing is drawn but on `redraw`, once a frame of the screen, and what is drawn depends
 * on the state and on what other parts of the page have put on the map, and on nothing else.
 */
(function (rt) {
  "use strict";

  const LOOKS = {
    boundary: { ink: "boundary", width: 2, casing: 1 },
    own: { ink: "own", width: 3, casing: 1.2 },
    cut: { ink: "cut", width: 3, casing: 1.2 },
    cycle: { ink: "cycle", width: 3.5, casing: 1.4 },
    "cycle dots": { ink: "cycle", width: 8, casing: 1.6 },
    neuron: { ink: "neuron", width: 2.4, casing: 1 },
    graph: { ink: "graph", width: 0.8, casing: 0 },
    select: { ink: "select", width: 3, casing: 1.2 },
    hover: { ink: "ink", width: 1.6, casing: 0.8 },
    entered: { ink: "ink", width: 1.4, casing: 0.8 },
    "entered dots": { ink: "ink", width: 4.5, casing: 0.8 },
  };
  const ORDER = [
    "graph", "entered", "entered dots", "cut", "boundary", "own", "cycle", "neuron", "hover",
    "select", "cycle dots",
  ];
  const SMALL = 3.2; // pixels across a mean region below which facets are not drawn
  const LARGE = 14; // and above which they are drawn in full
  const SMALL_REGION = 22; // pixels across
  const MOMENT = 180; // milliseconds of a movement

  const host = rt.byId("map");
  const canvas = rt.byId("regions");
  const pin = rt.byId("pin");
  const camera = rt.createCamera();
  const store = rt.store;
  const gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
  const lines = new Map(); // by name: segments, look, what the card has of them
  let layers = null;
  let wanted = false;
  let movement = 0;

  const map = {
    host,
    canvas,
    camera,
    isThere: Boolean(gl),
    /** Milliseconds that scripts took for the last picture. */
    lastDraw: 0,
    /** How many pictures were drawn. */
    nDrawn: 0,

    /** Draw soon. */
    redraw: () => {
      if (wanted) return;
      wanted = true;
      requestAnimationFrame(() => {
        wanted = false;
        map.draw();
      });
    },

    /** Draw now; then the picture can be read until the task ends. */
    draw: (density = map.density()) => {
      if (!gl || !layers || gl.isContextLost()) return;
      const begin = performance.now();
      const frame = rt.current;
      gl.viewport(0, 0, canvas.width, canvas.height);
      const [r, g, b] = rt.colours.ink("pale").map((c) => c / 255);
      gl.clearColor(r, g, b, 1);
      gl.clear(gl.COLOR_BUFFER_BIT);
      if (frame && frame.nRegions) {
        const view = viewOf(frame, density);
        gl.disable(gl.BLEND);
        if (store.get("filled") === "yes") layers.regions.draw(view);
        gl.enable(gl.BLEND);
        gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
        drawFacets(view, frame);
        for (const name of ORDER) {
          for (const entry of lines.values()) if (entry.look === name) drawLines(view, entry);
        }
        if (store.get("points") === "yes") layers.dots.draw(view);
      }
      map.lastDraw = performance.now() - begin;
      map.nDrawn++;
      rt.drawAxes?.();
      movePin();
    },

    density: () => Math.min(devicePixelRatio || 1, 2.5),

    /**
     * Put segments on the map under a name, in place of those that have it.
     *
     * @param {string} name
     * @param {Float64Array|number[]} segments x, y, x, y of each; none removes the name
     * @param {string} look One of `LOOKS`.
     */
    setLines: (name, segments, look) => {
      const before = lines.get(name);
      if (before && layers) layers.lines.remove(before.made);
      lines.delete(name);
      if (segments && segments.length) {
        lines.set(name, { segments: Float64Array.from(segments), look, made: null });
      }
      map.redraw();
    },

    /** The segments that are on the map under a name; those without length are dots. */
    segments: (name) => {
      const parts = [name, `${name} dots`].flatMap((of) => [...(lines.get(of)?.segments ?? [])]);
      return Float64Array.from(parts);
    },

    /** All lines with their looks, in the order in which they are drawn, for other pictures. */
    everyLine: () =>
      ORDER.flatMap((look) =>
        [...lines.values()]
          .filter((entry) => entry.look === look)
          .map((entry) => ({ segments: entry.segments, ...LOOKS[look] })),
      ),

    /**
     * Light cells of the frame, all under one name: regions as areas, edges as lines, vertices as
     * dots.
     *
     * @param {string} name
     * @param {{regions?: number[], faces?: number[], edges?: number[], vertices?: number[]}|null}
     *   given In space there are faces, too, and the map shows what the section has of them.
     */
    setCells: (name, given, look = "cycle") => {
      const frame = rt.current;
      let segments = null;
      const dots = [];
      rt.setCellsInSpace?.(name, given, look);
      const cells = given && frame?.plane ? frame.onPlane(given) : given;
      if (cells && frame) {
        segments = frame.segmentsOf(cells.edges ?? []);
        // Wider than lines: what is as small as a line is wide can hardly be seen.
        for (const vertex of cells.vertices ?? []) {
          const [x, y] = frame.vertices.subarray(2 * vertex, 2 * vertex + 2);
          dots.push(x, y, x, y); // a segment without length is a dot
        }
      }
      map.setLines(name, segments, look);
      map.setLines(`${name} dots`, dots, `${look} dots`);
      map.lit.set(name, cells?.regions ?? []);
      setStates();
    },
    lit: new Map(),

    /** When each region of the frame enters a filtration: places in an order. */
    setEntries: (places) => layers?.regions.setEntries(places),

    /** Make regions pale that enter after a place in the order; null for none. */
    setThreshold: (place) => {
      layers?.regions.setThreshold(place);
      map.redraw();
    },

    /** Show another part of the plane, at once or by a short movement. */
    go: (view, isSmooth = false) => {
      cancelAnimationFrame(movement);
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (!isSmooth || still) {
        store.set({ view });
        return;
      }
      const from = { x: camera.x, y: camera.y, zoom: camera.zoom };
      const to = view ?? camera.whole();
      const begin = performance.now();
      const step = (now) => {
        const t = Math.min(1, Math.max(0, (now - begin) / MOMENT));
        const s = 1 - (1 - t) ** 3;
        const zoom = from.zoom * (to.zoom / from.zoom) ** s;
        // The middle moves so that what is in common stays still.
        const w = to.zoom === from.zoom ? s : (1 - from.zoom / zoom) / (1 - from.zoom / to.zoom);
        const between = { x: from.x + (to.x - from.x) * w, y: from.y + (to.y - from.y) * w, zoom };
        store.set({ view: t < 1 ? between : view });
        if (t < 1) movement = requestAnimationFrame(step);
      };
      movement = requestAnimationFrame(step);
    },

    /** Show a region, with what is around it, unless it can be seen well. */
    showRegion: (region) => {
      rt.bringIntoSection(region);
      const frame = rt.current;
      const box = frame.boxes.subarray(4 * region, 4 * region + 4);
      const [left, top] = camera.toScreen(box[0], box[3]);
      const [right, bottom] = camera.toScreen(box[2], box[1]);
      const isIn = left >= 0 && top >= 0 && right <= camera.width && bottom <= camera.height;
      if (isIn && Math.max(right - left, bottom - top) > 12) return;
      const view = camera.around(box, 0.2);
      const isTooNear = view.zoom < camera.zoom || !isIn;
      map.go(isTooNear ? view : { ...view, zoom: Math.min(view.zoom, camera.zoom * 8) }, true);
    },

    resize: () => {
      // No higher than what the frame needs at this width.
      const rest = host.clientHeight - canvas.clientHeight;
      host.style.maxHeight = `${Math.max(260, canvas.clientWidth * camera.aspect) + rest}px`;
      const { clientWidth, clientHeight } = canvas;
      const density = map.density();
      camera.resize(clientWidth, clientHeight);
      canvas.width = Math.max(1, Math.round(clientWidth * density));
      canvas.height = Math.max(1, Math.round(clientHeight * density));
      map.redraw();
    },
  };

  /** What shaders and lists of runs must know of the view. */
  function viewOf(frame, density) {
    const [across, up] = camera.scale();
    const middle = [camera.x - frame.centre[0], camera.y - frame.centre[1]];
    const rounded = middle.map(Math.fround);
    return {
      middle: rounded,
      rest: middle.map((x, i) => x - rounded[i]),
      scale: [across * density, up * density],
      size: [canvas.width, canvas.height],
      box: camera.seen(),
      density,
    };
  }

  function drawFacets(view, frame) {
    const kind = store.get("facets");
    if (kind === "none" || !layers.facets) return;
    const [left, bottom, right, top] = frame.bounds;
    const area = (right - left) * (top - bottom) * view.scale[0] * view.scale[1];
    const across = Math.sqrt(area / frame.nRegions) / view.density;
    if (across < SMALL) return;
    const share = Math.min(1, (across - SMALL) / (LARGE - SMALL));
    const byLayer = kind === "layer";
    layers.lines.draw(view, layers.facets, {
      width: byLayer ? 1.2 : 0.7,
      colour: rt.colours.ink("facet"),
      alpha: (byLayer ? 0.5 : 0.25) + (byLayer ? 0.45 : 0.3) * share,
      crowd: 7,
      byLayer,
    });
  }

  function drawLines(view, entry) {
    entry.made ??= layers.lines.create(entry.segments, rt.current.centre);
    const look = LOOKS[entry.look];
    if (look.casing) {
      layers.lines.draw(view, entry.made, {
        width: look.width + 2 * look.casing,
        colour: rt.colours.ink("casing"),
        alpha: 0.85,
      });
    }
    layers.lines.draw(view, entry.made, {
      width: look.width,
      colour: rt.colours.ink(look.ink),
      alpha: entry.look === "graph" ? 0.6 : 1,
      crowd: entry.look === "graph" ? 5 : 0,
    });
  }

  function setFrame() {
    const frame = rt.current;
    if (!frame || !frame.nRegions) return;
    const [left, bottom, right, top] = frame.bounds;
    frame.centre = [(left + right) / 2, (bottom + top) / 2];
    frame.boxes ??= rt.boxesOf(frame);
    frame.order ??= rt.orderOf(frame.boxes, frame.bounds);
    camera.setFrame(frame.bounds, frame.facts.aspect);
    camera.set(store.get("view"));
    map.resize();
    if (!layers) return;
    layers.regions.setFrame(frame);
    layers.dots.setFrame(frame);
    layers.lines.remove(layers.facets);
    const inner = [];
    for (let edge = 0; edge < frame.edges.length / 2; edge++) {
      if (frame.neurons[edge] >= 0) inner.push(edge);
    }
    const layerOf = new Uint8Array(frame.nNeurons);
    frame.layers.forEach((size, k) =>
      layerOf.fill(Math.min(k, 255), frame.firstOfLayer[k], frame.firstOfLayer[k + 1]),
    );
    const kinds = Uint8Array.from(inner, (edge) => layerOf[frame.neurons[edge]]);
    layers.facets = layers.lines.create(frame.segmentsOf(inner), frame.centre, kinds);
    for (const entry of lines.values()) {
      layers.lines.remove(entry.made);
      entry.made = null;
    }
    setColours();
    setStates();
    setOverlays();
    setNeuron();
    outline("region", "select");
    outline("hover", "hover");
  }

  function setColours() {
    const frame = rt.current;
    const quantity = frame && frame.quantities.get(store.get("colour"));
    if (!layers || !quantity) return;
    layers.regions.setValues(quantity);
    setPalettes();
  }

  function setPalettes() {
    const frame = rt.current;
    const quantity = frame && frame.quantities.get(store.get("colour"));
    if (!layers || !quantity) return;
    layers.regions.setPalette(
      quantity.kind === "category"
        ? rt.colours.categories(quantity)
        : rt.colours.palette(rt.colours.nameFor(quantity)),
    );
    layers.dots.setColours(rt.pointColours(frame));
    const n = frame.layers.length;
    const ofLayers = frame.layers.flatMap((_, k) => [...rt.colours.layer(k, n), 255]);
    if (n) layers.lines.setColours(Uint8Array.from(ofLayers.slice(0, 4 * 256)));
    map.redraw();
  }

  function setStates() {
    const frame = rt.current;
    if (!layers || !frame) return;
    const selection = store.get("selection");
    const states = new Uint8Array(frame.nRegions);
    if (selection) {
      states.fill(1);
      for (const region of selection) states[region] = 0;
    }
    for (const regions of map.lit.values()) for (const region of regions) states[region] |= 2;
    layers.regions.setStates(states);
    map.redraw();
  }

  function setOverlays() {
    const frame = rt.current;
    if (!frame) return;
    const shown = store.get("overlays");
    for (const name of frame.overlayNames) {
      const isShown = shown.has(name);
      const overlay = frame.overlays.get(name);
      const segments = name === "graph" ? isShown && frame.graph() : isShown && overlay.segments;
      map.setLines(`overlay:${name}`, segments, name === "graph" ? "graph" : overlay.look);
    }
    const surface = frame.traceOf ? store.get("surface") : -1;
    map.setLines("surface", surface < 0 ? null : frame.traceOf(rt.surfaceOf(frame, surface)), "own");
  }

  function setNeuron() {
    const [frame, neuron] = [rt.current, store.get("neuron")];
    if (frame) map.setLines("neuron", neuron < 0 ? null : frame.hyperplane(neuron), "neuron");
  }

  /** Draw the border of the region that a key names. */
  function outline(key, look) {
    const [frame, region] = [rt.current, store.get(key)];
    if (!frame) return;
    const segments = [];
    if (region >= 0) {
      const polygon = frame.polygon(region);
      for (let i = 0; i < polygon.length; i += 2) {
        const j = (i + 2) % polygon.length;
        segments.push(polygon[i], polygon[i + 1], polygon[j], polygon[j + 1]);
      }
    }
    map.setLines(key, segments, look);
  }

  /** Put a ring around the chosen region where it is too small to be seen. */
  function movePin() {
    const [frame, region] = [rt.current, store.get("region")];
    pin.hidden = !frame || region < 0 || region >= frame.nRegions;
    if (pin.hidden) return;
    const box = frame.boxes.subarray(4 * region, 4 * region + 4);
    const [left, top] = camera.toScreen(box[0], box[3]);
    const [right, bottom] = camera.toScreen(box[2], box[1]);
    const [x, y] = [(left + right) / 2, (top + bottom) / 2];
    const isSeen = x >= 0 && y >= 0 && x <= camera.width && y <= camera.height;
    pin.hidden = !isSeen || Math.max(right - left, bottom - top) > SMALL_REGION;
    pin.style.translate = `${canvas.offsetLeft + x}px ${canvas.offsetTop + y}px`;
  }

  function makeLayers() {
    const lit = gl && rt.createRegions(gl);
    layers = gl && {
      regions: lit,
      lines: rt.createLines(gl),
      dots: rt.createDots(gl),
      facets: null,
    };
  }

  makeLayers();
  rt.map = map;

  canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
  canvas.addEventListener("webglcontextrestored", () => {
    makeLayers();
    setFrame();
  });
  if (!gl) {
    host.append(
      rt.element(
        "p.missing",
        null,
        "This browser does not draw the map, which needs WebGL 2; numbers, tables and charts work.",
      ),
    );
  }

  store.on("current", setFrame);
  store.on("colour", setColours);
  store.on(["palette", "diverging", "seenTheme"], setPalettes);
  store.on("selection", setStates);
  store.on(["overlays", "surface"], setOverlays);
  store.on("neuron", setNeuron);
  store.on("region", () => outline("region", "select"));
  store.on("hover", () => outline("hover", "hover"));
  store.on(["facets", "points", "filled"], map.redraw);
  store.on("view", () => {
    camera.set(store.get("view"));
    map.redraw();
  });
  new ResizeObserver(map.resize).observe(canvas);

  /** Colours of data points, as bytes: of classes or of values. */
  rt.pointColours = function (frame) {
    if (!frame.arrays.pointClasses) {
      if (frame.arrays.pointValues) return rt.colours.palette("cividis");
      return Uint8Array.from([...rt.colours.ink("ink"), 255]);
    }
    const n = frame.facts.classes.length;
    const found = new Uint8Array(4 * 256);
    for (let k = 0; k < Math.min(n, 256); k++) found.set([...rt.colours.classColour(k, n), 255], 4 * k);
    return found;
  };
})((globalThis.relutopo ??= {}));
