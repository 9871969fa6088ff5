/* Three losses over one prediction, and below them their slopes; the prediction is dragged along the axis. */

const LOSS_COLOURS = ["negative", "positive", "third"];

export default instrument({
  create(figure) {
    const panel = (what, height, label) => {
      const plot = figure.chart(figure.stage, {
        label: `The ${what} of three losses over the prediction`, height, margin: { right: 14 }, x: { domain: [0, 1], label }, y: { domain: [0, 1], label: what },
      });
      return {
        what,
        plot,
        target: plot.marks.appendChild(svg("line", { class: "nn-line nn-quiet", "stroke-dasharray": "3 4" })),
        now: plot.marks.appendChild(svg("line", { class: "nn-line nn-quiet" })),
        curves: LOSS_COLOURS.map((colour) => plot.marks.appendChild(svg("path", { class: `nn-line nn-${colour}` }))),
        labels: LOSS_COLOURS.map((colour) => plot.over.appendChild(svg("text", { class: `nn-label nn-${colour}` }))),
        dots: LOSS_COLOURS.map((colour) => plot.over.appendChild(svg("circle", { class: `nn-dot nn-${colour}`, r: 6 }))),
      };
    };
    const key = figure.stage.appendChild(html("ul", { class: "loss-readings" }));
    const readings = LOSS_COLOURS.map((colour) => {
      const [name, loss, slope] = [html("b", { style: `--tone: var(--nn-${colour})` }), html("span"), html("span")];
      key.append(html("li", {}, name, loss, slope));
      return { name, loss, slope };
    });
    const panels = [panel("loss", 210, ""), panel("slope", 190, "Output p")];
    const handles = panels.map(({ plot, what }) => figure.handle(plot, {
      label: `Prediction, in the plot of the ${what}`, vertical: false, step: 0.1, text: (x) => number(x),
      onmove: ({ x }) => figure.goto({ output: x }),
    }));

    return {
      start(recording) {
        const { names, limits: [lo, hi, top, low, high], target, axis } = recording.meta;
        const outputs = recording.still("outputs");
        for (const [k, { plot, what, curves, target: mark }] of panels.entries()) {
          plot.set({
            x: { domain: [lo, hi], ...(k === 1 ? { label: axis } : {}) },
            y: { domain: k === 0 ? [0, top] : [low, high] },
          });
          const values = recording.still(k === 0 ? "losses" : "slopes");
          curves.forEach((curve, i) => {
            const mine = values.subarray(i * outputs.length, (i + 1) * outputs.length);
            place(curve, { d: plot.path(outputs, mine) });
          });
          place(plot.svg, { "aria-label": `The ${what} of ${names.join(", ")}` });
          place(mark, {
            visibility: target === null ? "hidden" : null, x1: plot.x(target ?? lo), x2: plot.x(target ?? lo), y1: plot.top, y2: plot.bottom,
          });
        }
        readings.forEach(({ name }, i) => { name.textContent = names[i]; });
      },
      draw(frame) {
        const output = frame.value("output");
        const { names } = frame.recording.meta;
        for (const [k, { plot, dots, labels, now }] of panels.entries()) {
          const values = frame.get(k === 0 ? "loss" : "slope");
          dots.forEach((dot, i) => {
            const y = plot.y(values[i]);
            const inside = y >= plot.top - 1 && y <= plot.bottom + 1;
            place(dot, { cx: plot.x(output), cy: inside ? y : plot.top, visibility: inside ? null : "hidden" });
          });
          const right = plot.x(output) < (plot.left + plot.right) / 2;
          const heights = apart(Array.from(values, plot.y), 15, plot.top + 6, plot.bottom - 14);
          labels.forEach((label, i) => {
            const beyond = plot.y(values[i]) < plot.top - 1 ? " ↑" : plot.y(values[i]) > plot.bottom + 1 ? " ↓" : "";
            place(label, { x: plot.x(output) + (right ? 12 : -12), y: heights[i] + 4, "text-anchor": right ? "start" : "end" });
            label.textContent = `${names[i]}${beyond}`;
          });
          place(now, { x1: plot.x(output), x2: plot.x(output), y1: plot.top, y2: plot.bottom });
          handles[k].move(output, plot.y.invert(plot.bottom));
        }
        const [loss, slope] = [frame.get("loss"), frame.get("slope")];
        readings.forEach((entry, i) => {
          entry.loss.textContent = `loss ${loss[i].toFixed(4)}`;
          entry.slope.textContent = `slope ${slope[i].toFixed(5).replace("-", "−")}`;
        });
      },
    };
  },
});
