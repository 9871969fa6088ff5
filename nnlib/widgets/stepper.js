/* What all interactive figures share in the page: reading a recording, the controls, the transport bar, the text
   twin. Python puts drawing.js and this file in front of each instrument's own, so they import and export nothing.
   Views draw the arrays of a recording; they never compute mathematics.

   Writing a view (bump_builder.js beside bump_builder.py)
   -------------------------------------------------------
     export default instrument({
       create(figure) {
         const plot = figure.chart(figure.stage, {
           label: "Loss over x", height: 220, x: { domain: [-2, 2], label: "x" }, y: { domain: [0, 4], label: "loss" },
         });
         const curve = plot.marks.appendChild(svg("path", { class: "nn-line" }));
         const point = plot.marks.appendChild(svg("circle", { class: "nn-dot", r: 6 }));
         return {
           start(recording) {   // a new recording, and again after a resize: what stays the same over its frames
             curve.setAttribute("d", plot.path(recording.still("grid"), recording.still("curve")));
           },
           draw(frame) {        // every frame, and again after a resize or a change of theme; a view that shows
                                // something of the reader's own instead returns the sentence for it
             place(point, { cx: plot.x(frame.value("x")), cy: plot.y(frame.value("loss")) });
           },
           prepare(settings) { return settings; },   // optional: settings that the reader asks for, made to fit together
           reset() {},                               // optional: forget what the reader has put into the drawing
           stop() {},           // optional: undo what create did outside figure.stage
         };
       },
     });

   recording  .count frames, .meta (settings, sentences, axes...), .still(name), .shape(name), .get(name, step)
   frame      .step .last .sentence .get(name) one frame's numbers, .value(name) one number, .at {axis: value}
   figure     .stage the element to fill, .colours the theme's, .settings shown now
              .chart(parent, options) axes that follow the width: .x .y .invert .marks .over .path .set .heatmap
              .handle(chart, options) a point to drag by mouse, touch and arrow keys
              .redraw() what the reader has changed in the view itself
              .goto(step) or .goto({axis: value}) for recordings with axes; .change({setting: value}); .can({...});
              .hides(setting) if the author shows no control for it; .link the address of what is shown, null where it has none
   aids       svg html place, panel(row, heading, {flex, name}), linear log, number, apart(positions, gap, lo, hi) for
              labels, track(chart) a curve with the steps on it: .start(xs, ys) .draw(step),
              heatmap(canvas, values, columns, rows, lo, hi, colours), inkImage(canvas, values, columns, rows, colours)
   CSS        .nn-row .nn-panel for layout; .nn-line .nn-dot .nn-label .nn-quiet and -negative -positive -third for marks */

// ---------------------------------------------------------------------------------------------- reading a recording

const ARRAY_TYPES = { u1: Uint8Array, u2: Uint16Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

/** Read the bytes that recording.py wrote (its docstring states the format). */
async function readRecording(bytes) {
  const data = bytes instanceof ArrayBuffer ? new Uint8Array(bytes)
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = new TextDecoder().decode(data.subarray(0, 4));
  if (magic !== "NNR1" && magic !== "NNR0") throw new Error("These bytes are not a recording.");
  let body = data.slice(4).buffer; // a built page has inflated its recordings already, all of a figure together: NNR0
  if (magic === "NNR1") {
    body = await new Response(new Blob([body]).stream().pipeThrough(new DecompressionStream("deflate"))).arrayBuffer();
  }
  let offset = 4 + new DataView(body).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(body, 4, offset - 4)));
  const arrays = new Map();
  for (const entry of header.arrays) {
    const length = entry.shape.reduce((product, n) => product * n, 1);
    const size = entry.per_frame ? length / Math.max(1, entry.shape[0]) : length;
    let values = new ARRAY_TYPES[entry.dtype](body, offset, length);
    offset += Math.ceil(values.byteLength / 8) * 8;
    if (entry.delta) {
      const bits = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array }[values.BYTES_PER_ELEMENT];
      const view = new bits(values.buffer, values.byteOffset, length);
      for (let i = size; i < length; i += 1) view[i] += view[i - size];
    }
    if (entry.quantised) {
      const { lo, hi } = entry.quantised;
      const unit = (hi - lo) / (2 ** (8 * values.BYTES_PER_ELEMENT) - 1);
      values = Float32Array.from(values, (level) => lo + level * unit);
    }
    arrays.set(entry.name, { values, size, shape: entry.per_frame ? entry.shape.slice(1) : entry.shape });
  }
  const named = (name) => {
    if (!arrays.has(name)) throw new Error(`The recording has no array “${name}”.`);
    return arrays.get(name);
  };
  return {
    count: header.frames,
    meta: header.meta,
    has: (name) => arrays.has(name),
    shape: (name) => named(name).shape,
    still: (name) => named(name).values,
    all: (name) => named(name).values,
    get: (name, step) => named(name).values.subarray(step * named(name).size, (step + 1) * named(name).size),
  };
}

/** The value of a setting as it stands in the URL and in a bank key (recorder.py's format_value writes the same). */
function formatValue(value) {
  return Array.isArray(value) ? value.map(formatValue).join(",") : String(value === 0 ? 0 : value);
}

// -------------------------------------------------------------------------------------------- where frames come from
// A source is {kind, has(settings), frames(settings, {signal, onFrames})}: frames promises a recording; onFrames may be
// called before that with the frames so far, onProgress with {stage, loaded, total} while the source itself starts; an
// aborted signal means that nobody waits any more.

/** Recordings that came with the page (or were seen before). */
function bankSource(model, key) {
  const seen = new Map();
  const bytesFor = (settings) => model.get("bank")?.[key(settings)];
  return {
    kind: "bank",
    has: (settings) => seen.has(key(settings)) || Boolean(bytesFor(settings)),
    frames: async (settings) => seen.get(key(settings)) ?? readRecording(bytesFor(settings)),
    remember(settings, recording, kind) {
      recording.source ??= kind;
      if (seen.size >= 24) seen.delete(seen.keys().next().value);
      seen.set(key(settings), recording);
    },
  };
}

/** The notebook's kernel: changed settings go to Python, which answers with a recording or a problem. */
function kernelSource(model, key) {
  let busy = Promise.resolve();
  const ask = (settings) => new Promise((resolve, reject) => {
    const events = "change:settings change:recording change:problem".split(" ");
    const finish = (settle, value) => {
      events.forEach((name) => model.off(name, check));
      settle(value);
    };
    async function check() {
      if (model.get("problem")) return finish(reject, new Error(model.get("problem")));
      const recording = await readRecording(model.get("recording"));
      // Python may have tidied the settings ("8, 8" to "8,8"): what it holds now is what it recorded.
      return key(recording.meta.settings) === key(model.get("settings")) ? finish(resolve, recording) : undefined;
    }
    if (model.get("problem")) model.set("problem", "");
    model.set("settings", settings);
    events.forEach((name) => model.on(name, check));
    model.save_changes();
    check();
  });
  return {
    kind: "kernel",
    has: () => true,
    frames(settings, { signal }) {
      // One question at a time: while a slider moves, only its latest position is asked for.
      const turn = busy.then(() => (signal.aborted ? Promise.reject(signal.reason) : ask(settings)));
      busy = turn.catch(() => {});
      return turn;
    },
  };
}

/** The same Python in a worker of the page. */
function workerSource(page, name) {
  return {
    kind: "worker",
    has: () => true,
    async frames(settings, { signal, onFrames, onProgress }) {
      const partial = async (bytes) => onFrames(await readRecording(bytes));
      return readRecording(await page.compute(name, settings, { signal, onFrames: partial, onProgress }));
    },
  };
}

// --------------------------------------------------------------------------------------------------- the controls

/** One form control for a setting. Without a live source anything but a menu becomes a menu of what the bank holds. */
function settingControl(control, id, { live, banked, onchange }) {
  const menu = control.kind === "choice" || !live;
  const options = control.kind === "choice" ? control.options
    : banked.map((value) => ({ value, label: formatValue(value) }));
  const label = html("label", { for: id }, control.label);
  let input;
  let output;
  if (menu) {
    input = html("select", { id });
  } else {
    const type = { number: "number", seed: "number", range: "range", text: "text" }[control.kind];
    input = html("input", {
      id, type, min: control.min, max: control.max, step: control.step ?? (type === "text" ? null : "any"), title: control.hint,
      spellcheck: type === "text" ? "false" : null, autocomplete: "off",
    });
    if (type === "range") output = html("span", { class: "nn-reading", "aria-hidden": "true" });
  }
  const box = html("div", { class: "nn-setting" }, label, input, ...(output ? [output] : []));
  if (live && control.kind === "seed") {
    const next = html("button", { type: "button", class: "nn-small" }, "Next seed");
    next.addEventListener("click", () => onchange(control.name, Number(input.value) + 1));
    box.append(next);
  }
  const read = () => {
    if (menu) return options[Number(input.value)].value;
    return control.kind === "text" ? input.value.trim() : Number(input.value);
  };
  input.addEventListener(control.kind === "range" && !menu ? "input" : "change", () => onchange(control.name, read()));
  return {
    box,
    input,
    /** Show a value; reachable(value) says whether its frames can be had here. */
    show(value, reachable) {
      if (output) output.textContent = number(Number(value));
      if (!menu) {
        input.value = formatValue(value);
        return;
      }
      const entries = options.map((option, index) => ({ option, index, here: reachable(option.value) }));
      const make = ({ option, index }) => html("option", {
        value: index, selected: formatValue(option.value) === formatValue(value),
      }, option.label);
      const away = entries.filter((entry) => !entry.here).map(make);
      input.replaceChildren(...entries.filter((entry) => entry.here).map(make));
      if (away.length) input.append(html("optgroup", { label: "needs a live kernel" }, ...away));
    },
  };
}

const ICONS = {
  reset: "M4 3v12h2V3zM16 3v12L7 9z",
  back: "M14 3v12L5 9z",
  play: "M5 3v12l10-6z",
  pause: "M4 3h4v12H4zM10 3h4v12h-4z",
  forward: "M4 3v12l9-6z",
};

function iconButton(name, label) {
  const path = svg("path", { d: ICONS[name] });
  const button = html("button", { type: "button", class: "nn-button", "aria-label": label, title: label },
    svg("svg", { viewBox: "0 0 18 18", width: 18, height: 18, "aria-hidden": "true" }, path));
  return Object.assign(button, {
    become(icon, text) {
      place(path, { d: ICONS[icon] });
      place(button, { "aria-label": text, title: text });
    },
  });
}

/** What the URL says about a figure: {settings, step}, or null if it says nothing. */
function readState(search, id, controls) {
  const parameters = [...new URLSearchParams(search)].filter(([name]) => name.startsWith(`${id}.`));
  if (!parameters.length) return null;
  const state = { settings: {} };
  for (const [name, value] of parameters) {
    const setting = name.slice(id.length + 1);
    const control = controls.find((candidate) => candidate.name === setting);
    if (setting === "step" && /^\d+$/.test(value)) state.step = Number(value);
    else if (control?.kind === "choice") {
      const option = control.options.find((candidate) => formatValue(candidate.value) === value);
      if (option) state.settings[setting] = option.value;
    } else if (control?.kind === "text" || control?.kind === "drawn") state.settings[setting] = value;
    else if (control?.kind === "position") state.settings[setting] = value.split(",").map(Number);
    else if (control && value !== "" && Number.isFinite(Number(value))) state.settings[setting] = Number(value);
  }
  return state;
}

// ---------------------------------------------------------------------------------------------------- the figure

/** Make an anywidget view from a spec {create(figure)}: see the head of this file. */
function instrument(spec) {
  return { render: ({ model, el, page }) => mountFigure(spec, model, el, page) };
}

function mountFigure(spec, model, el, page) {
  const [id, name, controls] = ["figure_id", "instrument", "controls"].map((trait) => model.get(trait));
  const key = (settings) => controls.map((control) => `${control.name}=${formatValue(settings[control.name])}`).join("&");
  const defaults = { ...model.get("settings") };
  const bank = bankSource(model, key);
  const live = page ? page.compute && workerSource(page, name) : kernelSource(model, key);
  const reduced = window.matchMedia("(prefers-reduced-motion: reduce)");
  const cleanUps = [];
  const listen = (target, type, listener, options) => {
    target.addEventListener(type, listener, options);
    cleanUps.push(() => target.removeEventListener(type, listener, options));
  };

  // The skeleton.
  const titleId = `${id}-title`;
  const form = html("form", { class: "nn-settings", "aria-label": `Settings of ${model.get("title")}` });
  const explore = html("div", { class: "nn-settings" });
  const stage = html("div", { class: "nn-stage" });
  const meter = html("progress", { "aria-label": "Starting Python" });
  const stageOfStart = html("span");
  const waiting = html("div", { class: "nn-waiting", hidden: true }, html("div", {}, meter, stageOfStart));
  const message = html("p", { class: "nn-message", role: "alert", hidden: true });
  const [reset, back, play, forward] = [
    iconButton("reset", "Reset"), iconButton("back", "Step back"), iconButton("play", "Play"), iconButton("forward", "Step forward"),
  ];
  const slider = html("input", { type: "range", min: 0, step: 1, value: 0, class: "nn-slider", "aria-label": "Step" });
  const count = html("span", { class: "nn-count", "aria-hidden": "true" });
  const status = html("p", { class: "nn-status", role: "status" });
  const table = html("table");
  const tableBox = html("details", {}, html("summary", {}, "Numbers as a table"), html("div", { class: "nn-table", tabindex: 0 }, table));
  const snippet = html("code");
  const copy = html("button", { type: "button", class: "nn-small" }, "Copy");
  const codeBox = html("details", {}, html("summary", {}, "Show as code"), html("div", { class: "nn-code" }, html("pre", {}, snippet), copy));
  const root = html("section", {
    class: "nn-figure", id, role: "group", "aria-label": model.get("title"), tabindex: -1, "data-instrument": name,
    "data-lm-suppress-shortcuts": "true", // in JupyterLab, Enter and the arrow keys are the figure's while it has the focus
  },
  html("p", { class: "nn-title", id: titleId }, model.get("title")),
  form, explore, stage, waiting, message,
  html("div", { class: "nn-transport" }, reset, back, play, forward, slider, count),
  status, html("div", { class: "nn-more" }, tableBox, codeBox));
  el.append(root);

  // State: what is shown, and what the controls ask for (the two differ while an answer is awaited or was refused).
  let recording = null;
  let wanted = { ...defaults };
  let step = 0;
  let heading = null; // the step to show, while its frames are still awaited
  let asking = new AbortController();
  let playing = null;
  let colours = readColours(root);
  let view;
  const charts = [];

  const figure = {
    root, stage,
    get colours() { return colours; },
    get settings() { return recording?.meta.settings ?? defaults; },
    chart(parent, options) {
      const made = chart(parent, options);
      charts.push(made);
      return made;
    },
    handle,
    goto(target) {
      pause();
      goto(typeof target === "number" ? target : indexOf({ ...coordinates(step), ...target }));
      touched();
    },
    redraw() {
      pause();
      draw();
    },
    change: (changes) => request({ ...wanted, ...changes }, { touched: true }),
    can: (changes) => Boolean(live) || bank.has({ ...wanted, ...changes }),
    hides: (setting) => Boolean(controls.find((control) => control.name === setting)?.hidden),
    get link() { return page ? address().href : null; },
  };

  // Explorers: frames laid out on a grid of axes, the last axis fastest.
  const axesOf = () => recording.meta.axes ?? [];
  function coordinates(index) {
    const at = {};
    let rest = index;
    for (const axis of [...axesOf()].reverse()) {
      at[axis.name] = axis.values[rest % axis.values.length];
      rest = Math.floor(rest / axis.values.length);
    }
    return at;
  }
  const nearest = (values, value) => values.reduce((best, candidate, i) => (
    Math.abs(candidate - value) < Math.abs(values[best] - value) ? i : best), 0);
  const indexOf = (at) => axesOf().reduce((index, axis) => index * axis.values.length + nearest(axis.values, at[axis.name]), 0);

  let axisSliders = [];
  function buildAxes() {
    const axes = axesOf();
    axisSliders = axes.map((axis) => {
      const output = html("span", { class: "nn-reading", "aria-hidden": "true" });
      const input = html("input", { type: "range", min: 0, max: axis.values.length - 1, step: 1, id: `${id}-axis-${axis.name}` });
      input.addEventListener("input", () => {
        pause();
        goto(indexOf({ ...coordinates(step), [axis.name]: axis.values[Number(input.value)] }));
        touched();
      });
      const box = html("div", { class: "nn-setting" }, html("label", { for: input.id }, axis.label), input, output);
      return { axis, input, output, box };
    });
    explore.replaceChildren(...axisSliders.map(({ box }) => box));
  }

  // Drawing.
  function frameAt(index) {
    return {
      step: index,
      last: recording.count - 1,
      recording,
      sentence: recording.meta.sentences[index],
      at: coordinates(index),
      get: (array) => recording.get(array, index),
      value: (array) => recording.get(array, index)[0],
    };
  }
  function draw() {
    const words = view.draw(frameAt(step)) ?? recording.meta.sentences[step];
    slider.value = step;
    place(slider, { "aria-valuetext": `Step ${step} of ${recording.count - 1}` });
    count.textContent = `${step} / ${recording.count - 1}`;
    place(status, { "aria-live": playing ? "off" : "polite" });
    if (status.textContent !== words) status.textContent = words;
    for (const { axis, input, output } of axisSliders) {
      const value = coordinates(step)[axis.name];
      input.value = axis.values.indexOf(value);
      output.textContent = number(value);
      place(input, { "aria-valuetext": number(value) });
    }
    [reset, back].forEach((button) => place(button, { "aria-disabled": String(step === 0) }));
    place(forward, { "aria-disabled": String(step === recording.count - 1) });
    if (tableBox.open) markRow();
    root.dataset.step = step;
    root.dispatchEvent(new CustomEvent("nnlib:frame", { bubbles: true, detail: { step } }));
  }
  function restart() {
    colours = readColours(root); // a notebook mounts a figure before it attaches it, when no style holds yet
    charts.forEach((made) => made.layout());
    view.start?.(recording);
    draw();
  }
  function goto(index) {
    const next = Math.min(Math.max(0, index), recording.count - 1);
    if (heading !== null) heading = next;
    if (next === step && root.dataset.ready) return;
    step = next;
    draw();
    tellStep();
  }

  // Playing.
  function pause() {
    if (!playing) return;
    cancelAnimationFrame(playing);
    playing = null;
    play.become("play", "Play");
    place(status, { "aria-live": "polite" });
    writeState();
  }
  function start() {
    if (playing || recording.count < 2) return;
    if (step === recording.count - 1) goto(0);
    play.become("pause", "Pause");
    const period = 1000 / model.get("pace");
    let due = performance.now() + period;
    const tick = (now) => {
      playing = requestAnimationFrame(tick);
      if (now < due) return;
      due = Math.max(due + period, now);
      goto(step + 1);
      if (step === recording.count - 1) pause();
    };
    playing = requestAnimationFrame(tick);
  }

  // Settings.
  const bankedValues = (control) => {
    const known = [defaults[control.name], ...Object.keys(model.get("bank") ?? {}).map((text) => (
      new Map(text.split("&").map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)])).get(control.name)))];
    const unique = [...new Set(known.map(formatValue))].map((text) => (control.kind === "text" ? text : Number(text)));
    return control.kind === "text" ? unique : unique.sort((a, b) => a - b);
  };
  const inputs = controls.filter((control) => !["position", "drawn"].includes(control.kind) && !control.hidden).map((control) => ({
    control,
    ...settingControl(control, `${id}-${control.name}`, {
      live: Boolean(live),
      banked: live || control.kind === "choice" ? [] : bankedValues(control),
      onchange: (setting, value) => (
        formatValue(value) === formatValue(wanted[setting]) || request({ ...wanted, [setting]: value }, { touched: true })),
    }),
  }));
  form.append(...inputs.map(({ box }) => box));
  form.hidden = !inputs.length;
  listen(form, "submit", (event) => event.preventDefault());
  const showSettings = () => inputs.forEach((entry) => {
    const reachable = (value) => figure.can({ [entry.control.name]: value });
    entry.show(wanted[entry.control.name], reachable);
    const shown = formatValue(figure.settings[entry.control.name]);
    entry.box.hidden = Boolean(entry.control.needs && !wanted[entry.control.needs]);
    entry.box.classList.toggle("nn-wanting", formatValue(wanted[entry.control.name]) !== shown);
  });

  function complain(text, offerWayBack) {
    message.replaceChildren(text);
    message.hidden = !text;
    if (!offerWayBack) return;
    const button = html("button", { type: "button", class: "nn-small" }, "Back to what is shown");
    button.addEventListener("click", () => request({ ...figure.settings }));
    message.append(" ", button);
  }
  /** Say how far the start of Python is, over the drawing, so that nothing moves. */
  function showStart({ stage: what, loaded, total }) {
    const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
    stageOfStart.textContent = total ? `${what}: ${megabytes(loaded)} of ${megabytes(total)} MB` : `${what} …`;
    if (total) place(meter, { max: total, value: Math.min(loaded, total) });
    else meter.removeAttribute("value");
    waiting.hidden = false;
  }
  function adopt(next, kind, target) {
    const sameAxes = recording && JSON.stringify(next.meta.axes) === JSON.stringify(recording.meta.axes);
    recording = next;
    step = Math.min(Math.max(0, target), recording.count - 1);
    if (!sameAxes) buildAxes();
    slider.max = recording.count - 1;
    Object.assign(root.dataset, { steps: recording.count - 1, source: kind });
    complain(recording.meta.stopped?.sentence ?? "");
    snippet.textContent = recording.meta.code;
    if (tableBox.open) fillTable();
    restart();
    root.dataset.ready = "true";
  }
  /** Ask for settings; until they are there, and if they cannot be had, the frames on screen stay. */
  async function request(asked, { step: target, touched: byReader = false } = {}) {
    asking.abort();
    asking = new AbortController();
    const { signal } = asking;
    const settings = view.prepare?.(asked) ?? asked;
    wanted = settings;
    showSettings();
    const source = [bank, live].find((candidate) => candidate?.has(settings));
    if (!source) {
      const changed = controls.filter(({ name: setting, kind }) => (
        kind !== "drawn" && formatValue(settings[setting]) !== formatValue(figure.settings[setting])));
      const words = changed.map((control) => `${control.label} ${labelOf(control, settings[control.name])}`).join(", ");
      complain(`${words || "What you drew"} is not stored in this page and needs a live kernel. The figure still shows what it showed before.`, true);
      return;
    }
    const wasPlaying = Boolean(playing);
    pause();
    root.setAttribute("aria-busy", "true");
    heading = target ?? heading ?? step; // the frames of a run that this one takes the place of may not reach it yet
    const aim = (next) => (target === undefined && next.meta.newest ? next.count - 1 : heading);
    try {
      const next = await source.frames(settings, {
        signal,
        onFrames(partial) {
          if (signal.aborted) return;
          root.classList.add("nn-streaming");
          waiting.hidden = true;
          adopt(partial, source.kind, aim(partial));
        },
        onProgress: (state) => signal.aborted || showStart(state),
      });
      if (signal.aborted) return;
      wanted = { ...next.meta.settings };
      bank.remember(wanted, next, source.kind);
      adopt(next, next.source, aim(next));
      showSettings();
      if (!page && source === bank) tell("settings", wanted);
      if (byReader) touched();
      if (wasPlaying) start();
    } catch (error) {
      if (!signal.aborted) complain(error.message, true);
    } finally {
      if (!signal.aborted) {
        heading = null;
        root.removeAttribute("aria-busy");
        root.classList.remove("nn-streaming");
        waiting.hidden = true;
      }
    }
  }
  const labelOf = (control, value) => (
    control.options?.find((option) => formatValue(option.value) === formatValue(value))?.label ?? formatValue(value));

  // The model, the URL and links in the prose.
  const tell = (trait, value) => {
    model.set(trait, value);
    model.save_changes();
  };
  let telling = 0;
  function tellStep() {
    clearTimeout(telling);
    telling = setTimeout(() => tell("step", step), 150);
  }
  cleanUps.push(() => clearTimeout(telling));
  let writing = 0;
  let reader = false; // the URL is left alone until the reader changes something
  function touched() {
    reader = true;
    writeState();
  }
  function address() {
    const url = new URL(window.location.href);
    const others = url.search.slice(1).split("&").filter((pair) => pair && !decodeURIComponent(pair).startsWith(`${id}.`));
    const told = ({ name: setting, kind }) => formatValue((kind === "drawn" ? figure.settings : wanted)[setting]);
    const mine = controls.map((control) => [control.name, told(control)])
      .filter(([setting, value]) => value !== formatValue(defaults[setting]));
    const pairs = [...mine, ["step", step]].map(([setting, value]) => (
      `${id}.${setting}=${encodeURIComponent(value).replaceAll("%2C", ",")}`));
    url.search = [...others, ...pairs].join("&");
    return url;
  }
  function writeState() {
    if (!page || !reader) return;
    clearTimeout(writing);
    writing = setTimeout(() => {
      try {
        window.history.replaceState(window.history.state, "", address());
      } catch { /* a sandboxed page may not change its URL; the figure works all the same */ }
    }, 250);
  }
  cleanUps.push(() => clearTimeout(writing));
  /** A link states the whole figure: settings it does not name are the author's. */
  const applyState = (state) => request({ ...defaults, ...state.settings }, { step: state.step ?? 0, touched: true });
  listen(document, "click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const url = new URL(link.href, window.location.href);
    const state = readState(url.search, id, controls);
    if (!state || (page && url.pathname !== window.location.pathname)) return;
    event.preventDefault();
    event.stopPropagation();
    pause();
    reader = true;
    applyState(state);
    root.scrollIntoView({ behavior: reduced.matches ? "auto" : "smooth", block: "nearest" });
  }, true);
  const onSettings = () => {
    const settings = model.get("settings");
    if (key(settings) !== key(wanted)) request({ ...settings });
  };
  const onStep = () => {
    if (recording && model.get("step") !== step) goto(model.get("step"));
  };
  for (const [event, listener] of [["change:settings", onSettings], ["change:step", onStep]]) {
    model.on(event, listener);
    cleanUps.push(() => model.off(event, listener));
  }

  // The table and the code, on demand.
  function markRow() {
    table.querySelector("[aria-current]")?.removeAttribute("aria-current");
    table.tBodies[0]?.rows[step]?.setAttribute("aria-current", "true");
  }
  function fillTable() {
    const columns = recording.meta.columns.filter(({ array }) => recording.has(array));
    const axes = axesOf();
    const cell = (value, digits) => html("td", {}, Number.isInteger(value) && digits === 0 ? String(value) : value.toFixed(digits));
    const rows = Array.from({ length: recording.count }, (_, index) => html("tr", {},
      html("th", { scope: "row" }, String(index)),
      ...axes.map((axis) => html("td", {}, number(coordinates(index)[axis.name]))),
      ...columns.map(({ array, digits }) => cell(recording.get(array, index)[0], digits))));
    const heads = ["Step", ...axes.map((axis) => axis.label), ...columns.map((column) => column.label)];
    table.replaceChildren(
      html("caption", {}, model.get("title")),
      html("thead", {}, html("tr", {}, ...heads.map((text) => html("th", { scope: "col" }, text)))),
      html("tbody", {}, ...rows),
    );
    markRow();
  }
  listen(tableBox, "toggle", () => tableBox.open && recording && fillTable());
  listen(copy, "click", async () => {
    try {
      await navigator.clipboard.writeText(snippet.textContent);
      copy.textContent = "Copied";
    } catch { // no clipboard (file://, old browsers): select the code, so that the reader's own copy key works
      window.getSelection().selectAllChildren(snippet);
      copy.textContent = "Selected";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });

  // The reader's hands.
  const stepTo = (index) => {
    pause();
    goto(index);
    touched();
  };
  listen(reset, "click", () => {
    view.reset?.();
    stepTo(0);
  });
  listen(back, "click", () => stepTo(step - 1));
  listen(forward, "click", () => stepTo(step + 1));
  listen(play, "click", () => {
    reader = true;
    (playing ? pause : start)();
  });
  listen(slider, "input", () => stepTo(Number(slider.value)));
  listen(stage, "pointerdown", () => { reader = true; });
  listen(root, "keydown", (event) => {
    const { target } = event;
    if (!recording || event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" && target.matches("input:not([type=range])")) { // which JupyterLab keeps from the input
      event.preventDefault();
      target.dispatchEvent(new Event("change"));
    }
    if (target.closest("select, textarea, input:not([type=range]), pre, .nn-table")) return;
    if (event.key === " " && target.closest("button, summary, a")) return;
    if (target !== slider && target.matches("input[type=range]") && event.key !== " ") return;
    const action = {
      " ": () => { reader = true; (playing ? pause : start)(); },
      ArrowRight: () => stepTo(step + 1),
      ArrowLeft: () => stepTo(step - 1),
      Home: () => stepTo(0),
      End: () => stepTo(recording.count - 1),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  listen(stage, "click", (event) => {
    if (!event.target.closest("button, input, select, a, [tabindex]:not(section)")) root.focus({ preventScroll: true });
  });

  // The page around the figure: its theme and its width.
  const themed = new MutationObserver(() => recording && restart());
  for (const target of [document.documentElement, document.body]) {
    themed.observe(target, { attributes: true, attributeFilter: ["data-theme", "data-mode", "data-jp-theme-light", "class"] });
  }
  let width = 0;
  const fit = () => {
    if (stage.clientWidth === width || !stage.clientWidth) return;
    width = stage.clientWidth;
    if (recording) restart();
  };
  // In the next frame: to draw at once would change the size again while it is being observed.
  const sized = new ResizeObserver(() => requestAnimationFrame(fit));
  cleanUps.push(() => themed.disconnect(), () => sized.disconnect());

  // Begin: what the URL asks for, or what the author chose.
  view = spec.create(figure);
  showSettings();
  (async () => {
    try {
      const first = await readRecording(model.get("recording"));
      bank.remember(defaults, first, page ? "bank" : "kernel");
      const asked = page && readState(window.location.search, id, controls);
      wanted = { ...first.meta.settings };
      adopt(first, first.source, model.get("step"));
      showSettings();
      sized.observe(stage);
      if (asked) {
        reader = true;
        await applyState(asked);
      } else if (model.get("autoplay") && !reduced.matches) {
        const seen = new IntersectionObserver(([entry]) => {
          if (!entry.isIntersecting) return;
          seen.disconnect();
          if (!reader) start();
        }, { threshold: 0.5 });
        seen.observe(root);
        cleanUps.push(() => seen.disconnect());
      }
    } catch (error) {
      complain(`This figure could not be drawn: ${error.message}`);
      throw error;
    }
  })();

  return () => {
    pause();
    asking.abort();
    view.stop?.();
    cleanUps.forEach((undo) => undo());
    root.remove();
  };
}
