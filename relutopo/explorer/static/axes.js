/*
 * The map's axes: numbers along the left and the lower side, and what the axes are called.
 */
(function (rt) {
  "use strict";

  const APART = 84; // pixels between numbers, about; less where the map is narrow
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

  /** Places and words of both axes for the present view. */
  rt.axes = function () {
    const { camera } = rt.map;
    const [left, bottom, right, top] = camera.seen();
    const across = rt.ticks(left, right, Math.max(4, camera.width / APART));
    const up = rt.ticks(bottom, top, Math.max(4, camera.height / (APART * 0.75)));
    return {
      across: across.values.map((x) => [camera.toScreen(x, 0)[0], rt.tickText(x, across.digits)]),
      up: up.values.map((y) => [camera.toScreen(0, y)[1], rt.tickText(y, up.digits)]),
      names: rt.current?.facts.axes ?? ["", ""],
    };
  };

  rt.drawAxes = function () {
    const density = rt.map.density();
    const { clientWidth, clientHeight } = canvas;
    const plot = rt.map.canvas;
    if (canvas.width !== Math.round(clientWidth * density)) {
      canvas.width = Math.round(clientWidth * density);
    }
    if (canvas.height !== Math.round(clientHeight * density)) {
      canvas.height = Math.round(clientHeight * density);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(density, 0, 0, density, 0, 0);
    pen.clearRect(0, 0, clientWidth, clientHeight);
    const [x0, y0] = [plot.offsetLeft, plot.offsetTop];
    const floor = y0 + plot.clientHeight;
    const { across, up, names } = rt.axes();
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = rt.colours.css(rt.colours.ink("muted"));
    pen.strokeStyle = pen.fillStyle;
    pen.globalAlpha = 1;
    const nameWidth = pen.measureText(names[0]).width;
    pen.textAlign = "center";
    pen.textBaseline = "top";
    for (const [x, words] of across) {
      const half = pen.measureText(words).width / 2;
      pen.fillRect(x0 + x - 0.5, floor, 1, 4);
      if (x + half < plot.clientWidth - nameWidth - 12 && x - half > -x0) {
        pen.fillText(words, x0 + x, floor + 7);
      }
    }
    pen.textAlign = "right";
    pen.fillText(names[0], x0 + plot.clientWidth, floor + 7);
    pen.textBaseline = "middle";
    for (const [y, words] of up) {
      pen.fillRect(x0 - 4, y0 + y - 0.5, 4, 1);
      if (y > 26 && y < plot.clientHeight - 4) pen.fillText(words, x0 - 8, y0 + y);
    }
    const isLong = pen.measureText(names[1]).width > x0 - 8;
    if (isLong) {
      pen.textAlign = "right";
      pen.save();
      pen.translate(9, y0);
      pen.rotate(-Math.PI / 2);
      pen.fillText(names[1], 0, 0);
      pen.restore();
    } else pen.fillText(names[1], x0 - 8, y0 + 8);
  };
})((globalThis.relutopo ??= {}));
