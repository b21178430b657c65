/*
 * The beginning, when all parts of the page listen: the first frame, and the state of the address.
 *
 * `rt.ready` is a promise of the page with its first frame; tests and charts wait for it.
 */
(function (rt) {
  "use strict";

  const { element, store } = rt;

  /** Milliseconds after navigation at which the page had come so far. */
  rt.times = { parsed: performance.now() };

  /** Milliseconds for which a slider rests before a frame is made. */
  const REST = 150;

  async function show(index) {
    if (rt.current?.index === index) return;
    if (!rt.data.has(index)) {
      await new Promise((resolve) => setTimeout(resolve, REST));
      if (store.get("frame") !== index) return;
    }
    let block;
    try {
      block = await rt.data.frame(index);
    } catch (error) {
      if (!rt.current) throw error;
      if (store.get("frame") !== index) return;
      store.set({ frame: rt.current.index, playing: false, trouble: error.message });
      return;
    }
    if (store.get("frame") !== index) return; // another is wanted by now
    rt.times.unpacked ??= performance.now();
    const frame =
      block.facts.kind === "space"
        ? rt.createSection(block, index, store.get("section"))
        : (block.frame ??= rt.createFrame(block, index));
    const changes = { current: frame, trouble: "" };
    if (store.get("current")) {
      // Numbers of regions mean others in another frame.
      Object.assign(changes, { region: -1, hover: -1, selection: null });
    }
    store.set(changes);
  }

  /** Say in the head what is shown: of a family the frame, which has a head of its own. */
  function showHead() {
    const { facts } = rt.current;
    const title = rt.title();
    document.title = title;
    document.querySelector("h1").textContent = title;
    rt.byId("summary").replaceChildren(
      ...Object.entries(facts.summary ?? rt.data.scene.summary).map(([name, value]) =>
        element("span", null, `${name} `, element("b", null, value)),
      ),
    );
  }

  function showNotes() {
    const notes = rt.current?.facts.notes ?? rt.data.scene.notes;
    rt.byId("notes").replaceChildren(
      ...notes.map(({ kind, text }) =>
        element(
          "li",
          null,
          element("details", null, element("summary", { "data-kind": kind }, kind), element("p", null, text)),
        ),
      ),
    );
  }

  async function begin() {
    showNotes();
    store.on("current", showHead);
    if (rt.data.scene.notes.length === 0) store.on("current", showNotes); // each frame has its own
    const { hash } = location; // what is set now is written there while the frame is unpacked
    store.restore(hash, ["frame", "section"]);
    await show(store.get("frame"));
    store.restore(hash);
    store.on("frame", () => show(store.get("frame")));
    rt.map.resize();
    rt.map.draw();
    rt.times.drawn = performance.now();
    document.documentElement.dataset.state = "ready";
  }

  rt.ready = begin();
})((globalThis.relutopo ??= {}));
