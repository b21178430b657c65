/*
 * What Python has packed into the page: the scene, and its frames, each unpacked when it is asked
 * for. `relutopo.explorer.packing` says how blocks are made.
 */
(function (rt) {
  "use strict";

  const TYPES = {
    u1: Uint8Array,
    i1: Int8Array,
    u2: Uint16Array,
    i2: Int16Array,
    u4: Uint32Array,
    i4: Int32Array,
    f4: Float32Array,
    f8: Float64Array,
  };

  function content(id) {
    return JSON.parse(document.getElementById(id).textContent);
  }

  /** Bytes of base64, where the browser has it by a function of its own. */
  function decoded(text) {
    if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
    const letters = atob(text);
    const bytes = new Uint8Array(letters.length);
    for (let i = 0; i < letters.length; i++) bytes[i] = letters.charCodeAt(i);
    return bytes;
  }

  async function inflated(text) {
    const bytes = decoded(text);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  /** Put the bytes of numbers together again, and add up differences of integers. */
  function restored(bytes, type, n) {
    const Type = TYPES[type];
    const size = Type.BYTES_PER_ELEMENT;
    const values = new Type(n);
    const out = new Uint8Array(values.buffer);
    for (let place = 0; place < size; place++) {
      for (let i = 0, j = place, k = place * n; i < n; i++, j += size, k++) out[j] = bytes[k];
    }
    if (type[0] !== "f") {
      for (let i = 1; i < n; i++) values[i] += values[i - 1]; // modulo the range of the type
    }
    return values;
  }

  /**
   * Unpack a block.
   *
   * @param {string} text
   * @returns {Promise<{arrays: Object, shapes: Object, facts: Object}>}
   */
  async function unpack(text) {
    const bytes = await inflated(text);
    const begin = 8 + new DataView(bytes.buffer).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, begin)));
    const arrays = {};
    const shapes = {};
    for (const entry of header.arrays) {
      const n = entry.shape.reduce((a, b) => a * b, 1);
      arrays[entry.name] = restored(bytes.subarray(begin + entry.offset), entry.type, n);
      shapes[entry.name] = entry.shape;
    }
    return { arrays, shapes, facts: header.facts };
  }

  const frames = new Map();

  rt.data = {
    unpack,

    /** The scene without its frames. */
    scene: content("scene"),

    /** A block by the id of its script. */
    block: async (id) => unpack(content(id)),

    /**
     * A frame of the scene, unpacked at first use; its arrays are in `Frame.arrays` of Python.
     *
     * @param {number} index
     */
    frame: (index) => {
      if (!frames.has(index)) frames.set(index, unpack(content(`frame-${index}`)));
      return frames.get(index);
    },
  };
})((globalThis.relutopo ??= {}));
