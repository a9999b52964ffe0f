// Numbers, times and outcomes as people write them.

const STEPS = [
  ["post-request", "post", "request", "The client puts the request on the network."],
  ["deliver-request", "deliver", "request", "The network delivers the request to the server."],
  ["validate-request", "validate", "request", "The server validates the request."],
  ["update-server", "update", "server", "The server updates its state."],
  ["post-reply", "post", "reply", "The server puts the reply on the network."],
  ["deliver-reply", "deliver", "reply", "The network delivers the reply to the client."],
  ["validate-reply", "validate", "reply", "The client validates the reply."],
  ["update-client", "update", "client", "The client updates its state."],
];
const stepIndex = new Map(STEPS.map(([key], index) => [key, index]));

/** From the mildest to the worst. */
const OUTCOMES = ["not applicable", "held", "inconclusive", "stuck", "crashed", "violated"];
const severity = (outcome) => OUTCOMES.indexOf(outcome);
const isFailure = (outcome) => severity(outcome) >= 3;

/** The class of an outcome's colour. */
function tone(outcome) {
  if (outcome === "held") return "good";
  if (outcome === "inconclusive") return "doubt";
  if (outcome === "not applicable" || outcome === undefined || outcome === null) return "none";
  return "bad";
}

/** The sign of an outcome, readable without colour. */
const sign = (outcome) => ({ good: "✓", doubt: "?", none: "·", bad: "✗" })[tone(outcome)];

const thousands = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
const count = (n, noun) => `${thousands(n)} ${noun}${n === 1 ? "" : "s"}`;

/** A moment: seconds with microseconds, as the terminal writes it. */
function moment(ns) {
  const us = Math.floor(ns / 1000);
  return `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, "0")} s`;
}

/** A length of time, with three digits or so. */
function span(ns) {
  if (ns < 1e3) return `${ns} ns`;
  if (ns < 1e6) return `${Math.floor(ns / 1e3)} µs`;
  if (ns < 1e9) return `${(ns / 1e6).toFixed(1)} ms`;
  if (ns < 120e9) return `${(ns / 1e9).toFixed(2)} s`;
  return `${Math.floor(ns / 60e9)} min ${Math.floor(ns / 1e9) % 60} s`;
}

/** What a host's own clock shows at a moment of true time. */
function ownClock(world, host, at) {
  const offset = world.hosts[host] ? world.hosts[host].clock_offset : 0;
  // A double holds the milliseconds of any year; what is below them stands behind.
  const ms = Math.floor(world.epoch / 1e6 + (offset + at) / 1e6);
  return new Date(ms).toISOString().replace("T", " ").replace("Z", " UTC");
}

const exchangeText = (exchange) => `${exchange.name} #${exchange.ordinal}`;

/** Behind the name of an exchange: whether it is a call that was made again. */
const attemptText = (number) => (number > 1 ? ` (attempt ${number})` : "");

/** How an exchange ended: in words, and whether that needs its time. */
function exchangeEnd(exchange) {
  if (exchange.completed !== null) {
    if (exchange.status === null) return "answered";
    // The numbers of gRPC are small.
    return exchange.status < 100 ? `gRPC status ${exchange.status}` : String(exchange.status);
  }
  if (exchange.replied !== null) return "the reply never came";
  if (exchange.delivered !== null) return "was never answered";
  return "never arrived";
}

/** Recovery of a fault, in words. */
function recovery(impact) {
  if (!impact) return "";
  if (!impact.recovered) return "never";
  return impact.recovery === null ? "–" : span(impact.recovery);
}

/** The same from the moment at which the fault was over. */
function fromHeal(impact) {
  if (!impact || !impact.recovered) return impact ? "never" : "";
  return impact.recovery_from_heal === null ? "–" : span(impact.recovery_from_heal);
}

/** The numbers of a fault, in one line. */
function impactText(impact) {
  if (!impact) return "";
  const lasted = impact.recovered && impact.recovery !== null && impact.recovery_from_heal !== impact.recovery;
  const parts = [`recovery ${recovery(impact)}${lasted ? ` (${fromHeal(impact)} after it was over)` : ""}`];
  if (impact.delay >= 1e6) parts.push(`ended ${span(impact.delay)} later`);
  parts.push(`blast radius: ${impact.hosts} of ${count(impact.hosts_total, "host")}, ` +
    `${thousands(impact.exchanges)} of ${count(impact.exchanges_total, "exchange")}`);
  return parts.join(" · ");
}
