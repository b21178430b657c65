/*
 * Layers of the map that are made of straight lines: facets, overlays, outlines.
 *
 * Each segment is a rectangle with round ends, a little wider than the line; what is painted of it
 * is decided by the distance to the segment, which makes edges smooth. Its corners are made from a
 * table of segments, since drawing many instances of four corners is slow. Lines that are about a
 * pixel wide, those of which there are most, are lines of the card: three times as fast, and like it.
 */
(function (rt) {
  "use strict";

  const COMMON = `
uniform sampler2D segments; // both ends of each
uniform highp usampler2D layersOf;
uniform float crowd; // pixels below which segments become pale, so that many together do
uniform vec4 colour;
uniform sampler2D colours; // of layers
uniform bool byLayer;
flat out vec4 ink;
vec4 inkOf(ivec2 entry, float l) {
  vec4 own = colour;
  if (byLayer) own = texelFetch(colours, ivec2(int(texelFetch(layersOf, entry, 0).r), 0), 0);
  return vec4(own.rgb, colour.a * (crowd > 0.0 ? clamp(l / crowd, 0.0, 1.0) : 1.0));
}
vec4 unlessPale(vec2 pixels) { return ink.a < 0.02 ? vec4(2.0, 2.0, 2.0, 1.0) : clipped(pixels); }
`;
  const VERTEX = `${COMMON}
uniform float width; // half of it, in device pixels
out vec2 place;
flat out float extent;
void main() {
  int segment = gl_VertexID / 6, corner = gl_VertexID % 6;
  if (corner > 2) corner -= 2; // 0 1 2, 1 2 3
  ivec2 entry = ivec2(segment % 2048, segment / 2048);
  vec4 ends = texelFetch(segments, entry, 0);
  vec2 from = seen(ends.xy), to = seen(ends.zw);
  vec2 along = to - from;
  float l = length(along);
  vec2 forth = l > 0.0 ? along / l : vec2(1.0, 0.0);
  vec2 aside = vec2(-forth.y, forth.x);
  float reach = width + 1.0;
  float sideward = (corner & 1) == 0 ? -reach : reach;
  bool isEnd = corner >= 2;
  place = vec2(isEnd ? l + reach : -reach, sideward);
  extent = l;
  ink = inkOf(entry, l);
  gl_Position = unlessPale((isEnd ? to + forth * reach : from - forth * reach) + aside * sideward);
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
  const THIN_VERTEX = `${COMMON}
void main() {
  int segment = gl_VertexID / 2;
  ivec2 entry = ivec2(segment % 2048, segment / 2048);
  vec4 ends = texelFetch(segments, entry, 0);
  ink = inkOf(entry, length((ends.zw - ends.xy) * scale));
  gl_Position = unlessPale(seen((gl_VertexID & 1) == 0 ? ends.xy : ends.zw));
}`;
  const THIN_FRAGMENT = `
flat in vec4 ink;
out vec4 painted;
void main() { painted = ink; }`;
  const THIN = 1.5; // device pixels: also of facets on screens with two for each
  const RUN = 1024;

  rt.createLines = function (gl) {
    const wide = rt.gl.program(gl, VERTEX, FRAGMENT);
    const thin = rt.gl.program(gl, THIN_VERTEX, THIN_FRAGMENT);
    const colours = gl.createTexture();
    rt.gl.image(gl, colours, gl.RGBA8, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
    const noLayers = rt.gl.table(gl, "bits");
    noLayers.fill(new Uint8Array(1));
    const nothing = gl.createVertexArray();

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
        const table = rt.gl.table(gl, "four");
        table.fill(places);
        const ofLayers = kinds && rt.gl.table(gl, "bits");
        ofLayers?.fill(kinds);
        return { n, runs, table, ofLayers };
      },

      remove: (lines) => {
        if (!lines) return;
        gl.deleteTexture(lines.table.texture);
        if (lines.ofLayers) gl.deleteTexture(lines.ofLayers.texture);
      },

      /**
       * Draw segments.
       *
       * @param {{width: number, colour: number[], alpha?: number, crowd?: number,
       *   byLayer?: boolean}} look Widths in CSS pixels.
       */
      draw: (view, lines, { width, colour, alpha = 1, crowd = 0, byLayer = false }) => {
        if (!lines || !lines.n) return;
        const pixels = width * view.density;
        const isThin = pixels <= THIN;
        const program = isThin ? thin : wide;
        rt.gl.use(gl, program, view);
        rt.gl.textures(gl, program.at, {
          segments: lines.table.texture,
          layersOf: (lines.ofLayers ?? noLayers).texture,
          colours,
        });
        if (!isThin) gl.uniform1f(program.at.width, pixels / 2);
        // What the middle of a smooth line of this width would be covered.
        const cover = isThin ? Math.min(1, (pixels + 1) / 2) * Math.min(1, pixels) : 1;
        gl.uniform1f(program.at.crowd, crowd * view.density);
        gl.uniform1i(program.at.byLayer, byLayer && lines.ofLayers ? 1 : 0);
        rt.gl.colour(gl, program.at.colour, colour, alpha * cover);
        gl.bindVertexArray(nothing);
        rt.visibleRuns(lines.runs, view.box, (first, end) => {
          const count = Math.min(lines.n, end * RUN) - first * RUN;
          if (isThin) gl.drawArrays(gl.LINES, 2 * first * RUN, 2 * count);
          else gl.drawArrays(gl.TRIANGLES, 6 * first * RUN, 6 * count);
        });
        gl.bindVertexArray(null);
      },
    };
  };
})((globalThis.relutopo ??= {}));
