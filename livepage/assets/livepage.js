// Brings the page's figures to life without a kernel and without another host.
//
// An executed notebook leaves two kinds of elements in its page: one with the state of all widget models, and one for
// each view, naming its model. Here each view of an anywidget becomes `render({model, el, page})`, as it would in
// Jupyter. A plain script, because pages opened from a disk may not load modules.
"use strict";
(() => {
  const STATE = "application/vnd.jupyter.widget-state+json";
  const VIEW = "application/vnd.jupyter.widget-view+json";
  const read = (script) => JSON.parse(script.textContent);

  // ---- models -------------------------------------------------------------------------------------------------

  function bytes(base64) {
    const text = atob(base64);
    const array = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) array[i] = text.charCodeAt(i);
    return new DataView(array.buffer);
  }

  // All recordings of a model come as one stream, column by column (packs.py); each is put together again and handed
  // on as "NNR0" and its bytes.
  async function unpack({ paths, columns, parts, data }) {
    const stream = new Blob([bytes(data)]).stream().pipeThrough(new DecompressionStream("deflate"));
    const whole = new Uint8Array(await new Response(stream).arrayBuffer());
    const recordings = parts.map((pieces) => {
      const recording = new Uint8Array(pieces.reduce((sum, [length]) => sum + length, 4));
      recording.set([78, 78, 82, 48]); // N N R 0
      return recording;
    });
    const ends = recordings.map(() => 4);
    let offset = 0;
    columns.forEach(([size, differences], column) => {
      parts.forEach((pieces, k) => {
        if (column >= pieces.length) return;
        const [length, frame] = pieces[column];
        const piece = together(whole.subarray(offset, offset + length), size);
        if (differences && frame) addUp(piece, size, frame);
        recordings[k].set(piece, ends[k]);
        ends[k] += length;
        offset += length;
      });
    });
    return recordings.map((recording, k) => ({ path: paths[k], bytes: new DataView(recording.buffer) }));
  }

  // Numbers of `size` bytes from all their first bytes, all their second bytes and so on.
  function together(planes, size) {
    const piece = new Uint8Array(planes.length);
    for (let k = 0, from = 0; k < size; k++) {
      for (let to = k; to < piece.length; to += size) piece[to] = planes[from++];
    }
    return piece;
  }

  // Each frame from its difference to the frame before, on the bits of its numbers.
  function addUp(piece, size, frame) {
    const numbers = new { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }[size](piece.buffer);
    for (let i = frame; i < numbers.length; i++) numbers[i] += numbers[i - frame];
  }

  // The state of one widget: what a view may ask of it is what anywidget promises. All views of a model share it.
  class Model {
    #values;
    #listeners = new Map();

    constructor(state, buffers) {
      this.#values = state;
      for (const { path, bytes } of buffers) {
        const parent = path.slice(0, -1).reduce((value, key) => value[key], state);
        parent[path.at(-1)] = bytes;
      }
    }

    static async from({ state, buffers = [], pack }) {
      const plain = buffers.map(({ path, data }) => ({ path, bytes: bytes(data) }));
      return new Model(state, pack ? [...plain, ...(await unpack(pack))] : plain);
    }

    get(name) {
      return this.#values[name];
    }

    set(name, value) {
      if (Object.is(this.#values[name], value)) return;
      this.#values[name] = value;
      this.#emit(`change:${name}`, value);
      this.#emit("change");
    }

    on(names, listener) {
      for (const name of names.split(/\s+/)) {
        if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
        this.#listeners.get(name).add(listener);
      }
    }

    off(names, listener) {
      for (const name of names ? names.split(/\s+/) : [...this.#listeners.keys()]) {
        if (listener) this.#listeners.get(name)?.delete(listener);
        else this.#listeners.delete(name);
      }
    }

    save_changes() {} // no kernel to tell

    send() {}

    #emit(name, value) {
      for (const listener of [...(this.#listeners.get(name) ?? [])]) listener({ model: this, new: value }, value);
    }
  }

  // ---- views --------------------------------------------------------------------------------------------------

  // `source` is a program's text; a Blob makes it a module even on a page without a server.
  const modules = new Map();
  function load(source) {
    if (!modules.has(source)) {
      const address = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
      modules.set(source, import(address).finally(() => URL.revokeObjectURL(address)));
    }
    return modules.get(source);
  }

  const styled = new Set();
  function style(sheet) {
    if (styled.has(sheet)) return;
    styled.add(sheet);
    document.head.append(Object.assign(document.createElement("style"), { textContent: sheet }));
  }

  // What a page adds to Jupyter's protocol. `compute`, where the book has it, runs a recording in the page itself.
  const page = { compute: undefined };

  // Programs and style sheets of a page begin alike: each is stored as the numbers of its parts.
  const whole = (parts, texts) => parts.map((part) => texts[part]).join("");

  const started = new Map();
  async function definition(model, texts) {
    const exported = (await load(whole(model.get("_esm"), texts))).default;
    const widget = typeof exported === "function" ? await exported() : exported;
    await widget.initialize?.({ model, page });
    return widget;
  }

  async function show(script, model, texts) {
    const { model_id: id } = read(script);
    if (!started.has(id)) started.set(id, definition(model, texts));
    const widget = await started.get(id);
    if (model.get("_css")) style(whole(model.get("_css"), texts));

    const place = script.closest(".livepage-figure") ?? script.parentElement;
    const poster = place.querySelector(".livepage-poster");
    const el = document.createElement("div");
    el.className = "livepage-view";
    el.dataset.waiting = "";
    script.after(el);
    const anchor = place.id;
    place.removeAttribute("id"); // the figure's own root carries it from now on
    try {
      await widget.render({ model, el, page });
    } catch (error) {
      el.remove();
      if (anchor) place.id = anchor;
      throw error;
    }
    await drawn(el);
    poster?.remove();
    delete el.dataset.waiting;
  }

  // An instrument says itself when its first frame stands; any other view has drawn when `render` returns.
  function drawn(el) {
    const root = el.querySelector("[data-instrument]");
    if (!root || root.dataset.ready === "true") return;
    return new Promise((resolve) => {
      const observer = new MutationObserver(() => {
        if (root.dataset.ready !== "true") return;
        observer.disconnect();
        resolve();
      });
      observer.observe(root, { attributes: true, attributeFilter: ["data-ready"] });
    });
  }

  // `jslink` and `jsdlink`: two traits that follow each other.
  function link(values, models) {
    const [[source, from], [target, to]] = ["source", "target"].map((end) => {
      const [reference, name] = values[end];
      return [models.get(reference.replace("IPY_MODEL_", "")), name];
    });
    if (!source || !target) return;
    const follow = (a, x, b, y) => a.on(`change:${x}`, () => b.set(y, a.get(x)));
    follow(source, from, target, to);
    if (values._model_name === "LinkModel") follow(target, to, source, from);
  }

  async function bringToLife() {
    const script = document.querySelector(`script[type="${STATE}"]`);
    if (!script) return;
    const { state, texts } = read(script);
    // One after the other, in the order in which they stand: the first figure need not wait for the last.
    const models = new Map();
    for (const view of document.querySelectorAll(`script[type="${VIEW}"]`)) {
      const { model_id: id } = read(view);
      if (!state[id]) continue;
      if (!models.has(id)) models.set(id, await Model.from(state[id]));
      show(view, models.get(id), texts).catch((error) => {
        console.error("A figure could not be shown; its picture stays.", error);
      });
    }
    const links = Object.values(state).filter(({ model_name: name }) => /LinkModel$/.test(name));
    for (const { state: values } of links) link(values, models);
  }

  // ---- predictions --------------------------------------------------------------------------------------------

  // A question with one <details> for each answer. The first one opened is the reader's answer; then all may be read.
  function askForPrediction(question) {
    const options = [...question.querySelectorAll("details")];
    if (options.length < 2) return;
    const status = document.createElement("p");
    status.className = "predict-status";
    status.setAttribute("role", "status");
    status.textContent = "Choose before you read on: the first answer you open is yours.";
    options.at(-1).after(status);

    let chosen = null;
    const commit = (event) => {
      if (chosen || !event.currentTarget.open) return;
      chosen = event.currentTarget;
      chosen.classList.add("predict-chosen");
      const summary = chosen.querySelector("summary");
      const answer = summary.textContent.trim();
      const mark = document.createElement("span");
      mark.className = "predict-mark";
      mark.textContent = "your answer";
      summary.append(" ", mark);
      const before = chosen.getBoundingClientRect().top;
      for (const option of options) option.open = true;
      window.scrollBy({ top: chosen.getBoundingClientRect().top - before, behavior: "instant" });
      status.textContent = `Your answer: ${answer}. The other answers are open too, so that you can compare.`;
    };
    for (const option of options) option.addEventListener("toggle", commit);
  }

  // ---- the page itself ----------------------------------------------------------------------------------------

  // What scrolls sideways inside itself must be reachable by keyboard.
  function makeScrollersFocusable() {
    for (const formula of document.querySelectorAll(".bd-article span.math")) {
      const width = formula.querySelector("mjx-math")?.getBoundingClientRect().width ?? 0;
      const wide = width > formula.parentElement.clientWidth + 1 && formula.parentElement.clientWidth > 0;
      formula.classList.toggle("livepage-wide", wide);
    }
    for (const element of document.querySelectorAll(
      ".bd-article pre, .bd-article .math, .bd-article mjx-container, .bd-article .pst-scrollable-table-container, " +
        ".bd-article .output.text_html",
    )) {
      const scrolls = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible";
      if (scrolls) element.tabIndex = 0;
      else if (element.tabIndex === 0) element.removeAttribute("tabindex");
    }
  }

  document.querySelectorAll(".admonition.predict").forEach(askForPrediction);
  bringToLife();
  const settled = async () => {
    await window.MathJax?.startup?.promise;
    await document.fonts.ready;
    makeScrollersFocusable();
  };
  window.addEventListener("load", settled);
  window.addEventListener("resize", makeScrollersFocusable);
  // What was folded away had no width to measure.
  document.addEventListener("toggle", makeScrollersFocusable, true);
  document.addEventListener("click", (event) => {
    if (event.target.closest?.(".toggle-button, .admonition.toggle > .admonition-title")) setTimeout(makeScrollersFocusable);
  });
})();
