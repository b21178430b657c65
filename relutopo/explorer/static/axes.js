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
    const names = rt.current?.facts.axes ?? ["", ""];
    const words = [];
    const ticks = [];
    const floor = camera.height + 0.6 * font;
    const room = camera.width - widthOf(names[0]) - font;
    for (const x of across.values) {
      const [at, text] = [camera.toScreen(x, 0)[0], rt.tickText(x, across.digits)];
      ticks.push({ axis: 0, at });
      const half = widthOf(text) / 2;
      if (at + half < room && at - half > -2 * font) {
        words.push({ x: at, y: floor, text, align: "center", base: "top" });
      }
    }
    words.push({ x: camera.width, y: floor, text: names[0], align: "right", base: "top" });
    const isLong = widthOf(names[1]) > 3 * font;
    for (const y of up.values) {
      const at = camera.toScreen(0, y)[1];
      ticks.push({ axis: 1, at });
      if (at > (isLong ? 0.5 : 2.2) * font && at < camera.height - font / 3) {
        const text = rt.tickText(y, up.digits);
        words.push({ x: -0.65 * font, y: at, text, align: "right", base: "middle" });
      }
    }
    words.push(
      isLong
        ? { x: -3.4 * font, y: 0, text: names[1], align: "right", base: "middle", isTurned: true }
        : { x: -0.65 * font, y: 0.65 * font, text: names[1], align: "right", base: "middle" },
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
