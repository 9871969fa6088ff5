/* An activation and its slope, one above the other; the point is dragged along z. */

export default instrument({
  create(figure) {
    const panel = (heading, colour, height, label) => {
      const title = figure.stage.appendChild(html("p", { class: "nn-heading" }, heading));
      const plot = figure.chart(figure.stage, { label: heading, height, x: { domain: [-6, 6], label }, y: { domain: [0, 1] } });
      return {
        title,
        plot,
        flat: plot.marks.appendChild(svg("g")),
        zero: plot.marks.appendChild(svg("path", { class: "nn-line nn-quiet" })),
        now: plot.marks.appendChild(svg("line", { class: "nn-line nn-quiet" })),
        curve: plot.marks.appendChild(svg("path", { class: `nn-line nn-${colour}` })),
        notes: plot.over.appendChild(svg("g")),
        colour,
        reading: plot.over.appendChild(svg("text", { class: `nn-label nn-${colour}` })),
      };
    };
    const panels = [panel("Activation f(z)", "negative", 220, ""), panel("Slope f′(z)", "positive", 190, "weighted sum z")];
    const handles = panels.map(({ plot, colour }, k) => figure.handle(plot, {
      label: `Weighted sum z, in the plot of the ${k ? "slope" : "activation"}`, vertical: false, step: 0.1, colour, text: (z) => `z ${number(z)}`,
      onmove: ({ x }) => figure.goto({ z: x }),
    }));

    return {
      start(recording) {
        const z = recording.still("grid");
        const { formula, slope_formula: slopeFormula } = recording.meta;
        panels.forEach(({ plot, title, curve, zero, flat, notes }, k) => {
          const values = recording.still(k ? "slopes" : "values");
          const [lo, hi] = [Math.min(0, ...values), Math.max(1, ...values)];
          const room = 0.08 * (hi - lo);
          plot.set({ y: { domain: [lo - room, hi + room] } });
          title.textContent = k ? `Slope f′(z) = ${slopeFormula}` : `Activation f(z) = ${formula}`;
          place(curve, { d: plot.path(z, values) });
          place(zero, { d: `M${plot.x(-6)} ${plot.y(0)}H${plot.x(6)}M${plot.x(0)} ${plot.top}V${plot.bottom}` });
          const ends = recording.still("flat");
          const stretches = Array.from({ length: ends.length / 2 }, (_, i) => [plot.x(ends[2 * i]), plot.x(ends[2 * i + 1])]);
          flat.replaceChildren(...stretches.map(([x1, x2]) => svg("rect", {
            x: x1, width: x2 - x1, y: plot.top, height: plot.bottom - plot.top, class: "ae-flat",
          })));
          notes.replaceChildren(...stretches.filter(([x1, x2]) => k === 1 && x2 - x1 > 60).map(([x1, x2]) => svg("text", {
            x: (x1 + x2) / 2, y: (plot.top + plot.bottom) / 2, "text-anchor": "middle", class: "nn-quiet",
          }, "flat")));
        });
      },
      draw(frame) {
        const z = frame.value("z");
        panels.forEach(({ plot, now, reading }, k) => {
          const value = frame.value(k ? "slope" : "value");
          const [x, y] = [plot.x(z), plot.y(value)];
          const left = x > (plot.left + plot.right) / 2;
          place(now, { x1: x, x2: x, y1: plot.top, y2: plot.bottom });
          place(reading, { x: left ? x - 16 : x + 16, y: Math.max(plot.top + 14, y - 10), "text-anchor": left ? "end" : "start" });
          reading.textContent = `${k ? "slope " : ""}${value.toFixed(5).replace("-", "−")}`;
          handles[k].move(z, value);
        });
      },
    };
  },
});
