/* Points that the reader draws on a plane. own_points.py reads and writes the same text: three characters a point. */

const POINT_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const POINT_REACH = 180; // hundredths from the middle of the plane to its edge
const POINT_SIDE = 2 * POINT_REACH + 1;
const POINTS_NEEDED = 2; // of each class, before there is something to learn

function writePoints(points) {
  return points.map(({ x, y, label }) => {
    const number = (label * POINT_SIDE + x + POINT_REACH) * POINT_SIDE + y + POINT_REACH;
    return [12, 6, 0].map((shift) => POINT_DIGITS[(number >> shift) & 63]).join("");
  }).join("");
}

function readPoints(code) {
  return Array.from({ length: code.length / 3 }, (_, i) => {
    const [a, b, c] = [...code.slice(3 * i, 3 * i + 3)].map((digit) => POINT_DIGITS.indexOf(digit));
    const number = a * 4096 + b * 64 + c;
    const rest = Math.floor(number / POINT_SIDE);
    return { x: (rest % POINT_SIDE) - POINT_REACH, y: (number % POINT_SIDE) - POINT_REACH, label: Math.floor(rest / POINT_SIDE) };
  });
}

/** The editor of a chart's points: a layer over the chart, the button that opens it, and the tools, for the view to place.
    .show(points) sets them; onchange(points) tells what the reader made of them, ontable(text) what was pasted.
    Points are {x, y, label} in hundredths. able() says whether anybody can train on them. */
function pointEditor(chart, { id, link, able, onopen, onchange, ontable }) {
  let points = [];
  let cursor = { x: 0, y: 0 };
  let chosen = -1; // the point that is taken up
  let label = 1; // of new points
  let dragging = null;
  let waiting = 0;
  const past = [];

  // The layer over the plane: one stop of the keyboard, with a cursor of its own.
  const area = svg("rect", { class: "points-area" });
  const [marks, cross] = [svg("g"), svg("path", { class: "points-cross", d: "M-9 0H-3M3 0H9M0 -9V-3M0 3V9" })];
  const layer = svg("g", {
    class: "points-layer", role: "application", tabindex: 0, "aria-label": "Your points", "aria-describedby": `${id}-keys`, hidden: true,
  }, area, marks, cross);
  chart.over.append(layer);

  const button = (text, action) => {
    const made = html("button", { type: "button", class: "nn-small" }, text);
    made.addEventListener("click", action);
    return made;
  };
  const toggle = button("Edit the points", () => open(tools.hidden));
  place(toggle, { "aria-expanded": "false", "aria-controls": `${id}-tools` });
  const classes = [0, 1].map((value) => {
    const made = button(`Class ${value}`, () => pick(value));
    made.prepend(html("span", { class: `points-sign points-sign-${value}`, "aria-hidden": "true" }, "●"), " ");
    return made;
  });
  const remove = button("Delete", () => { removeChosen(); layer.focus({ preventScroll: true }); });
  const undo = button("Undo", () => past.length && adopt(past.pop(), "Undone."));
  const clear = button("Clear", () => change([], "All points are gone. Undo brings them back."));
  const copy = button("Copy link", async () => {
    try {
      await navigator.clipboard.writeText(link());
      say("The link is copied: it carries the points and every setting.");
    } catch {
      say("The link with the points and every setting stands in the address bar.");
    }
  });
  const said = html("p", { class: "points-said", "aria-live": "polite" });
  const text = html("textarea", { id: `${id}-table`, rows: 6, spellcheck: "false", placeholder: "x1,x2,class\n0.5,-0.2,1" });
  const file = html("input", { type: "file", id: `${id}-file`, accept: ".csv,.tsv,.txt,text/csv,text/plain" });
  const take = () => {
    past.push(points);
    ontable(text.value);
  };
  const useTable = button("Use this table", take);
  file.addEventListener("change", async () => {
    if (!file.files.length) return;
    text.value = await file.files[0].text();
    file.value = "";
    take();
  });
  const table = html("details", { class: "points-table" },
    html("summary", {}, "Points as a table (CSV)"),
    html("label", { for: text.id }, "Two features and the class, a point a line"), text,
    html("div", { class: "points-buttons" }, useTable, html("label", { for: file.id }, "or from a file"), file));
  table.addEventListener("toggle", () => { if (table.open) fillTable(); });
  const needs = html("p", { class: "points-needs", hidden: true },
    `Training on your own points ${needsKernel()}`);
  const keys = html("p", { class: "points-keys", id: `${id}-keys` },
    "Click or tap to add a point, drag to move it. By keyboard: arrows move (Shift: farther), Enter adds a point or takes one up "
    + "and puts it down, Page Up and Page Down go from point to point, 0 and 1 set the class, Delete removes. "
    + "Every fourth point is held out (hollow).");
  const tools = html("div", { class: "points-tools", id: `${id}-tools`, hidden: true },
    needs,
    html("div", { class: "points-buttons" },
      html("span", { role: "group", "aria-label": "Class of the chosen point and of new ones" }, ...classes),
      remove, undo, clear, copy),
    said, keys, table);

  const inside = (value) => Math.min(Math.max(value, -POINT_REACH), POINT_REACH);
  const within = (value, scale, a, b) => {
    const [lo, hi] = [a, b].map((pixel) => 100 * scale.invert(pixel)).sort((one, other) => one - other);
    return inside(Math.round(Math.min(Math.max(value, lo), hi)));
  };
  const onPlane = ({ x, y }) => ({ x: within(x, chart.x, chart.left, chart.right), y: within(y, chart.y, chart.top, chart.bottom) });
  const shown = (hundredths) => number(hundredths / 100);
  const words = (index) => {
    const { x, y, label: value } = points[index];
    return `Point ${index + 1} of ${points.length}, class ${value}, at (${shown(x)}, ${shown(y)})`;
  };
  const say = (sentence) => { said.textContent = sentence; };
  const count = (value) => points.filter((point) => point.label === value).length;
  const enough = () => Math.min(count(0), count(1)) >= POINTS_NEEDED;

  function draw() {
    const at = ({ x, y }) => `translate(${chart.x(x / 100).toFixed(1)} ${chart.y(y / 100).toFixed(1)})`;
    place(area, { x: chart.left, y: chart.top, width: chart.right - chart.left, height: chart.bottom - chart.top });
    marks.replaceChildren(...points.map((point, index) => svg("g", { transform: at(point) },
      ...(index === chosen ? [svg("circle", { class: "points-chosen", r: 9 })] : []),
      svg("circle", { r: 4.2, class: `training-point-${index % 4 === 3 ? "out" : "in"} training-${point.label ? "positive" : "negative"}` }))));
    place(cross, { transform: at(cursor) });
    classes.forEach((made, value) => place(made, { "aria-pressed": String(value === (points[chosen]?.label ?? label)) }));
    place(remove, { "aria-disabled": String(chosen < 0) });
    place(undo, { "aria-disabled": String(!past.length) });
  }
  function fillTable() {
    text.value = `x1,x2,class\n${points.map(({ x, y, label: value }) => `${x / 100},${y / 100},${value}`).join("\n")}`;
  }
  /** Tell of a change, at once or when the keys have come to rest. */
  function tell(later) {
    clearTimeout(waiting);
    waiting = 0;
    if (table.open) fillTable();
    if (!enough() || !able()) return;
    if (later) waiting = setTimeout(tell, 350);
    else onchange(points);
  }
  function adopt(next, sentence, { later } = {}) {
    points = next;
    if (chosen >= points.length) chosen = -1;
    const missing = [0, 1].filter((value) => count(value) < POINTS_NEEDED);
    const needed = missing.length ? ` Training needs ${POINTS_NEEDED} points of each class: ${
      missing.map((value) => `${count(value)} of class ${value}`).join(" and ")} so far.` : "";
    say(sentence + needed);
    draw();
    tell(later);
  }
  function change(next, sentence, options) {
    past.push(points);
    if (past.length > 100) past.shift();
    adopt(next, sentence, options);
  }
  const altered = (index, changes) => points.map((point, i) => (i === index ? { ...point, ...changes } : point));

  function add(at) {
    chosen = -1;
    cursor = at;
    const next = [...points, { ...at, label }];
    change(next, `Point ${next.length} added: class ${label} at (${shown(at.x)}, ${shown(at.y)}).`);
  }
  function removeChosen() {
    if (chosen < 0) {
      say("Choose a point first: click it, or take it up with Enter.");
      return;
    }
    const gone = words(chosen);
    const next = points.filter((_, i) => i !== chosen);
    chosen = -1;
    change(next, `${gone}, deleted. ${next.length} left.`);
  }
  function pick(value) {
    label = value;
    if (chosen >= 0 && points[chosen].label !== value) change(altered(chosen, { label: value }), `Point ${chosen + 1} is of class ${value} now.`);
    else {
      say(`New points are of class ${value}.`);
      draw();
    }
  }
  function choose(index) {
    chosen = index;
    if (chosen >= 0) {
      cursor = { x: points[chosen].x, y: points[chosen].y };
      say(`${words(chosen)}.`);
    }
    draw();
  }
  function nearest(at, reach) {
    const far = points.map(({ x, y }) => Math.hypot(chart.x(x / 100) - chart.x(at.x / 100), chart.y(y / 100) - chart.y(at.y / 100)));
    const index = far.indexOf(Math.min(...far));
    return far[index] <= reach ? index : -1;
  }

  // Mouse and touch.
  const pointed = (event) => {
    const box = chart.svg.getBoundingClientRect();
    const unit = chart.width / box.width;
    const { x, y } = chart.invert((event.clientX - box.left) * unit, (event.clientY - box.top) * unit);
    return onPlane({ x: 100 * x, y: 100 * y });
  };
  layer.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    event.preventDefault();
    layer.setPointerCapture(event.pointerId);
    layer.focus({ preventScroll: true });
    const at = pointed(event);
    dragging = { index: nearest(at, event.pointerType === "mouse" ? 9 : 16), from: at, before: points, moved: false };
    if (dragging.index >= 0) choose(dragging.index);
  });
  layer.addEventListener("pointermove", (event) => {
    if (!dragging || dragging.index < 0) return;
    const at = pointed(event);
    if (!dragging.moved && Math.hypot(at.x - dragging.from.x, at.y - dragging.from.y) < 2) return;
    dragging.moved = true;
    points = altered(dragging.index, at);
    cursor = at;
    draw();
  });
  layer.addEventListener("pointerup", (event) => {
    if (!dragging) return;
    const { index, moved, before } = dragging;
    dragging = null;
    if (index < 0) add(pointed(event));
    else if (moved) {
      past.push(before);
      adopt(points, `${words(index)}.`);
    }
  });
  layer.addEventListener("pointercancel", () => {
    if (dragging?.moved) points = dragging.before;
    dragging = null;
    draw();
  });

  // The keyboard.
  layer.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [];
    const turn = { PageDown: 1, PageUp: -1 }[event.key];
    const far = event.shiftKey ? 25 : 5;
    const act = {
      Enter: () => {
        if (chosen >= 0) {
          say(`Point ${chosen + 1} is put down.`);
          chosen = -1;
          draw();
        } else if (nearest(cursor, 5) >= 0) choose(nearest(cursor, 5));
        else add(cursor);
      },
      Escape: () => choose(-1),
      Delete: () => removeChosen(),
      Backspace: () => removeChosen(),
      0: () => pick(0),
      1: () => pick(1),
    }[event.key];
    if (dx === undefined && !turn && !act) return;
    event.preventDefault();
    event.stopPropagation(); // these keys are the layer's, not the figure's
    if (turn) {
      if (points.length) choose((chosen + turn + points.length + (chosen < 0 && turn < 0)) % points.length);
    } else if (act) act();
    else {
      cursor = onPlane({ x: cursor.x + dx * far, y: cursor.y + dy * far });
      if (chosen >= 0) {
        if (!waiting) past.push(points);
        points = altered(chosen, cursor);
        adopt(points, `${words(chosen)}.`, { later: true });
      } else {
        const here = nearest(cursor, 5);
        say(here >= 0 ? `Cursor on point ${here + 1}, class ${points[here].label}.` : `Cursor at (${shown(cursor.x)}, ${shown(cursor.y)}).`);
        draw();
      }
    }
  });

  function open(wantsOpen) {
    place(tools, { hidden: !wantsOpen });
    place(layer, { hidden: !wantsOpen });
    place(toggle, { "aria-expanded": String(wantsOpen) });
    toggle.textContent = wantsOpen ? "Done with the points" : "Edit the points";
    place(needs, { hidden: able() });
    place(copy, { hidden: !able() || link() === null });
    place(chart.svg, { role: wantsOpen ? "group" : "img" }); // an image has no parts to focus
    onopen(wantsOpen);
    draw();
  }

  return {
    toggle,
    tools,
    draw,
    get open() { return !tools.hidden; },
    get busy() { return Boolean(waiting || dragging); },
    show(next) {
      if (writePoints(next) === writePoints(points)) return;
      points = next;
      chosen = -1;
      say(`${points.length} points: ${count(0)} of class 0, ${count(1)} of class 1.`);
      if (table.open) fillTable();
      draw();
    },
    stop: () => clearTimeout(waiting),
  };
}
