/* A sheet to draw digits on: its pixels, the hidden layer, the ten probabilities, and the nearest training images.

   The frames hold drawings and held-out images with every number. Only what the reader draws stands in no table, so these
   functions compute it here, from the weights in the recording; tests/test_digits.py runs them under node and compares
   them with nnlib.digits. */

const [BITMAP, WIDE, PEN, STRETCH, SIDE] = [32, 20, 2.6, 1.3, 8];

/** Turn strokes (lists of points [x, y] on a sheet from 0 to 1) into 64 pixels, as nnlib.digits.draw does. */
function drawStrokes(strokes, centre) {
  const lines = strokes.filter((stroke) => stroke.length);
  const image = new Float64Array(SIDE * SIDE);
  if (!lines.length) return image;
  let [factor, offset] = [[BITMAP, BITMAP], [0, 0]];
  if (centre) {
    const ends = [0, 1].map((axis) => lines.flat().map((point) => point[axis]));
    const [low, high] = [ends.map((values) => Math.min(...values)), ends.map((values) => Math.max(...values))];
    const fit = [WIDE, BITMAP].map((room, axis) => (room - 2 * PEN) / (high[axis] - low[axis])); // infinite for a straight line
    factor = [Math.min(fit[0], STRETCH * fit[1]), Math.min(fit[1], STRETCH * fit[0])].map((value) => (value === Infinity ? 0 : value));
    offset = factor.map((value, axis) => BITMAP / 2 - value * (low[axis] + high[axis]) / 2);
  }
  const black = new Uint8Array(BITMAP * BITMAP);
  for (const line of lines) {
    const placed = line.map((point) => point.map((value, axis) => factor[axis] * value + offset[axis]));
    for (let i = Math.min(1, placed.length - 1); i < placed.length; i += 1) {
      const [[x0, y0], [x1, y1]] = [placed[Math.max(0, i - 1)], placed[i]];
      const [dx, dy] = [x1 - x0, y1 - y0];
      const length = dx * dx + dy * dy;
      for (let row = 0; row < BITMAP; row += 1) {
        for (let column = 0; column < BITMAP; column += 1) {
          const [x, y] = [column + 0.5, row + 0.5];
          const along = length > 0 ? Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) / length)) : 0;
          const [offX, offY] = [x - x0 - along * dx, y - y0 - along * dy];
          if (offX * offX + offY * offY <= PEN * PEN) black[row * BITMAP + column] = 1;
        }
      }
    }
  }
  const block = BITMAP / SIDE;
  black.forEach((dark, i) => {
    image[Math.floor(Math.floor(i / BITMAP) / block) * SIDE + Math.floor((i % BITMAP) / block)] += dark / block ** 2;
  });
  return image;
}

/** Carry an image through the network, as Classifier.probabilities does: the scaling, a ReLU layer, a softmax. */
function answerOf({ mean, deviation, w1, b1, w2, b2 }, image) {
  const layer = (x, w, b) => Array.from(b, (bias, j) => x.reduce((sum, value, i) => sum + value * w[i * b.length + j], 0) + bias);
  const x = Array.from(image, (value, i) => (value - mean[i]) / deviation[0]);
  const hidden = layer(x, w1, b1).map((z) => Math.max(0, z));
  const logits = layer(hidden, w2, b2);
  const largest = Math.max(...logits);
  const powers = logits.map((z) => Math.exp(z - largest));
  const total = powers.reduce((sum, value) => sum + value);
  return { hidden, logits, p: powers.map((value) => value / total) };
}

/** The rows of the images nearest to one, nearest first. */
function nearestTo(images, image, count) {
  const size = image.length;
  const distances = Array.from({ length: images.length / size }, (_, row) => (
    image.reduce((sum, value, i) => sum + (value - images[row * size + i]) ** 2, 0)));
  const rows = distances.map((_, row) => row).sort((a, b) => distances[a] - distances[b] || a - b).slice(0, count);
  return { rows, distance: Math.sqrt(distances[rows[0]]) };
}

const HELP = "Drawing sheet. Draw with mouse or finger. With keys: the arrows move the pen, Space or Enter sets it down and lifts it, "
  + "Backspace takes back a stroke, Delete clears the sheet.";

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const left = panel(row, "Draw here", { name: "pad-left" });
    const [ink, guide, cursor] = [svg("g", { class: "pad-ink" }), svg("g", { class: "pad-guide" }), svg("circle", { class: "pad-cursor", r: 2.4 })];
    const shown = html("canvas", { class: "pad-under", "aria-hidden": "true" });
    const sheet = svg("svg", { viewBox: "0 0 100 100", tabindex: 0, role: "application", "aria-label": HELP, class: "pad-sheet" }, guide, ink, cursor);
    left.append(html("div", { class: "pad-stack" }, shown, sheet));
    const button = (text) => html("button", { type: "button", class: "nn-small" }, text);
    const [undo, clear] = [button("Undo"), button("Clear")];
    const centred = html("input", { type: "checkbox", checked: true });
    left.append(html("div", { class: "pad-tools" }, undo, clear, html("label", {}, centred, " centre and scale")));
    left.append(html("p", { class: "pad-help" }, "Mouse, finger, or arrow keys with Space for the pen."));

    const middle = panel(row, "What the network gets", { name: "pad-middle" });
    const pixels = middle.appendChild(html("canvas", { class: "pad-pixels", role: "img" }));
    middle.append(html("p", { class: "nn-heading nn-gap" }, "32 hidden neurons"));
    const hidden = middle.appendChild(html("div", { class: "pad-hidden", role: "img" }));
    const cells = Array.from({ length: 32 }, () => hidden.appendChild(html("span", { class: "pad-cell" })));

    const right = panel(row, "Probability of each digit", { name: "pad-right" });
    const bars = right.appendChild(html("div", { class: "pad-bars", "aria-hidden": "true" }));
    const lines = Array.from({ length: 10 }, (_, k) => {
      const bar = html("span", { class: "pad-bar" });
      const value = html("span", { class: "pad-value" });
      bars.append(html("span", {}, String(k)), html("span", { class: "pad-track" }, bar), value);
      return { bar, value };
    });

    const near = panel(row, "Nearest training images", { name: "pad-near" });
    const gallery = near.appendChild(html("div", { class: "pad-gallery" }));
    const distance = near.appendChild(html("p", { class: "pad-help" }));

    let strokes = []; // the reader's own, [x, y] from 0 to 1
    let pen = null; // the stroke being drawn
    let at = [0.5, 0.5];
    let [step, recording] = [-1, null];
    let network;
    const hand = { down: false, id: null };

    const path = (stroke, dot = 0.01) => `M${stroke.map(([x, y]) => `${(100 * x).toFixed(1)} ${(100 * y).toFixed(1)}`).join("L")}${stroke.length < 2 ? `h${dot}` : ""}`;
    const show = (list) => ink.replaceChildren(...list.map((stroke) => svg("path", { d: path(stroke) })));
    const own = () => [...strokes, ...(pen ? [pen] : [])];

    function clean() {
      strokes = [];
      pen = null;
      hand.down = false;
    }
    function begin(point) {
      pen = [point];
      at = point;
      figure.redraw();
    }
    function extend(point) {
      const [x, y] = pen.at(-1);
      at = point;
      if (Math.hypot(point[0] - x, point[1] - y) >= 0.012) pen.push(point);
      figure.redraw();
    }
    function lift() {
      if (!pen) return;
      strokes.push(pen);
      pen = null;
      figure.redraw();
    }
    const inside = (value) => Number(Math.min(0.98, Math.max(0.02, value)).toFixed(3));
    const pointOf = (event) => {
      const box = sheet.getBoundingClientRect();
      return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)];
    };
    sheet.addEventListener("pointerdown", (event) => {
      if (event.button || hand.down) return;
      lift();
      Object.assign(hand, { down: true, id: event.pointerId });
      sheet.setPointerCapture(event.pointerId);
      sheet.focus({ preventScroll: true });
      event.preventDefault();
      begin(pointOf(event));
    });
    sheet.addEventListener("pointermove", (event) => {
      if (hand.down && event.pointerId === hand.id && pen) extend(pointOf(event));
    });
    for (const type of ["pointerup", "pointercancel"]) {
      sheet.addEventListener(type, (event) => {
        if (!hand.down || event.pointerId !== hand.id) return;
        hand.down = false;
        lift();
      });
    }
    const takeBack = () => {
      if (pen) pen = null;
      else strokes.pop();
      figure.redraw();
    };
    const clearAll = () => {
      clean();
      figure.redraw();
    };
    undo.addEventListener("click", takeBack);
    clear.addEventListener("click", clearAll);
    centred.addEventListener("change", () => figure.redraw());
    sheet.addEventListener("keydown", (event) => {
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      const act = { " ": () => (pen ? lift() : begin(at)), Enter: () => (pen ? lift() : begin(at)), Backspace: takeBack, Delete: clearAll, Escape: lift }[event.key];
      if (event.altKey || event.ctrlKey || event.metaKey || !(way || act)) return;
      event.preventDefault();
      event.stopPropagation();
      if (act) {
        act();
        return;
      }
      const far = event.shiftKey ? 0.15 : 0.04;
      const next = [inside(at[0] + way[0] * far), inside(at[1] + way[1] * far)];
      if (pen) extend(next);
      else {
        at = next;
        figure.redraw();
      }
    });

    /** The reader's own drawing: every number is computed here. */
    function compute() {
      const image = drawStrokes(own(), centred.checked);
      const { hidden: a, p } = answerOf(network, image);
      const { rows, distance: far } = nearestTo(recording.still("images"), image, recording.meta.nearest);
      return { image, hidden: a, p, near: rows, distance: far, strokes: own() };
    }
    function stored(frame) {
      const points = frame.get("points");
      const list = [];
      for (let i = 0, fresh = true; i < points.length; i += 2) {
        if (Number.isNaN(points[i])) fresh = true;
        else {
          if (fresh) list.push([]);
          list.at(-1).push([points[i], points[i + 1]]);
          fresh = false;
        }
      }
      return {
        image: frame.get("image"), hidden: frame.get("hidden"), p: frame.get("p"), near: [...frame.get("near")],
        distance: frame.value("distance"), strokes: list,
      };
    }
    const listed = (labels) => `${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;

    return {
      start(next) {
        if (recording !== next) step = -1;
        recording = next;
        network = Object.fromEntries(["mean", "deviation", "w1", "b1", "w2", "b2"].map((name) => [name, next.still(name)]));
      },
      draw(frame) {
        if (frame.step !== step && step >= 0) clean();
        step = frame.step;
        const mine = own().length > 0;
        const { image, hidden: a, p, near: rows, distance: far, strokes: list } = mine ? compute() : stored(frame);
        const { colours } = figure;
        figure.root.classList.toggle("pad-mine", mine);
        show(list);
        inkImage(shown, list.length ? new Float32Array(64) : image, 8, 8, colours);
        place(cursor, { cx: 100 * at[0], cy: 100 * at[1], class: `pad-cursor${pen ? " pad-down" : ""}` });
        inkImage(pixels, image, 8, 8, colours);
        const highest = Math.max(...a, 1e-9);
        cells.forEach((cell, j) => { cell.style.setProperty("--pad-level", `${Math.round(100 * a[j] / highest)}%`); });
        const order = Array.from(p, (_, k) => k).sort((i, j) => p[j] - p[i] || i - j);
        lines.forEach(({ bar, value }, k) => {
          bar.style.width = `${(100 * p[k]).toFixed(1)}%`;
          bar.classList.toggle("pad-first", k === order[0]);
          value.textContent = p[k].toFixed(3);
        });
        const [images, labels] = [recording.still("images"), recording.still("labels")];
        gallery.replaceChildren(...rows.map((number_) => {
          const canvas = html("canvas", { class: "pad-small", "aria-hidden": "true" });
          inkImage(canvas, images.subarray(64 * number_, 64 * number_ + 64), 8, 8, colours);
          return html("span", { class: "pad-item" }, canvas, String(labels[number_]));
        }));
        distance.textContent = `The first is at a distance of ${far.toFixed(2)}.`;
        const black = Array.from(image).filter((value) => value > 0).length;
        place(pixels, { "aria-label": `Eight by eight pixels, ${black} of them with ink` });
        place(hidden, { "aria-label": `${Array.from(a).filter((value) => value > 0).length} of 32 hidden neurons answer` });
        [undo, clear].forEach((tool) => place(tool, { "aria-disabled": String(!mine) }));
        if (!mine) return undefined;
        return `Your drawing${centred.checked ? "" : ", as it stands on the sheet"}: the network says ${order[0]} with probability ${p[order[0]].toFixed(3)}, `
          + `then ${order[1]} with ${p[order[1]].toFixed(3)}. The nearest training images are ${listed(rows.map((r) => labels[r]))}.`;
      },
    };
  },
});
