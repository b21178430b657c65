/*
 * The view in space: from where it is seen, which the pointer and the keyboard turn, and what of it
 * is where on the screen. Its coordinates are those of a cube from -1 to 1.
 */
(function (rt) {
  "use strict";

  const [NEAR, FAR, FOCUS] = [0.5, 40, 3.7];
  const DISTANCE = 7.2;

  const { store } = rt;
  const canvas = rt.byId("space");

  store.declare("spin", {
    initial: { yaw: -0.9, pitch: 0.45, near: 1 },
    read: (text) => {
      const [yaw, pitch, near] = text.split(",").map(Number);
      const isOne = Number.isFinite(yaw) && Math.abs(pitch) <= 1.57 && near >= 0.5 && near <= 20;
      return isOne ? { yaw, pitch, near } : undefined;
    },
    write: ({ yaw, pitch, near }) => [yaw, pitch, near].map((x) => Number(x.toFixed(3))).join(),
  });

  const cross = (a, b) =>
    [0, 1, 2].map((i) => {
      const [j, k] = [(i + 1) % 3, (i + 2) % 3];
      return a[j] * b[k] - a[k] * b[j];
    });

  const normed = (a) => a.map((x) => x / (Math.hypot(...a) || 1));

  /** The directions of the view: from the middle to the eye, to the right, up; and how far. */
  function directions() {
    const { yaw, pitch, near } = store.get("spin");
    const [c, s, p, q] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    const shape = canvas.clientWidth / Math.max(1, canvas.clientHeight);
    return {
      back: [p * c, p * s, q],
      right: [-s, c, 0],
      up: [-q * c, -q * s, p],
      away: DISTANCE / near / Math.min(1, shape),
      shape,
    };
  }

  function matrix() {
    const { back, right, up, away, shape } = directions();
    const a = (FAR + NEAR) / (NEAR - FAR);
    const b = (2 * FAR * NEAR) / (NEAR - FAR);
    const rows = [
      [...right.map((x) => (x * FOCUS) / shape), 0],
      [...up.map((x) => x * FOCUS), 0],
      [...back.map((x) => x * a), -a * away + b],
      [...back.map((x) => -x), away],
    ];
    return Float32Array.from({ length: 16 }, (_, i) => rows[i % 4][i >> 2]);
  }

  /** A ray from the eye through a place of the screen: where it begins, and its direction. */
  function ray(left, top) {
    const { back, right, up, away, shape } = directions();
    const a = ((2 * left) / canvas.clientWidth - 1) * (shape / FOCUS);
    const b = (1 - (2 * top) / canvas.clientHeight) / FOCUS;
    return {
      eye: back.map((x) => x * away),
      along: back.map((x, i) => -x + right[i] * a + up[i] * b),
    };
  }

  /** Where a point of the cube is on the screen. */
  function project(m, p) {
    const q = [0, 1, 2, 3].map((k) => m[k] * p[0] + m[4 + k] * p[1] + m[8 + k] * p[2] + m[12 + k]);
    return [
      (canvas.clientWidth * (1 + q[0] / q[3])) / 2,
      (canvas.clientHeight * (1 - q[1] / q[3])) / 2,
    ];
  }

  /** How far along a ray a triangle is; negative if the ray misses it. */
  function hit({ eye, along }, p, q, r) {
    const minus = (a, b) => a.map((x, i) => x - b[i]);
    const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    const [one, two, from] = [minus(q, p), minus(r, p), minus(eye, p)];
    const h = cross(along, two);
    const size = dot(one, h);
    if (Math.abs(size) < 1e-14) return -1;
    const u = dot(from, h) / size;
    const v = dot(along, cross(from, one)) / size;
    return u < 0 || v < 0 || u + v > 1 ? -1 : dot(two, cross(from, one)) / size;
  }

  const turned = (yaw, pitch, near = 1) => {
    const spin = store.get("spin");
    store.set({
      spin: {
        yaw: spin.yaw + yaw,
        pitch: Math.min(1.55, Math.max(-1.55, spin.pitch + pitch)),
        near: Math.min(20, Math.max(0.5, spin.near * near)),
      },
    });
  };

  let drag = null;
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drag = { x: event.clientX, y: event.clientY, moved: 0 };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) return;
    const [x, y] = [event.clientX - drag.x, event.clientY - drag.y];
    drag = { x: event.clientX, y: event.clientY, moved: drag.moved + Math.hypot(x, y) };
    if (drag.moved > 4) turned(-x * 0.008, y * 0.008);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && drag.moved <= 4) {
      const { left, top } = canvas.getBoundingClientRect();
      store.set({ region: rt.regionInSpace(event.clientX - left, event.clientY - top) });
    }
    drag = null;
  });
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      turned(0, 0, Math.exp(-Math.max(-200, Math.min(200, event.deltaY)) * 0.0015));
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const step = {
      ArrowLeft: [-0.15, 0],
      ArrowRight: [0.15, 0],
      ArrowUp: [0, 0.12],
      ArrowDown: [0, -0.12],
      "+": [0, 0, 1.25],
      "-": [0, 0, 0.8],
    }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    turned(...step);
  });

  rt.spin = { cross, normed, matrix, ray, project, hit };
})((globalThis.relutopo ??= {}));
