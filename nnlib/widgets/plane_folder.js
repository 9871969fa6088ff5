/* The plane on its way through a layer: grid lines and points, between the stage before and the stage after. */

export default instrument({
  create(figure) {
    const plot = figure.chart(figure.stage, {
      label: "The plane, as the layers move it", height: (width) => Math.min(width, 460), x: { domain: [-1, 1] }, y: { domain: [-1, 1] },
    });
    const lines = plot.marks.appendChild(svg("path", { class: "pf-grid" }));
    const divide = plot.marks.appendChild(svg("line", { class: "nn-line nn-third" }));
    const dots = plot.marks.appendChild(svg("g"));
    const caption = plot.over.appendChild(svg("text", { class: "nn-label nn-third" }, "the last neuron’s line"));
    let recording;
    let circles = [];

    return {
      start(next) {
        recording = next;
        circles = Array.from(recording.still("target"), (target) => svg("circle", {
          r: 4, class: `nn-dot nn-${target ? "positive" : "negative"}`,
        }));
        dots.replaceChildren(...circles);
      },
      draw(frame) {
        const { examples, lines: count } = recording.meta;
        const [stages, corners] = [recording.still("stages"), recording.still("corners")];
        const [, points] = recording.shape("stages");
        const [stage, share] = [frame.value("stage"), frame.value("share")];
        const last = corners.length / 4 - 1;
        const at = (k, axis) => {
          const before = stages[(stage * points + k) * 2 + axis];
          return before + share * (stages[((stage + 1) * points + k) * 2 + axis] - before);
        };
        // The box that holds this plane, grown until it fits the picture with equal units on both axes.
        const corner = (k) => corners[4 * stage + k] + share * (corners[4 * Math.min(last, stage + 1) + k] - corners[4 * stage + k]);
        const [w, h] = [plot.right - plot.left, plot.bottom - plot.top];
        const unit = 1.1 * Math.max((corner(2) - corner(0)) / w, (corner(3) - corner(1)) / h);
        const middle = [(corner(0) + corner(2)) / 2, (corner(1) + corner(3)) / 2];
        const domain = (axis, pixels) => ({ domain: [middle[axis] - unit * pixels / 2, middle[axis] + unit * pixels / 2] });
        plot.set({ x: domain(0, w), y: domain(1, h) });
        circles.forEach((circle, k) => place(circle, { cx: plot.x(at(k, 0)), cy: plot.y(at(k, 1)) }));
        const each = (points - examples) / count;
        let d = "";
        for (let line = 0; line < count; line += 1) {
          for (let i = 0; i < each; i += 1) {
            const k = examples + line * each + i;
            d += `${i ? "L" : "M"}${plot.x(at(k, 0)).toFixed(1)} ${plot.y(at(k, 1)).toFixed(1)}`;
          }
        }
        place(lines, { d });
        // Once the last bend is done, the last neuron divides this plane: the line where its weighted sum is zero.
        const done = stage === last - 1 && share === 1;
        const [u, v, b] = recording.still("decision");
        const size = Math.hypot(u, v);
        const [cx, cy] = [-u * b / size ** 2, -v * b / size ** 2];
        const far = 2 * unit * (w + h) + Math.hypot(cx - middle[0], cy - middle[1]);
        place(divide, {
          visibility: done ? "visible" : "hidden", x1: plot.x(cx - far * v / size), y1: plot.y(cy + far * u / size),
          x2: plot.x(cx + far * v / size), y2: plot.y(cy - far * u / size),
        });
        place(caption, { x: plot.right - 6, y: plot.top + 14, "text-anchor": "end", visibility: done ? "visible" : "hidden" });
      },
    };
  },
});
