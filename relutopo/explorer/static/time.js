/*
 * The time line of a run, or the slider of a family: it moves the map through the frames, and plays.
 */
(function (rt) {
  "use strict";

  const time = rt.data.scene.time;
  if (!time) return;

  const MILLISECONDS = 700;
  const MOST_MARKS = 100;
  const { store, element } = rt;
  const labels = rt.data.scene.frames;
  const last = labels.length - 1;

  // What is chosen in a frame stays chosen in the next one, where it is still there.

  /** The pattern of a region as a word. */
  const wordOf = ({ arrays, nRegions }, region) => {
    const width = arrays.patterns.length / nRegions;
    return String.fromCharCode(...arrays.patterns.subarray(region * width, (region + 1) * width));
  };

  /** The region of each pattern of a frame. */
  function regionsOf(frame) {
    if (!frame.byPattern) {
      frame.byPattern = new Map();
      for (let i = 0; i < frame.nRegions; i++) frame.byPattern.set(wordOf(frame, i), i);
    }
    return frame.byPattern;
  }

  let pattern = null; // of the region that was chosen, even where it is not there
  store.on(["current", "region"], (changed) => {
    const region = store.get("region");
    if (region >= 0) pattern = wordOf(rt.current, region);
    else if (!changed.has("current")) pattern = null;
    if (changed.has("current") && pattern !== null) {
      const there = regionsOf(rt.current).get(pattern) ?? -1;
      if (there !== region) store.set({ region: there });
    }
  });

  /**
   * The region in each frame that has the pattern of a region of the present one, -1 for none, also
   * where a frame is not there yet.
   *
   * @returns {Promise<Int32Array>}
   */
  rt.history = async function (region) {
    const word = wordOf(rt.current, region);
    const found = new Int32Array(labels.length).fill(-1);
    for (let i = 0; i < labels.length; i++) {
      if (!rt.data.has(i)) continue; // nobody has looked at it yet
      const block = await rt.data.frame(i);
      block.frame ??= rt.createFrame(block, i);
      found[i] = regionsOf(block.frame).get(word) ?? -1;
    }
    return found;
  };

  rt.onRegion = async function (region) {
    const place = rt.byId("region-history");
    const found = await rt.history(region);
    if (!place.isConnected) return; // another region is shown by now
    const frames = [...found.keys()].filter((i) => found[i] >= 0);
    const bars = element("div.moments");
    found.forEach((there, i) =>
      bars.append(
        element(there >= 0 ? "button.there" : "button", {
          type: "button",
          "aria-label": `${labels[i]}: ${there >= 0 ? `region ${there}` : "not there"}`,
          title: labels[i],
          "aria-current": i === store.get("frame"),
          onclick: () => store.set({ frame: i, playing: false }),
        }),
      ),
    );
    place.replaceChildren(
      element("h3", null, "History of the pattern"),
      bars,
      element(
        "p.muted",
        null,
        `There at ${frames.length} of ${found.length}, first at ${labels[frames[0]]}, ` +
          `last at ${labels[frames[frames.length - 1]]}.`,
      ),
    );
  };

  // The player.

  const slider = element("input", {
    type: "range",
    id: "moment",
    min: "0",
    max: String(last),
    step: "1",
    oninput: () => store.set({ frame: Number(slider.value), playing: false }),
  });
  const shown = element("output", { for: "moment" });
  const play = element("button", { type: "button", onclick: toggle });
  const before = element(
    "button",
    { type: "button", "aria-label": `previous ${time.noun}`, onclick: () => rt.step(-1) },
    "‹",
  );
  const after = element(
    "button",
    { type: "button", "aria-label": `next ${time.noun}`, onclick: () => rt.step(1) },
    "›",
  );
  rt.byId("timeline").append(
    element("label.unseen", { for: "moment" }, time.noun),
    play,
    before,
    slider,
    after,
    shown,
  );

  /** Go some frames on, or back. */
  rt.step = function (by) {
    const to = Math.min(last, Math.max(0, store.get("frame") + by));
    store.set({ frame: to, playing: false });
    rt.say(labels[to]);
  };

  function toggle() {
    const playing = !store.get("playing");
    if (playing && store.get("frame") === last) store.set({ frame: 0 });
    store.set({ playing });
  }

  let waiting = 0;
  async function advance() {
    if (!store.get("playing")) return;
    const next = store.get("frame") + 1;
    if (next > last) {
      store.set({ playing: false });
      return;
    }
    await rt.data.frame(next); // the map waits for it as well
    if (!store.get("playing")) return;
    store.set({ frame: next });
    waiting = setTimeout(advance, MILLISECONDS);
  }

  function showPlaying() {
    const playing = store.get("playing");
    play.textContent = playing ? "❚❚" : "▶";
    play.setAttribute("aria-label", playing ? "pause" : "play");
    clearTimeout(waiting);
    if (playing) waiting = setTimeout(advance, MILLISECONDS);
  }
  store.on("playing", showPlaying);
  showPlaying();

  function showMoment() {
    const frame = store.get("frame");
    slider.value = String(frame);
    slider.setAttribute("aria-valuetext", labels[frame]);
    const place = `${labels[frame]} (${frame + 1} of ${last + 1})`;
    const trouble = store.get("trouble");
    const isMade = rt.current?.index === frame || rt.data.has(frame);
    shown.textContent = isMade ? place : `${place}, being made`;
    if (trouble) {
      shown.textContent = `${place}; another could not be made: ${trouble}`;
      rt.say(shown.textContent);
    }
    before.disabled = frame === 0;
    after.disabled = frame === last;
  }
  store.on(["frame", "current", "trouble"], showMoment);
  showMoment();

  // The curves.

  const MARKS = ["solid", "dashed", "dotted", "dashed"];

  async function begin() {
    if (!rt.data.scene.charts.time) return;
    const panel = rt.panel("time", time.title, time.explained);
    const readout = element("p.readout", null);
    const chosen = element("select", { id: "time-column" });
    for (const curve of time.numbers) {
      chosen.append(element("option", { value: curve.name }, curve.label));
    }
    const legend = element("div.legends", null);
    for (const [name, curves] of Object.entries(time.panels)) {
      if (name === "number") continue;
      legend.append(
        rt.legend(
          `${name}:`,
          curves.map((curve, k) => ({
            name: curve.label,
            series: (k % 5) + 1,
            dash: MARKS[k % MARKS.length],
          })),
        ),
      );
    }
    panel.append(legend);
    const chart = await rt.chart("time", panel, time.title);
    panel.append(readout);
    if (time.numbers.length) {
      panel.append(
        element("p", null, element("label", { for: "time-column" }, "lowest curve: "), chosen),
      );
    }
    const names = Object.keys(time.panels);

    /** Show a curve; marks of many points would only hide each other. */
    function fill(name, { x, y }) {
      chart.fill(`curve:${name}`, { x, y });
      chart.model(`points:${name}`).visible = x.length <= MOST_MARKS;
    }

    for (const name of names) {
      for (const curve of time.panels[name]) {
        if (name !== "number") fill(curve.name, curve);
      }
      const axis = chart.model(`steps:${name}`);
      axis.ticker.ticks = time.ticks.map((tick) => tick.x);
      axis.major_label_overrides = new Map(time.ticks.map((tick) => [tick.x, tick.label]));
      time.events.forEach((event, k) => chart.line(`event:${k}:${name}`, event.x));
      const figure = chart.models.find((model) => model.name === `time:${name}`);
      const to = (x) => store.set({ frame: rt.nearest(time.x, x), playing: false });
      rt.follow(figure, {
        tap: to,
        move: (_, x) => to(x),
        hover: (x) => read(rt.nearest(time.x, x)),
        leave: () => read(store.get("frame")),
      });
    }

    function showNumber() {
      const curve = time.numbers.find((entry) => entry.name === chosen.value);
      if (!curve) return;
      fill("number", curve);
      chart.model("values:number").axis_label = curve.label;
      chosen.title = curve.meaning;
      read(store.get("frame"));
    }

    /** Say what curves are at a frame. */
    function read(frame) {
      const words = [labels[frame]];
      for (const name of names) {
        const number = time.numbers.filter((entry) => entry.name === chosen.value);
        for (const curve of name === "number" ? number : time.panels[name]) {
          const at = curve.x.indexOf(time.x[frame]);
          if (at >= 0) words.push(`${curve.label} ${rt.format4(curve.y[at])}`);
        }
      }
      readout.textContent = words.join(" · ");
    }

    function showCursor() {
      const frame = store.get("frame");
      for (const name of names) chart.line(`cursor:${name}`, time.x[frame]);
      read(frame);
    }
    chosen.addEventListener("change", showNumber);
    store.on("frame", showCursor);
    showNumber();
    showCursor();
    for (const event of time.events) {
      panel.append(element("p.muted", null, event.text));
    }
    const fillTable = rt.tableOf(panel, "curves as a table", () => {
      const number = time.numbers.filter((entry) => entry.name === chosen.value);
      const curves = [...names.flatMap((name) => time.panels[name]), ...number];
      const at = (curve, frame) => curve.y[curve.x.indexOf(time.x[frame])] ?? NaN;
      return {
        head: ["checkpoint", ...curves.map((curve) => curve.label)],
        rows: labels.map((label, i) => [label, ...curves.map((c) => rt.format4(at(c, i)))]),
      };
    });
    chosen.addEventListener("change", fillTable);
  }

  rt.withCharts(begin);
})((globalThis.relutopo ??= {}));
