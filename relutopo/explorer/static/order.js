/*
 * An order of regions along a curve that fills the plane, so that neighbours come together: runs of
 * it have small boxes, which serve for drawing what is seen and for finding what is pointed at.
 */
(function (rt) {
  "use strict";

  const CELLS = 65535; // along each axis

  /** Put a zero between the bits of a number of 16 bits. */
  function spread(x) {
    x = (x | (x << 8)) & 0x00ff00ff;
    x = (x | (x << 4)) & 0x0f0f0f0f;
    x = (x | (x << 2)) & 0x33333333;
    return (x | (x << 1)) & 0x55555555;
  }

  /**
   * Order boxes along a curve in Z's (G. M. Morton, 1966).
   *
   * @param {Float64Array} boxes left, bottom, right, top of each
   * @param {number[]} bounds of all
   * @returns {Int32Array}
   */
  rt.orderOf = function (boxes, bounds) {
    const n = boxes.length / 4;
    const [left, bottom, right, top] = bounds;
    const across = CELLS / (right - left || 1) / 2;
    const up = CELLS / (top - bottom || 1) / 2;
    const keys = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const x = (boxes[4 * i] + boxes[4 * i + 2] - 2 * left) * across;
      const y = (boxes[4 * i + 1] + boxes[4 * i + 3] - 2 * bottom) * up;
      const key = (spread(x & CELLS) | (spread(y & CELLS) << 1)) >>> 0;
      keys[i] = key * 2 ** 21 + i; // exact: 32 + 21 bits
    }
    keys.sort();
    return Int32Array.from(keys, (key) => key % 2 ** 21);
  };

  /** The boxes of the regions of a frame. */
  rt.boxesOf = function ({ nRegions, offsets, corners, vertices }) {
    const boxes = new Float64Array(4 * nRegions);
    for (let region = 0; region < nRegions; region++) {
      let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
      for (let i = offsets[region]; i < offsets[region + 1]; i++) {
        const x = vertices[2 * corners[i]];
        const y = vertices[2 * corners[i] + 1];
        if (x < left) left = x;
        if (x > right) right = x;
        if (y < bottom) bottom = y;
        if (y > top) top = y;
      }
      boxes.set([left, bottom, right, top], 4 * region);
    }
    return boxes;
  };

  /** The boxes of runs of boxes in an order. */
  rt.boxesOfRuns = function (boxes, order, length) {
    const n = Math.ceil(order.length / length);
    const found = new Float64Array(4 * n);
    for (let run = 0; run < n; run++) {
      let [left, bottom, right, top] = [Infinity, Infinity, -Infinity, -Infinity];
      const end = Math.min(order.length, (run + 1) * length);
      for (let i = run * length; i < end; i++) {
        const at = 4 * order[i];
        left = Math.min(left, boxes[at]);
        bottom = Math.min(bottom, boxes[at + 1]);
        right = Math.max(right, boxes[at + 2]);
        top = Math.max(top, boxes[at + 3]);
      }
      found.set([left, bottom, right, top], 4 * run);
    }
    return found;
  };
})((globalThis.relutopo ??= {}));
