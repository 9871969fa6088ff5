/* The view of the family trees: the weights from the people as squares (figure 4 of the paper), every question with
   its verdict, and how many are right over the sweeps. */

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const units = panel(row, "Weights from the 24 people to six hidden units", { flex: "1.4 1 17rem" });
    const picture = units.appendChild(svg("svg", { class: "nn-family-units", role: "img", viewBox: "0 0 326 282" }));
    const asked = panel(row, "The 104 questions", { flex: "1.2 1 16rem" });
    const grid = asked.appendChild(svg("svg", { class: "nn-family-questions", role: "img", viewBox: "0 0 314 222" }));
    const legend = asked.appendChild(html("p", { class: "nn-family-legend" }));
    legend.textContent = "filled: answered right; hollow: not; ring: held out. Columns are people, the English left.";
    const curve = figure.chart(panel(row, "Share of questions right", { flex: "1 1 14rem" }), {
      label: "Share of trained and of held-out questions answered right, over the sweeps", height: 240,
      x: { log: true, domain: [0.7, 5000], label: "sweeps" }, y: { domain: [-0.04, 1.12], ticks: [0, 0.25, 0.5, 0.75, 1] },
    });
    const lines = ["nn-line nn-quiet", "nn-line nn-quiet", "nn-line nn-third", "nn-line nn-fourth"].map((name) => (
      curve.marks.appendChild(svg("path", { class: name }))));
    const dots = ["third", "fourth"].map((name) => curve.marks.appendChild(svg("circle", { class: `nn-dot nn-${name}`, r: 5 })));
    const labels = ["trained", "held out"].map((text, i) => curve.over.appendChild(
      svg("text", { class: `nn-label nn-${["third", "fourth"][i]}`, "text-anchor": "end" }, text)));
    let squares = [];
    let marks = [];
    let largest = 1;
    let sweeps;
    let shares;

    return {
      start(recording) {
        const { people, relations } = recording.meta;
        largest = recording.all("people").reduce((most, weight) => Math.max(most, Math.abs(weight)), 1e-6);
        const size = 11.2;
        squares = [];
        picture.replaceChildren();
        place(picture, { "aria-label": "Weights from the 24 people to six hidden units, as squares" });
        people[0].forEach((name, person) => [0, 1].forEach((column) => picture.append(svg("text", {
          class: "nn-quiet", transform: `translate(${column * 158 + 10 + person * size + 3} 62) rotate(-60)`,
        }, name))));
        for (let unit = 0; unit < 6; unit += 1) {
          const [x, y] = [(unit % 2) * 158 + 4, 84 + Math.floor(unit / 2) * 74];
          picture.append(svg("text", { class: "nn-quiet nn-family-unit", x, y: y - 6 }, `unit ${unit + 1}`),
            svg("rect", { class: "nn-family-box", x, y, width: 12 * size + 4, height: 2 * size + 10, rx: 2 }));
          for (let person = 0; person < 24; person += 1) {
            const at = { x: x + 2 + (person % 12 + 0.5) * size, y: y + 5 + (Math.floor(person / 12) + 0.5) * size };
            const square = svg("rect", {}, svg("title", {}, people[Math.floor(person / 12)][person % 12]));
            picture.append(square);
            squares.push({ square, at, size });
          }
        }

        const [person, relation] = [recording.still("person"), recording.still("relation")];
        const held = new Set(recording.still("held_out_case"));
        grid.replaceChildren();
        place(grid, { "aria-label": "All questions, answered right or not" });
        relations.forEach((name, index) => grid.append(
          svg("text", { class: "nn-quiet", x: 50, y: 17 + index * 17, "text-anchor": "end" }, name)));
        ["English", "Italian"].forEach((name, index) => grid.append(
          svg("text", { class: "nn-quiet", x: 57 + index * 123 + 58, y: 218, "text-anchor": "middle" }, name)));
        marks = Array.from(person, (who, index) => {
          const at = { x: 57 + who * 10 + (who > 11 ? 3 : 0), y: 8 + relation[index] * 17 };
          if (held.has(index)) grid.append(svg("circle", { class: "nn-family-ring", cx: at.x + 4, cy: at.y + 4.5, r: 8 }));
          const name = `${people[Math.floor(who / 12)][who % 12]}’s ${relations[relation[index]]}`;
          const mark = svg("rect", { ...at, width: 8, height: 9, rx: 1.5 }, svg("title", {}, name));
          grid.append(mark);
          return mark;
        });

        sweeps = recording.all("sweep");
        shares = [["trained", 104 - held.size], ["held_out", held.size]].map(([name, count]) => (
          Float64Array.from(recording.all(name), (right) => right / count)));
        curve.set({ x: { domain: [0.7, 1.15 * sweeps[sweeps.length - 1]] } });
        shares.forEach((share, i) => place(lines[i], { d: curve.path(sweeps, share) }));
      },
      draw(frame) {
        const weights = frame.get("people");
        squares.forEach(({ square, at, size }, index) => {
          const side = size * 0.96 * Math.sqrt(Math.abs(weights[index]) / largest);
          place(square, {
            x: at.x - side / 2, y: at.y - side / 2, width: side, height: side,
            class: weights[index] > 0 ? "nn-family-positive" : "nn-family-negative",
          });
        });
        const correct = frame.get("correct");
        marks.forEach((mark, index) => place(mark, { class: correct[index] > 0.5 ? "nn-family-right" : "nn-family-wrong" }));
        const ys = apart(shares.map((share) => curve.y(share[frame.step]) - 9), 14, curve.top + 10, curve.bottom - 14);
        shares.forEach((share, i) => {
          place(lines[i + 2], { d: curve.path(sweeps, share, frame.step + 1) });
          place(dots[i], { cx: curve.x(sweeps[frame.step]), cy: curve.y(share[frame.step]) });
          const near = curve.x(sweeps[frame.step]) < curve.left + 70;
          place(labels[i], {
            x: curve.x(sweeps[frame.step]) + (near ? 8 : -8), y: ys[i], "text-anchor": near ? "start" : "end",
          });
        });
      },
    };
  },
});
