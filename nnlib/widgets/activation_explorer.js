/* An activation and its slope, one above the other; the point is dragged along z. */

export default instrument({
  create(figure) {
    const panel = (heading, colour, height, label) => {
      const title = figure.stage.appendChild(html("h4", { class: "nn-heading" }, heading));
      const plot = figure.chart(figure.stage, { label: heading, height, x: { domain: [-6, 6], label }, y: { domain: [0, 1] } });
      return {
        title,
        plot,
        flat: plot.marks.appendChild(svg("g")),
        zero: plot.marks.appendChild(svg("path", { class: "nn-line nn-quiet" })),
        now: plot.marks.appendChild(svg("line", { class: "nn-line nn-quiet" })),
        curve: plot.marks.appendChild(svg("path", { class: `nn-line nn-${colour}` })),
        dot: plot.over.appendChild(svg("circle", { class: `nn-dot nn-${colour}`, r: 6 })),
        reading: plot.over.appendChild(svg("text", { class: `nn-label nn-${colour}` })),
      };
    };
    const panels = [panel("Activation f(z)", "negative", 220, ""), panel("Slope f′(z)", "positive", 190, "weighted sum z")];
    const handles = panels.map(({ plot }, k) => figure.handle(plot, {
      label: `Weighted sum z, in the plot of the ${k ? "slope" : "activation"}`, vertical: false, step: 0.1, text: (z) => `z ${number(z)}`,
      onmove: ({ x }) => figure.goto({ z: x }),
    }));

    return {
      start(recording) {
        const z = recording.still("z");
        const { formula, slope_formula: slopeFormula } = recording.meta;
        panels.forEach(({ plot, title, curve, zero, flat }, k) => {
          const values = recording.still(k ? "slopes" : "values");
          const [lo, hi] = [Math.min(0, ...values), Math.max(1, ...values)];
          const room = 0.08 * (hi - lo);
          plot.set({ y: { domain: [lo - room, hi + room] } });
          title.textContent = k ? `Slope f′(z) = ${slopeFormula}` : `Activation f(z) = ${formula}`;
          place(curve, { d: plot.path(z, values) });
          place(zero, { d: `M${plot.x(-6)} ${plot.y(0)}H${plot.x(6)}M${plot.x(0)} ${plot.top}V${plot.bottom}` });
          const half = (plot.x(z[1]) - plot.x(z[0])) / 2;
          flat.replaceChildren(...Array.from(recording.still("flat"), (isFlat, i) => isFlat && svg("rect", {
            x: plot.x(z[i]) - half, width: 2 * half + 0.5, y: plot.top, height: plot.bottom - plot.top, class: "ae-flat",
          })).filter(Boolean));
        });
      },
      draw(frame) {
        const z = frame.value("z");
        panels.forEach(({ plot, dot, now, reading }, k) => {
          const value = frame.value(k ? "slope" : "value");
          const [x, y] = [plot.x(z), plot.y(value)];
          const left = x > (plot.left + plot.right) / 2;
          place(dot, { cx: x, cy: y });
          place(now, { x1: x, x2: x, y1: plot.top, y2: plot.bottom });
          place(reading, { x: left ? x - 12 : x + 12, y: Math.max(plot.top + 14, y - 8), "text-anchor": left ? "end" : "start" });
          reading.textContent = `${k ? "slope " : ""}${value.toFixed(5).replace("-", "−")}`;
          handles[k].move(z, plot.y.invert(plot.bottom));
        });
      },
    };
  },
});
