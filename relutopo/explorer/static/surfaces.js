/*
 * The surface of one class in space: the boundary of all places where it wins, made of the walls that
 * it has with other classes and of its part of the domain's sides.
 */
(function (rt) {
  "use strict";

  const { element, store } = rt;
  const row = rt.byId("surface-row");
  const select = rt.byId("surface");

  const namesOf = (frame) => frame?.quantities.get("decision")?.categories ?? [];

  store.declare("surface", {
    initial: -1,
    read: (text) =>
      /^\d{1,6}$/.test(text) && Number(text) < namesOf(rt.current).length ? Number(text) : undefined,
    write: (value) => (value >= 0 ? String(value) : ""),
  });

  /** The triangles of the surface of a class, in a frame of space: nine numbers for each. */
  rt.surfaceOf = function ({ block }, wanted) {
    block.surfaces ??= new Map();
    if (!block.surfaces.has(wanted)) block.surfaces.set(wanted, gathered(block.arrays, wanted));
    return block.surfaces.get(wanted);
  };

  /** The name of the class whose surface is shown; null for none. */
  rt.surfaceName = function (frame) {
    const chosen = store.get("surface");
    return frame.plane && there(frame.block.arrays).includes(chosen) ? namesOf(frame)[chosen] : null;
  };

  function gathered(arrays, wanted) {
    const found = [];
    const take = (triangles, i) => found.push(...triangles.subarray(9 * i, 9 * i + 9));
    const { wallClasses, sideClasses, sides } = arrays;
    for (let i = 0; i < wallClasses.length / 2; i++) {
      const isBeside = wallClasses[2 * i] === wanted || wallClasses[2 * i + 1] === wanted;
      if (isBeside) take(arrays["overlay:decision"], i);
    }
    sideClasses.forEach((known, i) => known === wanted && take(sides, i));
    return Float64Array.from(found);
  }

  /** Which classes win somewhere: those that have a surface. */
  function there({ wallClasses, sideClasses }) {
    return [...new Set([...wallClasses, ...sideClasses])].sort((a, b) => a - b);
  }

  let filled = null; // the block whose classes the control has
  select.addEventListener("change", () => store.set({ surface: Number(select.value) }));
  store.on(["current", "surface"], () => {
    const frame = rt.current;
    const isThere = Boolean(frame?.block?.arrays.sideClasses);
    row.hidden = !isThere;
    if (!isThere) return;
    if (filled !== frame.block) {
      filled = frame.block;
      const names = namesOf(frame);
      select.replaceChildren(
        element("option", { value: -1 }, "none"),
        ...there(frame.block.arrays).map((k) => element("option", { value: k }, names[k])),
      );
    }
    select.value = String(store.get("surface"));
  });
})((globalThis.relutopo ??= {}));
