/* The complete process over real images: the stages, the parts, the images with their answers, the curves, the weights as
   images, and which digit is taken for which. */

const PARTS = { train: ["Start", "Train"], choose: ["Choose"], test: ["Test"], "left out": [] }; // and the stages that use them

export default instrument({
  create(figure) {
    const strip = figure.stage.appendChild(html("ol", { class: "dpl-stages" }));
    const bar = figure.stage.appendChild(svg("svg", { class: "dpl-parts", role: "img" }));
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const panel = (name, parent = row) => parent.appendChild(html("div", { class: `nn-panel dpl-${name}` }));
    const heading = (parent, text) => parent.appendChild(html("p", { class: "nn-heading" }, text));
    const [left, right] = [panel("left"), panel("right")];
    const caption = heading(left, "");
    const wall = left.appendChild(html("div", { class: "dpl-wall", role: "img" }));
    heading(right, "Loss of the training and of the validation images");
    const plot = figure.chart(right, {
      label: "Loss over the epochs", height: 190, margin: { right: 66 }, x: { domain: [0, 1], label: "epoch" }, y: { log: true, domain: [0.01, 3] },
    });
    const kinds = ["negative", "positive"];
    const paths = kinds.map((kind) => plot.marks.appendChild(svg("path", { class: `nn-line nn-${kind}` })));
    const dots = kinds.map((kind) => plot.marks.appendChild(svg("circle", { class: `nn-dot nn-${kind}`, r: 5 })));
    const names = ["training", "validation"].map((name, i) => plot.over.appendChild(svg("text", { class: `nn-label nn-${kinds[i]}` }, name)));
    const chosen = plot.marks.appendChild(svg("line", { class: "dpl-best" }));
    const below = figure.stage.appendChild(html("div", { class: "nn-row dpl-below" }));
    const [units, table] = [panel("units", below), panel("table", below)];
    heading(units, "Weights of 20 hidden neurons: blue against, orange for");
    const weights = units.appendChild(html("div", { class: "dpl-weights", role: "img", "aria-label": "The weights of twenty hidden neurons, each as an image" }));
    const tableHeading = heading(table, "");
    const matrix = figure.chart(table, {
      label: "Which digit is taken for which", height: (width) => Math.min(width, 250), margin: { left: 40, bottom: 40, top: 4, right: 4 },
      x: { domain: [-0.5, 9.5], ticks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], label: "answer" },
      y: { domain: [9.5, -0.5], ticks: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], label: "truth" },
    });
    const cells = matrix.marks.appendChild(svg("g"));
    let [tiles, filters, recording] = [[], [], null];

    function drawParts(stage) {
      const { parts } = recording.meta;
      const all = parts.reduce((sum, count) => sum + count, 0);
      const shown = stage === "Look" ? [["images", all]] : Object.keys(PARTS).map((name, i) => [name, parts[i]]).filter(([, count]) => count);
      let start = 0;
      bar.replaceChildren(...shown.map(([name, count]) => {
        const [x, width] = [`${(100 * start) / all}%`, `${(100 * count) / all}%`];
        start += count;
        return svg("g", { class: PARTS[name]?.includes(stage) ? "dpl-used" : null },
          svg("rect", { x, width, height: "100%" }),
          svg("text", { x, dx: 7, y: 14 }, name), svg("text", { x, dx: 7, y: 29, class: "dpl-number" }, count.toLocaleString("en")));
      }));
      place(bar, { "aria-label": shown.map(([name, count]) => `${name} ${count}`).join(", ") });
    }

    return {
      start(next) {
        recording = next;
        const { stages } = next.meta;
        strip.replaceChildren(...stages.map((name) => html("li", {}, name)));
        const count = next.still("labels").length;
        tiles = Array.from({ length: count }, () => {
          const canvas = html("canvas", { class: "dpl-image", "aria-hidden": "true" });
          const words = html("span", { class: "dpl-said" });
          return { box: html("span", { class: "dpl-tile" }, canvas, words), canvas, words };
        });
        wall.replaceChildren(...tiles.map(({ box }) => box));
        filters = Array.from({ length: next.shape("weights")[0] }, () => html("canvas", { class: "dpl-filter", "aria-hidden": "true" }));
        weights.replaceChildren(...filters);
        const curves = next.still("curves");
        const last = curves.length / 2 - 1;
        plot.set({
          x: { domain: [0, last] },
          y: { domain: [Math.min(...curves) / 1.5, Math.max(...curves) * 1.5] },
        });
      },
      draw(frame) {
        const { colours } = figure;
        const { stages, best, parts: [, validation, test] } = recording.meta;
        const stage = stages[frame.value("stage")];
        drawParts(stage);
        [...strip.children].forEach((item, i) => place(item, { "aria-current": i === frame.value("stage") ? "step" : null }));
        const [images, scaled, labels] = ["images", "scaled", "labels"].map(recording.still);
        const [answers, sure] = [frame.get("answers"), frame.get("sure")];
        const before = ["Look", "Split"].includes(stage);
        caption.textContent = before ? "Images of the validation part, and their labels"
          : stage === "Scale" ? "The same images, scaled" : "Answers, and how sure they are";
        let right = 0;
        tiles.forEach(({ canvas, words, box }, i) => {
          const of = (values) => values.subarray(64 * i, 64 * i + 64);
          if (stage === "Scale") {
            const flipped = Float32Array.from({ length: 64 }, (_, at) => of(scaled)[(7 - (at >> 3)) * 8 + (at & 7)]);
            heatmap(canvas, flipped, 8, 8, -3, 3, colours);
          } else inkImage(canvas, of(images), 8, 8, colours);
          const answered = answers[i] < 10;
          const good = answers[i] === labels[i];
          right += answered && good;
          words.textContent = answered ? `${answers[i]}${good ? "" : "≠"}${good ? "" : labels[i]}  ${Math.round(100 * sure[i])}%` : `${labels[i]}`;
          place(box, { class: `dpl-tile${answered ? (good ? " dpl-good" : " dpl-bad") : ""}` });
        });
        place(wall, { "aria-label": answers[0] < 10 ? `${tiles.length} images; ${right} answered rightly` : `${tiles.length} images of handwritten digits` });

        const curves = recording.still("curves");
        const count = curves.length / 2;
        const epoch = frame.value("epoch");
        const trained = Number.isFinite(frame.value("train_loss"));
        const ended = ["Choose", "Test"].includes(stage);
        const shown = trained ? (ended ? count : epoch + 1) : 0;
        const steps = Float32Array.from({ length: count }, (_, i) => i);
        const heights = [];
        [0, 1].forEach((k) => {
          const curve = curves.subarray(k * count, (k + 1) * count);
          place(paths[k], { d: plot.path(steps, curve, shown) });
          place(dots[k], { cx: plot.x(epoch), cy: plot.y(curve[epoch]), visibility: trained ? null : "hidden" });
          heights.push(plot.y(curve[Math.max(0, shown - 1)]));
        });
        const spaced = apart(heights, 14, plot.top + 6, plot.bottom - 2);
        names.forEach((name, k) => place(name, { x: plot.x(Math.max(0, shown - 1)) + 8, y: spaced[k] + 4, visibility: trained ? null : "hidden" }));
        place(chosen, { x1: plot.x(best), x2: plot.x(best), y1: plot.top, y2: plot.bottom, visibility: ended ? null : "hidden" });

        const W = frame.get("weights");
        filters.forEach((canvas, i) => heatmap(canvas, W.subarray(64 * i, 64 * i + 64), 8, 8, -1, 1, colours));
        const confusion = frame.get("confusion");
        const total = stage === "Test" ? test : validation;
        tableHeading.textContent = stage === "Test" ? `All ${total} test images` : `All ${total} validation images`;
        const [w, h] = [matrix.x(1) - matrix.x(0), matrix.y(1) - matrix.y(0)];
        const found = [];
        confusion.forEach((number_, at) => {
          if (!number_) return;
          const [truth, answer] = [Math.floor(at / 10), at % 10];
          found.push(
            svg("rect", {
              x: matrix.x(answer) - w / 2, y: matrix.y(truth) - h / 2, width: w, height: h,
              class: truth === answer ? "dpl-hit" : "dpl-miss", "fill-opacity": truth === answer ? 0.16 : Math.min(0.85, 0.3 + number_ / 12),
            }),
            svg("text", { x: matrix.x(answer), y: matrix.y(truth) + 4, "text-anchor": "middle", class: "dpl-number" }, String(number_)),
          );
        });
        cells.replaceChildren(...found);
      },
    };
  },
});
