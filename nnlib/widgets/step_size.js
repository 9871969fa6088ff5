/* Cross-sections, path, multipliers and loss of gradient descent on a bowl with two directions. */

export default instrument({
  create(figure) {
    const panel = (title) => html("div", { class: "nn-panel nn-step-panel" }, html("p", { class: "nn-heading" }, title));
    const [sections, bowl, circle, curve] = [
      panel("the cross-sections"), panel("the path, from above"), panel("the multipliers"), panel("the loss"),
    ];
    figure.stage.append(html("div", { class: "nn-row" }, sections, bowl), html("div", { class: "nn-row" }, circle, curve));

    const cut = figure.chart(sections, {
      label: "Loss along w and along b, with the point where each walker stands", height: 230,
      x: { domain: [-3.6, 3.6], label: "distance from the minimum" }, y: { domain: [0, 44], label: "loss" },
    });
    const above = figure.chart(bowl, {
      label: "Path over rings of equal loss", height: 230,
      x: { domain: [-1.6, 5.6], label: "w" }, y: { domain: [-1.4, 3.4], label: "b" },
    });
    const disc = figure.chart(circle, {
      label: "The multiplier of each direction in the unit circle", height: 230, margin: { right: 20 },
      x: { domain: [-2.6, 2.6], label: "inside the circle: converges", ticks: [-2, -1, 0, 1, 2] },
      y: { domain: [-1.25, 1.25], ticks: [-1, 0, 1] },
    });
    const loss = figure.chart(curve, {
      label: "Loss step by step, on a logarithmic scale", height: 230,
      x: { domain: [0, 40], label: "step" }, y: { domain: [1e-6, 1e6], log: true },
    });

    const names = ["w", "b"];
    const colours = ["fourth", "third"];
    const [bowls, labels, dots, lines] = [[], [], [], []];
    names.forEach((name, i) => {
      const colour = `nn-${colours[i]}`;
      bowls.push(cut.marks.appendChild(svg("path", { class: `nn-line ${colour}` })));
      labels.push(cut.over.appendChild(svg("text", { class: `nn-label ${colour}` })));
      dots.push(cut.marks.appendChild(svg("circle", { class: `nn-dot ${colour}`, r: 6 })));
      lines.push(cut.marks.appendChild(svg("path", { class: `nn-line nn-step-trail ${colour}` })));
    });
    const rings = above.marks.appendChild(svg("g"));
    const minimum = above.marks.appendChild(svg("path", { class: "nn-line nn-step-minimum" }));
    const path = above.marks.appendChild(svg("path", { class: "nn-line" }));
    const visited = above.marks.appendChild(svg("g"));
    const walker = above.marks.appendChild(svg("circle", { class: "nn-dot", r: 6 }));
    const unit = disc.marks.appendChild(svg("ellipse", { class: "nn-step-unit" }));
    const roots = disc.over.appendChild(svg("g"));
    const fall = loss.marks.appendChild(svg("path", { class: "nn-line" }));
    const here = loss.marks.appendChild(svg("circle", { class: "nn-dot", r: 5 }));
    let run;
    /** Make a unit as long upwards as sideways: circles look like circles, and slopes stand at right angles to rings. */
    const square = (plot, across, middle) => {
      const half = across * (plot.bottom - plot.top) / (plot.right - plot.left);
      plot.set({ y: { domain: [middle - half, middle + half] } });
    };

    return {
      start(recording) {
        const steps = Array.from({ length: recording.count }, (_, t) => t);
        const [w, b] = names.map((name) => Array.from(recording.all(name)));
        const low = recording.still("minimum");
        square(above, recording.meta.span, low[1]);
        square(disc, 2.6, 0);
        const heights = names.map((_, i) => steps.map((t) => recording.get("height", t)[i]));
        run = { steps, w, b, heights, apart: [w.map((value) => value - low[0]), b.map((value) => value - low[1])], loss: recording.all("loss") };
        const offsets = recording.still("offsets");
        const heightsOf = recording.still("sections");
        names.forEach((_, i) => {
          const section = heightsOf.subarray(i * offsets.length, (i + 1) * offsets.length);
          bowls[i].setAttribute("d", cut.path(offsets, section));
        });
        rings.replaceChildren();
        const half = recording.still("rings");
        const [cx, cy] = [above.x(low[0]), above.y(low[1])];
        for (let i = 0; i < half.length; i += 2) {
          rings.append(svg("ellipse", {
            class: "nn-line nn-quiet", cx, cy, rx: above.x(low[0] + half[i]) - cx, ry: cy - above.y(low[1] + half[i + 1]),
          }));
        }
        minimum.setAttribute("d", `M${cx - 6} ${cy}h12M${cx} ${cy - 6}v12`);
        const [ox, oy] = [disc.x(0), disc.y(0)];
        place(unit, { cx: ox, cy: oy, rx: disc.x(1) - ox, ry: oy - disc.y(1) });
        roots.replaceChildren();
        const pairs = recording.still("roots");
        const sizes = recording.still("sizes");
        const count = pairs.length / 4;
        names.forEach((name, i) => {
          for (let k = 0; k < count; k += 1) {
            const [re, im] = [pairs[4 * i + 2 * k], pairs[4 * i + 2 * k + 1]];
            if (k > 0 && recording.meta.settings.momentum === 0) break;
            const shown = Math.min(Math.max(re, -2.5), 2.5);
            roots.append(svg("circle", { class: `nn-dot nn-${colours[i]}`, r: k === 0 ? 6 : 4, cx: disc.x(shown), cy: disc.y(im) }));
            if (k > 0) continue;
            const text = Math.abs(im) < 1e-9 ? `${name}: ${re < 0 ? "−" : "+"}${number(Math.abs(re))}` : `${name}: size ${number(sizes[i])}`;
            roots.append(svg("text", {
              class: `nn-label nn-${colours[i]}`, x: Math.min(Math.max(disc.x(shown), disc.left + 34), disc.right - 34),
              y: disc.y(im) + (i === 0 ? -12 : 22), "text-anchor": "middle",
            }, text));
          }
        });
        place(loss.svg, { "data-limit": recording.meta.limit });
      },
      draw(frame) {
        const t = frame.step;
        const edge = (value, lo, hi) => Math.min(Math.max(value, lo), hi);
        names.forEach((name, i) => {
          const [from, to] = [Math.max(0, t - 3), t + 1];
          lines[i].setAttribute("d", cut.path(run.apart[i].slice(from, to), run.heights[i].slice(from, to)));
          const [x, y] = [cut.x(run.apart[i][t]), cut.y(run.heights[i][t])];
          place(dots[i], { cx: x, cy: y });
          const out = x < cut.left || x > cut.right || y < cut.top;
          labels[i].textContent = out ? `${name} is out of sight at ${number(run[name][t])}` : `${name} = ${number(run[name][t])}`;
          place(labels[i], {
            x: out ? cut.left + 8 : edge(x, cut.left + 12, cut.right - 60) + 10,
            y: out ? cut.top + 14 + 16 * i : edge(y, cut.top + 24, cut.bottom) - 8 - 14 * i,
          });
        });
        path.setAttribute("d", above.path(run.w, run.b, t + 1));
        visited.replaceChildren(...run.steps.slice(0, t).map((s) => svg("circle", { class: "nn-dot", r: 2.5, cx: above.x(run.w[s]), cy: above.y(run.b[s]) })));
        place(walker, { cx: above.x(run.w[t]), cy: above.y(run.b[t]) });
        fall.setAttribute("d", loss.path(run.steps, run.loss, t + 1));
        place(here, { cx: loss.x(t), cy: loss.y(run.loss[t]) });
      },
    };
  },
});
