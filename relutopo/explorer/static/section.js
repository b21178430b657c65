/*
 * Sections of complexes in space, by planes on which one coordinate is constant, or of any direction.
 *
 * A section is a frame for the map. Its regions are those of the complex, under the same numbers;
 * regions that the plane misses have no corners. Every edge that the plane cuts is a vertex of the
 * section, every facet an edge of it: polygons share their corners, so the map is exact.
 */
(function (rt) {
  "use strict";

  const { store } = rt;
  const NEAR = 0.03; // share of the width within which data points lie at the plane
  const DEGREE = Math.PI / 180;

  /*
   * A plane by the coordinate that is constant on it, or by two angles in degrees: how far its normal
   * is turned around the third axis, from the first to the second, and how far it is tilted away from
   * the third; and by its place along the normal, null in the middle.
   */
  store.declare("section", {
    initial: { axis: 2, at: null },
    read: (text) => {
      const parts = text.split(",");
      if (parts.slice(0, -1).includes("")) return undefined;
      const numbers = parts.map((part) => (part === "" ? null : Number(part)));
      if (!numbers.every((x) => x === null || Number.isFinite(x))) return undefined;
      const [first, second, third] = numbers;
      if (parts.length === 2) {
        return [0, 1, 2].includes(first) ? { axis: first, at: second } : undefined;
      }
      const isOne = parts.length === 3 && Math.abs(first) <= 180 && second >= 0 && second <= 180;
      return isOne ? { turn: first, tilt: second, at: third } : undefined;
    },
    write: ({ axis, turn, tilt, at }) => [...(turn === undefined ? [axis] : [turn, tilt]), at].join(),
  });

  /** The bounds of a complex: least and greatest of each coordinate. */
  function boundsOf(places) {
    const bounds = [0, 1, 2].map(() => [Infinity, -Infinity]);
    for (let i = 0; i < places.length; i++) {
      const range = bounds[i % 3];
      range[0] = Math.min(range[0], places[i]);
      range[1] = Math.max(range[1], places[i]);
    }
    return bounds;
  }

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const normed = (a) => a.map((x) => x / Math.hypot(...a));

  /** How far points x, y, z one after the other reach along a direction. */
  function along(points, [a, b, c]) {
    const found = new Float64Array(points.length / 3);
    for (let i = 0, j = 0; i < found.length; i++, j += 3) {
      found[i] = a * points[j] + b * points[j + 1] + c * points[j + 2];
    }
    return found;
  }

  /**
   * The normal of a plane, and the two directions of its map, all orthogonal and of length one.
   *
   * Angles are those in a cube: widths of the complex, which may differ much, are made equal first.
   */
  function directionsOf(bounds, { axis, turn, tilt }) {
    if (turn === undefined) {
      const units = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
      return { normal: units[axis], across: units[axis === 0 ? 1 : 0], up: units[axis === 2 ? 1 : 2] };
    }
    const [w, d, h] = bounds.map(([low, high]) => high - low);
    const [c, s] = [Math.cos(turn * DEGREE), Math.sin(turn * DEGREE)];
    const [q, p] = [Math.cos(tilt * DEGREE), Math.sin(tilt * DEGREE)];
    const normal = normed([(p * c) / w, (p * s) / d, q / h]);
    const across = normed([-s / d, c / w, 0]);
    const [x, y, z] = normal;
    const [u, v] = across;
    return { normal, across, up: [-z * v, z * u, x * v - y * u] };
  }

  /**
   * The plane of a section, somewhere inside the complex.
   *
   * @returns {Object} The section as it is wanted with its place `at`; `normal`, `across` and `up`;
   *   `reach`, from where to where the complex is along each of the three; and functions from space
   *   to the map, and back.
   */
  rt.planeOf = function (block, wanted) {
    block.bounds ??= boundsOf(block.arrays.places);
    const found = directionsOf(block.bounds, wanted);
    const { normal, across, up } = found;
    const reach = [normal, across, up].map((direction) => rt.extremes(along(block.arrays.places, direction)));
    const [low, high] = reach[0];
    const margin = (high - low) * 1e-6;
    const middle = wanted.at === null ? (low + high) / 2 : wanted.at;
    const at = Math.min(high - margin, Math.max(low + margin, middle));
    return {
      ...wanted,
      ...found,
      at,
      reach,
      isFree: wanted.turn !== undefined,
      flat: (point) => [dot(across, point), dot(up, point)],
      lifted: (x, y) => [0, 1, 2].map((i) => at * normal[i] + x * across[i] + y * up[i]),
    };
  };

  /** Where triangles meet a plane: segments x, y, x, y of the map. */
  function traces(triangles, { normal, across, up, at }) {
    const [heights, xs, ys] = [normal, across, up].map((direction) => along(triangles, direction));
    const found = [];
    for (let i = 0; i < heights.length; i += 3) {
      const ends = [];
      for (let k = 0; k < 3; k++) {
        const [p, q] = [i + k, i + ((k + 1) % 3)];
        const [a, b] = [heights[p] - at, heights[q] - at];
        if (a < 0 === b < 0) continue;
        const t = a / (a - b);
        ends.push(xs[p] + t * (xs[q] - xs[p]), ys[p] + t * (ys[q] - ys[p]));
      }
      if (ends.length === 4) found.push(...ends);
    }
    return Float64Array.from(found);
  }

  /** A direction in words, as what its axis of the map is called. */
  const nameOf = (direction) => `along (${direction.map((x) => rt.tickText(x, 2)).join(", ")})`;

  /**
   * The section of an unpacked complex in space, as a frame.
   *
   * @param {Object} block of `rt.data`
   * @param {number} index of the frame
   * @param {Object} wanted Value of the key `section`.
   */
  rt.createSection = function (block, index, wanted) {
    const { arrays, shapes, facts } = block;
    const plane = rt.planeOf(block, wanted);
    const { normal, across, up, at } = plane;
    const { places, lines, faceOffsets, faceLines, bodyOffsets, bodyFaces } = arrays;
    const [heights, xs, ys] = [normal, across, up].map((direction) => along(places, direction));

    // Vertices: edges that go from one side of the plane to the other.
    const vertexOf = new Int32Array(lines.length / 2).fill(-1);
    const vertices = [];
    for (let line = 0; line < vertexOf.length; line++) {
      const [p, q] = [lines[2 * line], lines[2 * line + 1]];
      const [a, b] = [heights[p] - at, heights[q] - at];
      if (a < 0 === b < 0) continue;
      const t = a / (a - b);
      vertexOf[line] = vertices.length / 2;
      vertices.push(xs[p] + t * (xs[q] - xs[p]), ys[p] + t * (ys[q] - ys[p]));
    }

    // Edges: a facet is convex, so the plane cuts two of its edges or none.
    const nFaces = faceOffsets.length - 1;
    const ends = new Int32Array(2 * nFaces).fill(-1);
    const edges = [];
    const cutFaces = [];
    for (let face = 0; face < nFaces; face++) {
      let n = 0;
      for (let i = faceOffsets[face]; i < faceOffsets[face + 1] && n < 2; i++) {
        const vertex = vertexOf[faceLines[i]];
        if (vertex >= 0) ends[2 * face + n++] = vertex;
      }
      if (n < 2) continue;
      edges.push(ends[2 * face], ends[2 * face + 1]);
      cutFaces.push(face);
    }

    // Polygons: the edges of a region, one after the other, counterclockwise.
    const nRegions = bodyOffsets.length - 1;
    const offsets = new Int32Array(nRegions + 1);
    const corners = [];
    const next = new Map();
    for (let region = 0; region < nRegions; region++) {
      next.clear();
      for (let i = bodyOffsets[region]; i < bodyOffsets[region + 1]; i++) {
        const [a, b] = [ends[2 * bodyFaces[i]], ends[2 * bodyFaces[i] + 1]];
        if (b < 0) continue;
        for (const [from, to] of [[a, b], [b, a]]) {
          if (!next.has(from)) next.set(from, []);
          next.get(from).push(to);
        }
      }
      const polygon = [];
      if (next.size > 2) {
        const [start] = next.keys();
        let [before, here] = [-1, start];
        do {
          polygon.push(here);
          const [one, two] = next.get(here);
          [before, here] = [here, one === before ? two : one];
        } while (here !== start && here !== undefined && polygon.length <= next.size);
      }
      let area = 0;
      polygon.forEach((a, i) => {
        const b = polygon[(i + 1) % polygon.length];
        area += vertices[2 * a] * vertices[2 * b + 1] - vertices[2 * b] * vertices[2 * a + 1];
      });
      if (area < 0) polygon.reverse();
      corners.push(...polygon);
      offsets[region + 1] = corners.length;
    }

    const made = {
      ...arrays,
      vertices: Float64Array.from(vertices),
      offsets,
      corners: Int32Array.from(corners),
      edges: Int32Array.from(edges),
      neurons: Int32Array.from(cutFaces, (face) => arrays.faceNeurons[face]),
      beside: Int32Array.from(
        cutFaces.flatMap((face) => [arrays.faceBeside[2 * face], arrays.faceBeside[2 * face + 1]]),
      ),
    };
    for (const { name } of facts.overlays) {
      made[`overlay:${name}`] = traces(arrays[`overlay:${name}`], plane);
    }
    const [[low, high], [left, right], [bottom, top]] = plane.reach;
    if (arrays.points) {
      const away = along(arrays.points, normal);
      const near = [];
      away.forEach((x, i) => Math.abs(x - at) < NEAR * (high - low) && near.push(i));
      made.points = Float64Array.from(
        near.flatMap((i) => plane.flat(arrays.points.subarray(3 * i, 3 * i + 3))),
      );
      made.pointNumbers = Int32Array.from(near);
      for (const name of ["pointClasses", "pointValues"]) {
        if (arrays[name]) made[name] = arrays[name].constructor.from(near, (i) => arrays[name][i]);
      }
    }
    const frame = rt.createFrame(
      {
        arrays: made,
        shapes,
        facts: {
          ...facts,
          axes: plane.isFree ? [across, up].map(nameOf) : [across, up].map((d) => facts.axes[d.indexOf(1)]),
          aspect: Math.min(2, Math.max(1 / 3, (top - bottom) / (right - left))),
          bounds: [left, bottom, right, top],
        },
      },
      index,
    );
    const edgeOf = new Int32Array(nFaces).fill(-1);
    cutFaces.forEach((face, edge) => (edgeOf[face] = edge));
    const there = (list, places) => Array.from(list ?? [], (i) => places[i]).filter((i) => i >= 0);
    const { callPoint } = frame;
    return Object.assign(frame, {
      block,
      plane,

      /** A point in words: one of the section, too, with all its coordinates where none is constant. */
      callPoint: (point) =>
        callPoint(plane.isFree && point.length === 2 ? plane.lifted(...point) : point),

      /** Where a surface meets the section, as segments. */
      traceOf: (triangles) => traces(triangles, plane),

      /** What the section has of cells of the complex: each is one dimension less there. */
      onPlane: ({ regions, faces, edges }) => ({
        regions: regions ?? [],
        edges: there(faces, edgeOf),
        vertices: there(edges, vertexOf),
      }),
    });
  };

  /** Move the plane so that it meets a region, unless it does. */
  rt.bringIntoSection = function (region) {
    const frame = rt.current;
    if (!frame.plane || frame.isThere(region)) return;
    const middle = frame.arrays.middles.subarray(3 * region, 3 * region + 3);
    store.set({ section: { ...store.get("section"), at: dot(frame.plane.normal, middle) } });
  };

  store.on("section", () => {
    const frame = rt.current;
    if (!frame?.plane) return;
    store.set({
      current: rt.createSection(frame.block, frame.index, store.get("section")),
      hover: -1,
    });
  });
})((globalThis.relutopo ??= {}));
