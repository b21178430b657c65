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

  async function show(index) {
    const block = await rt.data.frame(index);
    if (store.get("frame") !== index) return; // another is wanted by now
    rt.times.unpacked ??= performance.now();
    const frame =
      block.facts.kind === "space"
        ? rt.createSection(block, index, store.get("section"))
        : (block.frame ??= rt.createFrame(block, index));
    const changes = { current: frame };
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
    const { notes } = rt.data.scene;
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
