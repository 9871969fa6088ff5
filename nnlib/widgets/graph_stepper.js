/* The graph stepper's view: nodes with their values and gradients, edges with their local derivatives.
   All formulas are strings of the recording. Positions come as (depth, lane): depth runs to the right where there is
   room, and downwards on a phone. */

const BOX = { width: 68, height: 40 };

export default instrument({
  create(figure) {
    const picture = svg("svg", {
      class: "gs-picture", role: "group", "aria-label": "The graph. The up and down arrow keys go through its nodes and edges.",
    });
    const details = html("div", { class: "gs-details" });
    figure.stage.append(picture, details);
    let nodes = [];
    let edges = [];
    let stops = [];
    let looked = null; // the node or edge under the pointer or in focus
    let recording;
    let frame;
    let digits = 4;

    const line = (text, tag = "span") => html(tag, {}, text);
    const heard = (node) => [line(`By the chain rule: ${node.gradient}`), line(`Nudging ${node.name} and measuring: ${node.measured}`)];
    function describe(stop) {
      const { meta } = recording;
      if (!stop) return details.replaceChildren(line("Point at a node or an edge for its formula."));
      if (stop.edge !== undefined) {
        const edge = meta.edges[stop.edge];
        const [source, target] = [meta.nodes[stop.source].name, meta.nodes[stop.target].name];
        const told = Number.isFinite(frame.get("values")[stop.target]);
        const from = meta.nodes[stop.source];
        return details.replaceChildren(
          line(`Edge from ${source} to ${target}`, "strong"),
          line(told ? `Local derivative: ${edge.formula}` : "Its local derivative is known once the forward pass has come by."),
          ...(frame.step >= from.complete ? heard(from) : []),
        );
      }
      const node = meta.nodes[stop.node];
      const value = frame.get("values")[stop.node];
      const gradient = frame.get("gradients")[stop.node];
      const lines = [line(`Node ${node.name}`, "strong"), line(node.formula)];
      if (Number.isFinite(value)) lines.push(line(node.plugged));
      if (frame.step >= node.complete) {
        lines.push(...heard(node));
      } else if (Number.isFinite(gradient)) lines.push(line(`Gradient so far: ${number(gradient, 4)}`));
      return details.replaceChildren(...lines);
    }
    const current = () => {
      const edge = frame.value("edge");
      return edge >= 0 ? edges[edge] : nodes[frame.value("node")];
    };
    const look = (stop) => {
      looked?.slope?.classList.remove("gs-looked");
      looked = stop;
      looked?.slope?.classList.toggle("gs-looked", Number.isFinite(frame.get("values")[looked.target]));
      describe(looked ?? current());
    };
    function rove(stop) {
      stops.forEach((other) => place(other.element, { tabindex: other === stop ? 0 : -1 }));
      stop.element.focus({ preventScroll: true });
    }
    function listenTo(stop) {
      const { element } = stop;
      element.addEventListener("pointerenter", () => look(stop));
      element.addEventListener("pointerleave", () => look(null));
      element.addEventListener("focus", () => look(stop));
      element.addEventListener("blur", () => look(null));
      element.addEventListener("keydown", (event) => {
        const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
        if (!by) return;
        event.preventDefault();
        rove(stops[(stops.indexOf(stop) + by + stops.length) % stops.length]);
      });
    }

    /** A path between two boxes, bent sideways by `bend` pixels, and its middle and direction there. */
    function between(from, to, bend) {
      const [dx, dy] = [to.x - from.x, to.y - from.y];
      const length = Math.hypot(dx, dy) || 1;
      const middle = { x: from.x + dx / 2 - (dy / length) * bend, y: from.y + dy / 2 + (dx / length) * bend };
      const control = { x: 2 * middle.x - from.x / 2 - to.x / 2, y: 2 * middle.y - from.y / 2 - to.y / 2 };
      const angle = (Math.atan2(dy, dx) * 180) / Math.PI;
      return { d: `M${from.x} ${from.y}Q${control.x} ${control.y} ${to.x} ${to.y}`, middle, angle };
    }

    return {
      start(next) {
        recording = next;
        looked = null;
        const { meta } = recording;
        const places = recording.still("places");
        const [sources, targets] = [recording.still("sources"), recording.still("targets")];
        const count = meta.nodes.length;
        let [deepest, widest] = [0, 0];
        for (let i = 0; i < count; i += 1) {
          deepest = Math.max(deepest, places[2 * i]);
          widest = Math.max(widest, places[2 * i + 1]);
        }
        const width = Math.max(260, figure.stage.clientWidth);
        const across = width >= 66 * (deepest + 1);
        const [columns, rows] = across ? [deepest, widest] : [widest, deepest];
        const box = { width: Math.min(BOX.width, width / (columns + 1) - (across ? 12 : 4)), height: BOX.height };
        const [left, top, rowHeight] = [box.width / 2 + 2, box.height / 2 + 3, across ? 74 : 84];
        const columnWidth = columns ? (width - box.width - 4) / columns : 0;
        const height = rows * rowHeight + box.height + 24;
        place(picture, { viewBox: `0 0 ${width} ${height}`, width, height });
        const at = (i) => {
          const [column, row] = across ? [places[2 * i], places[2 * i + 1]] : [places[2 * i + 1], places[2 * i]];
          return { x: columns ? left + column * columnWidth : width / 2, y: top + row * rowHeight };
        };
        digits = across ? 4 : 3;
        // Where the gaps are wide enough every edge shows its number; elsewhere the one that is looked at does.
        const roomy = across && columnWidth - box.width > 44 && sources.length < 14;

        edges = Array.from(sources, (source, edge) => {
          const target = targets[edge];
          const twins = Array.from(sources.keys()).filter((k) => sources[k] === source && targets[k] === target);
          const bend = twins.length > 1 ? (twins.indexOf(edge) - (twins.length - 1) / 2) * 46 : 0;
          const path = between(at(source), at(target), bend);
          const element = svg("g", { class: "gs-edge", tabindex: -1, role: "img" },
            svg("path", { class: "gs-reach", d: path.d }),
            svg("path", { class: "gs-line", d: path.d }),
            svg("polygon", {
              points: "-8,0 6,-7 6,7", transform: `translate(${path.middle.x} ${path.middle.y}) rotate(${path.angle})`,
            }));
          const slope = svg("text", {
            class: "gs-slope", x: path.middle.x + (across ? 0 : 14), y: path.middle.y + (across ? -9 : 16),
          }, meta.edges[edge].slope);
          return { edge, source, target, element, slope, roomy };
        });
        nodes = meta.nodes.map((node, index) => {
          const { x, y } = at(index);
          const element = svg("g", { class: "gs-node", tabindex: -1, role: "img" },
            svg("rect", { x: x - box.width / 2, y: y - box.height / 2, width: box.width, height: box.height, rx: 8 }),
            svg("text", { class: "gs-name", x, y: y - 4 }, node.name),
            svg("text", { class: "gs-value", x, y: y + 13 }),
            svg("text", { class: "gs-gradient", x, y: y + box.height / 2 + 14 }));
          element.classList.toggle("gs-input", node.kind === "input");
          return { node: index, element };
        });
        stops = nodes.flatMap((stop) => [stop, ...edges.filter((edge) => edge.target === stop.node)]);
        stops.forEach(listenTo);
        place(stops[0].element, { tabindex: 0 });
        picture.replaceChildren(...[...edges, ...nodes].map(({ element }) => element), ...edges.map(({ slope }) => slope));
      },

      draw(next) {
        frame = next;
        const { meta } = recording;
        const [values, gradients, contributions] = ["values", "gradients", "contributions"].map((name) => frame.get(name));
        const [node, edge] = [frame.value("node"), frame.value("edge")];
        const backwards = gradients.some(Number.isFinite);
        nodes.forEach(({ element }, index) => {
          const [value, gradient] = [values[index], gradients[index]];
          const [, , shown, wish] = element.children;
          shown.textContent = Number.isFinite(value) ? number(value, digits) : "";
          wish.textContent = Number.isFinite(gradient) ? number(gradient, digits) : "";
          wish.setAttribute("class", `gs-gradient ${gradient > 0 ? "nn-positive" : gradient < 0 ? "nn-negative" : "gs-zero"}`);
          element.classList.toggle("gs-unknown", !Number.isFinite(value));
          element.classList.toggle("gs-now", index === node);
          const told = [Number.isFinite(value) ? meta.nodes[index].plugged : `${meta.nodes[index].name}, not computed yet`];
          if (Number.isFinite(gradient)) told.push(`gradient ${number(gradient, 4)}`);
          place(element, { "aria-label": told.join(", ") });
        });
        edges.forEach(({ element, slope, target, roomy }, index) => {
          const known = Number.isFinite(values[target]);
          const contribution = contributions[index];
          const states = {
            "gs-forwards": !backwards && target === node,
            "gs-now": index === edge,
            "gs-positive": contribution > 0,
            "gs-negative": contribution < 0,
            "gs-zero": contribution === 0,
          };
          Object.entries(states).forEach(([name, on]) => element.classList.toggle(name, on));
          slope.classList.toggle("gs-now", index === edge);
          slope.classList.toggle("gs-told", known && (roomy || index === edge));
          const { formula } = meta.edges[index];
          place(element, { "aria-label": known ? `Edge: ${formula}` : `Edge: ${formula.split(" = ")[0]}` });
        });
        describe(looked ?? current());
      },
    };
  },
});
