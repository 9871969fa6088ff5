// Brings the page's figures to life without a kernel and without another host.
//
// An executed notebook leaves two kinds of elements in its page: one with the state of all widget models, and one for
// each view, naming its model. Here each view of an anywidget becomes `render({model, el, page})`, as it would in
// Jupyter. A plain script, because pages opened from a disk may not load modules.
"use strict";
(() => {
  const STATE = "application/vnd.jupyter.widget-state+json";
  const VIEW = "application/vnd.jupyter.widget-view+json";
  const home = document.currentScript.src;
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

  // ---- Python in the page -------------------------------------------------------------------------------------

  // One worker for all figures and cells, started by the first that needs it. Its program says what is sent.
  const python = window.livepage?.runtime && startable(window.livepage.runtime);

  if (python) Object.assign(window.livepage, { python, show: showMade });

  function startable(runtime) {
    const SILENCE = { starting: 180_000, working: 20_000 }; // milliseconds without a word, before it counts as lost
    const folder = new URL("runtime/", home).href;
    const jobs = new Map(); // by id: {resolve, reject, onFrames, onOutput, patient}
    const watching = new Set(); // who wants to hear how the start goes
    let worker = null;
    let started = null; // a promise, while there is a worker or one is on its way
    let failStart = null;
    let lastId = 0;
    let heard = 0;

    /** Give the worker up; whoever waits is told why. The next question starts another. */
    function end(reason) {
      worker?.terminate();
      worker = started = null;
      failStart?.(reason);
      failStart = null;
      for (const job of jobs.values()) job.reject(reason);
      jobs.clear();
    }

    setInterval(() => {
      if (!worker || (!failStart && !jobs.size)) return;
      if ([...jobs.values()].some((job) => job.patient)) heard = performance.now(); // the reader's own code may take long
      const silence = performance.now() - heard;
      if (silence > SILENCE[failStart ? "starting" : "working"]) {
        end(new Error("Python in this page has stopped and does not answer. Ask again to start it anew."));
      } else if (silence > 1000) worker.postMessage({ type: "ping" });
    }, 2000);

    // Pages from a disk may not fetch, but they may load scripts.
    function deliveries() {
      const texts = {};
      window.livepage.deliver = (name, text) => { texts[name] = text; };
      let loaded = 0;
      const total = Object.values(runtime.files).reduce((sum, { bytes }) => sum + bytes, 0);
      return Promise.all(Object.values(runtime.files).map(({ file, bytes: size }) => new Promise((resolve, reject) => {
        const script = document.createElement("script");
        script.src = `${folder}${file}.js`;
        script.onload = () => {
          script.remove();
          loaded += size;
          progress({ stage: "Reading Python", loaded, total });
          resolve();
        };
        script.onerror = () => reject(new Error("Python for this page is missing beside the book: copy the whole folder."));
        document.head.append(script);
      }))).then(() => texts);
    }

    const progress = (state) => watching.forEach((watch) => watch(state));

    async function spawn(texts) {
      if (!texts) return new Worker(new URL(`livepage-worker.js?v=${runtime.files["worker.js"].sha256.slice(0, 12)}`, home), { type: "module" });
      const stream = new Blob([bytes(texts["worker.js"])]).stream().pipeThrough(new DecompressionStream("gzip"));
      const source = await new Response(stream).text();
      return new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" }))); // a module is refused there
    }

    async function start() {
      if (![window.Worker, window.WebAssembly, window.DecompressionStream].every(Boolean)) {
        throw new Error("This browser is too old to run Python in the page.");
      }
      const refused = new Error("This browser did not let the page start Python in a worker.");
      const texts = window.location.protocol === "file:" ? await deliveries() : undefined;
      const mine = worker = await spawn(texts).catch(() => { throw refused; });
      heard = performance.now();
      await new Promise((resolve, reject) => {
        failStart = reject;
        mine.onerror = (event) => {
          event.preventDefault();
          if (worker === mine) end(refused);
        };
        mine.onmessage = ({ data }) => {
          heard = performance.now();
          if (data.type === "ready") resolve();
          else if (data.type === "progress") progress(data);
          else if (data.type === "failed" && data.id === undefined) end(new Error(data.message));
          else answer(data);
        };
        mine.postMessage({ type: "boot", runtime: { ...runtime, folder }, texts });
      });
      failStart = null;
    }

    function answer({ type, id, message, ...data }) {
      const job = jobs.get(id);
      if (!job) return;
      if (type === "frames") job.onFrames?.(data.bytes);
      else if (type === "output") job.onOutput?.(data.text);
      else {
        jobs.delete(id);
        if (type === "failed") job.reject(new Error(message));
        else job.resolve(type === "done" ? data.bytes : data.result);
      }
    }

    /** Wait until Python is there; `watch` hears how far it is. */
    async function ready(watch) {
      if (watch) watching.add(watch);
      try {
        started ??= start();
        await started;
      } catch (error) {
        started = null;
        throw error;
      } finally {
        watching.delete(watch);
      }
    }

    async function ask(message, { signal, onFrames, onOutput, onProgress, patient } = {}) {
      await ready(onProgress);
      signal?.throwIfAborted();
      const id = lastId += 1;
      return new Promise((resolve, reject) => {
        const drop = () => {
          if (!jobs.delete(id)) return;
          worker.postMessage({ type: "cancel", id });
          reject(signal.reason);
        };
        signal?.addEventListener("abort", drop, { once: true });
        const settled = (settle) => (value) => {
          signal?.removeEventListener("abort", drop);
          settle(value);
        };
        if (!jobs.size) heard = performance.now();
        jobs.set(id, { resolve: settled(resolve), reject: settled(reject), onFrames, onOutput, patient });
        worker.postMessage({ ...message, id });
      });
    }

    return {
      compute: (instrument, settings, options) => ask({ type: "compute", instrument, settings }, options),
      run: (cell, options) => ask({ type: "run", cell }, { ...options, patient: true }),
      interrupt: () => end(new Error("interrupted")),
    };
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
  const page = { compute: python?.compute };

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

  /** Show a figure which the page's own Python made. */
  async function showMade({ state, recordings }, el) {
    const model = new Model(state, recordings.map(({ path, data }) => ({ path, bytes: bytes(data) })));
    style(state._css);
    const widget = (await load(state._esm)).default;
    await widget.render({ model, el, page });
    await drawn(el);
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
  const SCROLLERS = [
    "pre", ".math", "mjx-container", ".pst-scrollable-table-container", ".output.text_html",
  ].map((selector) => `.bd-article ${selector}`).join(", ");

  function makeScrollersFocusable() {
    for (const formula of document.querySelectorAll(".bd-article span.math")) {
      const width = formula.querySelector("mjx-math")?.getBoundingClientRect().width ?? 0;
      const wide = width > formula.parentElement.clientWidth + 1 && formula.parentElement.clientWidth > 0;
      formula.classList.toggle("livepage-wide", wide);
    }
    for (const element of document.querySelectorAll(SCROLLERS)) {
      const scrolls = element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX !== "visible";
      if (scrolls) element.tabIndex = 0;
      else if (element.tabIndex === 0) element.removeAttribute("tabindex");
    }
  }

  document.querySelectorAll(".admonition.predict").forEach(askForPrediction);
  bringToLife();
  // Whatever gives a formula or its box another size: type that is set or comes late, a window, a fold that opens.
  const sizes = new ResizeObserver(() => requestAnimationFrame(makeScrollersFocusable));
  window.addEventListener("load", async () => {
    await window.MathJax?.startup?.promise;
    for (const element of document.querySelectorAll(`${SCROLLERS}, .bd-article mjx-math`)) sizes.observe(element);
  });
})();
