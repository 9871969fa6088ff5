/* The complete process: the network with every number beside the part that it belongs to. */

const FORMS = {
  wide: {
    width: 760, height: 420, radius: 36, small: 20, font: 13, xs: { 3: [60, 300, 540], 2: [90, 420] }, share: 0.34, loss: [690, 210],
  },
  narrow: {
    width: 360, height: 480, radius: 31, small: 14, font: 12, xs: { 3: [22, 174, 313], 2: [40, 240] }, share: 0.36, loss: [0, 392],
  },
};
const ROWS = { 1: [0.5], 2: [0.24, 0.76], 3: [0.17, 0.5, 0.83] };
const [HIDDEN, KNOWN, FRESH] = [0, 1, 2];

const three = (value) => (Number.isFinite(value) ? value.toFixed(3).replace(/^-0\.000$/, "0.000") : String(value))
  .replace("-", "−").replace("Infinity", "∞");

export default instrument({
  create(figure) {
    const picture = figure.stage.appendChild(svg("svg", { class: "cp-picture", role: "group", "aria-label": "The network" }));
    const told = figure.stage.appendChild(html("div", { class: "cp-told" }));
    const curve = figure.stage.appendChild(html("div", { class: "cp-curve" }));
    let recording;
    let frame;
    let parts = [];
    let pointed = null;
    let plot = null;

    /** A label that can be pointed at or focused: its lines are the slots that belong to it. */
    function part(words, x, y, names, { prefix = () => "", form, edge, inside = false }) {
      const lines = names.map((_, i) => svg("text", {
        x, y: y + (i - (names.length - 1) / 2) * (form.font + 4.5), "text-anchor": "middle", "dominant-baseline": "central",
        style: `font-size: ${form.font}px`,
      }));
      const boxes = lines.map((line) => svg("rect", { rx: 4, y: line.getAttribute("y") - form.font * 0.65, height: form.font * 1.3 }));
      const element = svg("g", { class: `cp-part${inside ? " cp-inside" : ""}`, tabindex: 0, role: "img" }, ...boxes, ...lines);
      const made = { element, words, lines, boxes, names, prefix, x, edge, form };
      const point = () => { pointed = made; tell(); };
      const leave = () => { if (pointed === made) { pointed = null; tell(); } };
      for (const event of ["pointerenter", "focus"]) element.addEventListener(event, point);
      for (const event of ["pointerleave", "blur"]) element.addEventListener(event, leave);
      parts.push(made);
      return element;
    }

    function build() {
      const form = figure.stage.clientWidth < 560 ? FORMS.narrow : FORMS.wide;
      const { sizes } = recording.meta;
      place(picture, { viewBox: `0 0 ${form.width} ${form.height}` });
      const at = sizes.map((count, layer) => ROWS[count].map((row) => ({ x: form.xs[sizes.length][layer], y: form.height * row })));
      const [edges, nodes, labels] = [svg("g"), svg("g"), svg("g")];
      const called = (layer, j) => {
        if (layer === 0) return `input ${j}`;
        return layer === sizes.length - 1 ? "the output neuron" : `hidden neuron ${j}`;
      };
      parts = [];
      for (let layer = 1; layer < sizes.length; layer += 1) {
        at[layer - 1].forEach((from, i) => at[layer].forEach((to, j) => {
          const edge = svg("line", { x1: from.x, y1: from.y, x2: to.x, y2: to.y });
          edges.append(edge);
          const share = layer === 1 ? form.share : 0.46;  // where crossing connections leave room for their labels
          labels.append(part(`Weight from ${called(layer - 1, i + 1)} to ${called(layer, j + 1)}`, from.x + share * (to.x - from.x), from.y + share * (to.y - from.y),
            [`W${layer}_${i + 1}_${j + 1}`, `dW${layer}_${i + 1}_${j + 1}`],
            { form, edge, prefix: (name) => (name.startsWith("d") ? "∂ " : "") }));
        }));
      }
      at.forEach((column, layer) => column.forEach(({ x, y }, j) => {
        nodes.append(svg("circle", { cx: x, cy: y, r: layer === 0 ? form.small : form.radius, class: "cp-node" }));
        const last = layer === sizes.length - 1;
        if (layer === 0) {
          labels.append(part(`Input ${j + 1}`, x, y, [`x_${j + 1}`], { form, inside: true }));
          labels.append(svg("text", { x, y: y - form.small - 7, "text-anchor": "middle", class: "cp-name" }, `x${"₁₂"[j]}`));
          return;
        }
        const name = called(layer, j + 1);
        labels.append(
          part(name.replace(/^the o|^h/, (start) => start.at(-1).toUpperCase()), x, y, [`z${layer}_${j + 1}`, last ? "p" : `a${layer}_${j + 1}`],
            { form, inside: true, prefix: (slot) => `${slot[0]} ` }),
          part(`Bias of ${name}`, x, y - form.radius - form.font * 1.5, [`b${layer}_${j + 1}`, `db${layer}_${j + 1}`],
            { form, prefix: (name) => (name.startsWith("d") ? "∂ " : "b ") }),
          part(`Delta of ${name}`, x, y + form.radius + form.font, [`δ${layer}_${j + 1}`], { form, prefix: () => "δ " }),
        );
      }));
      const out = at.at(-1)[0];
      const [lx, ly] = form.loss[0] ? form.loss : [out.x, form.loss[1]];
      edges.append(svg("line", { x1: out.x, y1: out.y, x2: lx, y2: ly, class: "cp-plain" }));
      nodes.append(svg("rect", { x: lx - 44, y: ly - 30, width: 88, height: 60, rx: 8, class: "cp-node" }));
      labels.append(part("Target and loss", lx, ly, ["y", "L"], { form, inside: true, prefix: (name) => (name === "y" ? "target " : "loss ") }));
      picture.replaceChildren(edges, nodes, labels);
    }

    const slot = (name) => {
      const k = recording.meta.slots.indexOf(name);
      return {
        symbol: recording.meta.symbols[k], value: frame.get("value")[k], state: frame.get("state")[k],
        telling: recording.meta.tellings[frame.value("telling")][k],
      };
    };

    /** The lines that explain a number: formula, numbers, and for a gradient what a nudge of the weight says. */
    function sentences(names) {
      return names.flatMap((name) => {
        const { symbol, value, state, telling } = slot(name);
        if (state === HIDDEN) return [];
        if (!telling || (/^[Wb]/.test(name) && state !== FRESH)) return [`${symbol} = ${three(value)}`];
        const [formula, numbers, check] = telling;
        const nudge = check === null ? "" : ` A nudge of ${symbol.replace("∂L/∂", "")} says ${three(check)}.`;
        return [`${/^[Wb]/.test(name) ? `new ${symbol}` : symbol} = ${formula} = ${numbers}.${nudge}`];
      });
    }

    function tell() {
      if (!frame) return;
      const fresh = recording.meta.slots.filter((_, k) => frame.get("state")[k] === FRESH);
      const lines = pointed ? sentences(pointed.names) : sentences(fresh).slice(0, 3);
      const more = pointed || fresh.length <= 3 ? "" : `… and ${fresh.length - 3} more: point at any number.`;
      told.replaceChildren(...[...lines, more].filter(Boolean).map((line) => html("p", {}, line)));
      if (pointed) told.prepend(html("p", {}, html("strong", {}, `${pointed.words}${lines.length ? "" : ": not yet computed"}`)));
      if (!told.childElementCount) told.append(html("p", {}, "Point at any number to see where it came from."));
    }

    return {
      start(next) {
        recording = next;
        pointed = null;
        build();
        const losses = recording.has("mean_loss") ? recording.all("mean_loss") : [];
        const finite = Array.from(losses).filter((value) => Number.isFinite(value) && value > 0);
        curve.replaceChildren();
        plot = null;
        if (finite.length) {
          const updates = Array.from(recording.all("updates"), (value) => value + 1);
          plot = figure.chart(curve, {
            label: "Mean loss over the updates", height: 150,
            x: { domain: [1, Math.max(...updates)], log: true, label: "updates + 1 (log scale)" },
            y: { domain: [Math.min(0.01, ...finite), Math.max(1, ...finite)], log: true, label: "mean loss" },
          });
          plot.marks.append(svg("path", { class: "nn-line nn-positive", d: plot.path(updates, losses) }));
          plot.now = plot.over.appendChild(svg("circle", { r: 5, class: "nn-dot" }));
        }
      },
      draw(next) {
        frame = next;
        for (const { element, words, lines, boxes, names, prefix, x, edge, form } of parts) {
          const seen = names.map(slot);
          seen.forEach(({ value, state }, i) => {
            const text = state === HIDDEN ? "" : prefix(names[i]) + (/^[xy]/.test(names[i]) ? number(value) : three(value));
            lines[i].textContent = text;
            const width = text.length * form.font * 0.58 + 7;
            place(boxes[i], { x: x - width / 2, width: text ? width : 0 });
            boxes[i].classList.toggle("cp-fresh", state === FRESH);
            lines[i].classList.toggle("cp-fresh", state === FRESH);
          });
          if (edge) {
            const w = seen[0].value;
            place(edge, {
              class: w < 0 ? "cp-negative" : "cp-positive", "stroke-width": 1 + 3 * Math.min(1, Math.abs(w) / 2),
            });
            edge.classList.toggle("cp-faint", !seen.some(({ state }) => state === FRESH));
          }
          place(element, { "aria-label": `${words}: ${sentences(names).join(" ") || "not yet computed"}` });
        }
        if (plot) place(plot.now, { cx: plot.x(frame.value("updates") + 1), cy: plot.y(frame.value("mean_loss")) });
        tell();
      },
    };
  },
});
