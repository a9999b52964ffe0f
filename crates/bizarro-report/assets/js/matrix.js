// The failure matrix: a row for each caller, callee and name, unfolded to its exchanges on demand.

const MEASURES = [
  ["verdict", "what broke"],
  ["recovery", "recovery time"],
  ["heal", "from heal"],
  ["blast", "blast radius"],
];

class Matrix {
  /** `choose(cell, variant)` is called when a cell is chosen. */
  constructor(report, choose) {
    this.report = report;
    this.choose = choose;
    this.letters = new Map(report.properties.filter((p) => p.letter).map((p) => [p.name, p.letter]));
    this.measure = "verdict";
    this.unfolded = new Set();
    this.groups = this.group();
    this.node = el("section", { "aria-labelledby": "matrix-title" });
    this.draw();
  }

  /** Rows, each with the indices of its cells by step. */
  group() {
    const groups = new Map();
    this.report.cells.forEach((cell, index) => {
      const exchange = this.report.exchanges[cell.exchange];
      const key = `${exchange.client}\u0000${exchange.server}\u0000${exchange.name}`;
      if (!groups.has(key)) groups.set(key, { exchange, parts: new Map() });
      const { parts } = groups.get(key);
      if (!parts.has(cell.exchange)) parts.set(cell.exchange, Array(STEPS.length).fill(null));
      parts.get(cell.exchange)[stepIndex.get(cell.step)] = index;
    });
    return [...groups.values()];
  }

  draw() {
    const { report } = this;
    const body = el("tbody");
    for (const [index, group] of this.groups.entries()) {
      const parts = [...group.parts.values()];
      body.append(this.row(group.exchange, parts, index));
      if (this.unfolded.has(index)) {
        for (const [exchange, cells] of group.parts) body.append(this.row(report.exchanges[exchange], [cells], null));
      }
    }
    const heads = STEPS.map(([, verb, noun, sentence], index) =>
      el("th", { scope: "col", title: sentence }, el("b", { text: index + 1 }), verb, el("br"), noun));
    const choices = MEASURES.map(([key, words]) => el("button", {
      "aria-pressed": String(this.measure === key), text: words,
      onclick: () => { this.measure = key; this.draw(); },
    }));
    fill(this.node,
      el("h2", { id: "matrix-title", text: "Failure matrix" }),
      el("p", { class: "faint" }, "Each row is a kind of request, each column one of the eight steps at which a request and its reply can fail. " +
        "Every cell was run from the start with that one fault. Click a cell to see its run."),
      el("div", { class: "choices" }, "show", choices),
      el("div", { class: "scroll-x" },
        el("table", { class: "matrix", onkeydown: (event) => this.move(event) },
          el("thead", {}, el("tr", {}, el("th", { scope: "col", text: "caller → callee" }), heads)), body)),
      this.legend());
    this.mark();
  }

  /** `parts`: the cells of each exchange that the row stands for. `group`: which row, where it folds. */
  row(exchange, parts, group) {
    const many = group !== null && parts.length > 1;
    const isOpen = many && this.unfolded.has(group);
    const { cells: all, exchanges } = this.report;
    const shown = parts.flat().filter((index) => index !== null);
    const again = attemptText(Math.max(1, ...shown.map((index) => exchanges[all[index].exchange].attempt)));
    const name = group === null ? `#${exchange.ordinal}` : exchange.name;
    const label = many
      ? el("button", {
        "aria-expanded": String(isOpen), title: isOpen ? "fold" : "show each of them",
        onclick: () => { isOpen ? this.unfolded.delete(group) : this.unfolded.add(group); this.draw(); },
      }, `${isOpen ? "▾" : "▸"} ${name}`, el("span", { class: "faint", text: ` ×${parts.length}${again}` }))
      : el("span", { text: name + again });
    const peers = group === null ? [] : [el("span", { class: "faint", text: `${exchange.client} → ${exchange.server}` }), el("br")];
    const cells = STEPS.map((_, step) => {
      const indices = parts.map((cells) => cells[step]).filter((index) => index !== null);
      return el("td", {}, indices.length === 0 ? [] : [this.cell(indices, step, exchange, many ? "" : ` #${exchange.ordinal}`)]);
    });
    return el("tr", { class: group === null ? "part" : undefined }, el("th", { scope: "row" }, peers, label), cells);
  }

  /** A button for cells that are folded into one. */
  cell(indices, step, exchange, ordinal) {
    const cells = indices.map((index) => this.report.cells[index]);
    const worst = cells.reduce((worst, cell) => (severity(cell.outcome) > severity(worst.outcome) ? cell : worst));
    const variants = cells.flatMap((cell) => cell.variants);
    const text = this.text(worst.outcome, variants);
    const [, verb, noun] = STEPS[step];
    const said = `${exchange.name}${ordinal}, step ${step + 1}, ${verb} ${noun}: ${worst.outcome}`;
    const chosen = indices[cells.indexOf(worst)];
    const button = el("button", {
      class: `cell ${tone(worst.outcome)}`, "aria-label": said, title: this.title(said, variants), text,
      "data-cells": indices.join(" "),
      onclick: () => this.choose(chosen, null),
    });
    return button;
  }

  text(outcome, variants) {
    if (this.measure === "recovery" || this.measure === "heal") {
      const impacts = variants.map((variant) => variant.impact).filter(Boolean);
      if (impacts.length === 0) return "·";
      if (impacts.some((impact) => !impact.recovered)) return "never";
      const longest = Math.max(...impacts.map((impact) => (this.measure === "heal" ? impact.recovery_from_heal : impact.recovery) ?? 0));
      return longest === 0 ? "–" : span(longest).replace(/\.\d+ /, " ");
    }
    if (this.measure === "blast") {
      const impacts = variants.map((variant) => variant.impact).filter(Boolean);
      if (impacts.length === 0) return "·";
      const share = Math.max(...impacts.map((impact) => impact.exchanges / Math.max(1, impact.exchanges_total)));
      return `${Math.round(share * 100)}%`;
    }
    const broken = new Set(variants.flatMap((variant) => (isFailure(variant.outcome) ? variant.broken : [])));
    const letters = [...broken].map((name) => this.letters.get(name) ?? "?").sort().join("");
    return letters ? `${sign(outcome)} ${letters}` : sign(outcome);
  }

  title(said, variants) {
    const tried = variants.slice(0, 8).map((variant) => `${sign(variant.outcome)} ${variant.effect}${variant.skipped ? ` – ${variant.skipped}` : ""}`);
    if (variants.length > 8) tried.push("…");
    return [said, ...tried].join("\n");
  }

  legend() {
    const signs = [["✓", "held", "good"], ["✗", "something broke", "bad"], ["·", "cannot happen here", "faint"], ["?", "could not be judged", "doubt"]];
    const items = this.measure === "verdict"
      ? signs.map(([mark, words, kind]) => el("li", {}, el("b", { class: kind, text: mark }), ` ${words}`))
        .concat([...this.letters].sort((a, b) => (a[1] < b[1] ? -1 : 1)).map(([name, letter]) => el("li", {}, el("b", { class: "bad", text: letter }), ` ${name}`)))
      : [el("li", { text: this.measure === "recovery"
        ? "The longest time from the fault until its client was served again, in virtual time."
        : this.measure === "heal" ? "The same from the moment at which the fault was over by itself: a partition healed, a pause ended, a host started again."
        : "The largest share of requests that the fault took away or made worse." })];
    return el("ul", { class: "legend" }, items);
  }

  /** Marks the cell that is shown. */
  show(cell) {
    this.chosen = cell;
    this.mark();
  }

  mark() {
    for (const button of this.node.querySelectorAll("button.cell")) {
      const holds = this.chosen !== undefined && this.chosen !== null && button.dataset.cells.split(" ").includes(String(this.chosen));
      button.classList.toggle("chosen", holds);
    }
  }

  /** Arrows move from cell to cell. */
  move(event) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const td = event.target.closest("td");
    if ((dx === 0 && dy === 0) || !td) return;
    event.preventDefault();
    const row = td.parentElement;
    const rows = [...row.parentElement.children];
    const next = rows[rows.indexOf(row) + dy];
    next?.children[td.cellIndex + dx]?.querySelector("button.cell")?.focus();
  }
}
