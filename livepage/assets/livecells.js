// Code cells which the reader may change and run, where the book has Python for its pages. Without it, or until the
// reader asks, a cell is what it is in print.
"use strict";
(() => {
  const python = window.livepage?.python;
  if (!python) return;

  // ---- colours ------------------------------------------------------------------------------------------------

  // What the theme colours, by the names of Pygments; the first that fits at a place wins.
  const KEYWORDS = "and as assert async await break class continue def del elif else except finally for from global if "
    + "import in is lambda nonlocal not or pass raise return try while with yield";
  const BUILTINS = "abs all any bool dict enumerate float int isinstance len list map max min print range repr reversed "
    + "round set sorted str sum tuple type zip";
  const TOKENS = [
    ["c1", /#.*/y],
    ["s2", /[rbfRBF]{0,2}(?:"""[^]*?(?:"""|$)|'''[^]*?(?:'''|$)|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?)/y],
    ["mf", /\b(?:\d[\d_]*\.?\d*|\.\d+)(?:e[-+]?\d+)?/iy],
    ["kc", /\b(?:True|False|None)\b/y],
    ["k", new RegExp(`\\b(?:${KEYWORDS.replaceAll(" ", "|")})\\b`, "y")],
    ["nb", new RegExp(`\\b(?:${BUILTINS.replaceAll(" ", "|")})\\b`, "y")],
    ["", /[\p{L}_][\p{L}\p{N}_]*/uy],
    ["o", /[-+*/%@&|^~<>=!]+/y],
    ["", /[^]/y],
  ];

  function coloured(code) {
    const parts = document.createDocumentFragment();
    for (let at = 0; at < code.length;) {
      for (const [name, pattern] of TOKENS) {
        pattern.lastIndex = at;
        const found = pattern.exec(code)?.[0];
        if (!found) continue;
        at += found.length;
        parts.append(name ? Object.assign(document.createElement("span"), { className: name, textContent: found }) : found);
        break;
      }
    }
    return parts;
  }

  // ---- one cell -----------------------------------------------------------------------------------------------

  const element = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };

  function enliven(script) {
    const cell = JSON.parse(script.textContent);
    const box = script.closest(".cell");
    const input = box.querySelector(".cell_input");
    const stored = box.querySelector(".cell_output");
    const place = input.querySelector(".highlight");
    const printed = place.querySelector("pre");

    const button = (text, act) => {
      const made = element("button", { type: "button", textContent: text });
      made.addEventListener("click", act);
      return made;
    };
    const run = button("Run", () => start());
    const edit = button("Edit", () => open());
    const reset = button("Reset", () => restore());
    const stop = button("Interrupt", () => python.interrupt());
    reset.hidden = stop.hidden = true;
    const status = element("span", { role: "status" });
    const bar = element("div", { className: "livecell-bar" }, run, edit, stop, reset, status);
    const output = element("div", { className: "livecell-output", hidden: true });
    input.after(bar, output);
    let area = null;

    /** Put an editor in the place of the printed code: a text area without colours over the same text in colours. */
    function open() {
      if (area) return area.focus();
      const text = element("pre", { ariaHidden: "true" });
      area = element("textarea", { value: cell.code, spellcheck: false, autocomplete: "off", autocapitalize: "off", wrap: "off" });
      area.setAttribute("aria-label", "Code of this cell. Shift and Enter run it; Escape, then Tab leave it.");
      const draw = () => {
        text.replaceChildren(coloured(`${area.value}\n`));
        area.rows = area.value.split("\n").length;
      };
      const editor = element("div", { className: "livecell-editor" }, text, area);
      let leaving = false;
      area.addEventListener("input", draw);
      area.addEventListener("scroll", () => { text.scrollLeft = area.scrollLeft; });
      area.addEventListener("keydown", (event) => {
        const { key, shiftKey } = event;
        if (key === "Enter" && shiftKey) {
          event.preventDefault();
          start();
        } else if (key === "Enter") {
          event.preventDefault();
          const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
          insert(`\n${line.match(/^ */)[0]}${/:\s*(#.*)?$/.test(line) ? "    " : ""}`);
        } else if (key === "Tab" && !shiftKey && !leaving) {
          event.preventDefault();
          insert("    ");
        }
        leaving = key === "Escape";
      });
      const insert = (added) => {
        area.setRangeText(added, area.selectionStart, area.selectionEnd, "end");
        draw();
      };
      draw();
      printed.hidden = true;
      place.append(editor);
      edit.hidden = true;
      reset.hidden = false;
      area.focus();
    }

    function restore() {
      area?.parentElement.remove();
      area = null;
      printed.hidden = edit.hidden = false;
      reset.hidden = output.hidden = true;
      output.replaceChildren();
      if (stored) stored.hidden = false;
      status.textContent = "";
    }

    async function start() {
      if (!stop.hidden) return;
      stop.hidden = false;
      run.disabled = reset.hidden = true; // what is still running would write into a cell that was reset
      status.textContent = "Running …";
      if (stored) stored.hidden = true;
      output.replaceChildren();
      output.hidden = false;
      const stream = element("pre", { className: "livecell-text" });
      const onOutput = (text) => {
        if (!stream.isConnected) output.append(stream);
        stream.append(text);
      };
      const onProgress = ({ stage, loaded, total }) => {
        const megabytes = (bytes) => (bytes / 1e6).toFixed(1);
        status.textContent = total ? `${stage}: ${megabytes(loaded)} of ${megabytes(total)} MB` : `${stage} …`;
      };
      try {
        const result = await python.run({ ...cell, code: area?.value ?? cell.code }, { onOutput, onProgress });
        status.textContent = "";
        await show(result);
        if (!output.childElementCount) status.textContent = "Done; this cell shows nothing.";
      } catch (error) {
        const interrupted = error.message === "interrupted";
        status.textContent = interrupted ? "Interrupted. Python starts anew with the next run." : error.message;
        if (!interrupted && stored) [stored.hidden, output.hidden] = [false, true];
      } finally {
        run.disabled = reset.hidden = false;
        stop.hidden = true;
      }
    }

    async function show({ value, html, figure, error, verdict }) {
      if (error) output.append(element("pre", { className: "livecell-error", role: "alert", textContent: error }));
      if (html) output.append(element("div", { innerHTML: html }));
      else if (value !== undefined) output.append(element("pre", { className: "livecell-text", textContent: value }));
      if (figure) {
        const view = element("div", {});
        output.append(view);
        await window.livepage.show(figure, view);
      }
      if (verdict) {
        const className = verdict.solved ? "livecell-verdict livecell-right" : "livecell-verdict";
        output.append(element("p", { className, role: "status", textContent: verdict.text }));
      }
    }
  }

  document.querySelectorAll('script[type="application/vnd.livepage-cell+json"]').forEach(enliven);
})();
