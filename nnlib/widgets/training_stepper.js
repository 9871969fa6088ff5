/* The view of training_stepper.py: the network with each neuron's own map, the decision surface, and the losses. */

const PALE = [-1.6, 1.6]; // the ends of the colours under the data, so that the points stand out
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
  };
}

export default instrument({
  create(figure) {
    const panel = (...classes) => html("div", { class: ["nn-panel", ...classes].join(" ") });
    const [left, right, bottom] = [panel("training-left"), panel("training-right"), html("div")];
    figure.stage.append(html("div", { class: "nn-row" }, left, right), bottom);
    const heading = html("p", { class: "nn-heading" });
    const readout = html("p", { class: "training-readout" });
    left.append(html("p", { class: "nn-heading" }, "The network"));
    const network = networkDiagram(left, { onlook: look });
    left.append(readout);
    right.append(heading);

    const surface = figure.chart(right, {
      label: "The plane of the inputs: what the network says at each point, and the data",
      height: (width) => width - 10, // with these margins the plane is square
      margin: { left: 46, right: 6, top: 4, bottom: 38 },
      x: { label: "x₁", ticks: 4 }, y: { label: "x₂", ticks: 4 },
    });
    const curve = svg("path", { class: "nn-line" });
    const dots = svg("g");
    surface.marks.append(curve, dots);
    const losses = figure.chart(bottom, {
      label: "Training loss and held-out loss on a logarithmic axis", height: 168,
      margin: { left: 54, right: 76, top: 10, bottom: 36 },
      x: { label: "updates made" }, y: { log: true, label: "loss" },
    });
    const now = svg("line", { class: "training-now" });
    const series = [
      ["unforked_loss", "training-unforked", "no fork"], ["held_out_loss", "nn-third", "held out"], ["loss", "nn-ink", "training"],
    ].map(([array, colour, name]) => ({
      array,
      line: svg("path", { class: `nn-line ${colour}` }),
      dot: svg("circle", { class: `nn-dot ${colour}`, r: 4.5 }),
      label: svg("text", { class: `nn-label ${colour}`, "data-name": name }),
    }));
    losses.marks.append(now, ...series.map(({ line }) => line));
    losses.over.append(...series.flatMap(({ dot, label }) => [dot, label]));
    const fork = html("button", { type: "button", class: "nn-small", hidden: true });
    fork.addEventListener("click", () => figure.change({ fork_at: forkTarget() }));
    bottom.append(fork);
    /** The update to fork after: this frame's; or 0, no fork, if the run is forked already. */
    const forkTarget = () => (figure.settings.fork_at ? 0 : frame.value("update"));

    let regression = false;
    let pinned = null; // the neuron whose map stays on the large panel
    let seen = null; // the neuron or weight under the pointer
    let frame = null;

    function look(what, pin = false) {
      if (pin) pinned = pinned === what.name ? null : what.name;
      else seen = what;
      if (frame) draw(frame);
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
      if (regression) return { values: at.get("curve"), rows: 1, columns: at.get("curve").length };
      const side = Math.sqrt(at.get("surface").length);
      return { values: at.get("surface"), rows: side, columns: side };
    }

    function describe(node, at) {
      const values = at.get("weights");
      const weights = node.incoming.map((weight) => number(values[weight.at], 2)).join(", ");
      return node.layer === 0 ? node.name : `${node.name}: weights ${weights}; bias ${number(values[node.bias], 2)}.`;
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
      const output = node ?? { layer: recording.still("sizes").length - 1, index: 0 };
      const asCurve = regression && output.layer === recording.still("sizes").length - 1;
      heading.textContent = node && node.layer < recording.still("sizes").length - 1 ? `What ${node.name.toLowerCase()} says`
        : "Output: ● training ○ held out";
      const map = mapOf(output, at);
      surface.heatmap(asCurve ? [0] : map.values, asCurve ? 1 : map.columns, asCurve ? 1 : map.rows, ...PALE, figure.colours);
      if (regression) curve.setAttribute("d", surface.path(recording.still("x"), at.get("curve")));

      const x = losses.x(at.step);
      place(now, { x1: x, x2: x, y1: losses.top, y2: losses.bottom });
      fork.textContent = figure.settings.fork_at ? "Undo the fork" : "Fork here: go on with another learning rate";
      fork.hidden = !figure.can({ fork_at: forkTarget() }) || (!figure.settings.fork_at && [0, at.last].includes(at.step));
      for (const { array, dot } of series) {
        const value = recording.has(array) ? at.value(array) : NaN;
        place(dot, Number.isFinite(value) ? { cx: x, cy: losses.y(value), visibility: null } : { visibility: "hidden" });
      }
    }

    function start(recording) {
      regression = recording.has("curve");
      const limit = recording.still("limit")[0];
      const targets = recording.still("train_target");
      const tall = regression ? 1.6 : limit;
      surface.set({
        x: { domain: [-limit, limit], label: regression ? "x" : "x₁" },
        y: { domain: [-tall, tall], label: regression ? "y" : "x₂" },
      });
      network.layout(recording.still("sizes"));
      curve.setAttribute("d", "");
      dots.replaceChildren(...["train", "held_out"].flatMap((part) => {
        const points = recording.still(part);
        return [...recording.still(`${part}_target`)].map((target, i) => {
          const at = regression ? [points[i], target] : [points[2 * i], points[2 * i + 1]];
          const side = regression ? "ink" : target > 0 ? "positive" : "negative";
          return svg("circle", {
            cx: surface.x(at[0]).toFixed(1), cy: surface.y(at[1]).toFixed(1), r: regression ? 2.5 : 3.4,
            class: `training-point-${part === "train" ? "in" : "out"} training-${side}`,
          });
        });
      }));
      place(surface.svg, {
        "aria-label": `${surface.svg.getAttribute("aria-label").split(",")[0]}, and ${targets.length} training points`,
      });

      const updates = recording.all("update");
      const shown = series.filter(({ array }) => recording.has(array));
      const finite = shown.flatMap(({ array }) => [...recording.all(array)]).filter((loss) => loss > 0 && Number.isFinite(loss));
      const [lo, hi] = [Math.max(1e-9, Math.min(1, ...finite)), Math.max(...finite, 1e-8)];
      const marks = [0, 10, 100, 1000].map((update) => updates.findIndex((made) => made >= update));
      const ticks = marks.filter((index) => index >= 0 && index < recording.count - 4).concat(recording.count - 1);
      losses.set({
        x: { domain: [0, Math.max(1, recording.count - 1)], ticks, format: (index) => String(updates[index]) },
        y: { domain: [lo / 1.25, hi * 1.25] },
      });
      const steps = Float64Array.from(updates, (_, index) => index);
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

    return { start, draw };
  },
});
