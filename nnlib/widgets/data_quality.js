/* Accuracy of five methods against how bad the data are, with the range over the seeds, beside some of the images. */

const KINDS = ["negative", "positive", "third", "fourth", "ink"];

export default instrument({
  create(figure) {
    const row = figure.stage.appendChild(html("div", { class: "nn-row" }));
    const [left, right] = ["left", "right"].map((name) => row.appendChild(html("div", { class: `nn-panel dq-${name}` })));
    const top = left.appendChild(html("p", { class: "nn-heading" }));
    const plot = figure.chart(left, {
      label: "Accuracy of five methods", height: 300, margin: { right: 12 },
      x: { domain: [-0.15, 6.15], ticks: [0], label: " " }, y: { domain: [0, 1], label: "accuracy on test images" },
    });
    const bands = KINDS.map((kind) => plot.marks.appendChild(svg("path", { class: `dq-band dq-${kind}` })));
    const now = plot.marks.appendChild(svg("line", { class: "dq-now" }));
    const paths = KINDS.map((kind) => plot.marks.appendChild(svg("path", { class: `nn-line nn-${kind}` })));
    const dots = KINDS.map((kind) => plot.marks.appendChild(svg("circle", { class: `nn-dot nn-${kind}`, r: 4.5 })));
    const key = left.appendChild(html("ul", { class: "dq-key" }));
    const caption = right.appendChild(html("p", { class: "nn-heading" }));
    const wall = right.appendChild(html("div", { class: "dq-wall", role: "img" }));
    let [tiles, readings, levels, count] = [[], [], [], 0];

    const curve = (name, recording, k) => recording.still(name).subarray(k * count, (k + 1) * count);

    return {
      start(recording) {
        const { methods, fault } = recording.meta;
        levels = recording.still("levels");
        count = levels.length;
        const written = (at) => (fault === "labels" ? `${Math.round(100 * levels[at])}%` : number(levels[at], 4));
        const label = { labels: "training labels that are wrong", examples: "training images", shift: "test images shifted by, pixels" }[fault];
        plot.set({ x: { domain: [-0.15, count - 0.85], ticks: Array.from(levels, (_, i) => i), format: written, label } });
        top.textContent = `Means over ${recording.meta.seeds} seeds; bands from the worst seed to the best`;
        const places = Float32Array.from(levels, (_, i) => i);
        KINDS.forEach((_, k) => {
          place(paths[k], { d: plot.path(places, curve("mean", recording, k)) });
          const [low, high] = [curve("low", recording, k), curve("high", recording, k)];
          const back = plot.path(places.slice().reverse(), low.slice().reverse()).replace("M", "L");
          place(bands[k], { d: `${plot.path(places, high)}${back}Z` });
        });
        readings = methods.map(() => html("span", { class: "dq-reading" }));
        key.replaceChildren(...methods.map((name, k) => html("li", {}, html("span", { class: `dq-swatch dq-${KINDS[k]}` }), `${name} `, readings[k])));
        tiles = Array.from({ length: recording.shape("images")[0] }, () => {
          const [canvas, words] = [html("canvas", { class: "dq-image", "aria-hidden": "true" }), html("span", {})];
          return { box: html("span", { class: "dq-tile" }, canvas, words), canvas, words };
        });
        wall.replaceChildren(...tiles.map(({ box }) => box));
      },
      draw(frame) {
        const { recording, step } = frame;
        const { fault } = recording.meta;
        place(now, { x1: plot.x(step), x2: plot.x(step), y1: plot.top, y2: plot.bottom });
        KINDS.forEach((_, k) => {
          const value = curve("mean", recording, k)[step];
          place(dots[k], { cx: plot.x(step), cy: plot.y(value) });
          readings[k].textContent = `${(100 * value).toFixed(1)}%`;
        });
        const [images, labels, wrong] = ["images", "labels", "wrong"].map(frame.get);
        caption.textContent = fault === "shift" ? "Test images" : "Training images and their labels";
        let bad = 0;
        tiles.forEach(({ canvas, words, box }, i) => {
          inkImage(canvas, images.subarray(64 * i, 64 * i + 64), 8, 8, figure.colours);
          words.textContent = labels[i] < 0 ? " " : String(labels[i]);
          place(box, { class: `dq-tile${wrong[i] ? " dq-wrong" : ""}${labels[i] < 0 ? " dq-away" : ""}` });
          bad += wrong[i];
        });
        const here = Array.from(labels).filter((label) => label >= 0).length;
        place(wall, { "aria-label": `${here} images${bad ? `, ${bad} of them with a wrong label` : ""}` });
      },
    };
  },
});
