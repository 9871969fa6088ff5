/* One neuron: drag its arrow of weights, its line, and two free points.

   The tabulated frames hold everything about the line. Only the free points stand where no table reaches, so these two
   functions add up their sums here; tests/test_neurons.py runs them under node and compares them with nnlib's Neuron. */

function weightedSum(w1, w2, b, x1, x2) {
  return w1 * x1 + w2 * x2 + b;
}

function distanceFromLine(w1, w2, b, x1, x2) {
  return weightedSum(w1, w2, b, x1, x2) / Math.hypot(w1, w2);
}

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const left = row.appendChild(html("div", { class: "nn-panel nn-square" }));
    const right = row.appendChild(html("div", { class: "nn-panel" }));
    left.append(html("p", { class: "nn-heading" },
      "Orange side: the neuron ", html("span", { class: "nn-fires" }, "fires"), ". Blue side: it is ", html("span", { class: "nn-rests" }, "silent"), "."));
    const plane = figure.chart(left, {
      label: "The plane of the two inputs, cut by the neuron's line", height: (width) => width - 14,
      x: { domain: [-1.1, 2.1], label: "x₁" }, y: { domain: [-1.1, 2.1], label: "x₂" },
    });
    const silent = plane.marks.appendChild(svg("rect", { class: "nn-silent" }));
    const firing = plane.marks.appendChild(svg("path", { class: "nn-firing" }));
    const line = plane.marks.appendChild(svg("path", { class: "nn-line" }));
    const arrow = plane.marks.appendChild(svg("path", { class: "nn-line nn-third nn-arrow" }));
    const drops = plane.marks.appendChild(svg("path", { class: "nn-line nn-drop" }));
    const corners = plane.marks.appendChild(svg("g"));
    const arrowName = plane.marks.appendChild(svg("text", { class: "nn-label nn-third" }, "w / 2"));

    const points = {};
    const putBack = () => Object.assign(points, { P: { x: 1.5, y: 0.5 }, Q: { x: -0.5, y: 0.5 } });
    putBack();
    let shown; // the frame on screen, for whatever is dragged
    const weights = () => ["w1", "w2", "bias"].map((name) => shown.value(name));
    const half = (value) => number(Number(value.toFixed(2)));

    const tip = figure.handle(plane, {
      label: "Tip of the arrow of weights", step: 0.25, colour: "third",
      text: () => `w₁ ${number(shown.value("w1"))}, w₂ ${number(shown.value("w2"))}`,
      onmove: ({ x, y }) => figure.goto({ w1: 2 * x, w2: 2 * y }),
    });
    const shift = figure.handle(plane, {
      label: "Place of the line", step: 1, text: () => `bias ${number(shown.value("bias"))}`,
      onmove: ({ x, y }) => {
        const [w1, w2] = weights();
        figure.goto({ b: -weightedSum(w1, w2, 0, x, y) });
      },
    });
    const free = Object.keys(points).map((name) => ({
      name,
      label: plane.over.appendChild(svg("text", { class: "nn-label" })),
      handle: figure.handle(plane, {
        label: `Point ${name}`, step: 0.1, text: () => tell(name),
        onmove: ({ x, y }) => {
          points[name] = { x: Number(x.toFixed(2)), y: Number(y.toFixed(2)) };
          drawPoints();
        },
      }),
      line: html("p", { class: "nn-sum" }),
    }));

    right.append(html("p", { class: "nn-heading" }, "The two free points: drag them"), ...free.map((point) => point.line));
    right.append(html("p", { class: "nn-heading nn-gap" }, "Functions of the four corners that you have made"));
    const chips = right.appendChild(html("ul", { class: "nn-chips" }));
    const tally = right.appendChild(html("p", { class: "nn-sum" }));
    const found = new Set();

    const sumOf = (name) => weightedSum(...weights(), points[name].x, points[name].y);
    function tell(name) {
      const z = sumOf(name);
      return `${name} at (${number(points[name].x)}, ${number(points[name].y)}), sum ${half(z)}, ${z >= 0 ? "fires" : "does not fire"}`;
    }
    const signed = (value) => `${value < 0 ? "−" : "+"} ${number(Math.abs(value))}`;
    const times = (w, x) => `${number(w)} · ${x < 0 ? `(${number(x)})` : number(x)}`;

    function drawPoints() {
      const [w1, w2, b] = weights();
      const [n1, n2] = shown.get("normal");
      let drop = "";
      for (const { name, handle, label, line: words } of free) {
        const { x, y } = points[name];
        const z = sumOf(name);
        handle.move(x, y);
        handle.element.classList.toggle("nn-handle-positive", z >= 0);
        handle.element.classList.toggle("nn-handle-negative", z < 0);
        const high = plane.y(y) - 14 < plane.top + 8;
        place(label, {
          x: plane.x(x), y: plane.y(y) + (high ? 24 : -14), "text-anchor": "middle", class: `nn-label ${z >= 0 ? "nn-positive" : "nn-negative"}`,
        });
        label.textContent = `${name}: z = ${half(z)}`;
        const r = distanceFromLine(w1, w2, b, x, y);
        if (Number.isFinite(r)) drop += `M${plane.x(x)} ${plane.y(y)}L${plane.x(x - r * n1)} ${plane.y(y - r * n2)}`;
        words.textContent = `${name}: z = ${times(w1, x)} + ${times(w2, y)} ${signed(b)} = ${half(z)}, ${z >= 0 ? "fires" : "silent"}`
          + (Number.isFinite(r) ? `; distance ${half(r)}` : "");
      }
      place(drops, { d: drop });
    }

    return {
      reset() {
        putBack();
        found.clear();
      },
      start(recording) {
        place(silent, { x: plane.left, y: plane.top, width: plane.right - plane.left, height: plane.bottom - plane.top });
        const [places, targets] = [recording.still("corners"), recording.still("targets")];
        corners.replaceChildren(...Array.from(targets, (target, i) => {
          const [x, y] = places.subarray(2 * i, 2 * i + 2);
          const ring = svg("circle", { class: `nn-wanted ${target === 1 ? "nn-positive" : "nn-negative"}`, r: target < 0 ? 0 : 12 });
          const sum = svg("text", { class: "nn-label", y: y ? -17 : 26, "text-anchor": "middle" });
          return svg("g", { transform: `translate(${plane.x(x)} ${plane.y(y)})` },
            ring, svg("circle", { class: "nn-dot", r: 7 }), svg("path", { class: "nn-wrong", d: "M-9 -9L9 9M-9 9L9 -9" }), sum);
        }));
      },
      draw(frame) {
        shown = frame;
        const [z, answers, targets] = [frame.get("z"), frame.get("answer"), frame.recording.still("targets")];
        const [[f1, f2], [n1, n2]] = [frame.get("foot"), frame.get("normal")];
        const exists = Number.isFinite(f1);
        const at = (x, y) => `${plane.x(x)} ${plane.y(y)}`;
        const along = (t, s) => at(f1 - t * n2 + s * n1, f2 + t * n1 + s * n2);
        const far = 12;
        const everywhere = `M${at(-9, -9)}L${at(9, -9)}L${at(9, 9)}L${at(-9, 9)}Z`;
        place(line, { d: exists ? `M${along(-far, 0)}L${along(far, 0)}` : "" });
        place(firing, {
          d: exists ? `M${along(-far, 0)}L${along(far, 0)}L${along(far, far)}L${along(-far, far)}Z`
            : frame.value("bias") >= 0 ? everywhere : "",
        });
        [...corners.children].forEach((corner, i) => {
          const [, dot, , sum] = corner.children;
          place(dot, { class: `nn-dot ${answers[i] ? "nn-positive" : "nn-negative"}` });
          corner.classList.toggle("nn-missed", targets[i] >= 0 && targets[i] !== answers[i]);
          sum.textContent = number(z[i]);
        });

        const [w1, w2] = weights();
        const [x0, y0, x1, y1] = [plane.x(0), plane.y(0), plane.x(w1 / 2), plane.y(w2 / 2)];
        const length = Math.hypot(x1 - x0, y1 - y0);
        const back = [(x0 - x1) / length, (y0 - y1) / length];
        const barb = (turn) => `${x1 + 20 * back[0] + turn * 6 * back[1]} ${y1 + 20 * back[1] - turn * 6 * back[0]}`;
        place(arrow, { d: length > 22 ? `M${x0} ${y0}L${x1} ${y1}M${barb(1)}L${x1 + 10 * back[0]} ${y1 + 10 * back[1]}L${barb(-1)}` : "" });
        place(arrowName, { x: x1 + 14, y: y1 + 18 });
        tip.move(w1 / 2, w2 / 2);
        place(shift.element, { visibility: exists ? null : "hidden" });
        if (exists) shift.move(Math.min(2.05, Math.max(-1.05, f1)), Math.min(2.05, Math.max(-1.05, f2)));
        drawPoints();

        const { functions } = frame.recording.meta;
        const made = frame.value("made").toString(2).padStart(4, "0");
        found.add(made);
        chips.replaceChildren(...functions.map(([bits, name]) => html("li", {
          class: `${found.has(bits) ? "nn-found" : ""} ${bits === made ? "nn-made" : ""}`, "aria-current": bits === made ? "true" : null,
        }, name)));
        tally.textContent = `${found.size} of ${functions.length} so far`;
      },
    };
  },
});
