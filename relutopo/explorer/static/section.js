/*
 * Sections of complexes in space, by planes on which one coordinate is constant.
 *
 * A section is a frame for the map. Its regions are those of the complex, under the same numbers;
 * regions that the plane misses have no corners. Every edge that the plane cuts is a vertex of the
 * section, every facet an edge of it: polygons share their corners, so the map is exact.
 */
(function (rt) {
  "use strict";

  const { store } = rt;
  const NEAR = 0.03; // share of the width within which data points lie at the plane

  store.declare("section", {
    initial: { axis: 2, at: null }, // in the middle
    read: (text) => {
      const [axis, at] = text.split(",").map(Number);
      return [0, 1, 2].includes(axis) && Number.isFinite(at) ? { axis, at } : undefined;
    },
    write: ({ axis, at }) => (at === null ? "" : `${axis},${at}`),
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

  /** The plane of a section, somewhere inside the complex. */
  rt.planeOf = function (block, { axis, at }) {
    block.bounds ??= boundsOf(block.arrays.places);
    const [low, high] = block.bounds[axis];
    const margin = (high - low) * 1e-6;
    const wanted = at === null ? (low + high) / 2 : at;
    return { axis, at: Math.min(high - margin, Math.max(low + margin, wanted)) };
  };

  /** Where triangles meet a plane: segments x, y, x, y of its two other coordinates. */
  function traces(triangles, axis, at, [u, v]) {
    const found = [];
    for (let i = 0; i < triangles.length; i += 9) {
      const ends = [];
      for (let k = 0; k < 3; k++) {
        const [p, q] = [i + 3 * k, i + 3 * ((k + 1) % 3)];
        const [a, b] = [triangles[p + axis] - at, triangles[q + axis] - at];
        if (a < 0 === b < 0) continue;
        const t = a / (a - b);
        ends.push(
          triangles[p + u] + t * (triangles[q + u] - triangles[p + u]),
          triangles[p + v] + t * (triangles[q + v] - triangles[p + v]),
        );
      }
      if (ends.length === 4) found.push(...ends);
    }
    return Float64Array.from(found);
  }

  /**
   * The section of an unpacked complex in space, as a frame.
   *
   * @param {Object} block of `rt.data`
   * @param {number} index of the frame
   * @param {{axis: number, at: number|null}} wanted
   */
  rt.createSection = function (block, index, wanted) {
    const { arrays, shapes, facts } = block;
    const { axis, at } = rt.planeOf(block, wanted);
    const others = [0, 1, 2].filter((i) => i !== axis);
    const { places, lines, faceOffsets, faceLines, bodyOffsets, bodyFaces } = arrays;

    // Vertices: edges that go from one side of the plane to the other.
    const vertexOf = new Int32Array(lines.length / 2).fill(-1);
    const vertices = [];
    for (let line = 0; line < vertexOf.length; line++) {
      const [p, q] = [3 * lines[2 * line], 3 * lines[2 * line + 1]];
      const [a, b] = [places[p + axis] - at, places[q + axis] - at];
      if (a < 0 === b < 0) continue;
      const t = a / (a - b);
      vertexOf[line] = vertices.length / 2;
      for (const i of others) vertices.push(places[p + i] + t * (places[q + i] - places[p + i]));
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
      made[`overlay:${name}`] = traces(arrays[`overlay:${name}`], axis, at, others);
    }
    const [[left, right], [bottom, top]] = others.map((i) => block.bounds[i]);
    if (arrays.points) {
      const width = block.bounds[axis][1] - block.bounds[axis][0];
      const near = [];
      for (let i = 0; i < arrays.points.length / 3; i++) {
        if (Math.abs(arrays.points[3 * i + axis] - at) < NEAR * width) near.push(i);
      }
      made.points = Float64Array.from(
        near.flatMap((i) => others.map((k) => arrays.points[3 * i + k])),
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
          axes: others.map((i) => facts.axes[i]),
          aspect: Math.min(2, Math.max(1 / 3, (top - bottom) / (right - left))),
          bounds: [left, bottom, right, top],
        },
      },
      index,
    );
    const edgeOf = new Int32Array(nFaces).fill(-1);
    cutFaces.forEach((face, edge) => (edgeOf[face] = edge));
    const there = (list, places) => Array.from(list ?? [], (i) => places[i]).filter((i) => i >= 0);
    return Object.assign(frame, {
      block,
      plane: { axis, at },

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
    const { axis } = frame.plane;
    store.set({ section: { axis, at: frame.arrays.middles[3 * region + axis] } });
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
