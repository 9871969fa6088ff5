/* The gradient profile's view: one bar a layer on a logarithmic axis, and the loss beside it. */

const SUPERSCRIPT = { "-": "⁻", 0: "⁰", 1: "¹", 2: "²", 3: "³", 4: "⁴", 5: "⁵", 6: "⁶", 7: "⁷", 8: "⁸", 9: "⁹" };
const power = (value) => `10${Array.from(String(Math.round(Math.log10(value))), (sign) => SUPERSCRIPT[sign]).join("")}`;

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const wide = panel(row, "Size of δ at each layer (root mean square over examples and neurons)", { flex: "2.4 1 18rem" });
    const narrow = panel(row, "Loss over the updates", { flex: "1 1 11rem" });
    const bars = figure.chart(wide, {
      label: "Size of delta at each layer, logarithmic", height: 270,
      x: { domain: [0.4, 20.6], label: "layer (1 is the first)" },
      y: { log: true, domain: [1e-4, 10], label: "size of δ", format: power },
    });
    const curve = figure.chart(narrow, {
      label: "Loss over the updates", height: 270, x: { domain: [0, 60], label: "updates" }, y: { domain: [0, 1], label: "loss" },
    });
    const outline = svg("path", { class: "nn-line", "stroke-dasharray": "5 4" });
    const note = svg("text", { class: "nn-label" }, "dashed: before training");
    const loss = track(curve);
    let recording;
    let rects = [];

    return {
      start(next) {
        recording = next;
        const layers = recording.still("layers");
        const [low, high] = recording.still("range");
        bars.set({
          x: { domain: [0.4, layers.length + 0.6], ticks: Array.from(layers).filter((layer) => layer === 1 || layer % 5 === 0) },
          y: { domain: [low, high] },
        });
        const last = recording.count - 1;
        curve.set({
          x: { domain: [-2, last + 2], ticks: [0, 20, 40, 60].filter((tick) => tick <= last) },
          y: { domain: [0, recording.still("highest_loss")[0]] },
        });
        const width = (bars.x(2) - bars.x(1)) * 0.72;
        rects = Array.from(layers, (layer) => svg("rect", { x: bars.x(layer) - width / 2, width, rx: 1.5, fill: figure.colours.negative }));
        bars.marks.replaceChildren(...rects, outline, note);
        const first = recording.get("sizes", 0);
        place(outline, { d: bars.path(layers, first) });
        place(note, { x: bars.left + 8, y: bars.top + 14 });
        loss.start(Array.from({ length: recording.count }, (_, update) => update), recording.all("loss"));
      },
      draw(frame) {
        const sizes = frame.get("sizes");
        rects.forEach((rect, index) => {
          const y = bars.y(sizes[index]);
          place(rect, { y, height: Math.max(0, bars.bottom - y) });
        });
        place(note, { visibility: frame.step ? "visible" : "hidden" });
        loss.draw(frame.step);
      },
    };
  },
});
