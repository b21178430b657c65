/*
 * The map by keyboard. Keys are heard while the map has the focus, and nowhere else.
 */
(function (rt) {
  "use strict";

  const { map, store } = rt;
  const STEP = 60; // pixels
  const ARROWS = {
    ArrowLeft: [-1, 0],
    ArrowRight: [1, 0],
    ArrowUp: [0, 1],
    ArrowDown: [0, -1],
  };

  /** What every key does, for the dialog. */
  const MEANINGS = [
    ["Enter", "choose the region in the middle of the map"],
    ["Arrows", "go to the neighbour of the chosen region in that direction; else move the map"],
    ["Shift + arrows", "move the map"],
    ["+  −  0", "magnify, shrink, show all"],
    ["Z", "show the chosen region large"],
    ["S", "select the chosen region, or take it out of the selection"],
    ["C", "next quantity (with Shift the one before)"],
    ["F", "facets: none, plain, by layer"],
    ["N", "light the next neuron (with Shift the one before)"],
    ["P", "data points on or off"],
    ...(rt.data.scene.time ? [["[  ]", `${rt.data.scene.time.noun} before, and after`]] : []),
    ["Escape", "let go of the region, the neuron, the selection, one after the other"],
    ["?", "this list"],
  ];

  function spoken(region) {
    const quantity = rt.current.quantities.get(store.get("colour"));
    const value = quantity ? `, ${quantity.label} ${rt.formatQuantity(quantity, region, 4)}` : "";
    return `Region ${region}${value}, ${rt.current.facetsOf(region).length} facets`;
  }

  function choose(region) {
    store.set({ region });
    map.showRegion(region);
    rt.say(spoken(region));
  }

  /** The neighbour whose middle lies most in a direction, as seen on the screen. */
  function neighbour(region, [right, up]) {
    const [x, y] = map.camera.toScreen(...rt.current.middle(region));
    let [best, found] = [0.25, -1];
    for (const { neighbour } of rt.current.facetsOf(region)) {
      if (neighbour < 0) continue;
      const [u, v] = map.camera.toScreen(...rt.current.middle(neighbour));
      const length = Math.hypot(u - x, v - y) || 1;
      const cosine = ((u - x) * right + (y - v) * up) / length;
      if (cosine > best) [best, found] = [cosine, neighbour];
    }
    return found;
  }

  function stepped(list, present, by) {
    const at = list.indexOf(present);
    return list[(at + by + list.length) % list.length];
  }

  const actions = {
    Enter: () => {
      const { region, beside } = rt.pointedAt(map.camera.width / 2, map.camera.height / 2);
      const found = region >= 0 ? region : (beside[0] ?? -1);
      if (found >= 0) choose(found);
      else rt.say("There is no region in the middle of the map.");
    },
    "+": () => map.go(map.camera.zoomed(1.6), true),
    "=": () => map.go(map.camera.zoomed(1.6), true),
    "-": () => map.go(map.camera.zoomed(1 / 1.6), true),
    0: () => map.go(null, true),
    z: () => {
      const region = store.get("region");
      if (region >= 0) map.go(map.camera.around(rt.boxOf(region)), true);
    },
    s: () => {
      const region = store.get("region");
      if (region >= 0) rt.toggleSelected(region);
    },
    c: (event) => {
      const names = [...rt.current.quantities.keys()];
      store.set({ colour: stepped(names, store.get("colour"), event.shiftKey ? -1 : 1) });
      rt.say(rt.current.quantities.get(store.get("colour")).label);
    },
    f: () => store.set({ facets: stepped(["none", "plain", "layer"], store.get("facets"), 1) }),
    n: (event) => {
      const { nNeurons } = rt.current;
      const by = event.shiftKey ? -1 : 1;
      const next = store.get("neuron") + by;
      const neuron = next < -1 ? nNeurons - 1 : next >= nNeurons ? -1 : next;
      store.set({ neuron });
      rt.say(neuron < 0 ? "no neuron" : rt.current.callNeuron(neuron));
    },
    p: () => store.set({ points: store.get("points") === "yes" ? "no" : "yes" }),
    "[": () => rt.step?.(-1),
    "]": () => rt.step?.(1),
    Escape: () => {
      if (store.get("region") >= 0) store.set({ region: -1 });
      else if (store.get("neuron") >= 0) store.set({ neuron: -1 });
      else store.set({ selection: null });
    },
    "?": () => rt.byId("keys").showModal(),
  };

  map.host.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !rt.current) return;
    const arrow = ARROWS[event.key];
    if (arrow) {
      const region = store.get("region");
      if (region >= 0 && !event.shiftKey) {
        const found = neighbour(region, arrow);
        if (found >= 0) choose(found);
        else rt.say("The domain ends here.");
      } else map.go(map.camera.panned(-arrow[0] * STEP, arrow[1] * STEP), true);
    } else {
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) return;
      action(event);
    }
    event.preventDefault();
  });

  rt.byId("keys-list").append(
    ...MEANINGS.flatMap(([key, meaning]) => [
      rt.element("dt", null, rt.element("kbd", null, key)),
      rt.element("dd", null, meaning),
    ]),
  );
})((globalThis.relutopo ??= {}));
