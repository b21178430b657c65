/*
 * The beginning: the state of the page, and the first frame.
 *
 * `rt.ready` is a promise of the page with its first frame; tests and charts wait for it.
 */
(function (rt) {
  "use strict";

  const natural = (most) => (text) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value < most() ? value : undefined;
  };
  const one = (...words) => (text) => (words.includes(text) ? text : undefined);
  const nRegions = () => (rt.current ? rt.current.nRegions : 0);

  rt.store = rt.createStore({
    frame: { initial: 0, read: natural(() => rt.data.scene.frames.length), write: String },
    theme: { initial: "auto", read: one("auto", "light", "dark"), write: String },
    region: {
      initial: -1,
      read: natural(nRegions),
      write: (value) => (value >= 0 ? String(value) : ""),
    },
    hover: { initial: -1 },
    playing: { initial: false },
  });

  async function begin() {
    const frame = await rt.data.frame(rt.store.get("frame"));
    document.documentElement.dataset.state = "ready";
    return frame;
  }

  rt.ready = begin();
})((globalThis.relutopo ??= {}));
