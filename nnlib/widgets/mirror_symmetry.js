/* The view of mirror symmetry: the hidden units' weights as bars, all 64 patterns as a map, the error, and when the
   runs of the other seeds were done. */

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const bars = figure.chart(panel(row, "Weights from the six inputs", { flex: "1.5 1 15rem" }), {
      label: "Weights of the two hidden units from each of the six inputs", height: 240, margin: { left: 36 },
      x: { domain: [0.4, 6.6], ticks: [1, 2, 3, 4, 5, 6], label: "input" }, y: { domain: [-1, 1] },
    });
    const map = figure.chart(panel(row, "The answer to each pattern", { flex: "1 1 13rem" }), {
      label: "The output for all 64 patterns, left half against right half read backwards", height: 240,
      x: { domain: [-0.5, 7.5], ticks: [0, 1, 2, 3, 4, 5, 6, 7], format: (half) => half.toString(2).padStart(3, "0"), label: "right half, backwards" },
      y: { domain: [-0.5, 7.5], ticks: [0, 1, 2, 3, 4, 5, 6, 7], format: (half) => half.toString(2).padStart(3, "0"), label: "left half" },
    });
    const curve = figure.chart(panel(row, "Error E, and when other seeds were done", { flex: "1.2 1 14rem" }), {
      label: "Error over the sweeps, with a tick for each seed that learned the task", height: 240,
      x: { log: true, domain: [0.7, 20000], label: "sweeps" }, y: { domain: [0, 1] },
    });
    const zero = bars.marks.appendChild(svg("line", { class: "nn-mirror-zero" }));
    const middle = bars.marks.appendChild(svg("line", { class: "nn-mirror-middle" }));
    const rects = [0, 1].map((unit) => Array.from({ length: 6 }, () => (
      bars.marks.appendChild(svg("rect", { class: `nn-mirror-unit-${unit}` })))));
    const names = [0, 1].map((unit) => bars.over.appendChild(
      svg("text", { class: `nn-label ${["nn-third", "nn-fourth"][unit]}` }, ["hidden unit 1", "hidden unit 2"][unit])));
    const biases = bars.over.appendChild(svg("text", { class: "nn-quiet", "text-anchor": "middle" }));
    const diagonal = map.marks.appendChild(svg("g", { class: "nn-mirror-diagonal" }));
    const ticks = curve.marks.appendChild(svg("g", { class: "nn-mirror-seeds" }));
    const error = track(curve);
    const note = curve.over.appendChild(svg("text", { class: "nn-quiet", "text-anchor": "end" }));
    let cells;

    return {
      start(recording) {
        let largest = 0.5;
        for (let step = 0; step < recording.count; step += 1) {
          recording.get("weights", step).subarray(0, 12).forEach((weight) => { largest = Math.max(largest, Math.abs(weight)); });
        }
        bars.set({ y: { domain: [-1.3 * largest, 1.3 * largest] } });
        place(zero, { x1: bars.left, x2: bars.right, y1: bars.y(0), y2: bars.y(0) });
        place(middle, { x1: bars.x(3.5), x2: bars.x(3.5), y1: bars.top, y2: bars.bottom });
        names.forEach((name, unit) => place(name, {
          x: unit ? bars.right - 2 : bars.left + 4, y: bars.top + 12, "text-anchor": unit ? "end" : "start",
        }));
        place(biases, { x: (bars.left + bars.right) / 2, y: bars.bottom - 6 });

        cells = recording.still("cell");
        const side = (map.right - map.left) / 8;
        const tall = (map.bottom - map.top) / 8;
        diagonal.replaceChildren(...Array.from({ length: 8 }, (_, half) => svg("rect", {
          x: map.x(half) - side / 2 + 1, y: map.y(half) - tall / 2 + 1, width: side - 2, height: tall - 2,
        })));

        const losses = recording.all("loss");
        const solved = recording.still("solved");
        curve.set({ y: { domain: [0, 1.25 * losses.reduce((most, loss) => Math.max(most, loss))] } });
        ticks.replaceChildren(...Array.from(solved, (sweep) => svg("line", {
          x1: curve.x(sweep), x2: curve.x(sweep), y1: curve.top, y2: curve.top + 12,
        })));
        note.textContent = `ticks: ${solved.length} of ${recording.still("seeds")[0]} seeds, the paper’s recipe`;
        place(note, { x: curve.right, y: curve.top + 26 });
        error.start(recording.all("sweep"), losses);
      },
      draw(frame) {
        const weights = frame.get("weights"); // W row by row, then the biases of the hidden units, then the output's
        const wide = (bars.x(2) - bars.x(1)) * 0.36;
        rects.forEach((units, unit) => units.forEach((rect, input) => {
          const height = bars.y(0) - bars.y(weights[2 * input + unit]);
          place(rect, {
            x: bars.x(input + 1) + (unit - 1) * wide, width: wide - 1, y: height > 0 ? bars.y(0) - height : bars.y(0), height: Math.abs(height),
          });
        }));
        biases.textContent = `biases ${number(weights[12], 2)} and ${number(weights[13], 2)}`;
        const outputs = frame.get("outputs");
        const values = new Float32Array(64);
        cells.forEach((cell, pattern) => { values[cell] = 2 * outputs[pattern] - 1; });
        map.heatmap(values, 8, 8, -1, 1, figure.colours);
        error.draw(frame.step);
      },
    };
  },
});
