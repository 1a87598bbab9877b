"use strict";
(() => {
  const all = (where, what) => Array.from(where.querySelectorAll(what));
  all(document, "[data-needs-script]").forEach((item) => { item.hidden = false; });

  // Copying. Without the clipboard (some browsers, from a file) the text is selected instead.
  all(document, "button[data-copy]").forEach((button) => {
    button.addEventListener("click", () => {
      const source = document.getElementById(button.dataset.copy);
      const say = (text) => { button.textContent = text; setTimeout(() => { button.textContent = "Copy"; }, 1500); };
      const select = () => {
        const range = document.createRange();
        range.selectNodeContents(source);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        say("Selected");
      };
      if (!navigator.clipboard) { select(); return; }
      navigator.clipboard.writeText(source.textContent).then(() => say("Copied"), select);
    });
  });

  // Filtering: words, grades, target. Paper shows everything all the same.
  const filter = document.getElementById("filter");
  const findings = all(document, ".finding");
  // Read before copies of the machine stand in them, which have every word.
  const texts = new Map(findings.map((finding) => [finding, finding.textContent.toLowerCase()]));
  const apply = () => {
    const words = filter.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const kinds = all(filter, "input[name=kind]").filter((box) => box.checked).map((box) => box.value);
    const target = filter.elements.target ? filter.elements.target.value : "";
    let shown = 0;
    findings.forEach((finding) => {
      const text = texts.get(finding);
      const fits = kinds.includes(finding.dataset.kind) && (!target || finding.dataset.target === target) &&
        words.every((word) => text.includes(word));
      finding.classList.toggle("out", !fits);
      shown += fits ? 1 : 0;
    });
    all(document, ".rule").forEach((rule) => {
      rule.classList.toggle("out", !rule.querySelector(".finding:not(.out)"));
    });
    document.getElementById("shown").textContent = `${shown} of ${findings.length} shown`;
  };
  if (filter) {
    filter.addEventListener("input", apply);
    filter.addEventListener("submit", (event) => event.preventDefault());
  }

  // The machine beside a chart: a window on a copy of the role's picture, without what only the original may have.
  const machineFor = (walk) => {
    const place = walk.querySelector(".window");
    if (!place || place.firstChild) { return place && place.firstChild; }
    const original = document.querySelector(`#${CSS.escape(walk.dataset.machine)} svg.machine`);
    if (!original) { return null; }
    const copy = original.cloneNode(true);
    copy.removeAttribute("aria-label");
    copy.removeAttribute("role");
    copy.setAttribute("aria-hidden", "true");
    place.hidden = false;
    place.append(copy);
    return copy;
  };
  const light = (walk, state, edge) => {
    const copy = machineFor(walk);
    if (!copy) { return; }
    all(copy, ".lit, .ran").forEach((item) => item.classList.remove("lit", "ran"));
    if (edge) { all(copy, `.${CSS.escape(edge)}`).forEach((item) => item.classList.add("ran")); }
    const node = all(copy, "[data-state]").find((item) => item.dataset.state === state);
    if (!node) { return; }
    node.classList.add("lit");
    const box = node.getBBox();
    copy.setAttribute("viewBox", `${box.x + box.width / 2 - 230} ${box.y + box.height / 2 - 172} 460 345`);
  };

  // Stepping through a chart. 0 is the whole chart.
  const walks = all(document, ".walk");
  const stepsOf = (walk) => all(walk.closest(".finding"), "tr[data-step]");
  const go = (walk, wanted, quiet) => {
    const rows = stepsOf(walk);
    const at = Math.max(0, Math.min(rows.length, wanted));
    const row = rows[at - 1];
    walk.dataset.at = at;
    walk.classList.toggle("walking", at > 0);
    const numbers = rows.map((item) => Number(item.dataset.step));
    all(walk, ".picture [class*=step_]").forEach((item) => {
      const step = Number((/step_(\d+)/.exec(item.getAttribute("class")) || [])[1]);
      const place = numbers.indexOf(step) + 1;
      item.classList.toggle("was", place > 0 && place <= at);
      item.classList.toggle("now", place > 0 && place === at);
    });
    rows.forEach((item) => item.classList.toggle("here", item === row));
    const state = row ? row.dataset.state : walk.dataset.state;
    all(walk, ".path li").forEach((item) => item.classList.toggle("here", at > 0 && item.dataset.state === state));
    light(walk, state, row ? row.dataset.edge : "");
    walk.querySelector(".at").textContent = at ? `step ${at} of ${rows.length}` : `${rows.length} steps`;
    walk.querySelector(".said").textContent = row ? row.dataset.said :
      "Step through the chart with ▶ or the arrow keys; the state machine beside it follows.";
    walk.querySelector("[data-go=back]").disabled = at === 0;
    walk.querySelector("[data-go=on]").disabled = at === rows.length;
    if (quiet) { return; }
    const name = row ? row.id : walk.closest(".finding").id;
    try { history.replaceState(null, "", `#${name}`); } catch (error) { /* some browsers forbid it for files */ }
    const mark = walk.querySelector(".picture .now");
    if (mark) { mark.scrollIntoView({ block: "nearest" }); }
  };
  walks.forEach((walk) => {
    if (!walk.querySelector(".controls")) { return; }
    go(walk, 0, true);
    walk.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) { return; }
      const at = Number(walk.dataset.at);
      const last = stepsOf(walk).length;
      const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 1, End: last, Escape: 0 }[event.key];
      if (to === undefined) { return; }
      event.preventDefault();
      go(walk, to);
    });
    all(walk, "button[data-go]").forEach((button) => button.addEventListener("click", () => {
      const at = Number(walk.dataset.at);
      go(walk, { back: at - 1, on: at + 1, all: 0 }[button.dataset.go]);
      if (button.disabled) { walk.querySelector(".canvas").focus(); }
    }));
    stepsOf(walk).forEach((row, index) => row.addEventListener("click", (event) => {
      if (!event.target.closest("a, summary, details")) { go(walk, index + 1); }
    }));
  });

  // Links into the page: to a finding, or to one of its steps.
  const follow = () => {
    const name = decodeURIComponent(location.hash.slice(1));
    const found = name && document.getElementById(name);
    if (!found) { return; }
    const finding = found.closest(".finding");
    if (finding) { finding.classList.remove("out"); finding.closest(".rule").classList.remove("out"); }
    if (found.dataset.step) {
      const walk = finding.querySelector(".walk");
      go(walk, stepsOf(walk).indexOf(found) + 1, true);
    }
    found.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", follow);
  follow();
})();
