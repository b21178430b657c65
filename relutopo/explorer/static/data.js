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

  // Of a family that is made as it is looked at the page holds the first complex. The notebook around
  // it is asked for the others.

  const asked = new Map();

  function wanted(index) {
    return new Promise((resolve, reject) => {
      asked.set(index, { resolve, reject });
      parent.postMessage({ wanted: index }, "*");
    });
  }

  addEventListener("message", ({ source, data }) => {
    const waiting = source === parent && asked.get(data?.wanted);
    if (!waiting) return;
    asked.delete(data.wanted);
    if (typeof data.frame === "string") waiting.resolve(data.frame);
    else waiting.reject(new Error(String(data.error)));
  });

  async function found(index) {
    const id = `frame-${index}`;
    try {
      return await unpack(document.getElementById(id) ? content(id) : await wanted(index));
    } catch (error) {
      frames.delete(index); // it may be asked for again
      throw error;
    }
  }

  rt.data = {
    unpack,

    /** The scene without its frames. */
    scene: content("scene"),

    /** A block by the id of its script. */
    block: async (id) => unpack(content(id)),

    /** Whether a frame is here, or on its way. */
    has: (index) => frames.has(index) || document.getElementById(`frame-${index}`) !== null,

    /**
     * A frame of the scene, unpacked at first use; its arrays are in `Frame.arrays` of Python.
     *
     * @param {number} index
     */
    frame: (index) => {
      if (!frames.has(index)) frames.set(index, found(index));
      return frames.get(index);
    },
  };
})((globalThis.relutopo ??= {}));
