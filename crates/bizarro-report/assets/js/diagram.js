// The space-time diagram: a column for each host, time downwards. Only what is in the window is drawn.

const GUTTER = 92;
const HEAD = 30;

class Diagram {
  /** `pick(event)` is called with the index of an event that was clicked. */
  constructor(story, options, pick) {
    this.story = story;
    this.pick = pick;
    this.later = oncePerFrame(() => this.draw());
    this.options = { zoom: 1, signs: false, log: true, ...options };
    this.canvas = el("canvas", { role: "img" });
    this.spacer = el("div", {});
    this.scroll = el("div", { class: "scroll", tabindex: "0", "aria-label": "Space-time diagram; the timeline says the same in words" }, this.spacer);
    this.spacer.append(this.canvas);
    this.strip = el("canvas", { class: "strip", title: "faults, what broke and what differs; click to go there" });
    this.node = el("div", { class: "diagram" }, this.scroll, this.strip);
    this.scroll.addEventListener("scroll", () => this.later());
    this.canvas.addEventListener("mousemove", (event) => this.hover(event));
    this.canvas.addEventListener("mouseleave", () => hint(""));
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.strip.addEventListener("click", (event) => {
      const box = this.strip.getBoundingClientRect();
      this.scroll.scrollTop = ((event.clientY - box.top) / box.height) * this.layout.height - this.scroll.clientHeight / 2;
    });
    this.marks = this.collectMarks();
    this.arrange();
    new ResizeObserver(() => this.draw()).observe(this.scroll);
  }

  /** Events that a reader looks for. */
  collectMarks() {
    const { story } = this;
    return story.lines
      .filter((line) => line.event !== undefined && line.mark !== "")
      .map((line) => ({ event: line.event, mark: line.mark }));
  }

  arrange() {
    this.layout = new Layout(this.story, this.options);
    this.spacer.style.height = `${this.layout.height + HEAD}px`;
    this.later();
  }

  set(options) {
    const here = this.focus();
    Object.assign(this.options, options);
    this.arrange();
    this.goTo(here);
  }

  /** The event in the upper third of the window, where `goTo` brings one. */
  focus() {
    return Math.min(this.layout.firstEvent(this.scroll.scrollTop + this.scroll.clientHeight / 3 - 1), this.story.events.length - 1);
  }

  /** Brings an event into the upper third of the window. */
  goTo(event) {
    if (event < 0 || event >= this.story.events.length) return;
    this.scroll.scrollTop = this.layout.y[event] - this.scroll.clientHeight / 3;
    this.later();
  }

  /** The next or previous mark, seen from the upper third of the window. */
  step(direction) {
    const here = this.scroll.scrollTop + this.scroll.clientHeight / 3;
    const heights = this.marks.map((mark) => this.layout.y[mark.event]);
    const next = direction > 0
      ? heights.findIndex((y) => y > here + 2)
      : heights.findLastIndex((y) => y < here - 2);
    if (next >= 0) this.goTo(this.marks[next].event);
  }

  column(host) {
    const width = (this.width - GUTTER) / Math.max(1, this.story.hosts.length);
    // The line stands left in its column, for texts are to its right.
    return GUTTER + width * host + Math.min(width * 0.5, 46);
  }

  columnEnd(host) {
    return GUTTER + ((this.width - GUTTER) / Math.max(1, this.story.hosts.length)) * (host + 1);
  }

  draw() {
    const ratio = devicePixelRatio || 1;
    this.width = this.scroll.clientWidth;
    const height = this.scroll.clientHeight;
    if (this.width === 0 || height === 0) return;
    if (this.canvas.width !== Math.round(this.width * ratio) || this.canvas.height !== Math.round(height * ratio)) {
      this.canvas.width = Math.round(this.width * ratio);
      this.canvas.height = Math.round(height * ratio);
      this.canvas.style.width = `${this.width}px`;
      this.canvas.style.height = `${height}px`;
    }
    this.ink = colours();
    const top = this.scroll.scrollTop - HEAD;
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.width, height);
    context.font = FONT;
    this.context = context;
    this.top = top;
    this.hits = [];
    const bottom = top + height;
    this.drawBreaks(top, bottom);
    this.drawLives(top, bottom);
    this.drawBrackets(top, bottom);
    this.drawArrows(top, bottom);
    this.drawEvents(top, bottom);
    this.drawCrosses();
    this.drawHead();
    this.drawStrip(height, ratio);
    this.canvas.setAttribute("aria-label", `Diagram of ${this.story.hosts.join(", ")}, ${count(this.story.events.length, "event")}`);
  }

  drawHead() {
    const { context, ink } = this;
    context.fillStyle = ink.panel;
    context.fillRect(0, 0, this.width, HEAD - 4);
    context.strokeStyle = ink.line;
    context.lineWidth = 1;
    line(context, 0, HEAD - 4.5, this.width, HEAD - 4.5);
    context.font = `600 13px ${FAMILY}`;
    this.story.hosts.forEach((name, host) => {
      const x = this.column(host);
      context.fillStyle = ink.ink;
      context.textAlign = "left";
      context.fillText(fit(context, name, this.columnEnd(host) - x + 20), x - 24, 17);
    });
    context.font = FONT;
    context.fillStyle = ink.faint;
    context.fillText("time", 10, 17);
  }

  drawBreaks(top, bottom) {
    const { context, ink } = this;
    for (const { y, quiet } of this.layout.breaks) {
      if (y < top || y > bottom) continue;
      context.fillStyle = ink.idle;
      context.fillRect(GUTTER - 6, y - top - 7, this.width - GUTTER + 6, 14);
      context.fillStyle = ink.faint;
      context.textAlign = "right";
      context.fillText(`${span(quiet)} ⋮`, GUTTER - 12, y - top + 4);
      context.textAlign = "left";
    }
  }

  drawLives(top, bottom) {
    const { context, ink } = this;
    this.layout.lives.forEach((lives, host) => {
      const x = this.column(host);
      context.strokeStyle = ink.line;
      context.lineWidth = 1;
      context.setLineDash([2, 4]);
      line(context, x, 0, x, bottom - top);
      context.setLineDash([]);
      for (const life of lives) {
        if (life.to < top || life.from > bottom) continue;
        const from = Math.max(life.from - top, -5);
        const to = Math.min(life.to - top, bottom - top + 5);
        context.fillStyle = life.kind === "paused" ? ink.pause : ink.faint;
        const width = life.kind === "paused" ? 7 : 3;
        context.fillRect(x - width / 2, from, width, to - from);
      }
    });
  }

  drawBrackets(top, bottom) {
    const { context, ink } = this;
    for (const item of visible(this.layout.brackets, top, bottom)) {
      const { operation } = item;
      const x = this.column(operation.host) - 9 - item.lane * 6;
      const from = item.from - top;
      const to = item.to - top;
      context.strokeStyle = operation.end === null ? ink.doubt : ink.accent;
      context.lineWidth = 1.5;
      context.setLineDash(operation.end === null ? [4, 3] : []);
      context.beginPath();
      context.moveTo(x + 5, from);
      context.lineTo(x, from);
      context.lineTo(x, Math.min(to, bottom - top + 9));
      if (operation.end !== null) context.lineTo(x + 5, to);
      context.stroke();
      context.setLineDash([]);
      this.hits.push({ x1: x - 2, x2: x + 4, y1: from, y2: to, event: operation.begin });
    }
  }

  drawArrows(top, bottom) {
    const { context, ink, story } = this;
    this.crosses = [];
    for (const item of visible(this.layout.arrows, top, bottom)) {
      const { message } = item;
      const [x1, x2] = [this.column(message.from), this.column(message.to)];
      const [y1, y2] = [item.from - top, item.to - top];
      const isNew = story.fresh?.has(message.sent);
      const isLost = message.lost || message.end === null;
      const colour = isLost ? ink.bad : isNew ? ink.fresh : isSign(message.label) ? ink.faint : ink.ink;
      context.strokeStyle = context.fillStyle = colour;
      context.lineWidth = isSign(message.label) ? 1 : 1.5;
      // Its end has to be seen beside whatever is written at its beginning.
      const reach = isLost ? 0.8 : 1;
      const [ex, ey] = [x1 + (x2 - x1) * reach, y1 + (y2 - y1) * reach];
      line(context, x1, y1, ex, ey);
      if (isLost) this.crosses.push([ex, ey]);
      else head(context, x1, y1, ex, ey);
      this.hits.push({ line: [x1, y1, ex, ey], event: message.sent, message });
    }
  }

  /** Where messages were lost, over everything else. */
  drawCrosses() {
    const { context, ink } = this;
    for (const [width, colour] of [[6, ink.paper], [2.5, ink.bad]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      for (const [x, y] of this.crosses) {
        line(context, x - 5, y - 5, x + 5, y + 5);
        line(context, x - 5, y + 5, x + 5, y - 5);
      }
    }
  }

  drawEvents(top, bottom) {
    const { context, ink, story, layout } = this;
    let lastTime = -100;
    for (let index = layout.firstEvent(top - ROW); index < story.events.length && layout.y[index] <= bottom + ROW; index++) {
      const event = story.events[index];
      if (!layout.shows(event)) continue;
      const y = layout.y[index] - top;
      if (y - lastTime >= 2 * ROW) {
        context.fillStyle = ink.faint;
        context.textAlign = "right";
        context.fillText(moment(event.at), GUTTER - 12, y + 4);
        context.textAlign = "left";
        lastTime = y;
      }
      this.drawEvent(event, index, y);
    }
  }

  drawEvent(event, index, y) {
    const { context, ink, story } = this;
    const x = this.column(event.host);
    const isNew = story.fresh?.has(index);
    if (event.kind === "sent") {
      const toRight = event.to > event.host;
      const message = story.messages.get(event.message);
      const took = message && message.end !== null && !message.lost ? ` · ${span(story.events[message.end].at - event.at)}` : "";
      const room = toRight ? this.width - x - 16 : x - GUTTER - 8;
      const lost = message && (message.lost || message.end === null);
      this.text(`${event.label || "data"}${took}`, toRight ? x + 8 : x - 8, y - 3, toRight ? "left" : "right", room, lost ? ink.bad : isNew ? ink.fresh : ink.ink);
      return;
    }
    const [mark, words, colour] = this.words(event, isNew);
    context.fillStyle = colour;
    if (mark === "cross") {
      context.strokeStyle = colour;
      context.lineWidth = 2.5;
      line(context, x - 5, y - 5, x + 5, y + 5);
      line(context, x - 5, y + 5, x + 5, y - 5);
    } else if (mark === "bolt") {
      bolt(context, x, y);
    } else {
      context.beginPath();
      context.arc(x, y, 3, 0, 7);
      context.fill();
    }
    // No other text stands at this height.
    const room = this.width - x - 16;
    const isLeft = room < 160 && x - GUTTER > room;
    const width = isLeft
      ? this.text(words, x - 10, y + 4, "right", x - GUTTER - 10, colour)
      : this.text(words, x + 10, y + 4, "left", room, colour);
    this.hits.push({ x1: isLeft ? x - 10 - width : x - 6, x2: isLeft ? x + 6 : x + 10 + width, y1: y - 7, y2: y + 7, event: index });
  }

  /** Mark, text and colour of an event. */
  words(event, isNew) {
    const { ink } = this;
    const plain = isNew ? ink.fresh : ink.ink;
    switch (event.kind) {
      case "started": return ["dot", event.incarnation === 1 ? "starts" : `starts again (${event.incarnation})`, isNew ? ink.fresh : ink.faint];
      case "exited": return event.status === 0 ? ["dot", "ends", ink.faint] : ["cross", `ends with status ${event.status}`, ink.bad];
      case "killed": return ["cross", `killed by signal ${event.signal}`, ink.bad];
      case "panicked": return ["cross", `panics: ${event.text}`, ink.bad];
      case "power-failed": return ["cross", "lost its power", ink.bad];
      case "crashed": return ["cross", "killed by the fault", ink.bad];
      case "began": return ["bolt", event.text, ink.doubt];
      case "healed": return ["dot", `over: ${event.text}`, ink.doubt];
      case "milestone": return ["dot", `has come to "${event.text}"`, isNew ? ink.fresh : ink.accent];
      case "paused": return ["dot", `stands still for ${span(event.until - event.at)}`, ink.doubt];
      case "struck": return ["bolt", event.text, ink.doubt];
      case "removed": return ["bolt", removedText(this.story, event), ink.doubt];
      case "felt": return ["bolt", feltText(this.story, event), ink.doubt];
      case "unsupported": return ["cross", `${event.text}: not simulated`, ink.bad];
      case "invoked": return ["dot", `${event.history}: ${event.text}`, isNew ? ink.fresh : ink.accent];
      case "returned": return ["dot", `${event.outcome} ${event.text}`.trim(), event.outcome === "ok" ? (isNew ? ink.fresh : ink.accent) : ink.doubt];
      case "stderr": return ["dot", withoutTime(withoutColours(event.text)), isNew ? ink.fresh : ink.faint];
      case "stdout": return ["dot", withoutTime(withoutColours(event.text)), plain];
      default: return ["dot", event.text ?? event.kind, plain];
    }
  }

  /** A text on a strip of paper, so that lines behind it do not disturb; gives its width. */
  text(words, x, y, align, room, colour) {
    const { context, ink } = this;
    const fitting = fit(context, words, room);
    const { width } = context.measureText(fitting);
    context.globalAlpha = 0.86;
    context.fillStyle = ink.paper;
    context.fillRect(align === "left" ? x - 1 : x - width - 1, y - 10, width + 2, 13);
    context.globalAlpha = 1;
    context.textAlign = align;
    context.fillStyle = colour;
    context.fillText(fitting, x, y);
    context.textAlign = "left";
    return width;
  }

  /** All of the run, small: what to look for, and where the window is. */
  drawStrip(height, ratio) {
    const width = 14;
    if (this.strip.height !== Math.round(height * ratio)) {
      this.strip.width = width * ratio;
      this.strip.height = Math.round(height * ratio);
      this.strip.style.height = `${height}px`;
    }
    const context = this.strip.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const scale = height / (this.layout.height + HEAD);
    context.fillStyle = this.ink.idle;
    context.fillRect(0, this.scroll.scrollTop * scale, width, Math.max(6, height * scale));
    const colour = { new: this.ink.fresh, fault: this.ink.doubt, broken: this.ink.bad };
    for (const kind of ["new", "fault", "broken"]) {
      context.fillStyle = colour[kind];
      let last = -1;
      for (const { event, mark } of this.marks) {
        const y = Math.round((this.layout.y[event] + HEAD) * scale);
        if (mark !== kind || y === last) continue;
        context.fillRect(kind === "new" ? 5 : 2, y - 1, kind === "new" ? 6 : 10, kind === "new" ? 1 : 3);
        last = y;
      }
    }
  }

  /** What is at a point of the canvas. */
  hit(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const inside = this.hits.findLast((hit) => !hit.line && x >= hit.x1 && x <= hit.x2 && y >= hit.y1 && y <= hit.y2);
    if (inside) return inside;
    const arrows = this.hits.filter((hit) => hit.line).map((hit) => ({ hit, far: distance(x, y, ...hit.line) }));
    arrows.sort((one, other) => one.far - other.far);
    return arrows.length > 0 && arrows[0].far < 6 ? arrows[0].hit : null;
  }

  hover(event) {
    const hit = this.hit(event);
    this.canvas.style.cursor = hit ? "pointer" : "default";
    hint(hit ? this.describe(hit) : "", event.clientX, event.clientY);
  }

  click(event) {
    const hit = this.hit(event);
    if (!hit) return;
    hint("");
    this.pick(hit.event);
  }

  describe(hit) {
    const { story } = this;
    const event = story.events[hit.event];
    const world = story.report.world;
    const when = `${moment(event.at)} · ${story.hostName(event.host)}${event.task ? ` task ${event.task}` : ""}\nits own clock: ${ownClock(world, event.host, event.at)}`;
    if (!hit.message) return [eventText(story, event), when, ...this.wroteBefore(hit.event, [event.host])].join("\n");
    const { message } = hit;
    const lines = [`${message.label || "data"}: ${story.hostName(message.from)} → ${story.hostName(message.to)}, ${count(message.bytes, "byte")}`, when];
    if (message.lost) lines.push("lost on the way");
    else if (message.end === null) lines.push("never arrived");
    else lines.push(`arrived after ${span(story.events[message.end].at - event.at)}`);
    const name = message.label.replace(/ reply$/, "");
    const exchange = story.exchanges.find((known) => exchangeText(known) === name && [known.client, known.server].includes(story.hostName(message.from)));
    if (exchange) {
      const took = exchange.completed === null ? "" : ` after ${span(exchange.completed - exchange.requested)}`;
      lines.push(`${exchangeText(exchange)}: ${exchangeEnd(exchange)}${took}, request ${count(exchange.request_bytes, "byte")}, reply ${count(exchange.reply_bytes, "byte")}`);
    }
    return lines.concat(this.wroteBefore(hit.event, [message.from, message.to])).join("\n");
  }

  /** What hosts wrote last before an event. */
  wroteBefore(event, hosts) {
    const { events } = this.story;
    const far = 500;
    const lines = [];
    for (const host of hosts) {
      for (let index = event - 1; index >= Math.max(0, event - far); index--) {
        const { kind, host: of, text } = events[index];
        if (of !== host || (kind !== "stdout" && kind !== "stderr")) continue;
        const line = withoutTime(withoutColours(text));
        lines.push(`${this.story.hostName(host)} wrote before: ${line.length > 200 ? `${line.slice(0, 200)}…` : line}`);
        break;
      }
    }
    return lines;
  }
}

const FAMILY = 'system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif';
const FONT = `11.5px ${FAMILY}`;

/** The page's colours, as they are now. */
function colours() {
  const style = getComputedStyle(document.documentElement);
  const get = (name) => style.getPropertyValue(name).trim();
  return {
    paper: get("--paper"), panel: get("--panel"), line: get("--line"), ink: get("--ink"), faint: get("--faint"), bad: get("--bad"),
    doubt: get("--doubt"), accent: get("--accent"), fresh: get("--new"), idle: get("--idle"), pause: get("--pause"),
  };
}

/** The items that reach into a window. */
function visible(items, top, bottom) {
  // `reach` is how far any item up to here goes down.
  const first = lowest(items.length, (index) => items[index].reach >= top);
  const shown = [];
  for (let index = first; index < items.length && items[index].from <= bottom; index++) {
    if (items[index].to >= top) shown.push(items[index]);
  }
  return shown;
}

function line(context, x1, y1, x2, y2) {
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
}

function head(context, x1, y1, x2, y2) {
  const angle = Math.atan2(y2 - y1, x2 - x1);
  context.beginPath();
  context.moveTo(x2, y2);
  context.lineTo(x2 - 9 * Math.cos(angle - 0.38), y2 - 9 * Math.sin(angle - 0.38));
  context.lineTo(x2 - 9 * Math.cos(angle + 0.38), y2 - 9 * Math.sin(angle + 0.38));
  context.fill();
}

function bolt(context, x, y) {
  context.beginPath();
  for (const [dx, dy] of [[2, -8], [-5, 1], [-1, 1], [-2, 8], [5, -2], [1, -2]]) context.lineTo(x + dx, y + dy);
  context.fill();
}

/** `text`, or as much of it as fits. */
function fit(context, text, room) {
  if (text.length > 400) text = text.slice(0, 400);
  if (room <= 8) return "";
  if (context.measureText(text).width <= room) return text;
  const length = lowest(text.length, (length) => context.measureText(`${text.slice(0, length + 1)}…`).width > room);
  return length === 0 ? "" : `${text.slice(0, length)}…`;
}

/** From a point to a stretch. */
function distance(x, y, x1, y1, x2, y2) {
  const length = (x2 - x1) ** 2 + (y2 - y1) ** 2;
  const along = length === 0 ? 0 : Math.max(0, Math.min(1, ((x - x1) * (x2 - x1) + (y - y1) * (y2 - y1)) / length));
  return Math.hypot(x - x1 - along * (x2 - x1), y - y1 - along * (y2 - y1));
}
