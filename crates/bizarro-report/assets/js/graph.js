// The call graph: who asks whom, what breaks where that fails, and what becomes of the test without it.

const BOX = { width: 150, height: 38, gapX: 186, gapY: 30 };

/** How much depends on an edge: its word, sign, colour, and how its arrow is drawn, so that none needs the colour. */
const CRITICALITY = {
  "critical": { sign: "✗", kind: "bad", width: 3.5, dash: null, means: "something breaks" },
  "degraded": { sign: "~", kind: "doubt", width: 2.5, dash: "9 4", means: "everything holds, but something else is lost or takes longer" },
  "not needed": { sign: "✓", kind: "good", width: 1.5, dash: "2 4", means: "everything holds, and nothing else is lost" },
  "inconclusive": { sign: "?", kind: "doubt", width: 1.5, dash: "2 4", means: "it cannot be said" },
};
const COLOUR = { good: "var(--good)", bad: "var(--bad)", doubt: "var(--doubt)", none: "var(--faint)" };
const PLAIN_ARROW = { sign: "", kind: "none", width: 2, dash: null, means: "" };

/** A section with the graph as a picture and the same as a table. `choose(dependency, removal)` shows a run without one. */
function callGraph(report, choose) {
  const { edges, dependencies } = report;
  if (edges.length === 0) return null;
  const wasExplored = edges.some((edge) => edge.outcome);
  const between = report.level === "groups" ? "group" : "host";
  const colours = dependencies.length > 0
    ? "How it is drawn says what becomes of the test where that one is missing for the other, from the start to the end. Choose an arrow to see that run."
    : wasExplored ? "Red: a fault there breaks something." : "";
  return el("section", { "aria-labelledby": "graph-title" },
    el("h2", { id: "graph-title", text: "Call graph" }),
    el("p", { class: "faint", text: `An arrow points from the ${between} that asks to the ${between} that is asked. ${colours}` }),
    el("div", { class: "scroll-x" }, picture(report, choose)),
    dependencies.length > 0 ? [graphLegend(dependencies), dependencyTable(dependencies, choose)] : null,
    el("div", { class: "scroll-x" }, el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, ["caller → callee", "exchange", "times", wasExplored ? "where it fails" : ""].map((text) => el("th", { scope: "col", text })))),
      el("tbody", {}, edges.map((edge) => el("tr", {},
        el("td", { class: "tight", text: `${edge.client} → ${edge.server}` }),
        el("td", { class: "mono", text: edge.name }),
        el("td", { class: "number", text: thousands(edge.count) }),
        el("td", {}, edge.outcome ? el("span", { class: tone(edge.outcome), text: edge.broken.length > 0 ? `${sign(edge.outcome)} ${edge.broken.join("; ")}` : `${sign(edge.outcome)} ${edge.outcome}` }) : null)))))));
}

/** What the arrows mean, of which there are some. */
function graphLegend(dependencies) {
  const used = Object.entries(CRITICALITY).filter(([word]) => dependencies.some((d) => d.criticality === word));
  return el("ul", { class: "legend" }, used.map(([word, look]) => el("li", {},
    el("svg", { width: 34, height: 10, "aria-hidden": "true" }, el("path", { class: "edge", d: "M1,5 h32", style: arrowStyle(look) })),
    el("b", { class: look.kind, text: ` ${look.sign} ${word}` }), `: ${look.means}`)));
}

const arrowStyle = (look) => `stroke:${COLOUR[look.kind]};stroke-width:${look.width};${look.dash ? `stroke-dasharray:${look.dash}` : ""}`;

/** A row for each dependency, with a button for each run without it. */
function dependencyTable(dependencies, choose) {
  const rows = dependencies.map((dependency, index) => {
    const look = CRITICALITY[dependency.criticality] ?? PLAIN_ARROW;
    const worst = worstRemoval(dependency);
    const tried = dependency.removals.map((removal, at) => {
      const { sign: mark, kind } = CRITICALITY[removal.criticality] ?? { sign: "·", kind: "none" };
      return el("button", { title: removal.skipped ?? removal.sentence, onclick: () => choose(index, at) }, el("b", { class: kind, text: mark }), ` ${removal.effect}`);
    });
    return el("tr", {},
      el("td", { class: "tight", text: `${dependency.client} → ${dependency.server}` }),
      el("td", {}, el("b", { class: look.kind, text: `${look.sign} ${dependency.criticality ?? "not tried"}` }),
        worst ? el("div", { text: lostText(dependency.removals[worst.at]) }) : null,
        dependency.misplaced ? el("div", { class: "bad", text: `! ${dependency.server} is declared non-critical, and something critical depends on it` }) : null),
      el("td", {}, el("div", { class: "choices" }, tried)));
  });
  return el("div", { class: "scroll-x" }, el("table", { class: "plain" },
    el("thead", {}, el("tr", {}, ["caller → callee", "without it", "runs without it"].map((text, nth) => el("th", { scope: "col", class: nth === 0 ? "tight" : undefined, text })))), el("tbody", {}, rows)));
}

/** The first of the runs that came to what the dependency comes to. */
function worstRemoval(dependency) {
  const at = dependency.removals.findIndex((removal) => removal.criticality !== null && removal.criticality === dependency.criticality);
  return at < 0 ? null : { at };
}

/** What a run without a server broke or lost. */
function lostText(removal) {
  if (removal.broken.length > 0) return `breaks: ${removal.broken.join("; ")}`;
  const parts = [];
  if (removal.longer > 0) parts.push(`ends ${span(removal.longer)} later`);
  if (removal.exchanges_lost > 0) parts.push(`${count(removal.exchanges_lost, "other exchange")} lost or worse`);
  if (removal.operations_lost > 0) parts.push(`${count(removal.operations_lost, "operation")} not ok`);
  return parts.join(", ");
}

/** What stands in the boxes: hosts, or groups with their hosts. */
function boxesOf(report) {
  const boxes = new Map();
  for (const host of report.world.hosts) {
    const name = report.level === "groups" && host.group ? host.group : host.name;
    const box = boxes.get(name) ?? { name, hosts: [] };
    box.hosts.push(host);
    boxes.set(name, box);
  }
  return [...boxes.values()].map(({ name, hosts }) => {
    const what = name === hosts[0].name ? hosts[0].role : count(hosts.length, "host");
    return { name, below: hosts.every((host) => host.non_critical) ? `${what} · non-critical` : what, title: hosts.map((host) => host.name).join(", ") };
  });
}

function picture(report, choose) {
  // Between two hosts one arrow, whatever is asked.
  const pairs = new Map();
  for (const edge of report.edges) {
    if (edge.client === edge.server) continue;
    const key = `${edge.client}\u0000${edge.server}`;
    const pair = pairs.get(key) ?? { from: edge.client, to: edge.server, outcome: null, count: 0 };
    pair.count += edge.count;
    if (edge.outcome && severity(edge.outcome) > severity(pair.outcome)) pair.outcome = edge.outcome;
    pairs.set(key, pair);
  }
  const boxes = boxesOf(report);
  const names = boxes.map((box) => box.name);
  const depth = depths(names, [...pairs.values()]);
  const columns = [];
  for (const name of names) (columns[depth.get(name)] ??= []).push(name);
  const place = new Map();
  columns.forEach((column, x) => column.forEach((name, y) => place.set(name, { x: 8 + x * (BOX.width + BOX.gapX - 110), y: 8 + y * (BOX.height + BOX.gapY) })));
  const width = 16 + columns.length * (BOX.width + BOX.gapX - 110) - (BOX.gapX - 110) + (columns.some((column) => column.length > 1) ? 44 : 0);
  const height = 16 + Math.max(...columns.map((column) => column.length)) * (BOX.height + BOX.gapY) - BOX.gapY + 10;
  const arrows = [...pairs.values()].map((pair) => arrow(report, pair, place, choose));
  const drawn = boxes.filter(({ name }) => place.has(name)).map(({ name, below, title }) => {
    const { x, y } = place.get(name);
    return el("g", {},
      el("title", { text: title }),
      el("rect", { class: "box", x, y, width: BOX.width, height: BOX.height, rx: 6 }),
      el("text", { x: x + 10, y: y + 16, text: name.length > 17 ? `${name.slice(0, 16)}…` : name }),
      el("text", { x: x + 10, y: y + 31, style: "fill:var(--faint);font-size:10px", text: below }));
  });
  return el("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, width, height, role: "group", "aria-label": "Call graph; the table below says the same" }, drawn, arrows);
}

/** An arrow, and on it the sign of what becomes of the test without it; a button where there is a run of that. */
function arrow(report, pair, place, choose) {
  const [from, to] = [place.get(pair.from), place.get(pair.to)];
  if (!from || !to) return null;
  const path = curve(from, to);
  const index = report.dependencies.findIndex((d) => d.client === pair.from && d.server === pair.to);
  const dependency = report.dependencies[index];
  const look = CRITICALITY[dependency?.criticality] ?? { ...PLAIN_ARROW, kind: !dependency && pair.outcome ? tone(pair.outcome) : "none" };
  const [x, y] = path.middle;
  const worst = dependency ? worstRemoval(dependency) : null;
  const show = () => choose(index, worst.at);
  const button = worst ? {
    class: "arrow", tabindex: "0", role: "button", "aria-label": `${pair.from} → ${pair.to}: ${dependency.criticality}; show the run without it`,
    onclick: show, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); show(); } },
  } : {};
  return el("g", button,
    worst ? el("title", { text: `${pair.from} without ${pair.to}: ${dependency.criticality}\n${lostText(dependency.removals[worst.at])}`.trim() }) : null,
    worst ? el("path", { class: "target", d: path.line }) : null,
    el("path", { class: "edge", d: path.line, style: arrowStyle(look) }),
    el("path", { d: path.head, style: `fill:${COLOUR[look.kind]}` }),
    look.sign ? [el("circle", { class: "sign", cx: x, cy: y, r: 8.5, style: `stroke:${COLOUR[look.kind]}` }),
      el("text", { class: "sign", x, y: y + 4, style: `fill:${COLOUR[look.kind]}`, text: dependency.misplaced ? "!" : look.sign })] : null);
}

/** How many calls away from one that nobody asks each host is; cycles end where they close. */
function depths(names, pairs) {
  const depth = new Map(names.map((name) => [name, 0]));
  for (let round = 0; round < names.length; round++) {
    for (const { from, to } of pairs) {
      const wanted = depth.get(from) + 1;
      const closes = pairs.some((back) => back.from === to && back.to === from) && depth.get(to) > 0;
      if (depth.has(to) && depth.get(to) < wanted && wanted < names.length && !closes) depth.set(to, wanted);
    }
  }
  // No column stays empty.
  const used = [...new Set(depth.values())].sort((one, other) => one - other);
  for (const [name, n] of depth) depth.set(name, used.indexOf(n));
  return depth;
}

/** The way of an arrow, its point, and the middle of the way. */
function curve(from, to) {
  const middle = BOX.height / 2;
  if (from.x === to.x) {
    const [y1, y2] = [from.y + middle, to.y + middle];
    const x = from.x + BOX.width;
    return { line: `M${x},${y1} C${x + 40},${y1} ${x + 40},${y2} ${x + 7},${y2}`, head: `M${x},${y2} l9,-5 v10 z`, middle: [x + 31, (y1 + y2) / 2] };
  }
  const forward = to.x > from.x;
  const x1 = forward ? from.x + BOX.width : from.x;
  const x2 = forward ? to.x : to.x + BOX.width;
  const shift = forward ? -6 : 8;
  const [y1, y2] = [from.y + middle + shift, to.y + middle + shift];
  const bend = (x2 - x1) / 2;
  const back = forward ? -9 : 9;
  return { line: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2 + back * 0.7},${y2}`, head: `M${x2},${y2} l${back},-5 v10 z`, middle: along(0.4, [x1, y1], [x1 + bend, y1], [x2 - bend, y2], [x2, y2]) };
}

/** A point of a cubic curve (Bézier). */
function along(part, ...points) {
  const rest = 1 - part;
  const weights = [rest ** 3, 3 * rest ** 2 * part, 3 * rest * part ** 2, part ** 3];
  return [0, 1].map((axis) => points.reduce((sum, point, nth) => sum + weights[nth] * point[axis], 0));
}
