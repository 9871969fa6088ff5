/* Nine points, three fits, one point in the reader's hand; beside them the pull of every point on every fit. */

const LOSS_COLOURS = ["negative", "positive", "third"];

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const left = panel(row, "Nine points and their three fits: drag the ringed point", { name: "outlier-fits" });
    const right = panel(row, "How hard each point pulls on the fit");

    const plot = figure.chart(left, {
      label: "Nine points over x with the fits of three losses", height: 320, margin: { right: 96 },
      x: { domain: [-4.6, 4.6], label: "x", ticks: [-4, -2, 0, 2, 4] }, y: { domain: [-4.6, 12.6], label: "y" },
    });
    const lines = LOSS_COLOURS.map((colour) => plot.marks.appendChild(svg("path", { class: `nn-line nn-${colour}` })));
    const labels = LOSS_COLOURS.map((colour) => plot.over.appendChild(svg("text", { class: `nn-label nn-${colour}` })));
    const dots = Array.from({ length: 9 }, () => plot.marks.appendChild(svg("circle", { class: "nn-dot", r: 4.5 })));
    const handle = figure.handle(plot, {
      label: "Moving point, height y", horizontal: false, step: 0.1, text: (x, y) => `y ${number(y)}`,
      onmove: ({ y }) => figure.goto({ height: y }),
    });

    const bars = LOSS_COLOURS.map((colour, k) => {
      const chart = figure.chart(right, {
        label: "Pulls of the nine points", height: k === 2 ? 128 : 96,
        margin: { left: 12, right: 12, top: 22, bottom: k === 2 ? 38 : 8 },
        x: { domain: [-4.6, 4.6], label: k === 2 ? "x" : "", ticks: k === 2 ? [-4, -2, 0, 2, 4] : [] }, y: { domain: [-1, 1], ticks: [0] , format: () => "" },
      });
      return {
        chart,
        title: chart.over.appendChild(svg("text", { class: `nn-label nn-${colour}` })),
        rects: Array.from({ length: 9 }, () => chart.marks.appendChild(svg("rect", { fill: `var(--nn-${colour})` }))),
      };
    });

    let xs;
    let edges;
    let meta;
    return {
      start(recording) {
        [xs, edges, meta] = [recording.still("x"), recording.still("edges"), recording.meta];
        bars.forEach(({ chart }, k) => place(chart.svg, { "aria-label": `Pulls of the nine points, ${meta.names[k]}` }));
      },
      draw(frame) {
        const y = frame.get("y");
        const heights = frame.get("ends");
        lines.forEach((line, k) => place(line, { d: plot.path(edges, heights.subarray(2 * k, 2 * k + 2)) }));
        apart(LOSS_COLOURS.map((_, k) => plot.y(heights[2 * k + 1])), 16, plot.top + 6, plot.bottom).forEach((at, k) => {
          place(labels[k], { x: plot.right + 6, y: at + 4 }).textContent = meta.names[k].replace(", δ = ", " δ ");
        });
        dots.forEach((dot, i) => place(dot, { cx: plot.x(xs[i]), cy: plot.y(y[i]), visibility: i === meta.moved ? "hidden" : null }));
        handle.move(xs[meta.moved], y[meta.moved]);

        const pulls = frame.get("pulls");
        bars.forEach(({ chart, title, rects }, k) => {
          const mine = pulls.subarray(9 * k, 9 * k + 9);
          const largest = Math.max(...mine.map(Math.abs), 1e-9);
          const wide = Math.min(18, (chart.right - chart.left) / 14);
          rects.forEach((rect, i) => {
            const [zero, tip] = [chart.y(0), chart.y((0.92 * mine[i]) / largest)];
            place(rect, {
              x: chart.x(xs[i]) - wide / 2, width: wide, y: Math.min(zero, tip), height: Math.max(Math.abs(tip - zero), 0.75),
              opacity: i === meta.moved ? 1 : 0.45,
            });
          });
          const pull = mine[meta.moved];
          place(title, { x: chart.left, y: 14 }).textContent = `${meta.names[k]}: ringed point ${number(pull, 3)}`;
        });
      },
    };
  },
});
