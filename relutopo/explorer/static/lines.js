/*
 * Layers of the map that are made of straight lines: facets, overlays, outlines.
 *
 * Each segment is a rectangle with round ends, a little wider than the line; what is painted of it
 * is decided by the distance to the segment, which makes edges smooth.
 */
(function (rt) {
  "use strict";

  const VERTEX = `
in vec4 ends; // both
in uint layer;
uniform float width; // half of it, in device pixels
uniform float crowd; // pixels below which segments become pale, so that many together do
uniform vec4 colour;
uniform sampler2D colours; // of layers
uniform bool byLayer;
out vec2 place;
flat out float extent;
flat out vec4 ink;
void main() {
  vec2 from = seen(ends.xy), to = seen(ends.zw);
  vec2 along = to - from;
  float l = length(along);
  vec2 forth = l > 0.0 ? along / l : vec2(1.0, 0.0);
  vec2 aside = vec2(-forth.y, forth.x);
  float reach = width + 1.0;
  float sideward = (gl_VertexID & 1) == 0 ? -reach : reach;
  bool isEnd = gl_VertexID >= 2;
  place = vec2(isEnd ? l + reach : -reach, sideward);
  extent = l;
  ink = byLayer ? texelFetch(colours, ivec2(int(layer), 0), 0) : colour;
  ink.a = colour.a;
  if (crowd > 0.0) ink.a *= clamp(l / crowd, 0.0, 1.0);
  vec2 pixels = (isEnd ? to + forth * reach : from - forth * reach) + aside * sideward;
  gl_Position = ink.a < 0.02 ? vec4(2.0, 2.0, 2.0, 1.0) : clipped(pixels);
}`;
  const FRAGMENT = `
in vec2 place;
flat in float extent;
flat in vec4 ink;
uniform float width;
out vec4 painted;
void main() {
  float away = length(vec2(place.x - clamp(place.x, 0.0, extent), place.y));
  float cover = clamp(width + 0.5 - away, 0.0, 1.0) * min(1.0, 2.0 * width);
  painted = vec4(ink.rgb, ink.a * cover);
}`;
  const RUN = 1024;

  rt.createLines = function (gl) {
    const program = rt.gl.program(gl, VERTEX, FRAGMENT);
    const at = ["ends", "layer"].map((name) => gl.getAttribLocation(program.program, name));
    const colours = gl.createTexture();
    const none = new Uint8Array(4);
    rt.gl.image(gl, colours, gl.RGBA8, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, none);

    return {
      /** Colours of layers, as bytes. */
      setColours: (bytes) =>
        rt.gl.image(
          gl, colours, gl.RGBA8, bytes.length / 4, 1, gl.RGBA, gl.UNSIGNED_BYTE, bytes,
        ),

      /**
       * Some segments.
       *
       * @param {Float64Array} segments x, y, x, y of each
       * @param {number[]} centre of the frame
       * @param {Uint8Array|null} layers of each
       */
      create: (segments, centre, layers = null) => {
        const n = segments.length / 4;
        const boxes = new Float64Array(4 * n);
        const bounds = [Infinity, Infinity, -Infinity, -Infinity];
        for (let i = 0; i < n; i++) {
          const [x, y, u, v] = segments.subarray(4 * i, 4 * i + 4);
          boxes[4 * i] = Math.min(x, u);
          boxes[4 * i + 1] = Math.min(y, v);
          boxes[4 * i + 2] = Math.max(x, u);
          boxes[4 * i + 3] = Math.max(y, v);
          bounds[0] = Math.min(bounds[0], x, u);
          bounds[1] = Math.min(bounds[1], y, v);
          bounds[2] = Math.max(bounds[2], x, u);
          bounds[3] = Math.max(bounds[3], y, v);
        }
        const order = rt.orderOf(boxes, bounds);
        const runs = rt.boxesOfRuns(boxes, order, RUN);
        const places = new Float32Array(4 * n);
        const kinds = layers && new Uint8Array(n);
        for (let i = 0; i < n; i++) {
          const from = 4 * order[i];
          for (let k = 0; k < 4; k++) places[4 * i + k] = segments[from + k] - centre[k & 1];
          if (kinds) kinds[i] = layers[order[i]];
        }
        const buffers = [rt.gl.buffer(gl, gl.ARRAY_BUFFER, places)];
        if (kinds) buffers.push(rt.gl.buffer(gl, gl.ARRAY_BUFFER, kinds));
        const array = gl.createVertexArray();
        gl.bindVertexArray(array);
        gl.enableVertexAttribArray(at[0]);
        gl.vertexAttribDivisor(at[0], 1);
        if (kinds) {
          gl.enableVertexAttribArray(at[1]);
          gl.vertexAttribDivisor(at[1], 1);
        }
        gl.bindVertexArray(null);
        return { n, runs, buffers, array, hasLayers: Boolean(kinds) };
      },

      remove: (lines) => {
        if (!lines) return;
        for (const buffer of lines.buffers) gl.deleteBuffer(buffer);
        gl.deleteVertexArray(lines.array);
      },

      /**
       * Draw segments.
       *
       * @param {{width: number, colour: number[], alpha?: number, crowd?: number,
       *   byLayer?: boolean}} look Widths in CSS pixels.
       */
      draw: (view, lines, { width, colour, alpha = 1, crowd = 0, byLayer = false }) => {
        if (!lines || !lines.n) return;
        rt.gl.use(gl, program, view);
        rt.gl.textures(gl, program.at, { colours });
        gl.uniform1f(program.at.width, (width * view.density) / 2);
        gl.uniform1f(program.at.crowd, crowd * view.density);
        gl.uniform1i(program.at.byLayer, byLayer && lines.hasLayers ? 1 : 0);
        rt.gl.colour(gl, program.at.colour, colour, alpha);
        gl.bindVertexArray(lines.array);
        gl.vertexAttribI4ui(at[1], 0, 0, 0, 0);
        rt.visibleRuns(lines.runs, view.box, (first, end) => {
          // Where instances begin is told by where attributes do.
          gl.bindBuffer(gl.ARRAY_BUFFER, lines.buffers[0]);
          gl.vertexAttribPointer(at[0], 4, gl.FLOAT, false, 16, 16 * first * RUN);
          if (lines.hasLayers) {
            gl.bindBuffer(gl.ARRAY_BUFFER, lines.buffers[1]);
            gl.vertexAttribIPointer(at[1], 1, gl.UNSIGNED_BYTE, 1, first * RUN);
          }
          const count = Math.min(lines.n, end * RUN) - first * RUN;
          gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, count);
        });
        gl.bindVertexArray(null);
      },
    };
  };
})((globalThis.relutopo ??= {}));
