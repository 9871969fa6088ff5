/* A curve from steps: the staircase so far, the neuron just added, and the error against the number of bumps. */

export default instrument({
  create(figure) {
    const plot = figure.chart(figure.stage, {
      label: "The curve to follow and the output of the network so far", height: 250,
      x: { domain: [0, 1], label: "x" }, y: { domain: [-1.3, 1.3], label: "output" },
    });
    const grid = plot.marks.appendChild(svg("path", { class: "nn-edges" }));
    const target = plot.marks.appendChild(svg("path", { class: "nn-line nn-target" }));
    const signal = plot.marks.appendChild(svg("path", { class: "nn-line nn-third nn-signal" }));
    const output = plot.marks.appendChild(svg("path", { class: "nn-line nn-positive" }));
    const names = [["curve", "nn-quiet"], ["network", "nn-positive"], ["newest neuron", "nn-third"]].map(([text, tone]) => (
      plot.marks.appendChild(svg("text", { class: `nn-label ${tone}`, "text-anchor": "end" }, text))));

    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const [left, right] = ["Hidden neurons: ▲ steps up, ▼ takes it back", "Greatest error with n bumps"].map((heading) => panel(row, heading));
    const neurons = left.appendChild(html("p", { class: "nn-neurons", "aria-hidden": "true" }));
    const reading = left.appendChild(html("dl", { class: "nn-reading" }));
    const lines = ["Hidden neurons", "Greatest error where built", "Promise L / 2n"].map((label) => {
      const value = html("dd");
      reading.append(html("dt", {}, label), value);
      return value;
    });
    const errors = figure.chart(right, {
      label: "Greatest error against the number of bumps, both logarithmic", height: 190,
      x: { domain: [0.9, 75], log: true, label: "bumps n", ticks: [1, 2, 4, 8, 16, 32, 64] }, y: { log: true, domain: [0.01, 20] },
    });
    const promise = errors.marks.appendChild(svg("path", { class: "nn-line nn-quiet nn-dashed" }));
    const measured = errors.marks.appendChild(svg("path", { class: "nn-line nn-positive" }));
    const dots = errors.marks.appendChild(svg("g"));
    const promised = errors.marks.appendChild(svg("text", { class: "nn-quiet" }, "promise L / 2n"));

    const setReading = (...texts) => texts.forEach((text, i) => { lines[i].textContent = text; });
    let bumps = 0;
    let limit = 0;
    return {
      start(recording) {
        const [x, edges] = [recording.still("x"), recording.still("edges")];
        bumps = edges.length - 1;
        place(target, { d: plot.path(x, recording.still("target")) });
        place(grid, { d: Array.from(edges, (edge) => `M${plot.x(edge)} ${plot.top}V${plot.bottom}`).join("") });
        names.forEach((name, i) => place(name, { x: plot.right - 6, y: plot.top + 16 + 16 * i }));
        neurons.replaceChildren(...Array.from({ length: 2 * bumps }, (_, i) => html("span", {}, i % 2 ? "▼" : "▲")));

        const [counts, found, promises] = ["counts", "errors", "promises"].map((name) => recording.still(name));
        limit = promises[0] / bumps;
        place(promise, { d: errors.path(counts, promises) });
        place(measured, { d: errors.path(counts, found) });
        place(promised, { x: errors.x(counts[1]) + 10, y: errors.y(promises[1]) - 4 });
        dots.replaceChildren(...Array.from(counts, (n, i) => svg("circle", {
          class: "nn-dot nn-positive", cx: errors.x(n), cy: errors.y(found[i]), r: n === bumps ? 7 : 3.5,
        })));
      },
      draw(frame) {
        const x = frame.recording.still("x");
        place(output, { d: plot.path(x, frame.get("output")) });
        place(signal, { d: frame.step ? plot.path(x, frame.get("signal")) : "" });
        [...neurons.children].forEach((neuron, i) => {
          neuron.className = i === frame.step - 1 ? "nn-newest" : i < frame.step ? "nn-placed" : "";
        });
        const built = frame.value("done") ? number(frame.value("built")) : "-";
        setReading(`${frame.value("neurons")} of ${2 * bumps}`, built, number(limit));
      },
    };
  },
});
