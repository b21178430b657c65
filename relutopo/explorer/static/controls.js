/*
 * The controls: every one is a control of HTML with a label, and shows the state as it is, whoever
 * has changed it.
 */
(function (rt) {
  "use strict";

  const { element, store } = rt;

  /** Keep a select and a key of the state equal. */
  function bound(select, key) {
    select.addEventListener("change", () => store.set({ [key]: select.value }));
    const follow = () => (select.value = store.get(key));
    store.on(key, follow);
    follow();
  }

  function options(select, pairs) {
    const before = select.value;
    select.replaceChildren(...pairs.map(([value, words]) => element("option", { value }, words)));
    select.value = before;
  }

  bound(rt.byId("theme"), "theme");
  bound(rt.byId("facets"), "facets");

  const colour = rt.byId("colour");
  store.on("current", () => {
    options(colour, [...rt.current.quantities.values()].map(({ name, label }) => [name, label]));
    colour.value = store.get("colour");
  });
  bound(colour, "colour");

  // The palettes that fit the quantity.
  const palette = rt.byId("palette");
  const followPalette = () => {
    const quantity = rt.current?.quantities.get(store.get("colour"));
    if (!quantity) return;
    const isSigned = quantity.scale === "signed";
    palette.disabled = quantity.kind === "category";
    const names = isSigned ? rt.colours.diverging : rt.colours.sequential;
    options(palette, names.map((name) => [name, name.replace("-", " – ")]));
    palette.value = store.get(isSigned ? "diverging" : "palette");
  };
  palette.addEventListener("change", () => {
    const key = rt.colours.diverging.includes(palette.value) ? "diverging" : "palette";
    store.set({ [key]: palette.value });
  });
  store.on(["current", "colour", "palette", "diverging"], followPalette);

  // One neuron, by its layer and its number there.
  const layer = rt.byId("neuron-layer");
  const unit = rt.byId("neuron-unit");
  const followNeuron = () => {
    const [frame, neuron] = [rt.current, store.get("neuron")];
    if (!frame) return;
    options(layer, [
      ["", "none"],
      ...frame.layers.map((size, k) => [String(k), `layer ${k}`]),
    ]);
    const [k, u] = neuron < 0 ? ["", ""] : frame.nameOf(neuron);
    layer.value = String(k);
    unit.value = String(u);
    unit.disabled = neuron < 0;
    unit.max = neuron < 0 ? 0 : frame.layers[k] - 1;
  };
  const takeNeuron = () => {
    const frame = rt.current;
    if (layer.value === "") return store.set({ neuron: -1 });
    const k = Number(layer.value);
    const wanted = Math.round(Number(unit.value) || 0);
    const u = Math.min(frame.layers[k] - 1, Math.max(0, wanted));
    store.set({ neuron: frame.firstOfLayer[k] + u });
    followNeuron();
  };
  layer.addEventListener("change", takeNeuron);
  unit.addEventListener("input", () => unit.value !== "" && takeNeuron());
  store.on(["current", "neuron"], followNeuron);

  // What lies over the map.
  const over = rt.byId("over");
  function check(words, isOn, set, name) {
    const box = element("input", { type: "checkbox", name });
    box.checked = isOn();
    box.addEventListener("change", () => set(box.checked));
    const label = element("label.check", null, box, words);
    label.follow = () => (box.checked = isOn());
    return label;
  }
  const toggled = (name) => (isOn) => {
    const names = new Set(store.get("overlays"));
    if (isOn) names.add(name);
    else names.delete(name);
    store.set({ overlays: names });
  };
  store.on("current", () => {
    const frame = rt.current;
    const boxes = frame.overlayNames.map((name) =>
      check(
        name === "graph" ? "dual graph" : frame.overlays.get(name).label,
        () => store.get("overlays").has(name),
        toggled(name),
        name,
      ),
    );
    if (frame.hasPoints) {
      const isOn = () => store.get("points") === "yes";
      const set = (on) => store.set({ points: on ? "yes" : "no" });
      boxes.push(check("data points", isOn, set, "points"));
    }
    const isFilled = () => store.get("filled") === "yes";
    boxes.push(check("regions", isFilled, (on) => store.set({ filled: on ? "yes" : "no" }), "filled"));
    over.replaceChildren(...boxes);
  });
  store.on(["overlays", "points", "filled"], () => {
    for (const label of over.children) label.follow();
  });

  // Which regions are selected.
  const words = rt.byId("selection-words");
  const clear = rt.byId("selection-clear");
  const invert = rt.byId("selection-invert");
  const followSelection = () => {
    const [frame, selection] = [rt.current, store.get("selection")];
    if (!frame) return;
    const every = rt.format(frame.nRegions);
    words.textContent = selection
      ? `${rt.format(selection.length)} of ${every} regions are selected.`
      : `${frame.nRegions === 1 ? "The only region" : `All ${every} regions`}. Drag over the map with Shift held to select some, or click with Ctrl.`;
    clear.disabled = !selection;
    invert.disabled = !selection;
  };
  clear.addEventListener("click", () => rt.select(null));
  invert.addEventListener("click", () => {
    const chosen = new Set(store.get("selection"));
    const others = [];
    for (let region = 0; region < rt.current.nRegions; region++) {
      if (!chosen.has(region)) others.push(region);
    }
    rt.select(others);
  });
  store.on(["current", "selection"], followSelection);

  // Dialogs.
  for (const name of ["keys", "glossary"]) {
    const dialog = rt.byId(name);
    rt.byId(`show-${name}`).addEventListener("click", () => {
      if (name === "glossary") rt.fillGlossary(rt.byId("glossary-list"));
      dialog.showModal();
    });
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
})((globalThis.relutopo ??= {}));
