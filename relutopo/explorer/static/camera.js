/*
 * Which part of the plane is seen: its middle, and how much it is magnified.
 *
 * Lengths along both axes have one scale, unless the frame is a sliver, which is made wider. The
 * most magnified view is one in which floats of four bytes, of which graphics cards calculate, are
 * off by less than a pixel.
 */
(function (rt) {
  "use strict";

  const [LEAST, MOST] = [0.5, 8192];
  const MARGIN = 0.97;

  rt.createCamera = function () {
    const camera = {
      x: 0,
      y: 0,
      zoom: 1,
      width: 1,
      height: 1,
      bounds: [0, 0, 1, 1],
      unit: [1, 1], // of the frame's coordinates, in frames' widths
      aspect: 1,

      /** Take the frame's place and shape. */
      setFrame: (bounds, aspect) => {
        camera.bounds = bounds;
        camera.aspect = aspect;
        camera.unit = [1 / (bounds[2] - bounds[0]), aspect / (bounds[3] - bounds[1])];
      },

      resize: (width, height) => {
        camera.width = Math.max(1, width);
        camera.height = Math.max(1, height);
      },

      /** Pixels a unit along each axis. */
      scale: () => {
        const fitting = MARGIN * Math.min(camera.width, camera.height / camera.aspect);
        return camera.unit.map((unit) => unit * fitting * camera.zoom);
      },

      toScreen: (x, y) => {
        const [across, up] = camera.scale();
        return [
          camera.width / 2 + (x - camera.x) * across,
          camera.height / 2 - (y - camera.y) * up,
        ];
      },

      toPlane: (left, top) => {
        const [across, up] = camera.scale();
        return [
          camera.x + (left - camera.width / 2) / across,
          camera.y - (top - camera.height / 2) / up,
        ];
      },

      /** What is seen: left, bottom, right, top. */
      seen: () => [...camera.toPlane(0, camera.height), ...camera.toPlane(camera.width, 0)],

      /** A view within what is allowed. */
      allowed: ({ x, y, zoom }) => ({
        x: Math.min(camera.bounds[2], Math.max(camera.bounds[0], x)),
        y: Math.min(camera.bounds[3], Math.max(camera.bounds[1], y)),
        zoom: Math.min(MOST, Math.max(LEAST, zoom)),
      }),

      /** The view of everything. */
      whole: () => ({
        x: (camera.bounds[0] + camera.bounds[2]) / 2,
        y: (camera.bounds[1] + camera.bounds[3]) / 2,
        zoom: 1,
      }),

      /** The view after a magnification that keeps a point of the screen where it is. */
      zoomed: (factor, left = camera.width / 2, top = camera.height / 2) => {
        const zoom = Math.min(MOST, Math.max(LEAST, camera.zoom * factor));
        const [x, y] = camera.toPlane(left, top);
        const share = camera.zoom / zoom;
        return camera.allowed({
          x: x + (camera.x - x) * share,
          y: y + (camera.y - y) * share,
          zoom,
        });
      },

      /** The view after a shift by pixels. */
      panned: (right, down) => {
        const [across, up] = camera.scale();
        return camera.allowed({
          x: camera.x - right / across,
          y: camera.y + down / up,
          zoom: camera.zoom,
        });
      },

      /** A view in which a box has some part of the screen. */
      around: ([left, bottom, right, top], share = 0.4) => {
        const [across, up] = camera.scale().map((scale) => scale / camera.zoom);
        const zoom =
          share *
          Math.min(
            camera.width / ((right - left) * across || 1e-9),
            camera.height / ((top - bottom) * up || 1e-9),
          );
        return camera.allowed({ x: (left + right) / 2, y: (bottom + top) / 2, zoom });
      },

      set: (view) => Object.assign(camera, view ? camera.allowed(view) : camera.whole()),
    };
    return camera;
  };
})((globalThis.relutopo ??= {}));
