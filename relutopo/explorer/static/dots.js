/*
 * The layer of data points: each class has its colour and its shape.
 */
(function (rt) {
  "use strict";

  const VERTEX = `
in vec2 place;
in uint kind;
uniform float radius; // in device pixels
uniform sampler2D colours;
flat out vec4 ink;
flat out uint shape;
out vec2 at;
void main() {
  vec2 corner = vec2((gl_VertexID & 1) == 0 ? -1.0 : 1.0, gl_VertexID >= 2 ? 1.0 : -1.0);
  at = corner * (radius + 2.0);
  ink = texelFetch(colours, ivec2(int(kind), 0), 0);
  shape = kind % 6u;
  gl_Position = clipped(seen(place) + at);
}`;
  const FRAGMENT = `
flat in vec4 ink;
flat in uint shape;
in vec2 at;
uniform float radius;
uniform vec4 casing;
uniform bool isRound;
out vec4 painted;
float away(vec2 p, float r) {
  uint s = isRound ? 0u : shape;
  if (s == 4u) p.y = -p.y;
  if (s == 1u || s == 4u) { // a triangle, point up or down
    p.y += 0.18 * r;
    return max(-p.y - 0.5 * r, dot(vec2(abs(p.x), p.y), vec2(0.8660254, 0.5)) - 0.5 * r) - 0.32 * r;
  }
  if (s == 2u) return max(abs(p.x), abs(p.y)) - 0.84 * r;
  if (s == 3u) return (abs(p.x) + abs(p.y)) * 0.7071068 - 0.84 * r;
  if (s == 5u) { // a cross
    vec2 q = abs(p);
    return max(max(q.x, q.y) - 0.98 * r, min(q.x, q.y) - 0.48 * r);
  }
  return length(p) - r;
}
void main() {
  float d = away(at, radius);
  float inside = clamp(0.5 - d - 0.22 * radius, 0.0, 1.0);
  painted = vec4(mix(casing.rgb, ink.rgb, inside), clamp(0.5 - d, 0.0, 1.0));
}`;

  rt.createDots = function (gl) {
    const program = rt.gl.program(gl, VERTEX, FRAGMENT);
    const at = ["place", "kind"].map((name) => gl.getAttribLocation(program.program, name));
    const colours = gl.createTexture();
    let dots = null;

    return {
      /** Take the points of a frame. */
      setFrame: (frame) => {
        if (dots) {
          for (const buffer of dots.buffers) gl.deleteBuffer(buffer);
          gl.deleteVertexArray(dots.array);
          dots = null;
        }
        const { points, pointClasses, pointValues } = frame.arrays;
        if (!points || !points.length) return;
        const n = points.length / 2;
        const places = new Float32Array(2 * n);
        for (let i = 0; i < 2 * n; i++) places[i] = points[i] - frame.centre[i & 1];
        const kinds = new Uint8Array(n);
        if (pointClasses) kinds.set(pointClasses);
        else if (pointValues) {
          const [low, high] = rt.extremes(pointValues);
          for (let i = 0; i < n; i++) {
            kinds[i] = Math.round((255 * (pointValues[i] - low)) / (high - low || 1));
          }
        }
        const array = gl.createVertexArray();
        gl.bindVertexArray(array);
        const buffers = [
          rt.gl.buffer(gl, gl.ARRAY_BUFFER, places),
          rt.gl.buffer(gl, gl.ARRAY_BUFFER, kinds),
        ];
        gl.bindBuffer(gl.ARRAY_BUFFER, buffers[0]);
        gl.enableVertexAttribArray(at[0]);
        gl.vertexAttribPointer(at[0], 2, gl.FLOAT, false, 8, 0);
        gl.vertexAttribDivisor(at[0], 1);
        gl.bindBuffer(gl.ARRAY_BUFFER, buffers[1]);
        gl.enableVertexAttribArray(at[1]);
        gl.vertexAttribIPointer(at[1], 1, gl.UNSIGNED_BYTE, 1, 0);
        gl.vertexAttribDivisor(at[1], 1);
        gl.bindVertexArray(null);
        dots = { n, buffers, array, isRound: !pointClasses };
      },

      setColours: (bytes) =>
        rt.gl.image(
          gl, colours, gl.RGBA8, bytes.length / 4, 1, gl.RGBA, gl.UNSIGNED_BYTE, bytes,
        ),

      draw: (view) => {
        if (!dots) return;
        // The more there are, and the smaller the map, the smaller.
        const room = Math.min(1, 0.55 + view.size[0] / view.density / 1800);
        const radius = room * Math.min(6, Math.max(3, 24 / dots.n ** 0.25));
        rt.gl.use(gl, program, view);
        rt.gl.textures(gl, program.at, { colours });
        gl.uniform1f(program.at.radius, radius * view.density);
        gl.uniform1i(program.at.isRound, dots.isRound ? 1 : 0);
        rt.gl.colour(gl, program.at.casing, rt.colours.ink("casing"));
        gl.bindVertexArray(dots.array);
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, dots.n);
        gl.bindVertexArray(null);
      },
    };
  };

  /** The least and the greatest of some numbers, NaN aside. */
  rt.extremes = function (numbers) {
    let [low, high] = [Infinity, -Infinity];
    for (const x of numbers) {
      if (x < low) low = x;
      if (x > high) high = x;
    }
    return low <= high ? [low, high] : [0, 1];
  };
})((globalThis.relutopo ??= {}));
