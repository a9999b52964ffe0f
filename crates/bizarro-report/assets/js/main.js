// The page: what is chosen, the keys, and what is drawn for it.

const TABS = [["diagram", "Diagram", "d"], ["timeline", "Timeline", "t"], ["differences", "Differences", "x"], ["facts", "Facts", "f"]];

class Page {
  constructor(report) {
    this.report = report;
    this.tab = "diagram";
    this.beside = false;
    this.options = { zoom: 1, signs: false, log: true };
    this.chosen = { finding: null, cell: null, variant: null };
    this.header();
    this.overview();
    help(byId("help"));
    addEventListener("keydown", (event) => this.key(event));
    addEventListener("hashchange", () => this.followHash());
    addEventListener("beforeprint", () => this.timeline?.print());
    addEventListener("afterprint", () => this.timeline?.draw());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.recolour());
    if (!this.followHash()) this.chooseFirst();
  }

  header() {
    const { report } = this;
    const { summary } = report;
    const parts = [count(summary.runs, "run")];
    if (summary.cells > 0) parts.unshift(count(summary.cells, "cell"));
    if (summary.cells_violated > 0) parts.push(`${count(summary.cells_violated, "cell")} violated`);
    if (summary.cells_inconclusive > 0) parts.push(`${count(summary.cells_inconclusive, "cell")} inconclusive`);
    if (summary.schedules > 0) parts.push(`${count(summary.schedules_distinct, "different run")} of random schedules`);
    if (summary.swarm > 0) parts.push(`swarm of ${count(summary.swarm, "run")}: ${thousands(summary.swarm_distinct)} different, ${count(summary.swarm_combinations, "combination")}`);
    if (summary.interrupted) parts.push("interrupted");
    const kind = report.outcome === "held" ? "good" : report.outcome === "inconclusive" ? "doubt" : "bad";
    this.search = el("input", { type: "search", placeholder: "search ( / )", "aria-label": "search in the run and in the findings", oninput: () => this.find() });
    fill(byId("top"),
      el("h1", { text: report.test }),
      el("span", { class: `badge ${kind}`, text: report.outcome }),
      el("span", { class: "faint", text: parts.join(" · ") }),
      el("div", { class: "tools" }, this.search,
        el("button", { text: "light / dark", onclick: () => this.switchTheme() }),
        el("button", { text: "? help", onclick: () => byId("help").showModal() })));
  }

  overview() {
    const { report } = this;
    const choose = (cell, variant) => this.chooseCell(cell, variant);
    this.matrix = report.cells.length > 0 ? new Matrix(report, choose) : null;
    this.list = findingList(report, (index) => this.chooseFinding(index));
    fill(byId("overview"),
      report.difference ? el("section", {}, el("h2", { class: "bad", text: "Not deterministic" }), el("pre", { text: report.difference })) : null,
      this.introduction(), this.matrix?.node, this.list, propertyTable(report), callGraph(report, (dependency, removal) => this.chooseRemoval(dependency, removal)), faultTable(report, choose), worldSection(report));
  }

  introduction() {
    const { report } = this;
    const baseline = report.runs[0];
    const base = el("button", { text: "see the baseline", onclick: () => this.chooseRun(0) });
    const first = `Without faults the test ${baseline.outcome === "held" ? "holds" : `is ${baseline.outcome}`}: ${count(baseline.exchanges_omitted + baseline.exchanges.count, "exchange")}, ${span(baseline.virtual_time)} of virtual time. `;
    const alone = baseline.outcome !== "held" && report.runs.length === 1
      ? "Nothing else was tried: where the test does not hold by itself, a fault would explain nothing. " : "";
    return el("section", {}, el("p", {}, first, alone, base));
  }

  // What is chosen.

  chooseFirst() {
    const { report } = this;
    if (report.findings.length > 0) return this.chooseFinding(0);
    return this.chooseRun(report.runs.length - 1 > 0 && report.cells.length === 0 ? 1 : 0);
  }

  chooseRun(index) {
    const run = this.report.runs[index];
    this.chosen = { finding: null, cell: null, variant: null };
    this.show({
      hash: index === 0 ? "baseline" : `run-${index}`, title: index === 0 ? "Baseline: the run without faults" : "The run",
      outcome: run.outcome, command: run.command, run: index,
      facts: run.broken.map((violation) => `${violation.property}: ${violation.fact || "broken"}`),
    });
  }

  chooseFinding(index) {
    const finding = this.report.findings[index];
    if (!finding) return;
    const place = this.cellOf(finding);
    this.chosen = { finding: index, cell: place?.cell ?? null, variant: place?.variant ?? null };
    this.show({ hash: `finding-${index + 1}`, title: finding.sentence, outcome: finding.outcome, command: finding.command, run: finding.run, facts: finding.facts, impact: finding.impact });
  }

  chooseCell(index, at) {
    const cell = this.report.cells[index];
    if (!cell) return;
    if (at === null || !cell.variants[at]) {
      at = cell.variants.reduce((worst, variant, at) => (severity(variant.outcome) > severity(cell.variants[worst].outcome) ? at : worst), 0);
    }
    const variant = cell.variants[at];
    const finding = this.report.findings.findIndex((finding) => finding.command === variant.command);
    this.chosen = { finding: finding < 0 ? null : finding, cell: index, variant: at };
    this.show({
      hash: `cell-${index + 1}-${variant.effect}`, title: variant.sentence, outcome: variant.outcome, command: variant.command, run: variant.run,
      facts: variant.facts.concat(variant.doubts), impact: variant.impact, skipped: variant.skipped,
    });
  }

  /** The run without a dependency. */
  chooseRemoval(index, at) {
    const dependency = this.report.dependencies[index];
    const removal = dependency?.removals[at];
    if (!removal) return;
    const finding = this.report.findings.findIndex((finding) => finding.command === removal.command);
    this.chosen = { finding: finding < 0 ? null : finding, cell: null, variant: null, dependency: index, removal: at };
    const lost = lostText(removal);
    this.show({
      hash: `without-${index + 1}-${removal.effect}`, title: removal.sentence, outcome: removal.outcome, command: removal.command, run: removal.run,
      facts: removal.facts.concat(removal.doubts), skipped: removal.skipped,
      note: removal.criticality ? `The dependency is ${removal.criticality}${lost && removal.broken.length === 0 ? `: the run ${lost.startsWith("ends") ? lost : `has ${lost}`}` : ""}.` : null,
    });
  }

  /** The cell that a finding's representative is the run of. */
  cellOf(finding) {
    for (const [cell, { variants }] of this.report.cells.entries()) {
      const variant = variants.findIndex((variant) => variant.command === finding.command);
      if (variant >= 0) return { cell, variant };
    }
    return null;
  }

  followHash() {
    const [kind, number, ...rest] = decodeURIComponent(location.hash.slice(1)).split("-");
    const index = Number(number) - 1;
    if (location.hash === `#${this.hash}`) return true;
    if (kind === "baseline") return this.chooseRun(0), true;
    if (kind === "run" && this.report.runs[index + 1]) return this.chooseRun(index + 1), true;
    if (kind === "finding" && this.report.findings[index]) return this.chooseFinding(index), true;
    if (kind === "without" && this.report.dependencies[index]) {
      const removal = this.report.dependencies[index].removals.findIndex((removal) => removal.effect === rest.join("-"));
      return this.chooseRemoval(index, Math.max(0, removal)), true;
    }
    if (kind === "cell" && this.report.cells[index]) {
      const variant = this.report.cells[index].variants.findIndex((variant) => variant.effect === rest.join("-"));
      return this.chooseCell(index, variant < 0 ? null : variant), true;
    }
    return false;
  }

  // What is drawn for it.

  show(shown) {
    this.shown = shown;
    this.hash = shown.hash;
    history.replaceState(null, "", `#${shown.hash}`);
    this.matrix?.show(this.chosen.cell);
    for (const item of byId("overview").querySelectorAll("[data-finding]")) {
      const isChosen = Number(item.dataset.finding) === this.chosen.finding;
      item.classList.toggle("chosen", isChosen);
      if (isChosen) item.scrollIntoView({ block: "nearest" });
    }
    this.tabs = el("div", { role: "tablist", "aria-label": "views of the run" });
    this.view = el("div", { class: "view" });
    fill(byId("run"), this.head(), this.tabs, this.view);
    this.views = new Map();
    this.timeline = null;
    this.showTab(this.tab);
  }

  head() {
    const { shown, chosen, report } = this;
    const cell = chosen.cell === null ? null : report.cells[chosen.cell];
    const chips = cell && cell.variants.length > 1
      ? el("div", { class: "choices" }, `step ${stepIndex.get(cell.step) + 1}, ${cell.step.replace("-", " ")}:`,
        cell.variants.map((variant, at) => el("button", {
          "aria-pressed": String(at === chosen.variant), title: variant.skipped ?? variant.sentence,
          onclick: () => this.chooseCell(chosen.cell, at),
        }, el("b", { class: tone(variant.outcome), text: sign(variant.outcome) }), ` ${variant.effect}`)))
      : null;
    const dependency = report.dependencies[chosen.dependency];
    const ways = dependency
      ? el("div", { class: "choices" }, `${dependency.client} without ${dependency.server}:`,
        dependency.removals.map((removal, at) => el("button", {
          "aria-pressed": String(at === chosen.removal), title: removal.skipped ?? removal.sentence,
          onclick: () => this.chooseRemoval(chosen.dependency, at),
        }, el("b", { class: CRITICALITY[removal.criticality]?.kind ?? "none", text: CRITICALITY[removal.criticality]?.sign ?? "·" }), ` ${removal.effect}`)))
      : null;
    return el("div", { class: "head" }, chips, ways,
      el("h2", {}, el("span", { class: `badge ${tone(shown.outcome)}`, text: `${sign(shown.outcome)} ${shown.outcome}` }), " ", shown.title),
      shown.facts.map((fact) => el("p", { class: isFailure(shown.outcome) ? "bad" : undefined, text: fact })),
      shown.note ? el("p", { text: shown.note }) : null,
      shown.skipped ? el("p", { text: shown.skipped }) : null,
      shown.impact ? el("p", { class: "faint", text: impactText(shown.impact) }) : null,
      shown.skipped ? null : commandLine(shown.command));
  }

  showTab(tab) {
    this.tab = tab;
    const { run } = this.shown;
    const hasRun = run !== null && run !== undefined;
    const story = hasRun ? storyOf(this.report, run) : null;
    const isBaseline = run === 0;
    fill(this.tabs,
      TABS.filter(([key]) => !(isBaseline && key === "differences")).map(([key, words, letter]) => el("button", {
        role: "tab", "aria-selected": String(key === tab), title: `key: ${letter}`, disabled: !hasRun, onclick: () => this.showTab(key), text: words,
      })),
      el("span", { class: "gap" }),
      tab === "diagram" && hasRun ? this.diagramTools(isBaseline) : null);
    if (!hasRun) {
      const why = this.shown.skipped ? "There was no run." : "This run is not in the file, to keep the file small. The command above makes it again, and writes a report of it.";
      fill(this.view, el("div", { class: "panel text" }, el("p", { class: "faint", text: why })));
      return;
    }
    if (isBaseline && tab === "differences") return this.showTab("timeline");
    if (!this.views.has(tab)) this.views.set(tab, this.makeView(tab, story));
    const view = this.views.get(tab);
    this.timeline = view.timeline ?? null;
    this.diagram = view.diagram ?? null;
    fill(this.view, view.node);
    if (this.timeline) this.timeline.search(this.search.value);
    view.afterwards?.();
    view.afterwards = null;
    this.diagram?.later();
  }

  makeView(tab, story) {
    if (tab === "facts") return { node: el("div", { class: "panel text" }, facts(this.report, story.run)) };
    if (tab === "diagram") return this.makeDiagram(story);
    const pick = (event) => {
      this.showTab("diagram");
      this.diagram.goTo(event);
    };
    const timeline = new Timeline(story, { onlyDifferences: tab === "differences", pick });
    return { node: timeline.node, timeline, afterwards: () => timeline.goToFault() };
  }

  makeDiagram(story) {
    const pick = (event) => {
      this.showTab("timeline");
      this.timeline.goTo(event);
    };
    const diagram = new Diagram(story, this.options, pick);
    const first = story.lines.find((line) => line.event !== undefined && (line.mark === "fault" || line.mark === "broken"));
    const note = story.run.omitted > 0 ? el("div", { class: "bar", text: `${count(story.run.omitted, "event")} of this run are left out, to keep the file small.` }) : null;
    const panes = [el("div", {}, this.isBeside() ? el("div", { class: "title", text: "this run" }) : null, diagram.node)];
    if (this.isBeside()) {
      const base = storyOf(this.report, 0);
      const other = new Diagram(base, this.options, () => this.chooseRun(0));
      panes.push(el("div", {}, el("div", { class: "title", text: "baseline, at the same place" }), other.node));
      // The baseline follows: what happened there in place of what is in the upper third of the window.
      diagram.scroll.addEventListener("scroll", () => {
        const here = diagram.focus();
        const twin = story.twin(here);
        other.scroll.scrollTop = other.layout.y[twin] - (diagram.layout.y[here] - diagram.scroll.scrollTop);
      });
      diagram.other = other;
    }
    const node = el("div", { class: "panel" }, note, el("div", { class: "pair" }, panes));
    return { node, diagram, afterwards: () => first && diagram.goTo(first.event) };
  }

  isBeside() {
    return this.beside && this.shown.run !== 0;
  }

  diagramTools(isBaseline) {
    const toggle = (key, words) => el("button", {
      "aria-pressed": String(this.options[key]), text: words,
      onclick: () => { this.setDiagram({ [key]: !this.options[key] }); this.showTab("diagram"); },
    });
    return [
      isBaseline ? null : el("button", { "aria-pressed": String(this.beside), title: "key: b", text: "baseline beside", onclick: () => this.toggleBeside() }),
      toggle("log", "output"), toggle("signs", "syn and fin"),
      el("span", { class: "zoom" },
        el("button", { text: "−", title: "shrink (key: −)", onclick: () => this.zoom(1 / 1.5) }),
        el("button", { text: "+", title: "stretch (key: +)", onclick: () => this.zoom(1.5) })),
    ];
  }

  setDiagram(options) {
    Object.assign(this.options, options);
    this.diagram?.set(options);
    this.diagram?.other?.set(options);
  }

  zoom(factor) {
    this.setDiagram({ zoom: Math.max(0.05, Math.min(40, this.options.zoom * factor)) });
  }

  toggleBeside() {
    this.beside = !this.beside;
    const place = this.diagram?.focus();
    this.views.delete("diagram");
    this.showTab("diagram");
    if (place !== undefined) this.diagram.goTo(place);
  }

  // Search, theme, keys.

  find() {
    const query = this.search.value.toLowerCase();
    for (const item of byId("overview").querySelectorAll("[data-finding]")) {
      item.classList.toggle("dimmed", query !== "" && !item.textContent.toLowerCase().includes(query));
    }
    if (this.shown.run === null || this.shown.run === undefined) return;
    if (this.tab !== "timeline" && this.tab !== "differences") this.showTab("timeline");
    this.timeline?.search(query);
  }

  switchTheme() {
    const root = document.documentElement;
    const isDark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = isDark ? "light" : "dark";
    this.recolour();
  }

  recolour() {
    this.diagram?.later();
    this.diagram?.other?.later();
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open) return;
    if (event.target.matches?.("input, select, textarea")) {
      if (event.key === "Escape" || (event.key === "Enter" && event.target === this.search)) event.target.blur();
      return;
    }
    const findings = this.report.findings.length;
    const now = this.chosen.finding ?? -1;
    const steps = (direction) => (this.timeline ?? this.diagram)?.step(direction);
    const actions = {
      j: () => this.chooseFinding(Math.min(findings - 1, now + 1)),
      k: () => this.chooseFinding(now < 0 ? findings - 1 : Math.max(0, now - 1)),
      "/": () => this.search.focus(),
      "?": () => byId("help").showModal(),
      b: () => this.shown.run !== 0 && this.toggleBeside(),
      c: () => copy(this.shown.command),
      n: () => steps(1),
      p: () => steps(-1),
      "+": () => this.zoom(1.5),
      "-": () => this.zoom(1 / 1.5),
      0: () => this.chooseRun(0),
    };
    for (const [tab, , letter] of TABS) actions[letter] = () => this.showTab(tab);
    if (!Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  }
}

const page = new Page(JSON.parse(byId("data").textContent));
