// A run as the page works with it: events in full, messages put together, lines of text, what differs
// from the baseline.

const STORIES = new Map();

/** The story of a run of a report, made when it is first looked at. */
function storyOf(report, index) {
  const key = `${report.test}\u0000${index}`;
  if (!STORIES.has(key)) STORIES.set(key, new Story(report, index));
  return STORIES.get(key);
}

class Story {
  constructor(report, index) {
    this.report = report;
    this.run = report.runs[index];
    this.hosts = report.world.hosts.map((host) => host.name);
    const shared = index === 0 ? [] : eventsOf(report, report.runs[0]).slice(0, this.run.shared);
    this.shared = shared.length;
    this.events = shared.concat(eventsOf(report, this.run));
    const before = index === 0 ? [] : exchangesOf(report, report.runs[0]).slice(0, this.run.exchanges_shared);
    this.exchanges = before.concat(exchangesOf(report, this.run));
    this.putTogether();
    this.lines = this.makeLines();
    if (index !== 0) this.compare(storyOf(report, 0));
  }

  /** Messages from their sending to their end, and operations from their call to their return. */
  putTogether() {
    this.messages = new Map();
    this.operations = new Map();
    this.events.forEach((event, at) => {
      if (event.kind === "sent") {
        this.messages.set(event.message, { sent: at, from: event.host, to: event.to, label: event.label, bytes: event.bytes, end: null, lost: false });
      } else if (event.kind === "delivered" || event.kind === "dropped") {
        const message = this.messages.get(event.message);
        if (message && message.end === null) {
          message.end = at;
          message.lost = event.kind === "dropped";
        }
      } else if (event.kind === "invoked") {
        this.operations.set(event.op, { begin: at, end: null, host: event.host, history: event.history, text: event.text });
      } else if (event.kind === "returned") {
        const operation = this.operations.get(event.op);
        if (operation) Object.assign(operation, { end: at, outcome: event.outcome, result: event.text });
      }
    });
  }

  /** A line for each event, exchange and broken property, in the order of time. */
  makeLines() {
    const lines = this.events.map((event, index) => new EventLine(this, event, index));
    for (const exchange of this.exchanges) {
      const end = exchangeEnd(exchange);
      const took = exchange.completed === null ? "" : ` after ${span(exchange.completed - exchange.requested)}`;
      const asked = `${exchangeText(exchange)}${attemptText(exchange.attempt)} → ${exchange.server}`;
      lines.push({ at: exchange.requested, host: this.hosts.indexOf(exchange.client), sort: "exchange", mark: "", text: `${asked}: ${end}${took}`, key: `${exchange.client} ${asked}: ${end}`, exchange });
    }
    for (const broken of this.run.broken) {
      lines.push({ at: broken.at, host: this.hosts.indexOf(broken.host), sort: "fault", mark: "broken", text: `${broken.property}: ${broken.fact || "broken"}`, key: `broken ${broken.property}`, below: broken.backtrace, place: broken.place });
    }
    // Sorting is stable: what happens at one moment stays in its order.
    return lines.sort((one, other) => one.at - other.at);
  }

  /** Marks the lines that the baseline lacks, and finds those that only the baseline has. */
  compare(baseline) {
    // The events that both begin with are the same; only what comes after is compared.
    const isShared = (line) => line.event !== undefined && line.event < this.shared;
    const left = new Map();
    for (const line of baseline.lines) {
      if (isShared(line)) continue;
      const alike = left.get(line.key);
      if (alike) alike.lines.push(line);
      else left.set(line.key, { lines: [line], taken: 0 });
    }
    this.fresh = new Set();
    /** Which event of the baseline an event is, by index. */
    this.twins = new Map();
    for (const line of this.lines) {
      if (isShared(line)) continue;
      const alike = left.get(line.key);
      if (alike && alike.taken < alike.lines.length) {
        const twin = alike.lines[alike.taken++];
        if (line.event !== undefined) this.twins.set(line.event, twin.event);
      } else {
        if (line.event !== undefined) this.fresh.add(line.event);
        if (line.mark === "") line.mark = "new";
      }
    }
    this.missing = [];
    for (const { lines, taken } of left.values()) {
      for (const { at, host, sort, text, below, exchange } of lines.slice(taken)) this.missing.push({ at, host, sort, text, below, exchange, mark: "missing" });
    }
  }

  /** The event of the baseline that an event, or the last before it, is. */
  twin(event) {
    for (let index = event; index >= 0; index--) {
      const twin = index < this.shared ? index : this.twins?.get(index);
      if (twin !== undefined) return twin;
    }
    return 0;
  }

  /** The lines with those that only the baseline has, each at its time there. */
  withMissing() {
    if (!this.missing || this.missing.length === 0) return this.lines;
    return this.lines.concat(this.missing).sort((one, other) => one.at - other.at);
  }

  hostName(index) {
    return this.hosts[index] ?? "";
  }
}

/** What passed in an exchange, and when. */
function exchangeDetail(exchange) {
  const since = (at) => (at === null ? "never" : `after ${span(at - exchange.requested)}`);
  return [
    `request: ${count(exchange.request_bytes, "byte")}, arrived ${since(exchange.delivered)}`,
    `reply: ${count(exchange.reply_bytes, "byte")}, left ${since(exchange.replied)}, arrived ${since(exchange.completed)}`,
    `connection ${exchange.connection}`,
  ].join("\n");
}

const BROKEN = new Set(["killed", "panicked", "unsupported"]);
const STRUCK = new Set(["struck", "removed", "felt", "began", "crashed", "power-failed", "paused"]);
const SORT_OF = { stdout: "log", note: "log", stderr: "err", struck: "fault", removed: "fault", felt: "fault", overheard: "message", began: "fault", healed: "fault", milestone: "log", sent: "message", delivered: "message", dropped: "message", invoked: "operation", returned: "operation" };

/** The line of an event. Its text is made when it is asked for: of most lines nobody asks. */
class EventLine {
  constructor(story, event, index) {
    this.story = story;
    this.event = index;
    this.at = event.at;
    this.host = event.host;
    this.sort = SORT_OF[event.kind] ?? "host";
    const fails = BROKEN.has(event.kind) || (event.kind === "exited" && event.status !== 0);
    this.mark = fails ? "broken" : STRUCK.has(event.kind) ? "fault" : "";
  }

  get below() {
    return this.story.events[this.event].backtrace;
  }

  get text() {
    return eventText(this.story, this.story.events[this.event]);
  }

  /** What makes two lines of different runs the same; times are not part of it. */
  get key() {
    const event = this.story.events[this.event];
    // A log's own time says nothing that the line's time does not.
    return event.kind === "paused" ? `${this.host} paused` : `${this.host} ${withoutTime(this.text)}`;
  }
}

/** A line of a log without the time at its beginning (RFC 3339, as most loggers write it). */
const withoutTime = (text) => text.replace(/^\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?\]?\s*/, "");

/** A line of output without the escape sequences that colour it (ECMA-48, SGR). */
const withoutColours = (text) => text.replace(/\u001b\[[\d;]*m/g, "");

/** How a server is missing. */
function removedText(story, event) {
  const server = story.hostName(event.server);
  return { refused: `${server} refuses every connection`, unreachable: `there is no way to ${server}` }[event.effect] ?? `nothing is heard of ${server}`;
}

/** Where trouble with the network was felt. */
function feltText(story, event) {
  const to = story.hostName(event.to);
  return event.label ? `${event.trouble}, in ${event.label} to ${to}` : `${event.trouble}, felt first on the way to ${to}`;
}

function eventText(story, event) {
  switch (event.kind) {
    case "stdout":
    case "stderr": return withoutColours(event.text);
    case "started": return event.incarnation === 1 ? "starts" : `starts again (${event.incarnation})`;
    case "exited": return `ends with status ${event.status}`;
    case "killed": return `is killed by signal ${event.signal} of its own making`;
    case "panicked": return `panics: ${event.text}`;
    case "crashed": return "is killed by the fault";
    case "power-failed": return `loses its power before change ${event.change} of its disk`;
    case "began": return `fault: ${event.text}`;
    case "healed": return `over: ${event.text}`;
    case "milestone": return `has come to "${event.text}"`;
    case "paused": return `stands still until ${moment(event.until)}`;
    case "struck": return `fault: ${event.text}`;
    case "removed": return `fault: ${removedText(story, event)}`;
    case "felt": return `fault: ${feltText(story, event)}`;
    case "overheard": return `overheard on the way to ${story.hostName(event.to)}: ${event.text}`;
    case "sent": return `sends ${event.label || "data"} to ${story.hostName(event.to)}${event.bytes ? ` (${count(event.bytes, "byte")})` : ""}`;
    case "delivered":
    case "dropped": {
      const message = story.messages.get(event.message);
      const label = message ? `${message.label || "data"} from ${story.hostName(message.from)}` : "a message";
      return event.kind === "dropped" ? `${label} is lost` : `receives ${label}`;
    }
    case "unsupported": return `calls ${event.text}, which is not simulated`;
    case "invoked": return `${event.history}: ${event.text}`;
    case "returned": {
      const operation = story.operations.get(event.op);
      return `${operation ? `${operation.history}: ${operation.text} ` : ""}→ ${event.outcome} ${event.text}`.trimEnd();
    }
    case "note": return `note: ${event.text}`;
    // A report of a later version may bring others.
    default: return event.text ?? event.kind;
  }
}
