/*
 * What charts have in common: they are put in the page from what Python has prepared, take the
 * theme's colours, and give their points to the page's scripts.
 */
(function (rt) {
  "use strict";

  globalThis.Bokeh?.logger.set_level("error");
  const drawn = [];
  let waiting = 0; // charts that are not drawn yet

  /** Do something with charts when the first frame is shown. */
  rt.withCharts = function (begin) {
    if (!rt.data.scene.charts) return;
    const first = new Promise((resolve) => {
      const end = rt.store.on("current", () => {
        end();
        resolve();
      });
    });
    waiting++;
    first.then(begin).then(() => {
      waiting--;
      document.documentElement.dataset.charts = waiting ? "" : "ready";
    });
  };

  /** Take colours of the theme for everything that has a tag with names of CSS variables. */
  function paint(models) {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim() || "#777777";
    for (const model of models) {
      if (model.type.endsWith("Axis")) {
        model.setv({
          axis_label_text_color: colour("--ink"),
          major_label_text_color: colour("--muted"),
          axis_line_color: colour("--line"),
          major_tick_line_color: colour("--line"),
        });
      } else if (model.type === "Grid") {
        model.setv({ grid_line_color: colour("--line") });
      }
      for (const tag of model.tags ?? []) {
        const properties = asObject(asObject(tag).css);
        for (const [property, name] of Object.entries(properties)) {
          model.setv({ [property]: colour(name) });
        }
      }
    }
  }

  function asObject(value) {
    return value instanceof Map ? Object.fromEntries(value) : (value ?? {});
  }

  rt.store.on("seenTheme", () => drawn.forEach((chart) => paint(chart.models)));

  /** A number in four digits. */
  rt.format4 = (value) => rt.format(value, 4);

  /**
   * A section of the page with a heading and charts below it.
   *
   * @param {string} id
   * @param {string} title
   * @param {string} sentence What there is to see.
   */
  rt.panel = function (id, title, sentence) {
    const heading = rt.element("h2", { id: `${id}-title` }, title);
    const section = rt.element(
      "section.chart",
      { id, "aria-labelledby": `${id}-title` },
      heading,
      rt.element("p.muted", null, sentence),
    );
    rt.byId("charts").append(section);
    return section;
  };

  /** A legend of curves: what they show, and their colours, dashes and names. */
  rt.legend = function (title, entries) {
    const list = rt.element("ul.curves");
    if (title) list.append(rt.element("li.muted", null, title));
    for (const { name, series, dash } of entries) {
      const swatch = rt.element("span.dash", { "aria-hidden": "true" });
      swatch.style.borderTopColor = `var(--series-${series})`;
      swatch.style.borderTopStyle = dash;
      list.append(rt.element("li", null, swatch, name));
    }
    return list;
  };

  /**
   * A table that says in numbers what a chart shows; it is filled when it is opened.
   *
   * @param {Element} panel
   * @param {string} title
   * @param {function(): {head: string[], rows: string[][]}} content
   * @returns {function()} To call when the content has changed.
   */
  rt.tableOf = function (panel, title, content) {
    const table = rt.element("table");
    const details = rt.element(
      "details",
      null,
      rt.element("summary", null, title),
      rt.element("div.scrolled", { tabindex: "0", role: "region", "aria-label": title }, table),
    );
    const fill = () => {
      if (!details.open) return;
      const { head, rows } = content();
      table.replaceChildren(
        rt.element(
          "thead",
          null,
          rt.element("tr", null, head.map((name) => rt.element("th", { scope: "col" }, name))),
        ),
        rt.element(
          "tbody",
          null,
          rows.map(([first, ...rest]) =>
            rt.element(
              "tr",
              null,
              rt.element("th", { scope: "row" }, first),
              rest.map((cell) => rt.element("td", null, cell)),
            ),
          ),
        ),
      );
    };
    details.addEventListener("toggle", fill);
    panel.append(details);
    return fill;
  };

  /**
   * Draw a chart into an element.
   *
   * @param {string} name One of those that Python has prepared.
   * @param {Element} parent
   * @param {string} label What those hear who do not see it.
   * @returns {Promise<{model: function(string): Object, fill: function(string, Object)}>}
   */
  rt.chart = async function (name, parent, label) {
    const place = rt.element("div.plot", { role: "img", "aria-label": label });
    parent.append(place);
    const item = rt.data.scene.charts[name];
    const manager = await Bokeh.embed.embed_item(item, place);
    const root = [...manager.roots][0].model;
    const models = [...root.references()];
    const byName = new Map(models.filter((m) => m.name).map((m) => [m.name, m]));
    const chart = {
      place,
      models,
      model: (of) => byName.get(of),
      has: (of) => byName.has(of),
      fill: (of, data) => {
        byName.get(of).data = data;
      },
      /** Put a line at a place, or take it away. */
      line: (of, at) => {
        const span = byName.get(of);
        if (at === null || !Number.isFinite(at)) span.visible = false;
        else span.setv({ location: at, visible: true });
      },
    };
    drawn.push(chart);
    paint(models);
    return chart;
  };

  /**
   * Follow a finger or a mouse that is dragged over a chart from left to right.
   *
   * Fingers that go up and down move the page, as everywhere else.
   *
   * @param {Object} figure
   * @param {{move?: function(number, number, boolean), leave?: function(),
   *   tap?: function(number, number)}} handlers Of places in the units of the axes; the boolean
   *   says whether the drag is over.
   */
  rt.follow = function (figure, { move, tap, hover, leave }) {
    if (tap) figure.on_event("tap", (event) => tap(event.x, event.y, event.sx, event.sy));
    if (hover) figure.on_event("mousemove", (event) => hover(event.x, event.y));
    if (leave) figure.on_event("mouseleave", leave);
    if (!move) return;
    let from = null;
    figure.on_event("panstart", (event) => {
      from = event.x;
      move(from, from, false);
    });
    figure.on_event("pan", (event) => from !== null && move(from, event.x, false));
    figure.on_event("panend", (event) => {
      if (from !== null) move(from, event.x, true);
      from = null;
    });
  };

  /** The index of the entry of ascending numbers that is nearest to a value. */
  rt.nearest = function (numbers, value) {
    let best = 0;
    for (let i = 1; i < numbers.length; i++) {
      if (Math.abs(numbers[i] - value) < Math.abs(numbers[best] - value)) best = i;
    }
    return best;
  };
})((globalThis.relutopo ??= {}));
