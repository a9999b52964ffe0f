// Where in a space-time diagram things stand, apart from how they are drawn.

/** Height of a line of text. */
const ROW = 15;
/** A stretch in which nothing happens is never drawn longer than this. */
const QUIET = 44;
/** A message falls at least this far, so that it is seen which way time runs. */
const FALL = 16;
const LABELLED = new Set(["started", "exited", "killed", "panicked", "crashed", "power-failed", "began", "healed", "milestone", "paused", "stdout", "stderr", "struck", "removed", "felt", "sent", "unsupported", "invoked", "returned", "note"]);

/** Positions in pixels from the top, at a zoom of `zoom`. */
class Layout {
  constructor(story, options) {
    this.story = story;
    this.options = options;
    const { events } = story;
    const scale = this.scale(events) * options.zoom;
    this.y = new Float64Array(events.length);
    this.breaks = [];
    let y = 20;
    let last = 0;
    let labelled = 0;
    for (let index = 0; index < events.length; index++) {
      const event = events[index];
      const message = event.kind === "delivered" || event.kind === "dropped" ? story.messages.get(event.message) : undefined;
      // What is not drawn takes no room.
      if (!this.shows(event) && !(message && this.draws(message))) {
        this.y[index] = y;
        continue;
      }
      const quiet = event.at - last;
      if (quiet * scale > QUIET) {
        if (quiet * scale > 4 * QUIET && quiet > 1e6) this.breaks.push({ y: y + QUIET / 2, quiet });
        y += QUIET;
      } else {
        y += quiet * scale;
      }
      last = event.at;
      if (message) y = Math.max(y, this.y[message.sent] + FALL * (event.kind === "dropped" ? 1.6 : 1));
      if (this.shows(event)) {
        // The text of a message stands above the beginning of its arrow, that of anything else beside it.
        const isAbove = event.kind === "sent";
        y = Math.max(y, labelled + (isAbove ? ROW + 9 : ROW));
        labelled = isAbove ? y - 4 : y;
      }
      this.y[index] = y;
    }
    this.height = y + 40;
    this.items();
  }

  /** So that a message of usual latency falls by two lines. */
  scale(events) {
    const latencies = [];
    for (const message of this.story.messages.values()) {
      if (message.end !== null && !message.lost && latencies.length < 1000) latencies.push(events[message.end].at - events[message.sent].at);
    }
    latencies.sort((one, other) => one - other);
    const usual = latencies[latencies.length >> 1] || 500e3;
    return (2 * ROW) / Math.max(usual, 1);
  }

  /** Whether an event has a text in the diagram. */
  shows(event) {
    if (!LABELLED.has(event.kind)) return false;
    if (event.kind === "sent") return this.draws(event);
    if (event.kind === "stdout" || event.kind === "stderr" || event.kind === "note") return this.options.log;
    return true;
  }

  /** Whether a message has an arrow. */
  draws(message) {
    return this.options.signs || !isSign(message.label);
  }

  /** What reaches from one height to another, sorted by where it begins. */
  items() {
    const { story, y } = this;
    const { events } = story;
    const end = this.height - 20;
    this.arrows = [];
    for (const message of story.messages.values()) {
      if (!this.draws(message)) continue;
      this.arrows.push({ from: y[message.sent], to: message.end === null ? Math.min(y[message.sent] + QUIET, end) : y[message.end], message });
    }
    this.brackets = [];
    const lanes = story.hosts.map(() => []);
    for (const operation of story.operations.values()) {
      const from = y[operation.begin];
      const to = operation.end === null ? end : y[operation.end];
      const free = lanes[operation.host] ?? [];
      let lane = free.findIndex((until) => until <= from);
      if (lane < 0) lane = free.length;
      free[lane] = to;
      this.brackets.push({ from, to, lane: Math.min(lane, 4), operation });
    }
    // Each host: when it is up, and when it stands still.
    this.lives = story.hosts.map(() => []);
    const open = story.hosts.map(() => null);
    const close = (host, to) => {
      if (open[host] !== null && this.lives[host]) this.lives[host].push({ from: open[host], to, kind: "up" });
      open[host] = null;
    };
    events.forEach((event, index) => {
      if (event.kind === "started") {
        close(event.host, y[index]);
        open[event.host] = y[index];
      } else if (event.kind === "crashed" || event.kind === "power-failed" || event.kind === "killed" || event.kind === "exited") {
        close(event.host, y[index]);
      } else if (event.kind === "paused") {
        this.lives[event.host]?.push({ from: y[index], to: this.at(event.until), kind: "paused" });
      }
    });
    story.hosts.forEach((_, host) => close(host, end));
    for (const list of [this.arrows, this.brackets]) {
      list.sort((one, other) => one.from - other.from);
      let reach = 0;
      for (const item of list) item.reach = reach = Math.max(reach, item.to);
    }
  }

  /** The height of a moment. */
  at(time) {
    const { events } = this.story;
    const index = lowest(events.length, (index) => events[index].at >= time);
    return index < events.length ? this.y[index] : this.height - 20;
  }

  /** The first event at or below a height. */
  firstEvent(top) {
    return lowest(this.y.length, (index) => this.y[index] >= top);
  }
}

const isSign = (label) => label === "syn" || label === "fin" || label === "rst" || label === "syn-ack" || label === "refused" || label === "";

/** The lowest number below `length` for which `holds`, which holds for all above it; else `length`. */
function lowest(length, holds) {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
