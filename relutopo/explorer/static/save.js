/*
 * What people take along: the selected regions as a table, the present view as a picture.
 */
(function (rt) {
  "use strict";

  const { store, map } = rt;
  const DOTS_PER_INCH = 300;
  const INCH = 25.4; // millimetres
  const MOST_SHAPES = 40000; // of a drawing that other programs open

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
    const title = rt.data.scene.title.toLowerCase().replace(/[^a-z0-9]+/g, "-");
    return `${title.replace(/^-|-$/g, "").slice(0, 60) || "map"}${ending}`;
  }

  const millimetres = () => {
    const value = Number(rt.byId("save-width").value);
    return Math.min(1000, Math.max(20, value || 85));
  };

  /** The view as a bitmap, so many pixels wide, with its axes. */
  rt.picture = function (width) {
    const axes = rt.byId("axes");
    const { canvas } = map;
    const share = width / axes.clientWidth;
    const drawn = document.createElement("canvas");
    drawn.width = Math.round(width);
    drawn.height = Math.round(axes.clientHeight * share);
    const before = [canvas.width, canvas.height];
    const density = map.density;
    const area = canvas.clientWidth * canvas.clientHeight;
    const fine = Math.min(share, Math.sqrt(4096 * 4096 / area));
    canvas.width = Math.round(canvas.clientWidth * fine);
    canvas.height = Math.round(canvas.clientHeight * fine);
    map.density = () => fine;
    map.draw(fine);
    const pen = drawn.getContext("2d");
    pen.fillStyle = rt.colours.css(rt.colours.ink("pale"));
    pen.fillRect(0, 0, drawn.width, drawn.height);
    pen.drawImage(
      canvas,
      canvas.offsetLeft * share,
      canvas.offsetTop * share,
      canvas.clientWidth * share,
      canvas.clientHeight * share,
    );
    pen.drawImage(axes, 0, 0, drawn.width, drawn.height);
    map.density = density;
    [canvas.width, canvas.height] = before;
    map.draw();
    return drawn;
  };

  const number = (x) => Number(x.toFixed(2));
  const escaped = (text) =>
    String(text).replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]);

  /** The view as a drawing, so many millimetres wide; null if it would have too many shapes. */
  rt.drawing = function (width) {
    const frame = rt.current;
    const { camera, canvas } = map;
    const [left, bottom, right, top] = camera.seen();
    const isSeen = (i) =>
      frame.boxes[4 * i] <= right && frame.boxes[4 * i + 2] >= left &&
      frame.boxes[4 * i + 1] <= top && frame.boxes[4 * i + 3] >= bottom;
    const seen = [];
    for (let region = 0; region < frame.nRegions; region++) if (isSeen(region)) seen.push(region);
    if (seen.length > MOST_SHAPES) return null;
    const axes = rt.byId("axes");
    const [w, h] = [axes.clientWidth, axes.clientHeight];
    const [x0, y0, pw, ph] = [canvas.offsetLeft, canvas.offsetTop, canvas.clientWidth, canvas.clientHeight];
    const quantity = frame.quantities.get(store.get("colour"));
    const css = (name) => rt.colours.css(rt.colours.ink(name));
    const at = (x, y) => camera.toScreen(x, y).map(number).join(" ");
    const selection = store.get("selection") && new Set(store.get("selection"));
    const kind = store.get("facets");
    const edge = kind === "none" ? null : css("facet");
    const shapes = seen.map((region) => {
      const polygon = frame.polygon(region);
      const corners = [];
      for (let i = 0; i < polygon.length; i += 2) corners.push(at(polygon[i], polygon[i + 1]));
      const fill = quantity ? rt.colours.css(rt.colours.of(quantity, region)) : css("outside");
      const pale = selection && !selection.has(region) ? ' fill-opacity="0.18"' : "";
      const stroke = edge ? "" : ` stroke="${fill}"`;
      return `<path d="M${corners.join("L")}Z" fill="${fill}"${pale}${stroke}/>`;
    });
    const paths = map.everyLine().map(({ segments, ink, width: line, casing }) => {
      const d = [];
      for (let i = 0; i < segments.length; i += 4) {
        d.push(`M${at(segments[i], segments[i + 1])}L${at(segments[i + 2], segments[i + 3])}`);
      }
      const path = (colour, thick) =>
        `<path d="${d.join("")}" stroke="${css(colour)}" stroke-width="${thick}"/>`;
      return (casing ? path("casing", line + 2 * casing) : "") + path(ink, line);
    });
    const dots = [];
    const { points, pointClasses } = frame.arrays;
    if (points && store.get("points") === "yes") {
      const bytes = rt.pointColours(frame);
      for (let i = 0; i < points.length / 2; i++) {
        const k = pointClasses ? pointClasses[i] : 0;
        const colour = rt.colours.css([...bytes.subarray(4 * k, 4 * k + 3)]);
        const [x, y] = camera.toScreen(points[2 * i], points[2 * i + 1]).map(number);
        const shape = k % 2
          ? `<path d="M${x} ${y - 4}l3.8 6.6h-7.6z"`
          : `<circle cx="${x}" cy="${y}" r="3.2"`;
        dots.push(`${shape} fill="${colour}" stroke="${css("casing")}" stroke-width="0.8"/>`);
      }
    }
    const { across, up, names } = rt.axes();
    const words = [
      ...across.map(([x, text]) => [x0 + x, y0 + ph + 18, "middle", text]),
      ...up.map(([y, text]) => [x0 - 8, y0 + y + 4, "end", text]),
      [x0 + pw / 2, h - 2, "middle", names[0]],
    ].map(([x, y, anchor, text]) =>
      `<text x="${number(x)}" y="${number(y)}" text-anchor="${anchor}">${escaped(text)}</text>`,
    );
    return [
      `<svg xmlns="http://www.w3.org/2000/svg" width="${width}mm" height="${number((width * h) / w)}mm" `,
      `viewBox="0 0 ${w} ${h}" font-family="system-ui, sans-serif" font-size="12">`,
      `<title>${escaped(rt.data.scene.title)}</title>`,
      `<rect width="${w}" height="${h}" fill="${css("pale")}"/>`,
      `<clipPath id="plot"><rect width="${pw}" height="${ph}"/></clipPath>`,
      `<g transform="translate(${x0} ${y0})" clip-path="url(#plot)">`,
      `<g stroke-width="0.5" stroke-opacity="${edge ? 0.5 : 1}"${edge ? ` stroke="${edge}"` : ""}>`,
      ...shapes,
      `</g><g fill="none" stroke-linecap="round">`,
      ...paths,
      "</g>",
      ...dots,
      `</g><g fill="${css("muted")}">`,
      ...words,
      "</g></svg>",
    ].join("");
  };

  rt.byId("save-table").addEventListener("click", () =>
    save(rt.table(), "text/csv;charset=utf-8", fileName(".csv")),
  );
  rt.byId("save-png").addEventListener("click", () => {
    const drawn = rt.picture((millimetres() / INCH) * DOTS_PER_INCH);
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
    const image = rt.element("img.printed", { alt: "The map", src: rt.picture(2000).toDataURL() });
    map.host.after(image);
    printed = image;
  });
  addEventListener("afterprint", () => printed?.remove());
})((globalThis.relutopo ??= {}));
