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
    frame(copy, node.getBBox());
  };
  // What of the machine is seen: the state in the middle, as far as the picture goes; no text is cut by the frame.
  const RATIO = 0.75;
  const frame = (copy, box) => {
    const whole = copy.dataset.whole = copy.dataset.whole || copy.getAttribute("viewBox");
    const [left, top, width, full] = whole.split(" ").map(Number);
    // Below the lowest state only lists stand, which the window would cut.
    const lowest = Math.max(...all(copy, "[data-state]").map((item) => item.getBBox()).map((one) => one.y + one.height));
    const height = Math.min(full, lowest + 12 - top);
    const texts = all(copy, "text").map((item) => item.getBBox());
    const place = (size) => {
      const wide = Math.min(size, width), high = Math.min(size * RATIO, height);
      const within = (middle, length, low, all) => Math.max(low, Math.min(middle - length / 2, low + all - length));
      return { x: within(box.x + box.width / 2, wide, left, width), y: within(box.y + box.height / 2, high, top, height),
        width: wide, height: high };
    };
    const inside = (text, seen) => text.x < seen.x + seen.width && text.x + text.width > seen.x &&
      text.y < seen.y + seen.height && text.y + text.height > seen.y;
    const cuts = (text, seen) => inside(text, seen) && !(text.x >= seen.x && text.x + text.width <= seen.x + seen.width &&
      text.y >= seen.y && text.y + text.height <= seen.y + seen.height);
    let seen = place(460);
    // Where little stands, as beside a state at the edge, more of the machine is shown.
    const shown = () => texts.filter((text) => inside(text, seen) && !cuts(text, seen)).length;
    for (let size = 500; size <= width && shown() < 14; size += 40) { seen = place(size); }
    copy.setAttribute("viewBox", `${seen.x} ${seen.y} ${seen.width} ${seen.height}`);
    // An arrow's label goes as a whole: its count alone would say nothing.
    const name = (item) => (/(?:^| )(e\d+)(?: |$)/.exec((item.closest("g") || item).getAttribute("class") || "") || [])[1];
    const items = all(copy, "text");
    const gone = new Set(items.filter((item, index) => cuts(texts[index], seen)).map(name).filter(Boolean));
    items.forEach((item, index) => item.classList.toggle("cut", cuts(texts[index], seen) || gone.has(name(item))));
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
    // A state may come more than once: it is the place in the list that counts.
    const places = all(walk, ".path li");
    let place = 0;
    rows.slice(0, at).forEach((item) => {
      const there = item.dataset.state;
      if (there && places[place] && there !== places[place].dataset.state) { place += 1; }
    });
    places.forEach((item, index) => item.classList.toggle("here", at > 0 && index === place));
    light(walk, state, row ? row.dataset.edge : "");
    walk.querySelector(".at").textContent = at ? `step ${at} of ${rows.length}` : `${rows.length} steps`;
    walk.querySelector(".said").textContent = row ? row.dataset.said :
      "Step through the chart with ▶ or the arrow keys; the state machine beside it follows.";
    // The heads of the lanes stay below the sentence, however long it is.
    walk.style.setProperty("--covered", `${walk.querySelector(".controls").offsetHeight}px`);
    walk.querySelector("[data-go=back]").disabled = at === 0;
    walk.querySelector("[data-go=on]").disabled = at === rows.length;
    if (quiet) { return; }
    const name = row ? row.id : walk.closest(".finding").id;
    try { history.replaceState(null, "", `#${name}`); } catch (error) { /* some browsers forbid it for files */ }
    show(walk);
  };
  // Scroll so that the current message is wholly seen, below what stays in sight.
  const show = (walk) => {
    const marks = all(walk, ".picture svg.chart .now").map((item) => item.getBoundingClientRect());
    if (!marks.length) { return; }
    const top = Math.min(...marks.map((box) => box.top)), bottom = Math.max(...marks.map((box) => box.bottom));
    const stay = walk.querySelector(".stay"), controls = walk.querySelector(".controls");
    const canvas = walk.querySelector(".canvas");
    if (canvas.scrollHeight > canvas.clientHeight + 1 && getComputedStyle(canvas).overflowY === "auto") {
      walk.querySelector(".picture svg.chart .now").scrollIntoView({ block: "center" });
      return;
    }
    const covered = controls.offsetHeight + (stay ? stay.offsetHeight : 0) + 8;
    if (top < covered) { scrollBy(0, top - covered); } else if (bottom > innerHeight - 8) {
      scrollBy(0, Math.min(bottom - innerHeight + 8, top - covered));
    }
  };
  const press = (walk, event, key) => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.defaultPrevented) { return; }
    const at = Number(walk.dataset.at);
    const last = stepsOf(walk).length;
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 1, End: last, Escape: 0 }[key];
    if (to === undefined) { return; }
    event.preventDefault();
    go(walk, to);
  };
  // Without focus in a chart the arrows are for the one that takes up most of the window; Home and End scroll the page.
  const inView = () => {
    const share = (walk) => {
      const box = walk.getBoundingClientRect();
      return Math.min(box.bottom, innerHeight) - Math.max(box.top, 0);
    };
    const best = walks.filter((walk) => walk.querySelector(".controls") && walk.offsetHeight)
      .reduce((one, other) => (one && share(one) >= share(other) ? one : other), null);
    return best && share(best) > 60 ? best : null;
  };
  document.addEventListener("keydown", (event) => {
    if (!["ArrowRight", "ArrowLeft", "Escape"].includes(event.key)) { return; }
    if (event.target.closest && event.target.closest("input, select, textarea, pre, .scroll, .walk")) { return; }
    const walk = inView();
    if (walk) { press(walk, event, event.key); }
  });
  walks.forEach((walk) => {
    if (!walk.querySelector(".controls")) { return; }
    go(walk, 0, true);
    walk.addEventListener("keydown", (event) => press(walk, event, event.key));
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
