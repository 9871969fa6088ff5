/* Six paths on one map, and their losses. Direct labels: each walker carries its letters, each curve its name. */

const LETTERS = { sgd: "GD", momentum: "Mo", nesterov: "Ne", adagrad: "AG", rmsprop: "RP", adam: "Ad" };

/** A ramp of greys from the paper's colour (low) towards the ink's (high), as heatmap() wants it. */
function greys(colours) {
  const [paper, ink] = [rgb(colours.paper), rgb(colours.muted)];
  return { ramp: Uint32Array.from({ length: 256 }, (_, i) => blend(paper, ink, 0.62 * (i / 255))) };
}

export default instrument({
  create(figure) {
    const mapPanel = html("div", { class: "nn-panel nn-race-map" }, html("p", { class: "nn-heading" }, "the map; drag the ring"));
    const lossPanel = html("div", { class: "nn-panel" }, html("p", { class: "nn-heading" }, "the loss of each"));
    const rateList = html("p", { class: "nn-race-rates" });
    figure.stage.append(html("div", { class: "nn-row" }, mapPanel, lossPanel), rateList);

    const map = figure.chart(mapPanel, {
      label: "Map of the loss with the path of each optimizer", height: (width) => Math.round((width - 64) * (2 / 3)) + 50, // a unit is as long upwards as sideways
      x: { domain: [-2.4, 2.4], label: "u", ticks: [-2, -1, 0, 1, 2] }, y: { domain: [-1.6, 1.6], label: "v", ticks: [-1, 0, 1] },
    });
    const losses = figure.chart(lossPanel, {
      label: "Loss of each optimizer, step by step, on a logarithmic scale", height: (width) => Math.max(250, Math.min(330, Math.round(width * 0.8))),
      margin: { right: 120, left: 52 }, x: { domain: [0, 60], label: "step" }, y: { domain: [1e-6, 100], log: true },
    });
    const nearest = (values, value) => values.reduce((a, b) => (Math.abs(b - value) < Math.abs(a - value) ? b : a));
    let starts = { u: [], v: [] };
    let at = [0, 0];
    const start = figure.handle(map, {
      label: "Start of all walkers", step: 0.1, text: (u, v) => `start at u ${number(u)}, v ${number(v)}`,
      onmove({ x, y }, done) {
        const exact = [Number(x.toFixed(2)), Number(y.toFixed(2))];
        // Where only the page's own recordings can be had, the start moves from one of the stored places to the next.
        const onward = (values, from, to) => {
          const near = nearest(values, to);
          if (near !== from || Math.abs(to - from) > 0.15 || to === from) return near;
          return values[Math.min(values.length - 1, Math.max(0, values.indexOf(from) + Math.sign(to - from)))] ?? near;
        };
        const stored = [onward(starts.u, at[0], x), onward(starts.v, at[1], y)];
        const target = figure.can({ start: exact }) ? exact : stored;
        start.move(...target);
        if (!done && figure.can({ start: exact })) return;
        if (target[0] !== at[0] || target[1] !== at[1]) {
          at = target;
          figure.change({ start: target });
        }
      },
    });
    const ways = svg("g");
    const minima = svg("g");
    map.marks.append(minima, ways);
    let racers = [];

    return {
      start(recording) {
        const { meta } = recording;
        const { wide, high, bands } = meta.map;
        map.set({ x: { domain: [-wide, wide] }, y: { domain: [-high, high] } });
        starts = meta.starts;
        at = [...meta.settings.start];
        const [rows, columns] = recording.shape("bands");
        map.heatmap(recording.still("bands"), columns, rows, 0, bands - 1, greys(figure.colours));
        losses.set({ x: { domain: [0, recording.count - 1] }, y: { domain: meta.range } });
        minima.replaceChildren();
        const lowest = recording.still("minima");
        for (let i = 0; i < lowest.length; i += 2) {
          const [x, y] = [map.x(lowest[i]), map.y(lowest[i + 1])];
          minima.append(svg("path", { class: "nn-line nn-race-minimum", d: `M${x - 6} ${y}h12M${x} ${y - 6}v12` }));
        }
        start.move(...at);
        racers.forEach(({ parts }) => parts.forEach((part) => part.remove()));
        racers = meta.racers.map(({ name, words }, k) => {
          const colour = `nn-race-${name}`;
          const path = svg("path", { class: `nn-line ${colour}` });
          const walker = svg("g", { class: `nn-race-walker ${colour}` }, svg("circle", { r: 9 }), svg("text", { y: 3.5, "text-anchor": "middle" }, LETTERS[name]));
          const curve = svg("path", { class: `nn-line ${colour}` });
          const label = svg("text", { class: `nn-label ${colour}`, "dominant-baseline": "middle" }, words);
          const lead = svg("path", { class: `nn-line nn-race-lead ${colour}` });
          ways.append(path, walker);
          losses.marks.append(curve);
          losses.over.append(lead, label);
          const us = Float32Array.from({ length: recording.count }, (_, t) => recording.get("points", t)[2 * k]);
          const vs = Float32Array.from({ length: recording.count }, (_, t) => recording.get("points", t)[2 * k + 1]);
          return { name, path, walker, curve, label, lead, us, vs, loss: recording.all(`loss_${name}`), parts: [path, walker, curve, label, lead] };
        });
        const steps = Float32Array.from({ length: recording.count }, (_, t) => t);
        racers.forEach((racer) => { racer.steps = steps; });
        rateList.textContent = `Learning rates: ${meta.racers.map(({ words }, k) => `${words} ${number(meta.rates[k])}`).join(", ")}.`;
        ways.append(...racers.map(({ walker }) => walker));
      },
      draw(frame) {
        const ends = [];
        for (const racer of racers) {
          racer.path.setAttribute("d", map.path(racer.us, racer.vs, frame.step + 1));
          place(racer.walker, { transform: `translate(${map.x(racer.us[frame.step])} ${map.y(racer.vs[frame.step])})` });
          racer.curve.setAttribute("d", losses.path(racer.steps, racer.loss, frame.step + 1));
          ends.push(Math.min(Math.max(losses.y(racer.loss[frame.step]), losses.top), losses.bottom));
        }
        const places = apart(ends, 16, losses.top + 4, losses.bottom - 4);
        const x = losses.x(frame.step);
        racers.forEach((racer, k) => {
          place(racer.lead, { d: `M${x + 1} ${ends[k]}L${losses.right + 12} ${places[k]}` });
          place(racer.label, { x: losses.right + 15, y: places[k] });
        });
      },
    };
  },
});
