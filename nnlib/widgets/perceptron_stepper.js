/* The perceptron rule: the plane with the line before and after each look, and the squeeze of Novikoff's proof. */

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const [left, right] = ["The neuron's line (hollow: answered wrong)", "Length ‖θ‖ after k mistakes"].map((heading) => panel(row, heading));
    const plane = figure.chart(left, {
      label: "The examples, the neuron's line, and the side on which it fires", height: 300, x: { label: "x₁" }, y: { label: "x₂" },
    });
    const side = plane.marks.appendChild(svg("path", { class: "nn-fires-here" }));
    const old = plane.marks.appendChild(svg("path", { class: "nn-line nn-dashed" }));
    const line = plane.marks.appendChild(svg("path", { class: "nn-line" }));
    const fires = plane.marks.appendChild(svg("text", { class: "nn-label nn-positive", "text-anchor": "middle" }, "fires"));
    const looked = plane.marks.appendChild(svg("circle", { class: "nn-looked", r: 14 }));
    const dots = plane.marks.appendChild(svg("g"));

    const squeeze = figure.chart(right, {
      label: "The length of the parameters between its two walls", height: 300, x: { label: "mistakes k" }, y: { label: "‖θ‖" },
    });
    const ceiling = squeeze.marks.appendChild(svg("path", { class: "nn-line nn-quiet" }));
    const floor = squeeze.marks.appendChild(svg("path", { class: "nn-line nn-quiet nn-dashed" }));
    const meet = squeeze.marks.appendChild(svg("path", { class: "nn-line nn-fourth nn-dashed" }));
    const walk = squeeze.marks.appendChild(svg("path", { class: "nn-line nn-third" }));
    const now = squeeze.marks.appendChild(svg("circle", { class: "nn-dot nn-third", r: 5 }));
    const names = Object.fromEntries(["ceiling", "floor", "promise", "made"].map((name) => [
      name, squeeze.marks.appendChild(svg("text", { class: name === "made" ? "nn-label nn-third" : name === "promise" ? "nn-label nn-fourth" : "nn-quiet" })),
    ]));

    const classOf = (target) => (target ? "nn-positive" : "nn-negative");
    return {
      start(recording) {
        const [x0, x1, y0, y1] = recording.still("box");
        plane.set({ x: { domain: [x0, x1] }, y: { domain: [y0, y1] } });
        const [points, targets] = [recording.still("X"), recording.still("y")];
        dots.replaceChildren(...Array.from(targets, (target, i) => {
          const at = `translate(${plane.x(points[2 * i])} ${plane.y(points[2 * i + 1])})`;
          const mark = target ? svg("path", { class: "nn-dot nn-positive", d: "M0 -7L7 0L0 7L-7 0Z" })
            : svg("circle", { class: "nn-dot nn-negative", r: 5.5 });
          return svg("g", { transform: at }, mark);
        }));

        const [k, top, bottom] = ["k", "ceiling", "floor"].map((name) => recording.still(name));
        const last = k.length - 1;
        squeeze.set({ x: { domain: [0, k[last]] }, y: { domain: [0, Math.max(top[last], bottom[last]) * 1.08] } });
        const { bound } = recording.meta;
        const within = bound !== null && bound <= k[last];
        place(ceiling, { d: squeeze.path(k, top) });
        place(floor, { d: bound === null ? "" : squeeze.path(k, bottom) });
        const spot = Math.round(last * 0.3);
        place(names.ceiling, { x: squeeze.x(k[spot]) - 4, y: squeeze.y(top[spot]) - 8, "text-anchor": "end" });
        names.ceiling.textContent = "√k R";
        place(names.floor, { x: squeeze.x(k[Math.round(last * 0.5)]) + 6, y: squeeze.y(bottom[Math.round(last * 0.5)]) + 14 });
        names.floor.textContent = bound === null ? "" : "k γ";
        place(meet, { d: within ? `M${squeeze.x(bound)} ${squeeze.bottom}V${squeeze.top}` : "" });
        place(names.promise, { x: within ? squeeze.x(bound) - 6 : squeeze.right - 4, y: squeeze.bottom - 10, "text-anchor": "end" });
        names.promise.textContent = bound === null ? "no promise: no line separates"
          : `at most ${Math.round(bound)}${within ? "" : " →"}`;
      },
      draw(frame) {
        const corners = (name) => Array.from({ length: 4 }, (_, i) => {
          const [x, y] = frame.get(name).subarray(2 * i, 2 * i + 2);
          return [plane.x(x), plane.y(y)];
        });
        const path = (points) => (points.flat().every(Number.isFinite) ? `M${points.join("L")}` : "");
        const firing = corners("firing");
        place(side, { d: path(firing) && `${path(firing)}Z` });
        place(line, { d: path(firing.slice(0, 2)) });
        place(old, { d: path(corners("before").slice(0, 2)) });
        // "fires" stands in the corner of the plane that lies deepest on the firing side, if any does.
        const [from, , , up] = firing;
        const inward = [up[0] - from[0], up[1] - from[1]];
        const spots = [plane.left + 26, plane.right - 26].flatMap((x) => [plane.top + 16, plane.bottom - 10].map((y) => ({
          x, y, depth: ((x - from[0]) * inward[0] + (y - from[1]) * inward[1]) / Math.hypot(...inward),
        })));
        const deepest = spots.reduce((best, spot) => (spot.depth > best.depth ? spot : best));
        place(fires, { x: deepest.x, y: deepest.y, visibility: deepest.depth > 12 ? null : "hidden" });
        const example = frame.value("example");
        place(looked, example < 0 ? { r: 0 } : {
          r: 14, cx: plane.x(frame.recording.still("X")[2 * example]), cy: plane.y(frame.recording.still("X")[2 * example + 1]),
        });
        const wrong = frame.get("wrong");
        [...dots.children].forEach((dot, i) => dot.firstChild.classList.toggle("nn-hollow", Boolean(wrong[i])));
        place(looked, { class: `nn-looked ${frame.value("answer") === frame.value("target") ? "" : classOf(frame.value("target"))}` });

        const until = (name) => frame.recording.all(name).subarray(0, frame.step + 1);
        const [mistakes, lengths] = [until("mistakes"), until("length")];
        place(walk, { d: squeeze.path(mistakes, lengths) });
        const made = mistakes[frame.step];
        const at = { x: squeeze.x(made), y: squeeze.y(lengths[frame.step]) };
        place(now, { cx: at.x, cy: at.y });
        const room = at.x < (squeeze.left + squeeze.right) / 2;
        place(names.made, { x: at.x + (room ? 9 : -9), y: at.y + 16, "text-anchor": room ? "start" : "end" });
        names.made.textContent = `${made} ${made === 1 ? "mistake" : "mistakes"}`;
      },
    };
  },
});
