/* The view of training_stepper.py: the network with each neuron's own map, the decision surface, and the losses. */

const PALE = [-1.6, 1.6]; // the ends of the colours under the data, so that the points stand out
// Points to begin with where none are shown: each corner twice, and those held out from two of them.
const CORNERS = [
  [-60, -60, 0], [60, 60, 0], [-60, 60, 1], [60, -60, 1], [40, -40, 1], [-40, 40, 1], [-40, -40, 0], [40, 40, 0],
];
const SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉";
const subscript = (n) => [...String(n)].map((digit) => SUBSCRIPTS[digit]).join("");

/** The network as a diagram: a button with its own map for each neuron, a line for each weight. */
function networkDiagram(parent, { onlook }) {
  const box = parent.appendChild(html("div", { class: "training-network" }));
  const lines = svg("svg", { role: "img", "aria-label": "Diagram of the network: thicker lines are larger weights" });
  box.append(lines);
  let nodes = [];
  let weights = [];
  let thickest = 7;

  const nodeName = (layer, index, last) => {
    if (layer === 0) return `Input x${subscript(index + 1)}`;
    return layer === last ? "Output" : `Layer ${layer}, neuron ${index + 1}`;
  };

  /** Move the keyboard from neuron to neuron with the arrow keys; only one of them is a tab stop. */
  function walk(event, node) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const column = nodes.filter((other) => other.layer === node.layer + dx);
    const next = column[Math.min(column.length - 1, Math.max(0, node.index + dy))];
    if (!next) return;
    node.button.tabIndex = -1;
    next.button.tabIndex = 0;
    next.button.focus();
  }

  function addNode(layer, index, last, at, size) {
    const canvas = html("canvas", { "aria-hidden": "true" });
    const name = nodeName(layer, index, last);
    const button = html("button", {
      type: "button", class: "training-node", "aria-label": name, "aria-pressed": "false", tabindex: nodes.length ? -1 : 0,
      style: `left:${at.x - size / 2}px;top:${at.y - size / 2}px;width:${size}px;height:${size}px`,
    }, canvas);
    const node = { layer, index, name, button, canvas, at, incoming: [] };
    button.addEventListener("pointerenter", () => onlook(node));
    button.addEventListener("pointerleave", () => onlook(null));
    button.addEventListener("focus", () => button.matches(":focus-visible") && onlook(node));
    button.addEventListener("blur", () => onlook(null));
    button.addEventListener("click", () => onlook(node, true));
    button.addEventListener("keydown", (event) => walk(event, node));
    nodes.push(node);
    box.append(button);
    return node;
  }

  function layout(sizes) {
    nodes.forEach(({ button }) => button.remove());
    lines.replaceChildren();
    [nodes, weights] = [[], []];
    const width = Math.max(180, box.clientWidth || 300);
    const most = Math.max(...sizes);
    const size = Math.max(16, Math.min(36, width / (sizes.length * 2), 270 / most - 4));
    thickest = Math.min(7, size / 5);
    const height = Math.max(150, most * (size + 6) + 22);
    box.style.height = `${height}px`;
    place(lines, { viewBox: `0 0 ${width} ${height}`, width, height });
    const last = sizes.length - 1;
    const columns = Array.from(sizes, (count, layer) => {
      const x = size / 2 + 8 + (layer * (width - size - 16)) / last;
      const gap = Math.min(size + 16, (height - 22) / count);
      const column = Array.from({ length: count }, (_, index) => (
        addNode(layer, index, last, { x, y: 20 + (height - 22) / 2 + (index - (count - 1) / 2) * gap }, size)));
      const heading = layer === 0 ? "input" : layer === last ? "output" : `layer ${layer}`;
      const anchor = layer === 0 ? "start" : layer === last ? "end" : "middle";
      const at = layer === 0 ? x - size / 2 : layer === last ? x + size / 2 : x;
      lines.append(svg("text", { class: "nn-quiet", x: at, y: 11, "text-anchor": anchor }, heading));
      return column;
    });
    let offset = 0;
    for (let layer = 1; layer <= last; layer += 1) {
      for (const from of columns[layer - 1]) {
        for (const to of columns[layer]) {
          const [x0, x1] = [from.at.x + size / 2, to.at.x - size / 2];
          const bend = (x0 + x1) / 2;
          const path = svg("path", { class: "training-weight", d: `M${x0} ${from.at.y}C${bend} ${from.at.y} ${bend} ${to.at.y} ${x1} ${to.at.y}` });
          const weight = { path, from, to, at: offset };
          path.addEventListener("pointerenter", () => onlook(weight));
          path.addEventListener("pointerleave", () => onlook(null));
          lines.append(path);
          weights.push(weight);
          to.incoming.push(weight);
          offset += 1;
        }
      }
      for (const to of columns[layer]) {
        to.bias = offset;
        offset += 1;
      }
    }
  }

  return {
    layout,
    node: (name) => nodes.find((candidate) => candidate.name === name),
    draw(frame, mapOf, colours) {
      const values = frame.get("weights");
      for (const { path, at } of weights) {
        const value = values[at];
        place(path, {
          "stroke-width": Math.min(thickest, 0.35 + 2 * Math.abs(value)).toFixed(2),
          class: `training-weight ${value < 0 ? "training-negative" : "training-positive"}`,
        });
      }
      for (const node of nodes) {
        const map = mapOf(node, frame);
        heatmap(node.canvas, map.values, map.columns, map.rows, -1, 1, colours);
      }
    },
    press: (pinned) => nodes.forEach((node) => place(node.button, { "aria-pressed": String(node === pinned) })),
    /** Mark the neuron at which a run ended: `where` is an array and a position in it, as in z[3, 0]. */
    mark(layer, where = "") {
      const index = Number(/(\d+)\]$/.exec(where)?.[1] ?? -1);
      for (const { button, ...node } of nodes) {
        button.classList.toggle("training-broken", layer !== null && node.layer === layer + 1 && node.index === index);
      }
    },
  };
}

/** A plane of the inputs: a map of what is said at each point, the data on it, and for one input a curve. */
function dataPlane(figure, parent, label) {
  const box = parent.appendChild(html("div", { class: "nn-panel training-plane" }));
  const heading = box.appendChild(html("p", { class: "nn-heading" }));
  const plot = figure.chart(box, {
    label,
    height: (width) => width - 10, // with these margins the plane is square
    margin: { left: 46, right: 6, top: 4, bottom: 38 },
    x: { label: "x₁", ticks: 4 }, y: { label: "x₂", ticks: 4 },
  });
  const [curve, dots] = [svg("path", { class: "nn-line" }), svg("g")];
  plot.marks.append(curve, dots);
  return {
    box, heading, plot, dots,
    start(limit, flat) {
      const tall = flat ? 1.6 : limit;
      plot.set({
        x: { domain: [-limit, limit], label: flat ? "x" : "x₁" },
        y: { domain: [-tall, tall], label: flat ? "y" : "x₂" },
      });
      curve.setAttribute("d", "");
    },
    points(data, flat) {
      dots.replaceChildren(...data.map(({ x, y, positive, held }) => svg("circle", {
        cx: plot.x(x).toFixed(1), cy: plot.y(y).toFixed(1), r: flat ? 2.5 : 3.4,
        class: `training-point-${held ? "out" : "in"} training-${flat ? "ink" : positive ? "positive" : "negative"}`,
      })));
    },
    map(values, rows, columns) {
      plot.heatmap(values, columns, rows, ...PALE, figure.colours);
    },
    line(xs, ys) {
      plot.heatmap([0], 1, 1, ...PALE, figure.colours);
      curve.setAttribute("d", plot.path(xs, ys));
    },
  };
}

/** Small multiples: the surface of each seed, and which of them succeeded. */
function seedMultiples(figure, parent, { onpick }) {
  const heading = html("p", { class: "nn-heading" });
  const grid = html("div", { class: "training-seeds" });
  const open = html("button", { type: "button", class: "nn-small" });
  const box = parent.appendChild(html("div", { hidden: true }, heading, grid, open));
  let cells = [];
  let shown = 0;
  open.addEventListener("click", () => figure.change({ seeds: 1, seed: shown }));
  grid.addEventListener("keydown", (event) => {
    const at = cells.findIndex(({ button }) => button === document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: cells.length - 1 }[event.key];
    if (at < 0 || to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    cells[Math.min(Math.max(to, 0), cells.length - 1)].button.focus();
    onpick(Math.min(Math.max(to, 0), cells.length - 1));
  });
  return {
    hide: () => { box.hidden = true; },
    start(recording) {
      box.hidden = false;
      const focused = cells.findIndex(({ button }) => button === document.activeElement);
      cells = Array.from({ length: recording.count }, (_, index) => {
        const [seed, success] = ["seed", "success"].map((name) => recording.get(name, index)[0]);
        const share = `${Math.round(100 * recording.get("score", index)[0])}%`;
        const canvas = html("canvas", { "aria-hidden": "true" });
        const button = html("button", {
          type: "button", class: "training-seed", "aria-label": `Seed ${seed}: ${share}, ${success ? "a success" : "no success"}`,
        }, canvas, html("span", { "aria-hidden": "true" }, `${seed} ${success ? "✓" : "✗"} ${share}`));
        button.addEventListener("click", () => onpick(index));
        return { button, canvas };
      });
      const awaited = Array.from({ length: recording.meta.seeds - recording.count }, () => (
        html("div", { class: "training-seed training-awaited", "aria-hidden": "true" })));
      grid.replaceChildren(...cells.map(({ button }) => button), ...awaited);
      cells[focused]?.button.focus({ preventScroll: true });
    },
    draw(at, mapAt) {
      const { recording } = at;
      shown = at.value("seed");
      const [done, good] = [at.step + 1, at.value("successes")];
      heading.textContent = `${good} of ${done} seeds succeed (✓ at least 90%)`;
      open.textContent = `Step through seed ${shown}`;
      open.hidden = !figure.can({ seeds: 1, seed: shown });
      cells.forEach(({ button, canvas }, index) => {
        const { values, rows, columns } = mapAt(recording, index);
        heatmap(canvas, values, columns, rows, ...PALE, figure.colours);
        place(button, { "aria-pressed": String(index === at.step), tabindex: index === at.step ? 0 : -1 });
        button.classList.toggle("training-later", index > at.step);
      });
    },
  };
}

/** Why a run ended: the step, the place, the first bad number and how it was computed. */
function autopsy(parent) {
  const list = html("dl");
  const box = parent.appendChild(html("div", { class: "training-autopsy", hidden: true },
    html("p", { class: "nn-heading" }, "Where the numbers ended"), list));
  return (stopped) => {
    box.hidden = !stopped?.formula;
    if (box.hidden) return;
    const where = stopped.layer === null ? "the loss L" : `${stopped.where} in layer ${stopped.layer + 1} (layers[${stopped.layer}])`;
    list.replaceChildren(...[
      ["Step", `${stopped.step}, the first that is not finite; the figure keeps the last good one, after update ${stopped.kept}`],
      ["First bad value", `${where} = ${number(Number(stopped.value.replace("inf", "Infinity")))}`],
      ["Formula", stopped.formula],
      ["With numbers", stopped.numbers],
      ["Loss before", [...stopped.before, "not finite"].join(" → ")],
    ].flatMap(([term, text]) => [html("dt", {}, term), html("dd", {}, text.replaceAll("-", "−").replaceAll("inf", "∞"))]));
  };
}

export default instrument({
  create(figure) {
    const left = html("div", { class: "nn-panel training-left" });
    const [planes, bottom] = [html("div", { class: "training-planes" }), html("div")];
    figure.stage.append(html("div", { class: "nn-row" }, left, planes), bottom);
    left.append(html("p", { class: "nn-heading" }, "The network"));
    const network = networkDiagram(left, { onlook: look });
    const readout = left.appendChild(html("p", { class: "training-readout" }));

    const says = "The plane of the inputs: what the network says at each point, and the data";
    const main = dataPlane(figure, planes, says);
    const other = dataPlane(figure, planes, `${says}, without the fork`);
    const editor = pointEditor(main.plot, {
      id: `${figure.root.id}-points`,
      link: () => figure.link,
      able: () => figure.can({ dataset: "own", points: drawn }),
      onopen: (opened) => {
        place(main.dots, { visibility: opened ? "hidden" : null });
        if (opened) editor.show(shownPoints());
      },
      onchange: (points) => {
        drawn = writePoints(points);
        figure.change({ dataset: "own", points: drawn });
      },
      ontable: (text) => figure.change({ dataset: "own", points: text }),
    });
    main.box.append(editor.toggle);
    bottom.append(editor.tools);
    const multiples = seedMultiples(figure, bottom, { onpick: (index) => figure.goto(index) });
    const losses = figure.chart(bottom, {
      label: "Training loss and held-out loss on a logarithmic axis", height: 168,
      margin: { left: 54, right: 76, top: 10, bottom: 36 },
      x: { label: "updates made" }, y: { log: true, label: "loss" },
    });
    const now = svg("line", { class: "training-now" });
    const ofSeeds = svg("g");
    const series = [
      ["unforked_loss", "training-unforked", "no fork"], ["held_out_loss", "nn-third", "held out"], ["loss", "nn-ink", "training"],
    ].map(([array, colour, name]) => ({
      array,
      line: svg("path", { class: `nn-line ${colour}` }),
      dot: svg("circle", { class: `nn-dot ${colour}`, r: 4.5 }),
      label: svg("text", { class: `nn-label ${colour}`, "data-name": name }),
    }));
    losses.marks.append(now, ofSeeds, ...series.map(({ line }) => line));
    losses.over.append(...series.flatMap(({ dot, label }) => [dot, label]));
    const fork = html("button", { type: "button", class: "nn-small", hidden: true });
    fork.addEventListener("click", () => figure.change({ fork_at: forkTarget() }));
    bottom.append(fork);
    const explain = autopsy(bottom);
    /** The update to fork after: this frame's; or 0, no fork, if the run is forked already. */
    const forkTarget = () => (figure.settings.fork_at ? 0 : frame.value("update"));

    let drawn = ""; // the reader's own points, as text
    let flat = false; // one input and a curve, instead of a plane
    let many = false; // each frame is the end of one seed's run
    let forked = false;
    let pinned = null; // the neuron whose map stays on the large panel
    let seen = null; // the neuron or weight under the pointer
    let frame = null;
    let edited = null; // the recording whose points the editor has been given

    function look(what, pin = false) {
      if (pin) pinned = pinned === what.name ? null : what.name;
      else seen = what;
      if (frame) draw(frame);
    }

    /** What the network says over the plane: the surface, or a curve as one row. */
    function said(recording, step, name = flat ? "curve" : "surface") {
      const values = recording.get(name, step);
      const rows = flat ? 1 : Math.sqrt(values.length);
      return { values, rows, columns: values.length / rows };
    }

    /** The map of one node: an input's own gradient, a neuron's activation, or the network's output. */
    function mapOf(node, at) {
      const { recording } = at;
      const sizes = recording.still("sizes");
      const [, rows, columns] = recording.shape("features");
      const area = rows * columns;
      if (node.layer === 0) {
        return { values: recording.still("features").subarray(node.index * area, (node.index + 1) * area), rows, columns };
      }
      if (node.layer < sizes.length - 1) {
        const before = sizes.slice(1, node.layer).reduce((sum, n) => sum + n, 0) + node.index;
        return { values: at.get("neurons").subarray(before * area, (before + 1) * area), rows, columns };
      }
      return said(recording, at.step);
    }

    function describe(node, at) {
      const values = at.get("weights");
      const weights = node.incoming.map((weight) => number(values[weight.at], 2)).join(", ");
      return node.layer === 0 ? node.name : `${node.name}: weights ${weights}; bias ${number(values[node.bias], 2)}.`;
    }

    /** The examples at a frame, in the recording's order: those it trains on, then those held out. */
    function examples({ recording, step }) {
      const get = (name) => (many ? recording.get(name, step) : recording.still(name));
      return ["train", "held_out"].flatMap((part) => {
        const points = get(part);
        return [...get(`${part}_target`)].map((target, i) => ({
          x: flat ? points[i] : points[2 * i], y: flat ? target : points[2 * i + 1], positive: target > 0, held: part === "held_out",
        }));
      });
    }

    /** The points shown, for the editor: the reader's own, or the data set's with every fourth held out as it was. */
    function shownPoints() {
      if (figure.settings.dataset === "own") return readPoints(figure.settings.points);
      if (flat) return drawn ? readPoints(drawn) : CORNERS.map(([x, y, label]) => ({ x, y, label }));
      const near = (value) => Math.min(Math.max(Math.round(100 * value), -POINT_REACH), POINT_REACH);
      const points = examples(frame).map(({ x, y, positive, held }) => ({ x: near(x), y: near(y), label: Number(positive), held }));
      const [train, held] = [false, true].map((out) => points.filter((point) => point.held === out));
      return points.map((_, i) => (i % 4 === 3 && held.length ? held : train.length ? train : held).shift());
    }

    /** The settings that differ between the two futures of a fork, in words: those of the fork, and those kept. */
    function futures(settings) {
      const changed = [["learning_rate", "η"], ["optimizer", ""], ["batch_size", "batch"]].filter(([name]) => (
        name === "learning_rate" || !["same", settings[name]].includes(settings[`fork_${name}`])));
      return ["fork_", ""].map((prefix) => changed.map(([name, sign]) => `${sign} ${settings[prefix + name]}`.trim()).join(", "));
    }

    function drawPlanes(at, node) {
      const { recording, settings } = at;
      const last = recording.still("sizes").length - 1;
      const map = mapOf(node ?? { layer: last, index: 0 }, at);
      const hidden = node && node.layer < last;
      const [changed, kept] = futures(settings);
      main.heading.textContent = hidden ? `What ${node.name.toLowerCase()} says`
        : forked ? `Fork: ${changed}` : "Output: ● training ○ held out";
      if (flat && !hidden) main.line(recording.still("x"), at.get("curve"));
      else main.map(map.values, map.rows, map.columns);
      if (many) main.points(examples(at), flat);
      if (!forked) return;
      const apartNow = at.value("update") > settings.fork_at;
      other.heading.textContent = apartNow ? `No fork: ${kept}` : `Same until update ${settings.fork_at}`;
      const plane = flat ? "curve" : "surface";
      const { values, rows, columns } = said(recording, at.step, apartNow ? `unforked_${plane}` : plane);
      if (flat) other.line(recording.still("x"), values);
      else other.map(values, rows, columns);
    }

    function draw(at) {
      const { recording } = frame = at;
      network.draw(at, mapOf, figure.colours);
      const weight = seen?.path ? seen : null;
      const node = (seen && !weight && seen) || (pinned && network.node(pinned)) || null;
      network.press(pinned && network.node(pinned));
      if (weight) {
        readout.textContent = `Weight from ${weight.from.name.toLowerCase()} to ${weight.to.name.toLowerCase()}: ${
          number(at.get("weights")[weight.at], 2)}`;
      } else {
        readout.textContent = node ? describe(node, at)
          : "Thicker lines are larger weights; blue is negative, orange positive. Point at a line or a neuron.";
      }
      drawPlanes(at, node);
      if (editor.open && !editor.busy && recording !== edited) editor.show(shownPoints());
      if (editor.open) editor.draw();
      edited = recording;

      const x = losses.x(at.step);
      place(now, many ? { visibility: "hidden" } : { x1: x, x2: x, y1: losses.top, y2: losses.bottom, visibility: null });
      fork.textContent = figure.settings.fork_at ? "Undo the fork" : "Fork here: go on with other settings";
      fork.hidden = many || !figure.can({ fork_at: forkTarget() }) || (!figure.settings.fork_at && [0, at.last].includes(at.step));
      for (const { array, dot } of series) {
        const value = !many && recording.has(array) ? at.value(array) : NaN;
        place(dot, Number.isFinite(value) ? { cx: x, cy: losses.y(value), visibility: null } : { visibility: "hidden" });
      }
      if (!many) return;
      multiples.draw(at, said);
      [...ofSeeds.children].forEach((line, index) => place(line, {
        class: `nn-line ${index === at.step ? "nn-ink" : "nn-quiet"}`, visibility: index > at.step ? "hidden" : null,
      }));
    }

    /** The axes of the losses: evenly from frame to frame, marked with the updates made. */
    function setLossAxes(updates, values) {
      const finite = values.filter((loss) => loss > 0 && Number.isFinite(loss));
      const [lo, hi] = [Math.max(1e-9, Math.min(1, ...finite)), Math.max(...finite, 1e-8)];
      const marks = [0, 10, 100, 1000].map((update) => updates.findIndex((made) => made >= update));
      const ticks = marks.filter((index) => index >= 0 && index < updates.length - 4).concat(updates.length - 1);
      losses.set({
        x: { domain: [0, Math.max(1, updates.length - 1)], ticks, format: (index) => String(updates[index]) },
        y: { domain: [lo / 1.25, hi * 1.25] },
      });
      return Float64Array.from(updates, (_, index) => index);
    }

    function startLosses(recording) {
      if (many) {
        const updates = recording.still("updates");
        const steps = setLossAxes(updates, [...recording.all("losses")]);
        ofSeeds.replaceChildren(...Array.from({ length: recording.count }, (_, index) => (
          svg("path", { d: losses.path(steps, recording.get("losses", index)) }))));
        series.forEach(({ line, label }) => {
          line.setAttribute("d", "");
          label.textContent = "";
        });
        return;
      }
      ofSeeds.replaceChildren();
      const shown = series.filter(({ array }) => recording.has(array));
      const steps = setLossAxes(recording.all("update"), shown.flatMap(({ array }) => [...recording.all(array)]));
      const names = [];
      for (const { array, line, label } of series) {
        const values = recording.has(array) ? recording.all(array) : [];
        line.setAttribute("d", losses.path(steps, values, values.length));
        const end = values.findLast((loss) => Number.isFinite(loss));
        label.textContent = end === undefined ? "" : label.dataset.name;
        if (end !== undefined) names.push({ label, y: losses.y(end) + 4 });
      }
      const heights = apart(names.map(({ y }) => y), 15, losses.top + 4, losses.bottom);
      names.forEach(({ label }, i) => place(label, { x: losses.right + 8, y: heights[i] }));
    }

    function start(recording) {
      flat = recording.has("curve");
      many = recording.has("seed");
      forked = recording.has("unforked_loss") && !many;
      const { settings } = recording.meta;
      if (settings.dataset === "own") drawn = settings.points;
      other.box.hidden = !forked;
      planes.classList.toggle("training-futures", forked);
      [main, other].forEach(({ plot }) => plot.layout());
      editor.toggle.hidden = figure.hides("points") && settings.dataset !== "own";
      network.layout(recording.still("sizes"));
      network.mark(recording.meta.stopped?.layer ?? null, recording.meta.stopped?.where);
      explain(recording.meta.stopped);
      const points = examples({ recording, step: 0 });
      for (const plane of forked ? [main, other] : [main]) {
        plane.start(recording.still("limit")[0], flat);
        if (!many) plane.points(points, flat);
        const trained = points.filter(({ held }) => !held).length;
        place(plane.plot.svg, { "aria-label": `${plane.plot.svg.getAttribute("aria-label").replace(/( on \d+ .*)?$/, "")} on ${trained} training points` });
      }
      if (many) multiples.start(recording);
      else multiples.hide();
      startLosses(recording);
    }

    /** The reader's own points go with the data set of that name, and with no other. */
    function prepare(settings) {
      if (settings.dataset !== "own") return settings.points ? { ...settings, points: "" } : settings;
      return settings.points ? settings : { ...settings, points: drawn || writePoints(shownPoints()) };
    }

    return { start, draw, prepare, stop: editor.stop };
  },
});
