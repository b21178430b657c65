/*
 * The one state of the page, and who listens.
 *
 * A store has keys that were declared; parts of the page set them and listen for changes, and know
 * nothing of each other. Some keys are mirrored in the page's address, so that it can be shared.
 */
(function (rt) {
  "use strict";

  /** Whether two values of a key are the same for those who listen. */
  function equal(a, b) {
    if (Object.is(a, b)) return true;
    if (a instanceof Set && b instanceof Set) {
      return a.size === b.size && [...a].every((entry) => b.has(entry));
    }
    if (a && b && Object.getPrototypeOf(a) === Object.prototype) {
      const names = Object.keys(a);
      return (
        Object.getPrototypeOf(b) === Object.prototype &&
        names.length === Object.keys(b).length &&
        names.every((name) => Object.is(a[name], b[name]))
      );
    }
    return false;
  }

  /**
   * Make a store.
   *
   * @param {Object<string, {initial: *, read?: function(string): *, write?: function(*): string}>}
   *   keys What there is. `write` gives a value as text for the address, and `read` the value of
   *   such a text, or undefined if it is none; keys without them are not in the address.
   */
  rt.createStore = function (keys) {
    const values = {};
    const listeners = [];
    for (const name of Object.keys(keys)) values[name] = keys[name].initial;
    let waiting = 0;
    let written = null;

    const store = {
      get: (name) => {
        if (!(name in values)) throw new Error(`no such key: ${name}`);
        return values[name];
      },

      /** Set some keys, and tell those who listen to one that has changed, each once. */
      set: (changes) => {
        const changed = new Set();
        for (const name of Object.keys(changes)) {
          if (!(name in values)) throw new Error(`no such key: ${name}`);
          if (!equal(values[name], changes[name])) {
            values[name] = changes[name];
            changed.add(name);
          }
        }
        if (!changed.size) return;
        for (const [names, listener] of [...listeners]) {
          if (names.some((name) => changed.has(name))) listener(changed);
        }
        if ([...changed].some((name) => keys[name].write)) store.writeSoon();
      },

      /**
       * Call a function whenever one of some keys has changed; return what ends that.
       *
       * @param {string|string[]} names
       * @param {function(Set<string>)} listener Gets the names of all that has changed.
       */
      on: (names, listener) => {
        const entry = [[].concat(names), listener];
        listeners.push(entry);
        return () => listeners.splice(listeners.indexOf(entry), 1);
      },

      /** Declare another key, before anybody sets it. */
      declare: (name, key) => {
        keys[name] = key;
        values[name] = key.initial;
      },

      /** The state as text for the address: what is not as it was at first. */
      address: () => {
        const query = new URLSearchParams();
        for (const [name, key] of Object.entries(keys)) {
          if (key.write && !equal(values[name], key.initial)) {
            const text = key.write(values[name]);
            if (text) query.set(name, text);
          }
        }
        return query.toString();
      },

      /**
       * Take the state from an address; what is unknown or no value of its key is passed over.
       *
       * @param {string} hash
       * @param {string[]} names The keys that are taken, all by default.
       */
      restore: (hash, names = Object.keys(keys)) => {
        const query = new URLSearchParams(hash.replace(/^#/, ""));
        const changes = {};
        for (const name of names) {
          const key = keys[name];
          if (!key.read) continue;
          const value = query.has(name) ? key.read(query.get(name)) : key.initial;
          if (value !== undefined) changes[name] = value;
        }
        store.set(changes);
      },

      /** Write the address when the page has come to rest: browsers allow few changes a second. */
      writeSoon: () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => {
          written = store.address();
          try {
            history.replaceState(null, "", written ? `#${written}` : "#");
          } catch {
            // A frame of a notebook has no address of its own.
          }
        }, 250);
      },
    };
    addEventListener("hashchange", () => {
      if (location.hash.replace(/^#/, "") !== written) store.restore(location.hash);
    });
    return store;
  };
})((globalThis.relutopo ??= {}));
