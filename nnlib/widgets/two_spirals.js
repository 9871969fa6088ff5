/* The view of the two spirals: the plane, the slope that arrives at each layer, and the share of points right. */

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const plane = figure.chart(panel(row, "What the network says", { flex: "1.3 1 16rem" }), {
      label: "The plane coloured by what the network says, with the points of both spirals",
      height: (width) => Math.min(width, 330), x: { domain: [-1.1, 1.1], label: "x₁" }, y: { domain: [-1.1, 1.1], label: "x₂" },
    });
    const bars = figure.chart(panel(row, "Slope δ at each layer, the last is 1", { flex: "1 1 12rem" }), {
      label: "Size of the slope at each layer relative to the last, logarithmic", height: 250,
      x: { domain: [0.4, 4.6], ticks: [1, 2, 3, 4], label: "layer" }, y: { log: true, domain: [0.05, 100] },
    });
    const curve = figure.chart(panel(row, "Share of points right", { flex: "1.1 1 13rem" }), {
      label: "Share of points right over the sweeps, with a tick for each seed of the study that learned all", height: 250,
      x: { log: true, domain: [0.7, 20000], label: "sweeps" }, y: { domain: [0.4, 1.16], ticks: [0.5, 0.75, 1] },
    });
    const ticks = curve.marks.appendChild(svg("g", { class: "nn-spirals-seeds" }));
    const note = curve.over.appendChild(svg("text", { class: "nn-quiet" }));
    const share = track(curve);
    const one = bars.marks.appendChild(svg("line", { class: "nn-spirals-one" }));
    const rects = [1, 2, 3, 4].map(() => bars.marks.appendChild(svg("rect", { class: "nn-spirals-bar" })));
    const points = plane.marks.appendChild(svg("g"));

    return {
      start(recording) {
        const at = recording.still("points");
        const classes = recording.still("classes");
        points.replaceChildren(...Array.from(classes, (label, i) => svg("circle", {
          class: `nn-dot ${label > 0.5 ? "nn-positive" : "nn-negative"}`, r: 3.2, cx: plane.x(at[2 * i]), cy: plane.y(at[2 * i + 1]),
        })));
        place(one, { x1: bars.left, x2: bars.right, y1: bars.y(1), y2: bars.y(1) });
        const solved = recording.still("solved");
        ticks.replaceChildren(...Array.from(solved, (sweep) => svg("line", {
          x1: curve.x(sweep), x2: curve.x(sweep), y1: curve.top, y2: curve.top + 12,
        })));
        note.textContent = `ticks: ${solved.length} of ${recording.still("seeds")[0]} seeds had all right`;
        place(note, { x: curve.left + 4, y: curve.top + 26 });
        share.start(recording.all("sweep"), Float64Array.from(recording.all("right"), (right) => right / classes.length));
      },
      draw(frame) {
        plane.heatmap(frame.get("surface"), 40, 40, -1.5, 1.5, figure.colours);
        const sizes = frame.get("sizes");
        const wide = (bars.x(2) - bars.x(1)) * 0.6;
        rects.forEach((rect, layer) => {
          const [top, base] = [bars.y(sizes[layer]), bars.bottom];
          place(rect, { x: bars.x(layer + 1) - wide / 2, width: wide, y: Math.max(top, bars.top), height: Math.max(0, base - Math.max(top, bars.top)) });
        });
        share.draw(frame.step);
      },
    };
  },
});
