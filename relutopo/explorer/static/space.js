/*
 * The view of a complex in space: cut open by the plane of the section, which the map shows.
 *
 * What lies below the plane is drawn as a solid block in the colours of its regions, with the section
 * on top; surfaces, such as where the decision changes, are translucent.
 */
(function (rt) {
  "use strict";

  const VERTEX = `#version 300 es
precision highp float;
in vec3 place;
in vec4 colour;
uniform mat4 matrix;
uniform float dot_;
out vec3 at;
out vec4 ink;
void main() {
  at = place;
  ink = colour;
  gl_Position = matrix * vec4(place, 1.0);
  gl_PointSize = dot_;
}`;
  const FRAGMENT = `#version 300 es
precision highp float;
in vec3 at;
in vec4 ink;
uniform vec4 plain; // in place of the vertices' colours, if it is not transparent
uniform vec4 cut; // what lies on the positive side of this plane is left out
uniform float shade; // how much a face that looks away from the light is darker
uniform bool isDot;
uniform vec4 casing;
out vec4 painted;
void main() {
  if (dot(cut, vec4(at, 1.0)) > 0.0) discard;
  vec4 colour = plain.a > 0.0 ? plain : ink;
  if (isDot) {
    float away = length(gl_PointCoord - 0.5);
    if (away > 0.5) discard;
    if (away > 0.36) colour = casing;
  }
  float light = 1.0;
  if (shade > 0.0) { // lines and dots have no face
    vec3 normal = normalize(cross(dFdx(at), dFdy(at)));
    light = abs(dot(normal, normalize(vec3(0.35, -0.5, 0.8))));
  }
  painted = vec4(colour.rgb * (1.0 - shade * (1.0 - light)), colour.a);
}`;
  const DOT = 8; // pixels
  const TUBE = 0.014; // radius, in the cube
  const BEYOND = 1.13; // how far from the middle names of axes stand
  const LEAST_WIDTH = 0.4; // of a direction, beside the widest one

  const { store } = rt;
  const frameBox = rt.byId("space-frame");
  const canvas = rt.byId("space");
  const labels = [...frameBox.querySelectorAll(".axis")];

  let gl = null;
  let program = null;
  let at = null;
  let parts = {}; // by name: buffers, count, and how to draw
  let block = null; // whose skin and frame the card has
  let unit = { middle: [0, 0, 0], scale: [1, 1, 1] };
  let isWanted = false;

  /** A point in the coordinates of the view, within a cube. */
  const toCube = (p) => p.map((x, i) => (x - unit.middle[i]) * unit.scale[i]);

  function begin() {
    gl = canvas.getContext("webgl2", { antialias: true, alpha: false });
    if (!gl) return;
    const shader = (type, text) => {
      const made = gl.createShader(type);
      gl.shaderSource(made, text);
      gl.compileShader(made);
      return made;
    };
    program = gl.createProgram();
    gl.attachShader(program, shader(gl.VERTEX_SHADER, VERTEX));
    gl.attachShader(program, shader(gl.FRAGMENT_SHADER, FRAGMENT));
    gl.linkProgram(program);
    at = {};
    for (const name of ["matrix", "dot_", "plain", "cut", "shade", "isDot", "casing"]) {
      at[name] = gl.getUniformLocation(program, name);
    }
    at.place = gl.getAttribLocation(program, "place");
    at.colour = gl.getAttribLocation(program, "colour");
  }

  /** The plane of the section in the cube: a, b, c, d of a x + b y + c z + d = 0, beyond it > 0. */
  function planeInCube({ normal, at: height }) {
    const scaled = normal.map((x, i) => x / unit.scale[i]);
    const length = Math.hypot(...scaled);
    const away = height - normal.reduce((sum, x, i) => sum + x * unit.middle[i], 0);
    return [...scaled, -away].map((x) => x / length);
  }

  /** Put a part on the card: places x, y, z of vertices, and perhaps colours. */
  function setPart(name, places, colours, how) {
    const before = parts[name];
    if (before) for (const buffer of before.buffers) if (buffer) gl.deleteBuffer(buffer);
    if (!places || !places.length) {
      delete parts[name];
      return;
    }
    const cube = new Float32Array(places.length);
    for (let i = 0; i < places.length; i++) {
      cube[i] = (places[i] - unit.middle[i % 3]) * unit.scale[i % 3];
    }
    parts[name] = {
      ...how,
      n: places.length / 3,
      buffers: [
        rt.gl.buffer(gl, gl.ARRAY_BUFFER, cube),
        colours && rt.gl.buffer(gl, gl.ARRAY_BUFFER, colours),
      ],
    };
  }

  /** Places of some vertices of the complex, one after the other. */
  function placesOf(vertices) {
    const { places } = rt.current.arrays;
    const found = new Float64Array(3 * vertices.length);
    for (let i = 0; i < vertices.length; i++) {
      for (let k = 0; k < 3; k++) found[3 * i + k] = places[3 * vertices[i] + k];
    }
    return found;
  }

  /** The corners of a facet in order. */
  function loop(face) {
    const { faceOffsets, faceLines, lines } = rt.current.arrays;
    const next = new Map();
    for (let i = faceOffsets[face]; i < faceOffsets[face + 1]; i++) {
      const [a, b] = [lines[2 * faceLines[i]], lines[2 * faceLines[i] + 1]];
      for (const [from, to] of [[a, b], [b, a]]) {
        if (!next.has(from)) next.set(from, []);
        next.get(from).push(to);
      }
    }
    const [start] = next.keys();
    const found = [];
    let [before, here] = [-1, start];
    do {
      found.push(here);
      const [one, two] = next.get(here);
      [before, here] = [here, one === before ? two : one];
    } while (here !== start && found.length < next.size);
    return found;
  }

  function coloursOfRegions() {
    const frame = rt.current;
    const quantity = frame.quantities.get(store.get("colour"));
    const bytes = rt.colours.every(quantity);
    const selection = store.get("selection");
    const threshold = store.get("threshold");
    const entries = threshold === null ? null : frame.arrays["entry:regions"];
    if (selection || entries) {
      const pale = rt.colours.ink("pale");
      const chosen = selection && new Set(selection);
      for (let region = 0; region < frame.nRegions; region++) {
        const isPale = entries && entries[region] > threshold;
        if (!isPale && (!chosen || chosen.has(region))) continue;
        for (let c = 0; c < 3; c++) {
          bytes[4 * region + c] = 0.18 * bytes[4 * region + c] + 0.82 * pale[c];
        }
      }
    }
    return bytes;
  }

  /** Colours of vertices, three for each triangle, by the region of each triangle. */
  function ofTriangles(regions, bytes) {
    const found = new Uint8Array(12 * regions.length);
    regions.forEach((region, i) => {
      for (let k = 0; k < 3; k++) {
        found.set(bytes.subarray(4 * region, 4 * region + 4), 12 * i + 4 * k);
      }
    });
    return found;
  }

  /** Vertices of the edges of facets on sides of the domain. */
  function skinEdges() {
    const { skinFaces, faceOffsets, faceLines, lines } = rt.current.arrays;
    const found = new Set();
    for (const face of new Set(skinFaces)) {
      for (let i = faceOffsets[face]; i < faceOffsets[face + 1]; i++) found.add(faceLines[i]);
    }
    return [...found].flatMap((line) => [lines[2 * line], lines[2 * line + 1]]);
  }

  function setSolid() {
    const frame = rt.current;
    const { skin, skinFaces, faceBeside } = frame.arrays;
    const bytes = coloursOfRegions();
    const owners = Array.from(skinFaces, (face) => faceBeside[2 * face]);
    const solid = { mode: gl.TRIANGLES, isCut: true, shade: 0.28 };
    const isFilled = store.get("filled") === "yes"; // else surfaces are seen by themselves
    setPart("skin", isFilled ? placesOf(skin) : null, ofTriangles(owners, bytes), solid);
    setPart("skinEdges", placesOf(skinEdges()), null, {
      mode: gl.LINES, isCut: true, ink: "facet", alpha: 0.3,
    });
    const places = [];
    const regions = [];
    const { offsets, corners, vertices, nRegions, beside } = frame;
    const { lifted } = frame.plane;
    const point = (vertex) => lifted(vertices[2 * vertex], vertices[2 * vertex + 1]);
    for (let region = 0; region < nRegions && isFilled; region++) {
      for (let i = offsets[region] + 2; i < offsets[region + 1]; i++) {
        regions.push(region);
        for (const j of [offsets[region], i - 1, i]) {
          places.push(...point(corners[j]));
        }
      }
    }
    setPart("cap", places, ofTriangles(regions, bytes), { mode: gl.TRIANGLES, shade: 0.1 });
    const edges = [];
    const border = []; // where the plane meets sides of the domain
    frame.edges.forEach((vertex, i) => {
      edges.push(...point(vertex));
      if (beside[2 * (i >> 1) + 1] < 0) border.push(...point(vertex));
    });
    setPart("edges", edges, null, { mode: gl.LINES, ink: "facet", alpha: 0.45 });
    setPart("border", border, null, { mode: gl.LINES, ink: "select", alpha: 1 });
  }

  function setSurfaces() {
    const shown = store.get("overlays");
    for (const { name, look } of rt.current.overlays.values()) {
      const triangles = shown.has(name) ? rt.current.block.arrays[`overlay:${name}`] : null;
      const alpha = look === "cut" ? 0.3 : 0.42;
      setPart(`surface:${name}`, triangles, null, {
        mode: gl.TRIANGLES, ink: look, alpha, shade: 0.45, isGlass: true,
      });
    }
    const chosen = store.get("surface");
    const own = chosen < 0 ? null : rt.surfaceOf(rt.current, chosen);
    setPart("surface", own, null, {
      mode: gl.TRIANGLES, ink: "own", alpha: 0.42, shade: 0.45, isGlass: true,
    });
  }

  function setRegion() {
    const [frame, region] = [rt.current, store.get("region")];
    const [triangles, lines] = [[], []];
    if (region >= 0) {
      const { bodyOffsets, bodyFaces } = frame.arrays;
      for (let i = bodyOffsets[region]; i < bodyOffsets[region + 1]; i++) {
        const corners = loop(bodyFaces[i]);
        corners.forEach((a, k) => {
          if (k >= 2) triangles.push(corners[0], corners[k - 1], a);
          lines.push(a, corners[(k + 1) % corners.length]);
        });
      }
    }
    const glass = { ink: "select", isGlass: true, isOver: true };
    setPart("region", placesOf(triangles), null, {
      ...glass, mode: gl.TRIANGLES, alpha: 0.3, shade: 0.3,
    });
    setPart("regionLines", placesOf(lines), null, { ...glass, mode: gl.LINES, alpha: 1 });
  }

  /** Triangles of tubes around segments, whose ends stand one after the other. */
  function tubes(ends) {
    const found = [];
    for (let i = 0; i < ends.length; i += 6) {
      const [a, b] = [toCube([...ends.subarray(i, i + 3)]), toCube([...ends.subarray(i + 3, i + 6)])];
      const along = b.map((x, k) => x - a[k]);
      const length = Math.hypot(...along) || 1;
      const other = Math.abs(along[2]) < 0.9 * length ? [0, 0, 1] : [1, 0, 0];
      const side = rt.spin.normed(rt.spin.cross(along, other));
      const up = rt.spin.normed(rt.spin.cross(along, side));
      const rim = [0, 1, 2, 3].map((k) => {
        const [c, s] = [Math.cos((k * Math.PI) / 2), Math.sin((k * Math.PI) / 2)];
        return side.map((x, j) => TUBE * (c * x + s * up[j]));
      });
      const point = (p, r) => p.map((x, k) => (x + r[k]) / unit.scale[k] + unit.middle[k]);
      for (let k = 0; k < 4; k++) {
        const [r, q] = [rim[k], rim[(k + 1) % 4]];
        found.push(...point(a, r), ...point(b, r), ...point(b, q));
        found.push(...point(a, r), ...point(b, q), ...point(a, q));
      }
    }
    return found;
  }

  /** Light cells of the complex: edges as tubes, faces as glass, vertices as dots. */
  rt.setCellsInSpace = function (name, cells, look) {
    const frame = rt.current;
    if (!gl || !frame?.plane) return;
    const { lines } = frame.arrays;
    const { edges = [], faces = [], vertices = [] } = cells ?? {};
    const ends = Array.from(edges).flatMap((line) => [lines[2 * line], lines[2 * line + 1]]);
    const triangles = [];
    const outlines = [];
    for (const face of faces) {
      const corners = loop(face);
      corners.forEach((a, k) => {
        if (k >= 2) triangles.push(corners[0], corners[k - 1], a);
        outlines.push(a, corners[(k + 1) % corners.length]);
      });
    }
    const over = { ink: look, isGlass: true, isOver: true };
    setPart(`tubes:${name}`, tubes(placesOf(ends)), null, {
      ...over, mode: gl.TRIANGLES, alpha: 1, shade: 0.4,
    });
    setPart(`faces:${name}`, placesOf(triangles), null, {
      ...over, mode: gl.TRIANGLES, alpha: 0.4, shade: 0.4,
    });
    setPart(`outlines:${name}`, placesOf(outlines), null, { ...over, mode: gl.LINES, alpha: 0.9 });
    const ink = Uint8Array.from([...rt.colours.ink(look), 255]);
    const inks = new Uint8Array(4 * vertices.length);
    for (let i = 0; i < vertices.length; i++) inks.set(ink, 4 * i);
    setPart(`dots:${name}`, placesOf(vertices), inks, { mode: gl.POINTS, isGlass: true, isOver: true });
    redraw();
  };

  function setPoints() {
    const frame = rt.current;
    const { points, pointClasses, pointValues } = frame.block.arrays;
    if (!points || store.get("points") !== "yes") return setPart("points", null);
    const palette = rt.pointColours(frame);
    const n = points.length / 3;
    const colours = new Uint8Array(4 * n);
    const [low, high] = pointValues ? rt.extremes(pointValues) : [0, 1];
    for (let i = 0; i < n; i++) {
      let k = pointClasses ? pointClasses[i] : 0;
      if (pointValues) k = Math.round((255 * (pointValues[i] - low)) / (high - low || 1));
      colours.set(palette.subarray(4 * k, 4 * k + 4), 4 * i);
    }
    setPart("points", points, colours, { mode: gl.POINTS });
  }

  function draw() {
    isWanted = false;
    const frame = rt.current;
    if (!gl || !frame?.plane || gl.isContextLost()) return;
    const density = rt.map.density();
    const [w, h] = [canvas.clientWidth, canvas.clientHeight].map((x) => Math.round(x * density));
    if (canvas.width !== w) canvas.width = w;
    if (canvas.height !== h) canvas.height = h;
    gl.viewport(0, 0, w, h);
    const [r, g, b] = rt.colours.ink("pale").map((x) => x / 255);
    gl.clearColor(r, g, b, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.useProgram(program);
    const m = rt.spin.matrix();
    gl.uniformMatrix4fv(at.matrix, false, m);
    gl.uniform1f(at.dot_, DOT * density);
    rt.gl.colour(gl, at.casing, rt.colours.ink("casing"));
    const plane = planeInCube(frame.plane);
    plane[3] -= 1e-4;
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.SRC_ALPHA, gl.ONE_MINUS_SRC_ALPHA);
    gl.enable(gl.DEPTH_TEST);
    gl.depthFunc(gl.LEQUAL);
    gl.enable(gl.POLYGON_OFFSET_FILL);
    const drawn = Object.entries(parts).sort(([, x], [, y]) => (x.isGlass ? 1 : 0) - (y.isGlass ? 1 : 0));
    for (const [, part] of drawn) {
      if (part.isOver) gl.disable(gl.DEPTH_TEST);
      else gl.enable(gl.DEPTH_TEST);
      gl.depthMask(!part.isGlass);
      gl.polygonOffset(...(part.isGlass ? [0, 0] : [1, 1])); // glass on the block is in front of it
      gl.uniform4f(at.cut, ...(part.isCut ? plane : [0, 0, 0, -1]));
      gl.uniform1f(at.shade, part.shade ?? 0);
      gl.uniform1i(at.isDot, part.mode === gl.POINTS ? 1 : 0);
      if (part.ink) rt.gl.colour(gl, at.plain, rt.colours.ink(part.ink), part.alpha);
      else gl.uniform4f(at.plain, 0, 0, 0, 0);
      gl.bindBuffer(gl.ARRAY_BUFFER, part.buffers[0]);
      gl.enableVertexAttribArray(at.place);
      gl.vertexAttribPointer(at.place, 3, gl.FLOAT, false, 0, 0);
      if (part.buffers[1]) {
        gl.bindBuffer(gl.ARRAY_BUFFER, part.buffers[1]);
        gl.enableVertexAttribArray(at.colour);
        gl.vertexAttribPointer(at.colour, 4, gl.UNSIGNED_BYTE, true, 0, 0);
      } else gl.disableVertexAttribArray(at.colour);
      gl.drawArrays(part.mode, 0, part.n);
    }
    gl.depthMask(true);
    placeLabels(m);
  }

  /** Name each axis beside an edge of the block that is in sight: the lowest, for height the first. */
  function placeLabels(m) {
    const { bounds, facts } = rt.current.block;
    const [low, high] = [0, 1].map((end) => toCube(bounds.map((range) => range[end])));
    labels.forEach((label, axis) => {
      let [best, found] = [-Infinity, [0, 0]];
      for (const [one, two] of [[0, 0], [0, 1], [1, 0], [1, 1]]) {
        const ends = [one, two];
        ends.splice(axis, 0, 0.5);
        const point = ends.map((t, i) => BEYOND * (low[i] + t * (high[i] - low[i])));
        const [x, y] = rt.spin.project(m, point);
        const rank = axis === 2 ? -x : y;
        if (rank > best) [best, found] = [rank, [x, y]];
      }
      label.textContent = facts.axes[axis];
      label.style.translate = `calc(${found[0]}px - 50%) calc(${found[1]}px - 50%)`;
    });
  }

  function redraw() {
    if (isWanted || !gl) return;
    isWanted = true;
    requestAnimationFrame(draw);
  }

  /** The region at a place of the screen: of the section, or of the block's outside. */
  rt.regionInSpace = function (left, top) {
    const frame = rt.current;
    const ray = rt.spin.ray(left, top);
    const { eye, along } = ray;
    const plane = planeInCube(frame.plane);
    const beyond = (t) =>
      plane.reduce((sum, x, i) => sum + x * (i < 3 ? eye[i] + t * along[i] : 1), 0);
    let [nearest, region] = [Infinity, -1];
    const t = beyond(0) / (beyond(0) - beyond(1));
    if (t > 0 && Number.isFinite(t)) {
      const point = eye.map((x, i) => (x + t * along[i]) / unit.scale[i] + unit.middle[i]);
      const found = frame.locator().at(...frame.plane.flat(point));
      if (found >= 0) [nearest, region] = [t, found];
    }
    const { skin, skinFaces, faceBeside, places } = frame.arrays;
    const corner = (vertex) => toCube([...places.subarray(3 * vertex, 3 * vertex + 3)]);
    for (let i = 0; i < skinFaces.length; i++) {
      const [p, q, r] = [skin[3 * i], skin[3 * i + 1], skin[3 * i + 2]].map(corner);
      const s = rt.spin.hit(ray, p, q, r);
      if (s > 0 && s < nearest && beyond(s) <= 0) {
        [nearest, region] = [s, faceBeside[2 * skinFaces[i]]];
      }
    }
    return region;
  };

  function setFrame() {
    const frame = rt.current;
    if (!frame?.plane) return;
    if (block !== frame.block) {
      block = frame.block;
      frameBox.hidden = false;
      rt.byId("section-controls").hidden = false;
      document.querySelector(".stage").classList.add("in-space");
      if (!gl) begin();
      const widths = block.bounds.map(([low, high]) => high - low);
      const most = Math.max(...widths);
      unit = {
        middle: block.bounds.map(([low, high]) => (low + high) / 2),
        scale: widths.map((w) => (2 / w) * Math.max(LEAST_WIDTH, w / most)),
      };
      rt.map.resize();
      if (gl) {
        setPart("frame", placesOf(block.arrays.frameLines), null, {
          mode: gl.LINES, ink: "muted", alpha: 0.8,
        });
        setSurfaces();
        setPoints();
        setRegion();
      }
    }
    rt.followSection();
    if (gl) setSolid();
    redraw();
  }

  const when = (keys, action) =>
    store.on(keys, () => {
      if (!gl || !rt.current?.plane) return;
      action();
      redraw();
    });
  store.on("current", setFrame);
  when(["colour", "palette", "diverging", "seenTheme", "selection", "threshold", "filled"], setSolid);
  when(["overlays", "surface"], setSurfaces);
  when("region", setRegion);
  when(["points", "seenTheme"], setPoints);
  when("spin", () => {});
  new ResizeObserver(() => {
    // As high as the map beside it.
    const map = rt.byId("map");
    const isBeside = map.getBoundingClientRect().top - frameBox.getBoundingClientRect().top < 40;
    frameBox.style.height = isBeside ? `${rt.map.canvas.clientHeight}px` : "";
    redraw();
  }).observe(rt.byId("map"));
})((globalThis.relutopo ??= {}));
