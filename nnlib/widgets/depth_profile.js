/* Two rows of bars, one for the way up and one for the way down, and a histogram of the layer that is being passed. */

const FLOOR = 1e-12;

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const [wide, narrow] = ["2 1 17rem", "1 1 11rem"].map((flex) => row.appendChild(html("div", { class: "nn-panel", style: `flex: ${flex}` })));
    const panel = (heading, colour, label) => {
      wide.append(html("p", { class: "nn-heading" }, heading));
      const plot = figure.chart(wide, { label: heading, height: 170, margin: { left: 46 }, x: { domain: [0.3, 20.7], ticks: [1, 5, 10, 15, 20], label }, y: { log: true, domain: [FLOOR, 1] } });
      return { plot, colour, bars: [], note: plot.over.appendChild(svg("text", { class: "nn-quiet" })) };
    };
    const up = panel("Forward: size of the activations", "negative", "");
    const down = panel("Backward: size of the blame, against layer 20", "positive", "layer");
    const heading = narrow.appendChild(html("p", { class: "nn-heading" }));
    const spread = figure.chart(narrow, { label: "Histogram of the activations of one layer", height: 300, x: { domain: [-1, 1], label: "activation a" }, y: { domain: [0, 1], label: "share" } });
    const towers = spread.marks.appendChild(svg("g", { class: "dp-negative" }));
    let edges;

    const fill = ({ plot, note, colour }, values) => {
      const positive = Array.from(values).filter((value) => value > 0);
      const [lo, hi] = [Math.max(FLOOR, Math.min(...positive, 0.1)), Math.max(...positive, 1)];
      plot.set({ y: { domain: [lo / 4, hi * 3] } });
      const width = (plot.x(2) - plot.x(1)) * 0.7;
      const bars = Array.from(values, (value, i) => {
        const y = value > 0 ? plot.y(value) : plot.bottom;
        return svg("rect", { x: plot.x(i + 1) - width / 2, width, y, height: Math.max(0, plot.bottom - y), rx: 1.5, class: `dp-${colour}` });
      });
      plot.marks.replaceChildren(...bars);
      note.textContent = positive.length ? "" : "exactly zero, at every layer";
      place(note, { x: (plot.left + plot.right) / 2, y: (plot.top + plot.bottom) / 2, "text-anchor": "middle" });
      return bars;
    };

    return {
      start(recording) {
        edges = recording.still("edges");
        up.bars = fill(up, recording.still("spread"));
        down.bars = fill(down, recording.still("blame"));
        spread.set({ x: { domain: [edges[0], edges.at(-1)] }, y: { domain: [0, Math.max(0.02, ...recording.all("histogram"))] } });
      },
      draw(frame) {
        const [layer, reached, back] = ["layer", "up", "down"].map(frame.value);
        up.bars.forEach((bar, i) => place(bar, { visibility: i + 1 <= reached ? null : "hidden", class: `dp-negative${i + 1 === layer ? " dp-now" : ""}` }));
        down.bars.forEach((bar, i) => place(bar, { visibility: i + 1 >= back ? null : "hidden", class: `dp-positive${i + 1 === layer ? " dp-now" : ""}` }));
        const counts = frame.get("histogram");
        towers.replaceChildren(...Array.from(counts, (share, i) => {
          const [x, y] = [spread.x(edges[i]), spread.y(share)];
          return svg("rect", { x, width: Math.max(1, spread.x(edges[i + 1]) - x - 0.5), y, height: Math.max(0, spread.bottom - y) });
        }));
        heading.textContent = `Activations of layer ${layer}`;
      },
    };
  },
});
