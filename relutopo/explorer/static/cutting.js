/*
 * The controls of the plane that cuts a complex in space: its direction, and how far along it.
 */
(function (rt) {
  "use strict";

  const { store } = rt;
  const axisSelect = rt.byId("section-axis");
  const slider = rt.byId("section-at");
  const angles = { turn: rt.byId("section-turn"), tilt: rt.byId("section-tilt") };
  const STEPS = 1000;
  const FREE = { turn: 40, tilt: 55 }; // where planes of any direction begin

  /** The equation of a plane. */
  function equation({ normal, at: height }, inputs) {
    const terms = normal.flatMap((x, i) => {
      const size = rt.tickText(Math.abs(x), 2);
      if (Number(size) === 0) return [];
      return [`${x < 0 ? "−" : "+"} ${Number(size) === 1 ? "" : `${size} `}${inputs[i]}`];
    });
    const left = terms.join(" ").replace(/^\+ /, "").replace(/^− /, "−");
    return `${left} = ${rt.format(height, 4)}`;
  }

  rt.followSection = function () {
    const { plane, block: { facts } } = rt.current;
    if (!axisSelect.options.length) {
      facts.axes.forEach((name, i) => axisSelect.append(rt.element("option", { value: i }, name)));
      axisSelect.append(rt.element("option", { value: "free" }, "any direction"));
    }
    axisSelect.value = plane.isFree ? "free" : String(plane.axis);
    const [low, high] = plane.reach[0];
    slider.value = String(Math.round((STEPS * (plane.at - low)) / (high - low)));
    const words = equation(plane, facts.inputs);
    rt.byId("section-words").textContent = words;
    slider.setAttribute("aria-valuetext", words);
    rt.byId("section-angles").hidden = !plane.isFree;
    for (const [name, field] of Object.entries(angles)) {
      if (!plane.isFree) continue;
      field.value = String(plane[name]);
      field.setAttribute("aria-valuetext", `${plane[name]} degrees, ${words}`);
      field.nextElementSibling.textContent = `${rt.format(plane[name])}°`;
    }
  };

  axisSelect.addEventListener("change", () => {
    const { value } = axisSelect;
    store.set({
      section: value === "free" ? { ...FREE, at: null } : { axis: Number(value), at: null },
      view: null,
    });
  });
  slider.addEventListener("input", () => {
    const [low, high] = rt.current.plane.reach[0];
    const at = low + ((high - low) * Number(slider.value)) / STEPS;
    store.set({ section: { ...store.get("section"), at } });
  });
  for (const [name, field] of Object.entries(angles)) {
    field.addEventListener("input", () => {
      // The same share of the way through the complex, whatever its width in the new direction.
      const { plane, block: of } = rt.current;
      const share = (plane.at - plane.reach[0][0]) / (plane.reach[0][1] - plane.reach[0][0]);
      const { turn, tilt } = { ...plane, [name]: Number(field.value) };
      const [low, high] = rt.planeOf(of, { turn, tilt, at: null }).reach[0];
      store.set({ section: { turn, tilt, at: low + share * (high - low) } });
    });
  }
})((globalThis.relutopo ??= {}));
