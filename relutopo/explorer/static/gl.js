/*
 * The few things of WebGL that all layers of the map need.
 */
(function (rt) {
  "use strict";

  /** What every vertex shader begins with: from a place of the frame to pixels from the middle. */
  const COMMON = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform vec2 middle, rest; // of the view, from the middle of the frame; what rounding left
uniform vec2 scale; // device pixels a unit
uniform vec2 size; // of the view in device pixels
vec2 seen(vec2 place) { return ((place - middle) - rest) * scale; }
vec4 clipped(vec2 pixels) { return vec4(2.0 * pixels / size, 0.0, 1.0); }
`;
  const FRAGMENT = `#version 300 es
precision highp float;
precision highp int;
`;

  function compiled(gl, type, source) {
    const shader = gl.createShader(type);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    return shader;
  }

  rt.gl = {
    /** A program with its uniforms by name. */
    program: (gl, vertex, fragment) => {
      const program = gl.createProgram();
      gl.attachShader(program, compiled(gl, gl.VERTEX_SHADER, COMMON + vertex));
      gl.attachShader(program, compiled(gl, gl.FRAGMENT_SHADER, FRAGMENT + fragment));
      gl.linkProgram(program);
      if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
        const log = [...gl.getAttachedShaders(program)].map((s) => gl.getShaderInfoLog(s));
        throw new Error([gl.getProgramInfoLog(program), ...log].join("\n"));
      }
      const uniforms = {};
      const n = gl.getProgramParameter(program, gl.ACTIVE_UNIFORMS);
      for (let i = 0; i < n; i++) {
        const { name } = gl.getActiveUniform(program, i);
        uniforms[name] = gl.getUniformLocation(program, name);
      }
      return { program, at: uniforms };
    },

    /** Use a program, and tell it the view. */
    use: (gl, { program, at }, view) => {
      gl.useProgram(program);
      gl.uniform2f(at.middle, ...view.middle);
      gl.uniform2f(at.rest, ...view.rest);
      gl.uniform2f(at.scale, ...view.scale);
      gl.uniform2f(at.size, ...view.size);
    },

    buffer: (gl, target, data) => {
      const buffer = gl.createBuffer();
      gl.bindBuffer(target, buffer);
      gl.bufferData(target, data, gl.STATIC_DRAW);
      return buffer;
    },

    /** Width of textures that are tables. */
    WIDTH: 2048,

    /** A texture with one entry a region or a segment; `fill` writes it anew. */
    table: (gl, format) => {
      const texture = gl.createTexture();
      const [internal, outer, type, Type, size] = {
        number: [gl.R32F, gl.RED, gl.FLOAT, Float32Array, 1],
        four: [gl.RGBA32F, gl.RGBA, gl.FLOAT, Float32Array, 4],
        bits: [gl.R8UI, gl.RED_INTEGER, gl.UNSIGNED_BYTE, Uint8Array, 1],
      }[format];
      return {
        texture,
        fill: (values) => {
          const height = Math.max(1, Math.ceil(values.length / size / rt.gl.WIDTH));
          const padded = new Type(rt.gl.WIDTH * height * size);
          padded.set(values);
          rt.gl.image(gl, texture, internal, rt.gl.WIDTH, height, outer, type, padded);
        },
      };
    },

    image: (gl, texture, internal, width, height, outer, type, data) => {
      gl.bindTexture(gl.TEXTURE_2D, texture);
      gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
      gl.texImage2D(gl.TEXTURE_2D, 0, internal, width, height, 0, outer, type, data);
      for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) {
        gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
      }
      for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) {
        gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
      }
    },

    /** Let samplers of a program read textures. */
    textures: (gl, at, textures) => {
      Object.entries(textures).forEach(([name, texture], unit) => {
        gl.activeTexture(gl.TEXTURE0 + unit);
        gl.bindTexture(gl.TEXTURE_2D, texture);
        gl.uniform1i(at[name], unit);
      });
    },

    colour: (gl, location, [r, g, b], alpha = 1) =>
      gl.uniform4f(location, r / 255, g / 255, b / 255, alpha),
  };
})((globalThis.relutopo ??= {}));
