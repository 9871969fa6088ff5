/* Break the gradient: the cells of a gradient, what the code says above what nudging measures, and a verdict to give.
   What agrees, what is said about each number and which rule was broken all come with the recording. */

export default instrument({
  create(figure) {
    const layers = html("div", { class: "bg-layers" });
    const told = html("p", { class: "bg-told" });
    const choices = html("div", { class: "bg-choices" });
    const check = html("button", { type: "button", class: "nn-small" }, "Check my verdict");
    const reveal = html("button", { type: "button", class: "nn-small" }, "Show me");
    const answer = html("div", { class: "bg-answer", "aria-live": "polite" });
    const score = html("p", { class: "bg-score" });
    const verdict = html("fieldset", { class: "bg-verdict" },
      html("legend", {}, "Which rule is broken?"), choices,
      html("div", { class: "bg-buttons" }, check, reveal), answer, score);
    figure.stage.append(layers, told, verdict);

    const radios = `verdict-${Math.random().toString(36).slice(2)}`;
    const found = new Set();
    const seen = new Set();
    let cells = [];
    let blocks = [];
    let recording;
    let frame;
    let shown;
    let looked = -1;

    const hint = "Upper number: what the code says. Lower number: what nudging measures.";
    function tell() {
      const known = looked >= 0 && frame && looked < frame.value("checked");
      told.textContent = known ? recording.meta.sentences[looked + 1] : hint;
    }
    function countFound() {
      const cases = seen.size;
      score.textContent = cases ? `Cases found by you: ${found.size} of ${cases} tried.` : "";
    }
    function open() {
      const { meta } = recording;
      const fault = meta.faults[meta.fault];
      const code = html("pre", {});
      meta.rules.forEach((rule, index) => {
        if (index === fault.rule) code.append(html("del", {}, fault.wrong), "\n", html("ins", {}, rule), "\n");
        else code.append(rule, "\n");
      });
      answer.append(html("p", {}, html("strong", {}, `${fault.label}. `), fault.symptom), code);
      countFound();
    }
    check.addEventListener("click", () => {
      const chosen = choices.querySelector("input:checked");
      if (!chosen) {
        answer.replaceChildren(html("p", {}, "Choose a verdict first."));
        return;
      }
      const right = chosen.value === recording.meta.fault;
      seen.add(shown);
      if (right) found.add(shown);
      answer.replaceChildren(html("p", {}, right
        ? "Right." : `No. If that were so: ${recording.meta.faults[chosen.value].symptom} Look again.`));
      if (right) open();
      countFound();
    });
    reveal.addEventListener("click", () => {
      seen.add(shown);
      answer.replaceChildren();
      open();
    });

    return {
      start(next) {
        recording = next;
        looked = -1;
        const { meta } = recording;
        const [block, place_] = [recording.still("block"), recording.still("cells")];
        const [claimed, measured] = [recording.still("claimed"), recording.still("measured")];
        blocks = meta.blocks.map((one) => {
          const grid = html("div", { class: "bg-cells", style: `grid-template-columns: repeat(${one.columns}, max-content)` });
          const tally = html("span");
          const element = html("div", { class: "bg-block" }, html("p", {}, html("strong", {}, one.name), " ", tally), grid);
          return { element, grid, tally };
        });
        cells = meta.names.map((name, index) => {
          const element = html("div", {
            class: "bg-cell", title: name,
            style: `grid-row: ${place_[2 * index] + 1}; grid-column: ${place_[2 * index + 1] + 1}`,
          });
          const fixed = (value) => value.toFixed(3).replace("-", "−");
          const parts = [html("span", {}, fixed(claimed[index])), html("span", { class: "bg-measured" })];
          element.append(...parts);
          element.addEventListener("pointerenter", () => { looked = index; tell(); });
          element.addEventListener("pointerleave", () => { looked = -1; tell(); });
          blocks[block[index]].grid.append(element);
          return { element, lower: parts[1], text: fixed(measured[index]) };
        });
        layers.replaceChildren();
        for (let k = 0; k < blocks.length; k += 2) {
          layers.append(html("div", {}, blocks[k].element, blocks[k + 1].element));
        }
        const now = JSON.stringify(meta.settings);
        if (now !== shown) { // another case: the verdict is open again
          shown = now;
          answer.replaceChildren();
          choices.replaceChildren(...Object.entries(meta.faults).map(([key, { label }]) => html("label", {},
            html("input", { type: "radio", name: radios, value: key }), label)));
        }
      },

      draw(next) {
        frame = next;
        const checked = frame.value("checked");
        const [agrees, block] = [recording.still("agrees"), recording.still("block")];
        const [right, seenIn] = [frame.get("right_in"), frame.get("checked_in")];
        cells.forEach(({ element, lower, text }, index) => {
          const known = index < checked;
          lower.textContent = known ? text : "";
          element.classList.toggle("bg-right", known && Boolean(agrees[index]));
          element.classList.toggle("bg-wrong", known && !agrees[index]);
          element.classList.toggle("bg-now", index === checked - 1 && frame.step < frame.last);
        });
        blocks.forEach(({ tally }, k) => {
          const all = block.filter((b) => b === k).length;
          tally.textContent = seenIn[k] ? `${right[k]} of ${seenIn[k]} agree` : `${all} to check`;
        });
        tell();
      },
    };
  },
});
