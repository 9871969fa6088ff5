/* Drawing aids that the views share; Python puts this file in front of stepper.js, whose head tells how to use them. */

const SVG = "http://www.w3.org/2000/svg";

function place(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? "" : value);
  }
  return element;
}

const svg = (tag, attributes = {}, ...children) => {
  const element = place(document.createElementNS(SVG, tag), attributes);
  element.append(...children);
  return element;
};

const html = (tag, attributes = {}, ...children) => {
  const element = place(document.createElement(tag), attributes);
  element.append(...children);
  return element;
};

/** A panel with its heading, in a row of panels; `flex` is its share of the row, `name` a class of its own. */
const panel = (row, heading, { flex, name = "" } = {}) => row.appendChild(html(
  "div", { class: `nn-panel ${name}`.trim(), style: flex && `flex: ${flex}` }, html("p", { class: "nn-heading" }, heading),
));

/** A number for the eye: `digits` significant digits, a true minus sign, powers of ten only where they help. */
function number(value, digits = 3) {
  if (!Number.isFinite(value)) return String(value).replace("Infinity", "∞").replace("-", "−");
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-4 || size >= 1e6)
    ? value.toExponential(Math.max(0, digits - 1)).replace(/\.?0+e/, "e").replace("e+", "e")
    : String(Number(value.toPrecision(digits)));
  return text.replaceAll("-", "−");
}

/** A linear scale from data to pixels, with invert and ticks. */
function linear([d0, d1], [r0, r1] = [0, 1]) {
  const slope = (r1 - r0) / (d1 - d0 || 1);
  const scale = (value) => r0 + (value - d0) * slope;
  scale.invert = (pixel) => d0 + (pixel - r0) / slope;
  scale.ticks = (count = 5) => {
    const raw = Math.abs(d1 - d0) / count || 1;
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = power * ([1, 2, 2.5, 5, 10].find((nice) => nice * power >= raw * 0.999) ?? 10);
    const first = Math.ceil(Math.min(d0, d1) / step - 1e-9);
    const last = Math.floor(Math.max(d0, d1) / step + 1e-9);
    return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
  };
  return scale;
}

/** A logarithmic scale; values at or below zero are drawn at the lower end. */
function log([d0, d1], range) {
  const inner = linear([Math.log10(d0), Math.log10(d1)], range);
  const scale = (value) => inner(Math.log10(Math.max(value, d0)));
  scale.invert = (pixel) => 10 ** inner.invert(pixel);
  scale.ticks = (count = 5) => {
    const [lo, hi] = [Math.ceil(Math.log10(d0) - 1e-9), Math.floor(Math.log10(d1) + 1e-9)];
    const every = Math.max(1, Math.ceil((hi - lo + 1) / count));
    const powers = [];
    for (let power = lo; power <= hi; power += every) powers.push(Number(`1e${power}`));
    if (hi - lo >= 2) return powers;
    const all = [];
    for (let power = lo - 1; power <= hi; power += 1) for (const m of [1, 2, 5]) all.push(Number(`${m}e${power}`));
    const inside = all.filter((value) => value >= d0 * 0.999 && value <= d1 * 1.001);
    return inside.length > 2 ? inside : linear([d0, d1]).ticks(count);
  };
  return scale;
}

/** Places for labels: near the given positions, at least `gap` apart, between lo and hi; their order is kept. */
function apart(positions, gap, lo, hi) {
  const order = positions.map((_, k) => k).sort((a, b) => positions[a] - positions[b]);
  const placed = positions.map((at) => Math.min(Math.max(at, lo), hi));
  for (let k = 1; k < order.length; k += 1) placed[order[k]] = Math.max(placed[order[k]], placed[order[k - 1]] + gap);
  let limit = hi;
  for (const k of order.reverse()) {
    placed[k] = Math.min(placed[k], limit);
    limit = placed[k] - gap;
  }
  return placed;
}

/** Fill a canvas with a grid of values, the first row at the bottom: blue below zero, orange above (lo, hi: the ends). */
function heatmap(canvas, values, columns, rows, lo, hi, colours) {
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  const factor = (colours.ramp.length - 1) / (hi - lo);
  for (let row = 0; row < rows; row += 1) {
    const target = (rows - 1 - row) * columns;
    for (let column = 0; column < columns; column += 1) {
      const level = Math.round((values[row * columns + column] - lo) * factor);
      pixels[target + column] = colours.ramp[Math.min(colours.ramp.length - 1, Math.max(0, level))];
    }
  }
  context.putImageData(image, 0, 0);
}

/** Fill a canvas with an image, the first row on top: 0 is the colour of paper, 1 that of ink. */
function inkImage(canvas, values, columns, rows, colours) {
  if (canvas.width !== columns || canvas.height !== rows) [canvas.width, canvas.height] = [columns, rows];
  const context = canvas.getContext("2d");
  const image = context.createImageData(columns, rows);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < columns * rows; i += 1) {
    pixels[i] = colours.inks[Math.round(Math.min(1, Math.max(0, values[i])) * (colours.inks.length - 1))];
  }
  context.putImageData(image, 0, 0);
}

const rgb = (colour) => [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));

/** The pixel that is a `part` of the way from one rgb colour to another. */
function blend(from, to, part) {
  const [r, g, b] = from.map((channel, k) => Math.round(channel + (to[k] - channel) * part));
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
}

/** The theme's colours, from the CSS variables of stepper.css, and for canvases the diverging ramp and the inks. */
function readColours(root) {
  const probe = document.createElement("canvas").getContext("2d");
  const style = getComputedStyle(root);
  const names = ["negative", "positive", "third", "fourth", "sky", "ink", "muted", "faint", "paper", "middle"];
  const colours = Object.fromEntries(names.map((name) => {
    probe.fillStyle = style.getPropertyValue(`--nn-${name}`).trim();
    return [name, probe.fillStyle];
  }));
  const [negative, middle, positive] = [colours.negative, colours.middle, colours.positive].map(rgb);
  colours.ramp = Uint32Array.from({ length: 511 }, (_, i) => blend(middle, i < 255 ? negative : positive, Math.abs(i - 255) / 255));
  const [ink, paper] = [rgb(colours.ink), rgb(colours.paper)];
  colours.inks = Uint32Array.from({ length: 65 }, (_, i) => blend(paper, ink, i / 64));
  return colours;
}

/** Axes that follow the width of their parent. x and y: {domain, log, label, ticks: count or list, format}. */
function chart(parent, { label, height = 220, margin = {}, x = {}, y = {} }) {
  const wrapper = parent.appendChild(html("div", { class: "nn-chart" }));
  const picture = svg("svg", { role: "img", "aria-label": label });
  wrapper.append(picture);
  const [grid, axes] = [svg("g", { class: "nn-axes" }), svg("g", { class: "nn-axes" })];
  const marks = svg("svg", { class: "nn-marks" });
  const over = svg("g");
  picture.append(grid, marks, axes, over);
  const space = { top: 12, right: 14, bottom: x.label ? 38 : 22, left: y.label ? 50 : 36, ...margin };
  const self = { element: wrapper, svg: picture, marks, over };
  let canvas;

  const scaleOf = (axis, range) => (axis.log ? log : linear)(axis.domain ?? [axis.log ? 0.1 : 0, 1], range);
  const ticksOf = (axis, scale, count) => (Array.isArray(axis.ticks) ? axis.ticks : scale.ticks(axis.ticks ?? count));

  self.layout = () => {
    const width = Math.max(140, wrapper.clientWidth || 320);
    const tall = typeof height === "function" ? height(width) : height;
    const [left, right, top, bottom] = [space.left, width - space.right, space.top, tall - space.bottom];
    Object.assign(self, { width, height: tall, left, right, top, bottom });
    place(picture, { viewBox: `0 0 ${width} ${tall}`, width, height: tall });
    place(marks, {
      x: left, y: top, width: right - left, height: bottom - top, viewBox: `${left} ${top} ${right - left} ${bottom - top}`,
    });
    if (canvas) {
      Object.assign(canvas.style, {
        left: `${left}px`, top: `${top}px`, width: `${right - left}px`, height: `${bottom - top}px`,
      });
    }
    self.x = scaleOf(x, [left, right]);
    self.y = scaleOf(y, [bottom, top]);
    axes.replaceChildren();
    grid.replaceChildren();
    for (const tick of ticksOf(x, self.x, Math.max(2, (right - left) / 70))) {
      const at = self.x(tick);
      if (!canvas) grid.append(svg("line", { x1: at, x2: at, y1: top, y2: bottom }));
      axes.append(svg("text", { x: at, y: bottom + 15, "text-anchor": "middle" }, (x.format ?? number)(tick)));
    }
    for (const tick of ticksOf(y, self.y, Math.max(2, (bottom - top) / 40))) {
      const at = self.y(tick);
      if (!canvas) grid.append(svg("line", { x1: left, x2: right, y1: at, y2: at }));
      axes.append(svg("text", { x: left - 6, y: at + 4, "text-anchor": "end" }, (y.format ?? number)(tick)));
    }
    if (x.label) {
      axes.append(svg("text", { class: "nn-axis-label", x: (left + right) / 2, y: tall - 6, "text-anchor": "middle" }, x.label));
    }
    if (y.label) {
      const middle = (top + bottom) / 2;
      axes.append(svg("text", {
        class: "nn-axis-label", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})`,
      }, y.label));
    }
  };
  /** Change the axes: set({x: {domain: [0, 5]}}). */
  self.set = (changes) => {
    Object.assign(x, changes.x);
    Object.assign(y, changes.y);
    self.layout();
  };
  /** The `d` of a path through data points; it breaks where a number is not finite. */
  self.path = (xs, ys, count = xs.length) => {
    let d = "";
    let pen = "M";
    for (let i = 0; i < count; i += 1) {
      if (Number.isFinite(xs[i]) && Number.isFinite(ys[i])) {
        d += `${pen}${self.x(xs[i]).toFixed(1)} ${self.y(ys[i]).toFixed(1)}`;
        pen = "L";
      } else pen = "M";
    }
    return d;
  };
  self.invert = (px, py) => ({ x: self.x.invert(px), y: self.y.invert(py) });
  /** Fill the plot area with a grid of values, the first row at the bottom. */
  self.heatmap = (values, columns, rows, lo, hi, colours) => {
    if (!canvas) {
      canvas = html("canvas", { class: "nn-heatmap", "aria-hidden": "true" });
      wrapper.prepend(canvas);
      self.layout();
    }
    heatmap(canvas, values, columns, rows, lo, hi, colours);
  };
  self.layout();
  return self;
}

/** A curve that the steps go along: quiet as a whole, strong as far as the step shown, which has a dot. */
function track(plot) {
  const [whole, past] = ["nn-line nn-quiet", "nn-line"].map((name) => plot.marks.appendChild(svg("path", { class: name })));
  const dot = plot.marks.appendChild(svg("circle", { class: "nn-dot", r: 5 }));
  let [xs, ys] = [[], []];
  return {
    start(...points) {
      [xs, ys] = points;
      place(whole, { d: plot.path(xs, ys) });
    },
    draw(step) {
      place(past, { d: plot.path(xs, ys, step + 1) });
      place(dot, { cx: plot.x(xs[step]), cy: plot.y(ys[step]) });
    },
  };
}

/** A point that the reader drags: by mouse or touch, or with the arrow keys (Shift: five times as far).
    onmove({x, y}, done) gets data coordinates inside the axes; the view answers by calling .move(x, y). */
function handle(plot, { label, step = 0.1, horizontal = true, vertical = true, colour = "ink", text, onmove }) {
  const element = svg("g", { class: `nn-handle nn-handle-${colour}`, tabindex: 0, role: "slider", "aria-label": label },
    svg("circle", { r: 18, class: "nn-handle-reach" }), svg("circle", { r: 8, class: "nn-handle-dot" }));
  plot.over.append(element);
  place(plot.svg, { role: "group" }); // an image has no parts to focus
  let at = { x: 0, y: 0 };
  let dragging = false;
  const inside = (value, a, b) => Math.min(Math.max(value, Math.min(a, b)), Math.max(a, b));
  const ask = (x, y, done) => onmove({
    x: horizontal ? inside(x, plot.x.invert(plot.left), plot.x.invert(plot.right)) : at.x,
    y: vertical ? inside(y, plot.y.invert(plot.bottom), plot.y.invert(plot.top)) : at.y,
  }, done);
  const pointed = (event, done) => {
    const box = plot.svg.getBoundingClientRect();
    const unit = plot.width / box.width;
    const { x, y } = plot.invert((event.clientX - box.left) * unit, (event.clientY - box.top) * unit);
    ask(x, y, done);
  };
  element.addEventListener("pointerdown", (event) => {
    dragging = true;
    element.setPointerCapture(event.pointerId);
    element.focus({ preventScroll: true });
    event.preventDefault();
  });
  element.addEventListener("pointermove", (event) => dragging && pointed(event, false));
  const release = (event) => {
    if (!dragging) return;
    dragging = false;
    pointed(event, true);
  };
  element.addEventListener("pointerup", release);
  element.addEventListener("pointercancel", () => { dragging = false; });
  element.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    if (dx === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const far = event.shiftKey ? 5 * step : step;
    ask(at.x + dx * far, at.y + dy * far, true);
  });
  return {
    element,
    move(x, y) {
      at = { x, y };
      const shown = horizontal ? x : y;
      const [lo, hi] = horizontal ? [plot.left, plot.right].map(plot.x.invert) : [plot.bottom, plot.top].map(plot.y.invert);
      place(element, {
        transform: `translate(${plot.x(x)} ${plot.y(y)})`,
        "aria-valuemin": lo, "aria-valuemax": hi, "aria-valuenow": shown,
        "aria-valuetext": text ? text(x, y)
          : [horizontal && `x ${number(x)}`, vertical && `y ${number(y)}`].filter(Boolean).join(", "),
      });
    },
  };
}
