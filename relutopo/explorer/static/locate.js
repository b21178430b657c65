/*
 * Which region a point lies in, exactly for the coordinates as they are.
 *
 * A point lies in a polygon if a ray to the right crosses its border an odd number of times. On
 * which side of an edge it lies is the sign of a determinant: taken from floats where it is beyond
 * what rounding can do to it (J. R. Shewchuk, Discrete Comput. Geom. 18 (1997), 305-363), else from
 * integers. Regions share the vertices of their common facets, so every point lies in one region,
 * outside, or on a facet.
 */
(function (rt) {
  "use strict";

  const ROUNDING = (3 + 16 * 2 ** -53) * 2 ** -53;
  const SMALLEST = 2 ** -960; // of products whose rounding errors are relative
  const [RUN, GROUP] = [8, 16];

  rt.OUTSIDE = -1;
  rt.ON_BOUNDARY = -2;

  /** A float as an integer, times 2^1074. */
  function integer(x) {
    const bits = new DataView(new ArrayBuffer(8));
    bits.setFloat64(0, x);
    const word = bits.getBigUint64(0);
    const exponent = (word >> 52n) & 2047n;
    const fraction = word & ((1n << 52n) - 1n);
    const size = exponent === 0n ? fraction : (fraction | (1n << 52n)) << (exponent - 1n);
    return word >> 63n ? -size : size;
  }

  /** The sign of (b - a) × (p - a): positive if p lies to the left of the line from a to b. */
  rt.orientation = function (ax, ay, bx, by, px, py) {
    const one = (ax - px) * (by - py);
    const two = (ay - py) * (bx - px);
    const value = one - two;
    const size = Math.abs(one) + Math.abs(two);
    if (size > SMALLEST && Math.abs(value) > ROUNDING * size) return Math.sign(value);
    const [x, y] = [integer(px), integer(py)];
    const exact =
      (integer(ax) - x) * (integer(by) - y) - (integer(ay) - y) * (integer(bx) - x);
    return exact > 0n ? 1 : exact < 0n ? -1 : 0;
  };

  /** Where a point lies: 1 inside a region's polygon, 0 on its border, -1 outside. */
  function place({ offsets, corners, vertices }, region, px, py) {
    let isInside = false;
    let before = 2 * corners[offsets[region + 1] - 1];
    for (let i = offsets[region]; i < offsets[region + 1]; i++) {
      const here = 2 * corners[i];
      const [ax, ay] = [vertices[before], vertices[before + 1]];
      const [bx, by] = [vertices[here], vertices[here + 1]];
      before = here;
      if ((ay > py && by > py) || (ay < py && by < py)) continue;
      if (ax < px && bx < px) continue;
      const side = rt.orientation(ax, ay, bx, by, px, py);
      if (side === 0) {
        const isWithin =
          px >= Math.min(ax, bx) && px <= Math.max(ax, bx) &&
          py >= Math.min(ay, by) && py <= Math.max(ay, by);
        if (isWithin) return 0;
      }
      if (ay <= py ? by > py && side > 0 : by <= py && side < 0) isInside = !isInside;
    }
    return isInside ? 1 : -1;
  }

  /**
   * What finds the region of a point of a frame.
   *
   * @returns {{at: function(number, number): number, beside: function(number, number): number[]}}
   *   `at` gives a region, `rt.OUTSIDE` or `rt.ON_BOUNDARY`, as `CellComplex.locate` does;
   *   `beside` all regions that have the point in them or on their border.
   */
  rt.createLocator = function (frame) {
    const boxes = (frame.boxes ??= rt.boxesOf(frame));
    const order = (frame.order ??= rt.orderOf(boxes, frame.bounds));
    const runs = rt.boxesOfRuns(boxes, order, RUN);
    const every = Int32Array.from({ length: runs.length / 4 }, (_, i) => i);
    const groups = rt.boxesOfRuns(runs, every, GROUP);
    const misses = (list, i, x, y) =>
      x < list[4 * i] || y < list[4 * i + 1] || x > list[4 * i + 2] || y > list[4 * i + 3];

    /** Call a function with the regions whose boxes hold a point, until it says true. */
    function visit(x, y, take) {
      for (let group = 0; group < groups.length / 4; group++) {
        if (misses(groups, group, x, y)) continue;
        const last = Math.min(every.length, (group + 1) * GROUP);
        for (let run = group * GROUP; run < last; run++) {
          if (misses(runs, run, x, y)) continue;
          const end = Math.min(order.length, (run + 1) * RUN);
          for (let i = run * RUN; i < end; i++) {
            if (!misses(boxes, order[i], x, y) && take(order[i])) return;
          }
        }
      }
    }

    const locator = {
      beside: (x, y) => {
        const found = [];
        visit(x, y, (region) => {
          if (place(frame, region, x, y) >= 0) found.push(region);
          return false;
        });
        return found;
      },
      at: (x, y) => {
        let found = rt.OUTSIDE;
        let isOnBorder = false;
        visit(x, y, (region) => {
          const where = place(frame, region, x, y);
          if (where === 0) isOnBorder = true;
          if (where > 0) found = region;
          return where > 0;
        });
        if (!isOnBorder) return found;
        const several = locator.beside(x, y);
        return several.length === 1 ? several[0] : rt.ON_BOUNDARY;
      },
    };
    return locator;
  };
})((globalThis.relutopo ??= {}));
