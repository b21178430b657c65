/*
 * What people take along: the selected regions as a table, the present view as a picture.
 */
(function (rt) {
  "use strict";

  const { store, map } = rt;
  const DOTS_PER_INCH = 300;
  const INCH = 25.4; // millimetres
  const MOST_SHAPES = 40000; // of a drawing that other programs open
  const MOST_PIXELS = 4096 * 4096; // that a card draws at once
  const LETTERS = 2.9; // millimetres: eight points
  const [LEFT, RIGHT, ABOVE, BELOW] = [4.2, 0.6, 0.6, 2.2]; // in heights of letters
  const SCREEN = 230; // millimetres, of a picture with letters as on the screen

  /** Hand a file to the person at the browser. */
  function save(content, type, name) {
    const address = URL.createObjectURL(new Blob([content], { type }));
    rt.element("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  /** A value as a field of a table; words that a spreadsheet would run stay words. */
  function field(value) {
    if (typeof value === "number") return Number.isNaN(value) ? "" : String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  /** The selected regions, or all, as text: a line for each. */
  rt.table = function () {
    const frame = rt.current;
    const regions =
      store.get("selection") ?? Int32Array.from({ length: frame.nRegions }, (_, i) => i);
    const columns = [...frame.quantities.values()];
    const lines = [["region", ...columns.map(({ name }) => name), "pattern"].map(field).join()];
    for (const region of regions) {
      const values = columns.map(({ kind, values, categories }) =>
        kind === "category"
          ? values[region] < 0 ? "" : categories[values[region]]
          : values[region],
      );
      const bits = frame.layers.map((size, layer) =>
        Array.from({ length: size }, (_, unit) =>
          Number(frame.isOn(region, frame.firstOfLayer[layer] + unit)),
        ).join(""),
      );
      lines.push([region, ...values, bits.join("|")].map(field).join());
    }
    return `${lines.join("\r\n")}\r\n`;
  };

  /** The name of a file, of the page's title. */
  function fileName(ending) {
    const title = rt.title().toLowerCase().replace(/[^a-z0-9]+/g, "-");
    return `${title.replace(/^-|-$/g, "").slice(0, 60) || "map"}${ending}`;
  }

  const millimetres = () => {
    const value = Number(rt.byId("save-width").value);
    return Math.min(1000, Math.max(20, value || 85));
  };

  /**
   * The measures of a picture: the map as it is on the screen, and beside it letters that are as
   * high as in print, on a picture so many millimetres wide.
   */
  function layout(width) {
    const { clientWidth, clientHeight } = map.canvas;
    // All lengths but the map's grow with the letters, whose share of the width is given.
    const share = LETTERS / width;
    const font = (share * clientWidth) / (1 - share * (LEFT + RIGHT));
    return {
      font,
      left: LEFT * font,
      width: clientWidth + (LEFT + RIGHT) * font,
      height: clientHeight + (ABOVE + BELOW) * font,
      top: ABOVE * font,
    };
  }

  /** The view as a bitmap, so many pixels wide, of a picture so many millimetres wide. */
  rt.picture = function (pixels, width) {
    const { canvas } = map;
    const paper = layout(width);
    const share = pixels / paper.width;
    const drawn = document.createElement("canvas");
    drawn.width = Math.round(pixels);
    drawn.height = Math.round(paper.height * share);
    const before = [canvas.width, canvas.height];
    const { density } = map;
    const area = canvas.clientWidth * canvas.clientHeight;
    const fine = Math.min(share, Math.sqrt(MOST_PIXELS / area));
    canvas.width = Math.round(canvas.clientWidth * fine);
    canvas.height = Math.round(canvas.clientHeight * fine);
    map.density = () => fine;
    map.draw(fine);
    const pen = drawn.getContext("2d");
    pen.fillStyle = rt.colours.css(rt.colours.ink("pale"));
    pen.fillRect(0, 0, drawn.width, drawn.height);
    pen.scale(share, share);
    pen.translate(paper.left, paper.top);
    pen.drawImage(canvas, 0, 0, canvas.clientWidth, canvas.clientHeight);
    rt.paintAxes(pen, paper.font);
    map.density = density;
    [canvas.width, canvas.height] = before;
    map.draw();
    return drawn;
  };

  const number = (x) => Number(x.toFixed(2));
  const escaped = (text) =>
    String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);
  const css = (name) => rt.colours.css(rt.colours.ink(name));
  const placed = (x, y) => map.camera.toScreen(x, y).map(number).join(" ");

  /** A path through segments. */
  function pathOf(segments) {
    const found = [];
    for (let i = 0; i < segments.length; i += 4) {
      const [from, to] = [placed(segments[i], segments[i + 1]), placed(segments[i + 2], segments[i + 3])];
      found.push(`M${from}L${to}`);
    }
    return found.join("");
  }

  /** Facets of a drawing: none, in one colour, or by layer. */
  function facetPaths(frame, isSeen) {
    const kind = store.get("facets");
    const byLayer = frame.layers.map(() => []);
    for (let edge = 0; edge < frame.edges.length / 2 && kind !== "none"; edge++) {
      const [one, two] = [frame.beside[2 * edge], frame.beside[2 * edge + 1]];
      if (two < 0 || !(isSeen(one) || isSeen(two))) continue;
      byLayer[kind === "layer" ? frame.nameOf(frame.neurons[edge])[0] : 0].push(edge);
    }
    return byLayer.flatMap((edges, k) => {
      if (!edges.length) return [];
      const isByLayer = kind === "layer";
      const colour = isByLayer ? rt.colours.css(rt.colours.layer(k, byLayer.length)) : css("facet");
      const look = isByLayer ? 'stroke-width="1.2"' : 'stroke-width="0.7" stroke-opacity="0.5"';
      return [`<path d="${pathOf(frame.segmentsOf(edges))}" stroke="${colour}" ${look}/>`];
    });
  }

  /** Data points of a drawing, each class with its shape. */
  function marks(frame) {
    const { points, pointClasses, pointValues } = frame.arrays;
    if (!points || store.get("points") !== "yes") return [];
    const bytes = rt.pointColours(frame);
    const [low, high] = pointValues ? rt.extremes(pointValues) : [0, 1];
    return Array.from({ length: points.length / 2 }, (_, i) => {
      const k = pointClasses ? pointClasses[i] & 255 : 0; // as the card, which has bytes
      const at = pointValues ? Math.round((255 * (pointValues[i] - low)) / (high - low || 1)) : k;
      const colour = rt.colours.css([...bytes.subarray(4 * at, 4 * at + 3)]);
      const [x, y] = map.camera.toScreen(points[2 * i], points[2 * i + 1]).map(number);
      return (
        `<path d="${rt.shapes[k % rt.shapes.length]}" fill="${colour}" stroke="${css("casing")}" ` +
        `transform="translate(${number(x - 5)} ${number(y - 5)}) scale(0.83)"/>`
      );
    });
  }

  /** The view as a drawing, so many millimetres wide; null if it would have too many shapes. */
  rt.drawing = function (width) {
    const frame = rt.current;
    const { camera } = map;
    const [left, bottom, right, top] = camera.seen();
    const isSeen = (i) =>
      frame.boxes[4 * i] <= right && frame.boxes[4 * i + 2] >= left &&
      frame.boxes[4 * i + 1] <= top && frame.boxes[4 * i + 3] >= bottom;
    const seen = [];
    for (let region = 0; region < frame.nRegions; region++) if (isSeen(region)) seen.push(region);
    if (seen.length > MOST_SHAPES) return null;
    const paper = layout(width);
    const quantity = frame.quantities.get(store.get("colour"));
    const bytes = quantity && rt.colours.every(quantity);
    const selection = store.get("selection") && new Set(store.get("selection"));
    const shapes = (store.get("filled") === "yes" ? seen : []).map((region) => {
      const polygon = frame.polygon(region);
      const corners = [];
      for (let i = 0; i < polygon.length; i += 2) corners.push(placed(polygon[i], polygon[i + 1]));
      const fill = bytes
        ? rt.colours.css([...bytes.subarray(4 * region, 4 * region + 3)])
        : css("outside");
      const pale = selection && !selection.has(region) ? ' opacity="0.18"' : "";
      // A line in its own colour leaves no seam between neighbours.
      return `<path d="M${corners.join("L")}Z" fill="${fill}" stroke="${fill}"${pale}/>`;
    });
    const paths = map.everyLine().map(({ segments, ink, width: line, casing }) => {
      const d = pathOf(segments);
      const path = (colour, thick) => `<path d="${d}" stroke="${css(colour)}" stroke-width="${thick}"/>`;
      return (casing ? path("casing", line + 2 * casing) : "") + path(ink, line);
    });
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `${paper.font}px system-ui, sans-serif`;
    const { words, ticks } = rt.axes(paper.font, (text) => pen.measureText(text).width);
    const long = paper.font / 3;
    const beside = [
      ...ticks.map(({ axis, at }) =>
        axis === 0
          ? `<path d="M${number(at)} ${camera.height}v${number(long)}"/>`
          : `<path d="M0 ${number(at)}h${number(-long)}"/>`,
      ),
      ...words.map(({ x, y, text, align, base, isTurned }) => {
        const anchor = align === "center" ? "middle" : "end";
        const down = (base === "top" ? 0.85 : 0.33) * paper.font;
        const place = isTurned
          ? `transform="translate(${number(x)} ${number(y)}) rotate(-90)" y="${number(down)}"`
          : `x="${number(x)}" y="${number(y + down)}"`;
        return `<text ${place} text-anchor="${anchor}" fill="${css("muted")}" stroke="none">${escaped(text)}</text>`;
      }),
    ];
    const [w, h] = [number(paper.width), number(paper.height)];
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}mm" height="${number((width * h) / w)}mm" `,
      `viewBox="0 0 ${w} ${h}" font-family="system-ui, sans-serif" font-size="${number(paper.font)}">`,
      `<title>${escaped(rt.title())}</title>`,
      `<rect width="${w}" height="${h}" fill="${css("pale")}"/>`,
      `<clipPath id="plot"><rect width="${camera.width}" height="${camera.height}"/></clipPath>`,
      `<g transform="translate(${number(paper.left)} ${number(paper.top)})">`,
      '<g clip-path="url(#plot)"><g stroke-width="0.4">',
      ...shapes,
      '</g><g fill="none" stroke-linecap="round">',
      ...facetPaths(frame, isSeen),
      ...paths,
      "</g>",
      ...marks(frame),
      `</g><g stroke="${css("muted")}">`,
      ...beside,
      "</g></g></svg>",
    ].join("");
  };

  rt.byId("save-table").addEventListener("click", () =>
    save(rt.table(), "text/csv;charset=utf-8", fileName(".csv")),
  );
  rt.byId("save-png").addEventListener("click", () => {
    const width = millimetres();
    const drawn = rt.picture((width / INCH) * DOTS_PER_INCH, width);
    drawn.toBlob((blob) => save(blob, "image/png", fileName(".png")));
  });
  rt.byId("save-svg").addEventListener("click", () => {
    const drawing = rt.drawing(millimetres());
    if (drawing) save(drawing, "image/svg+xml", fileName(".svg"));
    else rt.say(`More than ${MOST_SHAPES} regions are in view: magnify the map, or save a PNG.`);
  });

  // On paper the map is a picture: what the card has drawn is gone by then.
  let printed = null;
  addEventListener("beforeprint", () => {
    const image = rt.element("img.printed", { alt: "The map", src: rt.picture(2000, SCREEN).toDataURL() });
    map.host.after(image);
    printed = image;
  });
  addEventListener("afterprint", () => printed?.remove());
})((globalThis.relutopo ??= {}));
