// The timeline: each host's log, the operations and the exchanges in one list. Only rows in the window exist.

const LINE = 22;
const SORTS = [
  ["log", "output", ["log", "err"]],
  ["operation", "operations", ["operation"]],
  ["exchange", "exchanges", ["exchange"]],
  ["message", "messages", ["message"]],
];
const SIGNS = { new: "+", missing: "−", fault: "⚡", broken: "✗" };
/** Lines as in the baseline that are shown around each that is not. */
const CONTEXT = 2;

class Timeline {
  /** `pick(event)` is called with the index of the event of a line that was chosen. */
  constructor(story, { onlyDifferences, pick }) {
    this.story = story;
    this.onlyDifferences = onlyDifferences;
    this.pick = pick;
    this.later = oncePerFrame(() => this.draw());
    this.hidden = new Set(["message"]);
    this.host = -1;
    this.query = "";
    this.all = story.withMissing();
    this.inner = el("div", {});
    this.list = el("div", { class: "lines", tabindex: "0", role: "list", "aria-label": onlyDifferences ? "What differs from the baseline" : "Timeline" }, this.inner);
    this.count = el("span", { class: "faint" });
    this.detail = el("div", { class: "detail", hidden: true });
    this.node = el("div", { class: "panel" }, this.bar(), this.list, this.detail);
    this.list.addEventListener("scroll", () => this.later());
    this.list.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.draw()).observe(this.list);
    this.filter();
  }

  bar() {
    const checks = SORTS.map(([key, words]) => el("label", {}, el("input", {
      type: "checkbox", checked: !this.hidden.has(key),
      onchange: (event) => { event.target.checked ? this.hidden.delete(key) : this.hidden.add(key); this.filter(); },
    }), words));
    const hosts = el("select", { "aria-label": "host", onchange: (event) => { this.host = Number(event.target.value); this.filter(); } },
      el("option", { value: "-1", text: "all hosts" }), this.story.hosts.map((name, index) => el("option", { value: index, text: name })));
    return el("div", { class: "bar" }, hosts, checks, this.count);
  }

  search(query) {
    this.query = query.toLowerCase();
    this.filter();
  }

  /** Chooses the lines to show. */
  filter() {
    const hiddenSorts = new Set(SORTS.filter(([key]) => this.hidden.has(key)).flatMap(([, , sorts]) => sorts));
    const { query, host } = this;
    const wanted = (line) =>
      !hiddenSorts.has(line.sort) && (host < 0 || line.host === host || line.host < 0) &&
      (query === "" || line.text.toLowerCase().includes(query) || this.story.hostName(line.host).toLowerCase().includes(query));
    let lines = this.all.filter(wanted);
    if (this.onlyDifferences) lines = withContext(lines);
    this.lines = lines;
    this.inner.style.height = `${lines.length * LINE}px`;
    const differing = lines.filter((line) => line.mark === "new" || line.mark === "missing").length;
    this.count.textContent = this.onlyDifferences
      ? (differing === 0 ? "no line differs from the baseline" : `${count(differing, "line")} not as in the baseline: + only here, − only there`)
      : count(lines.length, "line");
    this.chosen = -1;
    this.detail.hidden = true;
    this.draw();
  }

  draw() {
    const first = Math.max(0, Math.floor(this.list.scrollTop / LINE) - 5);
    const last = Math.min(this.lines.length, first + Math.ceil((this.list.clientHeight || 600) / LINE) + 10);
    fill(this.inner, this.rows(first, last));
  }

  rows(first, last) {
    const rows = [];
    for (let index = first; index < last; index++) rows.push(this.row(this.lines[index], index));
    return rows;
  }

  row(line, index) {
    if (line.fold) {
      return el("div", { class: "row", role: "listitem", style: `top:${index * LINE}px` },
        el("span"), el("span"), el("span"), el("span", { class: "what faint", text: `… ${count(line.fold, "line")} as in the baseline` }));
    }
    return el("div", {
      class: `row ${line.mark} ${line.sort}${index === this.chosen ? " chosen" : ""}`, role: "listitem", style: `top:${index * LINE}px`,
      onclick: () => this.choose(index),
    },
    el("span", { class: "sign", text: SIGNS[line.mark] ?? "" }),
    el("span", { class: "when", text: moment(line.at) }),
    el("span", { class: "who", text: this.story.hostName(line.host) }),
    el("span", { class: "what", text: line.sort === "log" || line.sort === "err" ? withoutTime(line.text) : line.text }));
  }

  choose(index) {
    const line = this.lines[index];
    if (!line || line.fold) return;
    this.chosen = index;
    this.draw();
    const { world } = this.story.report;
    const where = line.host < 0 ? "" : ` · ${this.story.hostName(line.host)} · its own clock ${ownClock(world, line.host, line.at)}`;
    const below = line.exchange ? exchangeDetail(line.exchange) : line.below;
    fill(this.detail,
      el("div", { class: "faint", text: `${moment(line.at)}${where}${line.place ? ` · ${line.place}` : ""}${line.mark === "missing" ? " · only in the baseline" : ""}` }),
      el("pre", { text: line.text }),
      below ? el("pre", { class: "faint", text: below }) : null,
      line.event === undefined ? null : el("button", { text: "show in the diagram", onclick: () => this.pick(line.event) }));
    this.detail.hidden = false;
  }

  /** Shows the line of an event, or of what comes next to it. */
  goTo(event) {
    const at = this.story.events[event].at;
    let index = this.lines.findIndex((line) => line.event === event);
    if (index < 0) index = this.lines.findIndex((line) => line.at >= at);
    if (index < 0) return;
    this.list.scrollTop = index * LINE - this.list.clientHeight / 3;
    this.choose(index);
  }

  /** Brings the first fault, or what broke, into the upper third. */
  goToFault() {
    const index = this.lines.findIndex((line) => line.mark === "fault" || line.mark === "broken");
    if (index > 0) this.list.scrollTop = index * LINE - this.list.clientHeight / 3;
  }

  /** The next or previous line with a mark. */
  step(direction) {
    for (let index = this.chosen + direction; index >= 0 && index < this.lines.length; index += direction) {
      if (this.lines[index].mark) {
        this.list.scrollTop = index * LINE - this.list.clientHeight / 3;
        this.choose(index);
        return;
      }
    }
  }

  key(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || this.lines.length === 0) return;
    event.preventDefault();
    const next = Math.max(0, Math.min(this.lines.length - 1, this.chosen + step));
    const top = next * LINE;
    if (top < this.list.scrollTop || top + LINE > this.list.scrollTop + this.list.clientHeight) this.list.scrollTop = top - this.list.clientHeight / 2;
    this.choose(next);
  }

  /** For paper: rows that stand one below the other. */
  print() {
    const most = 400;
    fill(this.inner, this.rows(0, Math.min(this.lines.length, most)),
      this.lines.length > most ? el("p", { class: "faint", text: `… ${count(this.lines.length - most, "more line")}` }) : null);
  }
}

/** The lines with marks and their neighbours; what is between is counted. */
function withContext(lines) {
  const near = new Uint8Array(lines.length);
  lines.forEach((line, index) => {
    if (line.mark !== "") near.fill(1, Math.max(0, index - CONTEXT), index + CONTEXT + 1);
  });
  const shown = [];
  let folded = 0;
  lines.forEach((line, index) => {
    if (!near[index]) {
      folded += 1;
      return;
    }
    if (folded > 0) shown.push({ fold: folded, mark: "", at: line.at });
    folded = 0;
    shown.push(line);
  });
  if (folded > 0) shown.push({ fold: folded, mark: "", at: 0 });
  return shown;
}
