/*
 * Numbers and names as people read them, and elements made of text alone.
 */
(function (rt) {
  "use strict";

  const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";

  /** A number with so many significant digits, whole ones as they are. */
  rt.format = function (value, digits = 6) {
    if (value === null || value === undefined || Number.isNaN(value)) return "–";
    if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
    if (Number.isInteger(value) && Math.abs(value) < 1e9) {
      return value.toLocaleString("en").replace("-", "−").replaceAll(",", "\u202f");
    }
    const size = Math.abs(value);
    const text =
      size >= 1e6 || size < 1e-4
        ? value.toExponential(digits - 1).replace(/\.?0+e/, "e")
        : String(Number(value.toPrecision(digits)));
    const [mantissa, exponent] = text.replaceAll("-", "−").split("e");
    if (exponent === undefined) return mantissa;
    return `${mantissa}\u00a0×\u00a0${rt.powerOfTen(Number(exponent.replace("−", "-")))}`;
  };

  rt.powerOfTen = function (exponent) {
    const digits = [...String(exponent)].map((c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
    return `10${digits.join("")}`;
  };

  /** What a quantity is in a region, in words. */
  rt.formatQuantity = function (quantity, region, digits = 6) {
    const value = quantity.values[region];
    if (quantity.kind === "category") return value < 0 ? "–" : quantity.categories[value];
    return rt.format(value, digits);
  };

  /** So many of something, in words. */
  rt.counted = (n, what) => `${rt.format(n)} ${what}${n === 1 ? "" : "s"}`;

  rt.subscript = (number) => [...String(number)].map((digit) => SUBSCRIPTS[digit]).join("");

  /**
   * Make an element; what is put into it is text, whatever it contains.
   *
   * @param {string} tag Name, with classes behind points: "span.muted".
   * @param {Object|null} attributes `on…` are listeners, everything else attributes.
   * @param {...(Node|string|null)} children
   */
  rt.element = function (tag, attributes, ...children) {
    const [name, ...classes] = tag.split(".");
    const made = document.createElement(name);
    if (classes.length) made.className = classes.join(" ");
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined && value !== false) {
        made.setAttribute(key, value === true ? "" : value);
      }
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return made;
  };

  /** Say something to those who hear the page. */
  rt.say = function (words) {
    document.getElementById("spoken").textContent = words;
  };

  /** The element of an id. */
  rt.byId = (id) => document.getElementById(id);
})((globalThis.relutopo ??= {}));
