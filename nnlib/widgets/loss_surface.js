/* The loss of one neuron as a landscape over w and b with the walk on it, the neuron's answers, and the loss so far. */

const BANDS = 16;
const FINER = 4; // the landscape is drawn on a grid this many times finer than it was recorded

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const left = panel(row, "Loss over w and b: strong colour is high, the cross is lowest", { name: "surface-map" });
    const right = panel(row, "The examples, and what the neuron says");
    const map = figure.chart(left, {
      label: "The loss over the weight and the bias, with the walk of gradient descent",
      height: (width) => Math.min(400, 0.92 * width), x: { domain: [-8, 8], label: "weight w" }, y: { domain: [-8, 8], label: "bias b" },
    });
    const walk = map.marks.appendChild(svg("path", { class: "nn-line" }));
    const trail = map.marks.appendChild(svg("g"));
    const cross = map.marks.appendChild(svg("path", { class: "nn-line nn-negative" }));
    const rings = map.marks.appendChild(svg("g"));
    const here = map.over.appendChild(svg("circle", { class: "nn-dot", r: 6 }));

    const answers = figure.chart(right, {
      label: "The examples and the answers of the neuron", height: 175, x: { domain: [0, 4], label: "input x" }, y: { domain: [0, 1], label: "output p" },
    });
    const answer = answers.marks.appendChild(svg("path", { class: "nn-line nn-negative" }));
    const examples = answers.marks.appendChild(svg("g"));
    right.append(html("p", { class: "nn-heading" }, "The loss, step by step"));
    const history = figure.chart(right, {
      label: "The loss at each step", height: 150, x: { domain: [0, 80], label: "step" }, y: { domain: [0, 1], label: "loss" },
    });
    const curve = history.marks.appendChild(svg("path", { class: "nn-line" }));
    const now = history.over.appendChild(svg("circle", { class: "nn-dot", r: 5 }));

    let starts = [];
    let drag = null;
    /** Where a start may be: anywhere with a live source, else at the nearest one whose walk is stored in the page. */
    const allowed = (point) => {
      if (figure.can({ start: point })) return point;
      const stored = starts.filter((place_) => figure.can({ start: place_ }));
      const far = (other) => (other[0] - point[0]) ** 2 + (other[1] - point[1]) ** 2;
      return stored.reduce((best, other) => (far(other) < far(best) ? other : best), figure.settings.start);
    };
    const start = figure.handle(map, {
      label: "Start of the walk", step: 0.5, text: (w, b) => `w ${number(w)}, b ${number(b)}`, colour: "third",
      onmove({ x, y }, done) {
        const point = [x, y].map((value) => Math.round(10 * value) / 10);
        if (!done) {
          drag = point;
          start.move(...point);
          return;
        }
        // With the arrow keys a stored start is reached by moving towards it.
        const goal = drag || figure.can({ start: point }) ? allowed(point) : towards(figure.settings.start, point);
        drag = null;
        start.move(...goal);
        figure.change({ start: goal });
      },
    });
    const towards = (from, to) => {
      const way = [to[0] - from[0], to[1] - from[1]];
      const along = (other) => (other[0] - from[0]) * way[0] + (other[1] - from[1]) * way[1];
      const ahead = starts.filter((other) => along(other) > 0.01 && figure.can({ start: other }));
      const off = (other) => Math.hypot(other[0] - from[0], other[1] - from[1]);
      return ahead.sort((a, b) => off(a) - off(b))[0] ?? from;
    };

    return {
      start(recording) {
        const { meta } = recording;
        starts = meta.starts;
        const [rows, columns] = recording.shape("height");
        const fine = finer(recording.still("height"), rows, columns);
        map.heatmap(fine.values, fine.columns, fine.rows, 0, 1, { ramp: bandRamp(figure.colours) });
        const [w, b] = recording.still("lowest").subarray(0, 2);
        const [cx, cy] = [map.x(w), map.y(b)];
        place(cross, { d: `M${cx - 6} ${cy - 6}L${cx + 6} ${cy + 6}M${cx - 6} ${cy + 6}L${cx + 6} ${cy - 6}` });
        rings.replaceChildren(...starts.filter((other) => figure.can({ start: other })).map(([x, y]) => (
          svg("circle", { class: "surface-ring", cx: map.x(x), cy: map.y(y), r: 9 }))));

        const [xs, ys, along] = [recording.still("x"), recording.still("y"), recording.still("along")];
        answers.set({
          x: { domain: [along[0], along.at(-1)] }, y: { domain: meta.range, label: meta.says },
        });
        examples.replaceChildren(...Array.from(xs, (x, i) => svg("circle", { class: "nn-dot", r: 5, cx: answers.x(x), cy: answers.y(ys[i]) })));

        const losses = recording.all("loss");
        const top = Math.min(Math.max(...losses), 4 * losses[0]) * 1.05;
        history.set({ x: { domain: [0, Math.max(1, recording.count - 1)] }, y: { domain: [0, top] } });
      },
      draw(frame) {
        const count = frame.step + 1;
        const { recording } = frame;
        const [ws, bs, losses] = ["w", "b", "loss"].map((name) => recording.all(name));
        const seen = (x, y) => Math.abs(x) < 1e4 && Math.abs(y) < 1e4;
        const kept = Array.from(ws.subarray(0, count), (w, i) => [w, bs[i]]).filter(([w, b]) => seen(w, b));
        place(walk, { d: map.path(kept.map(([w]) => w), kept.map(([, b]) => b)) });
        trail.replaceChildren(...kept.map(([w, b]) => svg("circle", { class: "surface-step", cx: map.x(w), cy: map.y(b), r: 2.4 })));
        const [w, b] = [ws[frame.step], bs[frame.step]];
        const inside = Math.abs(w) <= 8 && Math.abs(b) <= 8;
        place(here, { cx: inside ? map.x(w) : 0, cy: inside ? map.y(b) : 0, visibility: inside ? null : "hidden" });
        start.move(...figure.settings.start);
        place(answer, { d: answers.path(recording.still("along"), frame.get("answer")) });
        const steps = Array.from({ length: count }, (_, i) => i);
        place(curve, { d: history.path(steps, losses, count) });
        const y = history.y(losses[frame.step]);
        place(now, { cx: history.x(frame.step), cy: Math.max(y, history.top), visibility: y < history.top - 1 ? "hidden" : null });
      },
    };
  },
});

/** The same landscape on a finer grid, straight between the recorded places. */
function finer(values, rows, columns) {
  const [tall, wide] = [(rows - 1) * FINER + 1, (columns - 1) * FINER + 1];
  const result = new Float32Array(tall * wide);
  for (let row = 0; row < tall; row += 1) {
    const r = Math.min(Math.floor(row / FINER), rows - 2);
    const v = row / FINER - r;
    for (let column = 0; column < wide; column += 1) {
      const c = Math.min(Math.floor(column / FINER), columns - 2);
      const u = column / FINER - c;
      const at = r * columns + c;
      result[row * wide + column] = (1 - v) * ((1 - u) * values[at] + u * values[at + 1])
        + v * ((1 - u) * values[at + columns] + u * values[at + columns + 1]);
    }
  }
  return { values: result, rows: tall, columns: wide };
}

/** A ramp from the paper's colour to orange in BANDS steps, for heights from 0 to 1. */
function bandRamp({ paper, positive }) {
  const [low, high] = [rgb(paper), rgb(positive)];
  return Uint32Array.from({ length: 512 }, (_, i) => (
    blend(low, high, 0.8 * (Math.min(BANDS - 1, Math.floor((i / 512) * BANDS)) / (BANDS - 1)))));
}
