/*
 * A frame, one complex, with what the page asks of it; made of the arrays that Python has packed.
 */
(function (rt) {
  "use strict";

  const LONG = 12; // letters of a name in a sentence
  const SHORT = 4; // and of one that stays on the line of its number

  /** A frame of a block of `rt.data`. */
  rt.createFrame = function ({ arrays, shapes, facts }, index) {
    const vertices = arrays.vertices ?? new Float64Array();
    const offsets = arrays.offsets ?? new Int32Array(1);
    const corners = arrays.corners ?? new Int32Array();
    const beside = arrays.beside ?? new Int32Array();
    const edges = arrays.edges ?? new Int32Array();
    const nRegions = offsets.length - 1;
    const layers = facts.layers ?? [];
    const firstOfLayer = [0];
    for (const size of layers) firstOfLayer.push(firstOfLayer[firstOfLayer.length - 1] + size);
    const nNeurons = firstOfLayer[layers.length];
    const bytes = shapes.patterns ? shapes.patterns[1] : 0;

    const quantities = new Map();
    for (const known of facts.quantities ?? []) {
      quantities.set(known.name, { ...known, values: arrays[`quantity:${known.name}`] });
    }
    const overlays = new Map();
    for (const known of facts.overlays ?? []) {
      overlays.set(known.name, { ...known, segments: arrays[`overlay:${known.name}`] });
    }

    // In space facets of regions are other things than edges of the map.
    const facetBeside = arrays.faceBeside ?? beside;
    const facetLabels = arrays.faceNeurons ?? arrays.neurons ?? new Int32Array();

    const bounds = facts.bounds ?? [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < vertices.length && !facts.bounds; i += 2) {
      bounds[0] = Math.min(bounds[0], vertices[i]);
      bounds[1] = Math.min(bounds[1], vertices[i + 1]);
      bounds[2] = Math.max(bounds[2], vertices[i]);
      bounds[3] = Math.max(bounds[3], vertices[i + 1]);
    }

    let around = null; // facets of each region: where they begin, and which they are

    function facetsAround() {
      if (around) return around;
      const begin = new Int32Array(nRegions + 1);
      for (const region of facetBeside) if (region >= 0) begin[region + 1]++;
      for (let i = 0; i < nRegions; i++) begin[i + 1] += begin[i];
      const next = begin.slice(0, nRegions);
      const list = new Int32Array(begin[nRegions]);
      for (let i = 0; i < facetBeside.length; i++) {
        if (facetBeside[i] >= 0) list[next[facetBeside[i]]++] = i >> 1;
      }
      around = { begin, list };
      return around;
    }

    const frame = {
      index,
      facts,
      arrays,
      label: facts.label,
      nRegions,
      nNeurons,
      layers,
      firstOfLayer,
      nOutputs: facts.nOutputs,
      bounds,
      vertices,
      offsets,
      corners,
      edges,
      beside,
      neurons: arrays.neurons ?? new Int32Array(),
      quantities,
      overlays,
      overlayNames: [...overlays.keys(), "graph"],
      hasPoints: Boolean(arrays.points),

      /** A point in words. */
      callPoint: (point) => {
        const { axes, inputs } = facts;
        const isShort = axes.every((name) => name.length <= LONG);
        const fit = [isShort ? axes : inputs, inputs, axes];
        const names = fit.find((names) => names.length === point.length);
        return names
          .map((name, i) => {
            const space = name.length > SHORT ? " " : "\u00a0"; // else a line breaks in a number
            return `${name}${space}=\u00a0${rt.format(point[i], 4)}`;
          })
          .join(", ");
      },

      /** Layer and unit of a neuron, both from 0. */
      nameOf: (neuron) => {
        let layer = 0;
        while (neuron >= firstOfLayer[layer + 1]) layer++;
        return [layer, neuron - firstOfLayer[layer]];
      },

      /** What a neuron is called in the page. */
      callNeuron: (neuron) => {
        const [layer, unit] = frame.nameOf(neuron);
        return `layer ${layer}, unit ${unit}`;
      },

      isOn: (region, neuron) =>
        ((arrays.patterns[region * bytes + (neuron >> 3)] >> (neuron & 7)) & 1) === 1,

      /** Corners of a region, counterclockwise: x, y, x, y ... */
      polygon: (region) => {
        const found = [];
        for (let i = offsets[region]; i < offsets[region + 1]; i++) {
          found.push(vertices[2 * corners[i]], vertices[2 * corners[i] + 1]);
        }
        return found;
      },

      /** Whether the frame has a polygon of a region: a section misses some. */
      isThere: (region) => offsets[region] < offsets[region + 1],

      /** The mean of a region's corners, a point of its interior. */
      middle: (region) => {
        let x = 0;
        let y = 0;
        for (let i = offsets[region]; i < offsets[region + 1]; i++) {
          x += vertices[2 * corners[i]];
          y += vertices[2 * corners[i] + 1];
        }
        const n = offsets[region + 1] - offsets[region];
        if (n || !frame.plane) return [x / n, y / n];
        return frame.plane.flat(frame.inside(region));
      },

      /** A point inside a region, with all its coordinates. */
      inside: (region) =>
        arrays.middles
          ? [...arrays.middles.subarray(3 * region, 3 * region + 3)]
          : frame.middle(region),

      /**
       * Facets of a region: each with its number, the region behind it or -1, and the neurons that
       * change there, or the side of the domain.
       */
      facetsOf: (region) => {
        const { begin, list } = facetsAround();
        const found = [];
        for (let i = begin[region]; i < begin[region + 1]; i++) {
          const edge = list[i];
          const [one, two] = [facetBeside[2 * edge], facetBeside[2 * edge + 1]];
          const neighbour = two < 0 ? -1 : one + two - region;
          const label = facetLabels[edge];
          found.push({
            edge,
            neighbour,
            neurons: neighbour < 0 ? [] : frame.changes(region, neighbour),
            side: neighbour < 0 ? facts.sides[-1 - label] : null,
          });
        }
        return found;
      },

      /** The neurons whose bits differ in two regions. */
      changes: (one, two) => {
        const found = [];
        for (let byte = 0; byte < bytes; byte++) {
          let bits = arrays.patterns[one * bytes + byte] ^ arrays.patterns[two * bytes + byte];
          for (let bit = 0; bits; bit++, bits >>= 1) if (bits & 1) found.push(8 * byte + bit);
        }
        return found;
      },

      /** The facets at which a neuron changes its sign, its bent hyperplane, as segments. */
      hyperplane: (neuron) => {
        const [byte, bit] = [neuron >> 3, 1 << (neuron & 7)];
        const found = [];
        for (let edge = 0; edge < edges.length / 2; edge++) {
          const [one, two] = [beside[2 * edge], beside[2 * edge + 1]];
          if (two < 0) continue;
          if ((arrays.patterns[one * bytes + byte] ^ arrays.patterns[two * bytes + byte]) & bit) {
            found.push(edge);
          }
        }
        return frame.segmentsOf(found);
      },

      /** The ends of some edges: x, y, x, y, one edge after the other. */
      segmentsOf: (wanted) => {
        const found = new Float64Array(4 * wanted.length);
        wanted.forEach((edge, i) => {
          for (let end = 0; end < 2; end++) {
            const vertex = edges[2 * edge + end];
            found[4 * i + 2 * end] = vertices[2 * vertex];
            found[4 * i + 2 * end + 1] = vertices[2 * vertex + 1];
          }
        });
        return found;
      },

      /** The dual graph, drawn between middles of regions, as segments. */
      graph: () => {
        const found = [];
        for (let edge = 0; edge < edges.length / 2; edge++) {
          if (beside[2 * edge + 1] < 0) continue;
          found.push(...frame.middle(beside[2 * edge]), ...frame.middle(beside[2 * edge + 1]));
        }
        return Float64Array.from(found);
      },

      /** Numbers of f(x) = A x + c in a region, a row for each output; null if they are not here. */
      map: (region) => {
        if (!arrays.slopes) return null;
        const d = shapes.slopes[2];
        return Array.from({ length: facts.nOutputs }, (_, j) => {
          const at = region * facts.nOutputs + j;
          return {
            slopes: Array.from(arrays.slopes.subarray(at * d, (at + 1) * d)),
            constant: arrays.constants[at],
          };
        });
      },

      locator: () => (frame.found ??= rt.createLocator(frame)),
    };
    return frame;
  };
})((globalThis.relutopo ??= {}));
