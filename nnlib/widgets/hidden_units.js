/* The view of the small experiments: what every unit says to every pattern, the weights of every unit, the error. */

const lowered = (name) => name.replace(/\d/g, (digit) => "₀₁₂₃₄₅₆₇₈₉"[digit]);

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const said = panel(row, "What each unit says to each pattern", { flex: "1.6 1 17rem" });
    const table = said.appendChild(svg("svg", { class: "nn-units-table", role: "img" }));
    said.append(html("p", { class: "nn-units-legend" }, "blue 0, orange 1; the cell’s edge in the output is the target"));
    const weights = panel(row, "The weights and the bias of each unit", { flex: "1.1 1 13rem" });
    const squares = weights.appendChild(svg("svg", { class: "nn-units-weights", role: "img" }));
    const curve = figure.chart(panel(row, "Error E", { flex: "1 1 13rem" }), {
      label: "Error over the sweeps", height: 230, x: { log: true, domain: [0.7, 1000], label: "sweeps" }, y: { domain: [0, 1] },
    });
    const error = track(curve);
    let cells = [];
    let bits = [];
    let largest = 1;
    const shade = (value) => {
      const pixel = figure.colours.ramp[Math.round(Math.min(Math.max(value, 0), 1) * 510)];
      return `rgb(${pixel & 255} ${(pixel >> 8) & 255} ${(pixel >> 16) & 255})`;
    };

    return {
      start(recording) {
        const { names, outputs, shortcuts } = recording.meta;
        const [inputs, hidden, last] = recording.still("sizes");
        const X = recording.still("X");
        const target = recording.still("target");
        const count = X.length / inputs;
        const heads = [...names, ...outputs];
        const gap = 8;
        const wide = Math.min(34, (300 - 2 * gap) / heads.length);
        const tall = Math.min(30, 232 / count);
        const left = (column) => column * wide + (column >= inputs ? gap : 0) + (column >= inputs + hidden ? gap : 0);
        place(table, { viewBox: `0 0 300 ${count * tall + 22}`, "aria-label": "What each unit says to each pattern" });
        table.replaceChildren(...heads.map((head, column) => svg("text", {
          class: "nn-quiet", x: left(column) + wide / 2, y: 12, "text-anchor": "middle",
        }, lowered(head))));
        cells = [];
        for (let pattern = 0; pattern < count; pattern += 1) {
          heads.forEach((_, column) => {
            const cell = svg("rect", { x: left(column) + 1, y: 19 + pattern * tall, width: wide - 2, height: tall - 2, rx: 2 });
            table.append(cell);
            if (column < inputs) place(cell, { fill: shade(X[pattern * inputs + column]) });
            else {
              if (column >= inputs + hidden) {
                place(cell, { class: "nn-units-target", stroke: shade(target[pattern * last + column - inputs - hidden]) });
              }
              const text = wide > 20 && tall > 12
                ? table.appendChild(svg("text", { x: left(column) + wide / 2, y: 19 + pattern * tall + tall / 2 + 3, "text-anchor": "middle" })) : null;
              cells.push({ cell, text });
            }
          });
        }

        // θ holds each layer's W row by row and then its biases; a unit's weights are a column.
        const all = recording.all("weights");
        largest = all.reduce((most, weight) => Math.max(most, Math.abs(weight)), 1e-6);
        const blocks = [
          { start: 0, from: names.slice(0, inputs), units: names.slice(inputs) },
          { start: (inputs + 1) * hidden, from: shortcuts ? names : names.slice(inputs), units: outputs },
        ];
        const columns = Math.max(...blocks.map(({ from }) => from.length)) + 1;
        const rows = hidden + last;
        const side = Math.min(24, 200 / columns, 220 / rows);
        place(squares, { viewBox: `0 0 230 ${rows * side + 52}`, "aria-label": "The weights of each unit as squares, its bias last" });
        squares.replaceChildren();
        bits = [];
        let top = 4;
        for (const { start, from, units } of blocks) {
          const titles = [...from, "bias"];
          titles.forEach((title, input) => squares.append(svg("text", {
            class: "nn-quiet", x: 26 + (input + 0.5) * side, y: top + 9, "text-anchor": "middle",
          }, side < 14 && title === "bias" ? "b" : lowered(title))));
          units.forEach((unit, index) => {
            const y = top + 14 + index * side;
            squares.append(svg("text", { class: "nn-quiet", x: 22, y: y + side / 2 + 3, "text-anchor": "end" },
              lowered(unit)),
            svg("rect", { class: "nn-units-box", x: 26, y, width: titles.length * side, height: side }));
            titles.forEach((_, input) => {
              const square = squares.appendChild(svg("rect"));
              bits.push({ square, place: start + input * units.length + index, x: 26 + (input + 0.5) * side, y: y + side / 2, side });
            });
          });
          top += units.length * side + 24;
        }

        const [sweeps, losses] = [recording.all("sweep"), recording.all("loss")];
        curve.set({
          x: { domain: [0.7, 1.15 * sweeps[sweeps.length - 1]] },
          y: { domain: [-0.02, 1.08 * losses.reduce((most, loss) => Math.max(most, loss))] },
        });
        error.start(sweeps, losses);
      },
      draw(frame) {
        const values = frame.get("said");
        cells.forEach(({ cell, text }, index) => {
          place(cell, { fill: shade(values[index]) });
          if (!text) return;
          text.textContent = values[index].toFixed(2).replace(/^0|\.00$/g, "") || "0";
          place(text, { class: Math.abs(values[index] - 0.5) > 0.32 ? "nn-units-strong" : null });
        });
        const theta = frame.get("weights");
        bits.forEach(({ square, place: at, x, y, side }) => {
          const size = side * 0.94 * Math.sqrt(Math.abs(theta[at]) / largest);
          place(square, {
            x: x - size / 2, y: y - size / 2, width: size, height: size, class: theta[at] > 0 ? "nn-units-positive" : "nn-units-negative",
          });
        });
        error.draw(frame.step);
      },
    };
  },
});
