/*
 * The layer of the map that fills regions.
 *
 * Every corner of a region is a vertex that knows its region; the region's value is looked up in a
 * table and its colour in a palette, so that other colours, a selection or a threshold are changes
 * of tables and uniforms, and triangles stay as they are. Regions stand in an order in which
 * neighbours come together, and only runs of it that are seen are drawn.
 */
(function (rt) {
  "use strict";

  const VERTEX = `
in vec2 place;
in uint region;
uniform sampler2D values, palette, entries;
uniform highp usampler2D states;
uniform vec2 range; // values at both ends of the palette
uniform int categories; // how many colours; 0 for numbers
uniform float threshold; // regions that enter later are pale
uniform vec4 outside, pale, lit;
flat out vec4 colour;
void main() {
  ivec2 entry = ivec2(int(region) % 2048, int(region) / 2048);
  float value = texelFetch(values, entry, 0).r;
  uint state = texelFetch(states, entry, 0).r;
  if (value < -3.0e38) colour = outside;
  else if (categories > 0) colour = texelFetch(palette, ivec2(int(value + 0.5), 0), 0);
  else {
    float t = clamp((value - range.x) / (range.y - range.x), 0.0, 1.0);
    colour = texelFetch(palette, ivec2(int(t * 255.0 + 0.5), 0), 0);
  }
  if ((state & 1u) != 0u || texelFetch(entries, entry, 0).r > threshold) {
    colour = mix(colour, pale, 0.82);
  }
  if ((state & 2u) != 0u) colour = mix(colour, lit, 0.45);
  gl_Position = clipped(seen(place));
}`;
  const FRAGMENT = `
flat in vec4 colour;
out vec4 painted;
void main() { painted = colour; }`;
  const RUN = 256;
  const MISSING = -3.4e38;

  rt.createRegions = function (gl) {
    const program = rt.gl.program(gl, VERTEX, FRAGMENT);
    const values = rt.gl.table(gl, "number");
    const entries = rt.gl.table(gl, "number");
    const states = rt.gl.table(gl, "bits");
    const palette = gl.createTexture();
    const at = ["place", "region"].map((name) => gl.getAttribLocation(program.program, name));
    let array = null;
    let buffers = [];
    let runs = new Float64Array(); // boxes
    let begins = new Uint32Array(1); // of each run among the indices
    let look = { low: 0, high: 1, categories: 0 };
    let threshold = Infinity;

    return {
      setFrame: (frame) => {
        for (const buffer of buffers) gl.deleteBuffer(buffer);
        if (array) gl.deleteVertexArray(array);
        const { nRegions, offsets, corners, vertices } = frame;
        const [x0, y0] = frame.centre;
        frame.boxes ??= rt.boxesOf(frame);
        frame.order ??= rt.orderOf(frame.boxes, frame.bounds);
        runs = rt.boxesOfRuns(frame.boxes, frame.order, RUN);
        begins = new Uint32Array(runs.length / 4 + 1);

        const n = corners.length;
        const content = new ArrayBuffer(12 * n);
        const places = new Float32Array(content);
        const owners = new Uint32Array(content);
        let nTriangles = 0;
        for (let i = 0; i < nRegions; i++) {
          nTriangles += Math.max(0, offsets[i + 1] - offsets[i] - 2);
        }
        const indices = new Uint32Array(3 * nTriangles);
        let vertex = 0;
        let next = 0;
        for (let i = 0; i < nRegions; i++) {
          if (i % RUN === 0) begins[i / RUN] = next;
          const region = frame.order[i];
          const first = vertex;
          for (let j = offsets[region]; j < offsets[region + 1]; j++, vertex++) {
            places[3 * vertex] = vertices[2 * corners[j]] - x0;
            places[3 * vertex + 1] = vertices[2 * corners[j] + 1] - y0;
            owners[3 * vertex + 2] = region;
            if (vertex >= first + 2) {
              indices[next++] = first;
              indices[next++] = vertex - 1;
              indices[next++] = vertex;
            }
          }
        }
        begins[begins.length - 1] = next;

        array = gl.createVertexArray();
        gl.bindVertexArray(array);
        buffers = [
          rt.gl.buffer(gl, gl.ARRAY_BUFFER, places),
          rt.gl.buffer(gl, gl.ELEMENT_ARRAY_BUFFER, indices),
        ];
        gl.bindBuffer(gl.ARRAY_BUFFER, buffers[0]);
        gl.enableVertexAttribArray(at[0]);
        gl.vertexAttribPointer(at[0], 2, gl.FLOAT, false, 12, 0);
        gl.enableVertexAttribArray(at[1]);
        gl.vertexAttribIPointer(at[1], 1, gl.UNSIGNED_INT, 12, 8);
        gl.bindVertexArray(null);
        states.fill(new Uint8Array(nRegions));
        entries.fill(new Float32Array(nRegions));
        threshold = Infinity;
      },

      /** Show a quantity. */
      setValues: (quantity) => {
        if (quantity.kind === "category") {
          values.fill(Float32Array.from(quantity.values, (x) => (x < 0 ? MISSING : x)));
          look = { low: 0, high: 1, categories: Math.max(1, quantity.categories.length) };
          return;
        }
        const { low, high, map } = rt.colours.range(quantity);
        // Colours need no more than a place between both ends.
        const place = (x) => {
          const t = (map(x) - low) / (high - low);
          return Number.isNaN(t) ? MISSING : Math.min(1, Math.max(0, t));
        };
        values.fill(Float32Array.from(quantity.values, place));
        look = { low: 0, high: 1, categories: 0 };
      },

      /** Use colours, given as bytes. */
      setPalette: (bytes) =>
        rt.gl.image(
          gl, palette, gl.RGBA8, bytes.length / 4, 1, gl.RGBA, gl.UNSIGNED_BYTE, bytes,
        ),

      /** Bits of each region: 1 pale, 2 lit. */
      setStates: (bits) => states.fill(bits),

      /** When each region enters a filtration. */
      setEntries: (numbers) => entries.fill(Float32Array.from(numbers)),
      setThreshold: (value) => (threshold = value ?? Infinity),

      draw: (view) => {
        if (!array) return;
        rt.gl.use(gl, program, view);
        const { at } = program;
        rt.gl.textures(gl, at, {
          values: values.texture,
          palette,
          entries: entries.texture,
          states: states.texture,
        });
        gl.uniform2f(at.range, look.low, look.high);
        gl.uniform1i(at.categories, look.categories);
        gl.uniform1f(at.threshold, Math.min(threshold, 3e38));
        for (const name of ["outside", "pale", "lit"]) {
          rt.gl.colour(gl, at[name], rt.colours.ink(name));
        }
        gl.bindVertexArray(array);
        rt.visibleRuns(runs, view.box, (first, end) =>
          gl.drawElements(
            gl.TRIANGLES, begins[end] - begins[first], gl.UNSIGNED_INT, 4 * begins[first],
          ),
        );
        gl.bindVertexArray(null);
      },
    };
  };

  /** Call a function with the runs of boxes that meet a box, neighbours put together. */
  rt.visibleRuns = function (boxes, [left, bottom, right, top], draw) {
    const n = boxes.length / 4;
    for (let first = 0; first < n; first++) {
      let end = first;
      while (
        end < n &&
        boxes[4 * end] <= right && boxes[4 * end + 2] >= left &&
        boxes[4 * end + 1] <= top && boxes[4 * end + 3] >= bottom
      ) {
        end++;
      }
      if (end > first) draw(first, end);
      first = end;
    }
  };
})((globalThis.relutopo ??= {}));
