/*
 * The map's axes: numbers along the left and the lower side, and what the axes are called.
 */
(function (rt) {
  "use strict";

  const FONT = 12; // pixels
  const APART = 6; // letters between numbers, about
  const LEAST = 4; // numbers, where the map is narrow
  const canvas = rt.byId("axes");

  /** Round numbers between two, about so many; with the digits behind the point that they need. */
  rt.ticks = function (low, high, n) {
    const rough = (high - low) / Math.max(1, n);
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((k) => k * power).find((s) => s >= rough * 0.999);
    const found = [];
    for (let k = Math.ceil(low / step); k * step <= high; k++) found.push(k * step);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (step / power === 2.5 ? 1 : 0));
    return { values: found, digits: Math.min(digits, 14) };
  };

  rt.tickText = (value, digits) => {
    const text = Math.abs(value) >= 1e6 ? value.toExponential(3) : value.toFixed(digits);
    return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "−");
  };

  const WIDEST = [APART, 3.2]; // numbers below the map, and beside it, in heights of letters
  const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

  /**
   * Ticks as words, and what their axis is called. Where numbers are too long for their place they are
   * differences from a round number, by a power of ten, and the axis says so: (x₁ − 0.25) · 10⁵.
   */
  function labelled(name, { values, digits }, fits) {
    const plain = values.map((value) => rt.tickText(value, digits));
    const areApart = new Set(plain).size === plain.length;
    if (values.length < 2 || (areApart && plain.every(fits))) {
      return { name, texts: plain };
    }
    const step = values[1] - values[0];
    const power = Math.floor(Math.log10(step) + 1e-9);
    const unit = 10 ** power;
    const most = Math.max(...values.map(Math.abs)) / unit;
    const shift = most < 1e4 ? 0 : 100 * unit * Math.floor(values[0] / (100 * unit));
    const inUnits = values.map((value) => (value - shift) / unit);
    const isWhole = inUnits.every((value) => Math.abs(value - Math.round(value)) < 0.01);
    const size = String(Number(Math.abs(shift).toPrecision(15)));
    const moved = shift ? `${name} ${shift < 0 ? "+" : "−"} ${size}` : name;
    const raised = String(Math.abs(power)).replace(/./g, (digit) => RAISED[digit]);
    const factor = power ? ` · 10${power > 0 ? "⁻" : ""}${power === -1 ? "" : raised}` : "";
    return {
      name: factor && shift ? `(${moved})${factor}` : moved + factor,
      texts: inUnits.map((value) => rt.tickText(value, isWhole ? 0 : 1)),
    };
  }

  /**
   * What stands beside the map in the present view: ticks, and words with their places in pixels
   * from the map's upper left corner.
   *
   * @param {number} font Height of letters.
   * @param {function(string): number} widthOf Of words.
   */
  rt.axes = function (font, widthOf) {
    const { camera } = rt.map;
    const [left, bottom, right, top] = camera.seen();
    const gap = font * APART;
    const across = rt.ticks(left, right, Math.max(LEAST, camera.width / gap));
    const up = rt.ticks(bottom, top, Math.max(LEAST, camera.height / (gap * 0.75)));
    const called = rt.current?.facts.axes ?? ["", ""];
    const fits = WIDEST.map((widest) => (text) => widthOf(text) <= widest * font);
    const below = labelled(called[0], across, fits[0]);
    const beside = labelled(called[1], up, fits[1]);
    const words = [];
    const ticks = [];
    const floor = camera.height + 0.6 * font;
    const room = camera.width - widthOf(below.name) - font;
    across.values.forEach((x, i) => {
      const [at, text] = [camera.toScreen(x, 0)[0], below.texts[i]];
      ticks.push({ axis: 0, at });
      const half = widthOf(text) / 2;
      if (at + half < room && at - half > -2 * font) {
        words.push({ x: at, y: floor, text, align: "center", base: "top" });
      }
    });
    words.push({ x: camera.width, y: floor, text: below.name, align: "right", base: "top" });
    const isLong = widthOf(beside.name) > 3 * font;
    up.values.forEach((y, i) => {
      const at = camera.toScreen(0, y)[1];
      ticks.push({ axis: 1, at });
      if (at > (isLong ? 0.5 : 2.2) * font && at < camera.height - font / 3) {
        words.push({ x: -0.65 * font, y: at, text: beside.texts[i], align: "right", base: "middle" });
      }
    });
    words.push(
      isLong
        ? { x: -3.4 * font, y: 0, text: beside.name, align: "right", base: "middle", isTurned: true }
        : { x: -0.65 * font, y: 0.65 * font, text: beside.name, align: "right", base: "middle" },
    );
    return { words, ticks };
  };

  /** Paint the axes of a map whose upper left corner is at the pen's origin. */
  rt.paintAxes = function (pen, font) {
    const { camera } = rt.map;
    pen.font = `${font}px system-ui, sans-serif`;
    pen.fillStyle = rt.colours.css(rt.colours.ink("muted"));
    const { words, ticks } = rt.axes(font, (text) => pen.measureText(text).width);
    const long = font / 3;
    for (const { axis, at } of ticks) {
      if (axis === 0) pen.fillRect(at - 0.5, camera.height, 1, long);
      else pen.fillRect(-long, at - 0.5, long, 1);
    }
    for (const { x, y, text, align, base, isTurned } of words) {
      pen.textAlign = align;
      pen.textBaseline = base;
      pen.save();
      pen.translate(x, y);
      if (isTurned) pen.rotate(-Math.PI / 2);
      pen.fillText(text, 0, 0, isTurned ? camera.height : camera.width);
      pen.restore();
    }
  };

  rt.drawAxes = function () {
    const density = rt.map.density();
    const { clientWidth, clientHeight } = canvas;
    const [w, h] = [clientWidth, clientHeight].map((x) => Math.round(x * density));
    if (canvas.width !== w) canvas.width = w;
    if (canvas.height !== h) canvas.height = h;
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, clientWidth, clientHeight);
    pen.translate(rt.map.canvas.offsetLeft, rt.map.canvas.offsetTop);
    rt.paintAxes(pen, FONT);
  };
})((globalThis.relutopo ??= {}));
