// The call graph: who asks whom, and what breaks where that fails.

const BOX = { width: 150, height: 38, gapX: 190, gapY: 30 };

/** A section with the graph as a picture and the same as a table. */
function callGraph(report) {
  const { edges } = report;
  if (edges.length === 0) return null;
  const wasExplored = edges.some((edge) => edge.outcome);
  return el("section", { "aria-labelledby": "graph-title" },
    el("h2", { id: "graph-title", text: "Call graph" }),
    el("p", { class: "faint", text: wasExplored
      ? "An arrow points from the host that asks to the host that is asked. Red: a fault there breaks something."
      : "An arrow points from the host that asks to the host that is asked." }),
    el("div", { class: "scroll-x" }, picture(report)),
    el("div", { class: "scroll-x" }, el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, ["caller → callee", "exchange", "times", wasExplored ? "where it fails" : ""].map((text) => el("th", { scope: "col", text })))),
      el("tbody", {}, edges.map((edge) => el("tr", {},
        el("td", { class: "tight", text: `${edge.client} → ${edge.server}` }),
        el("td", { class: "mono", text: edge.name }),
        el("td", { class: "number", text: thousands(edge.count) }),
        el("td", {}, edge.outcome ? el("span", { class: tone(edge.outcome), text: edge.broken.length > 0 ? `${sign(edge.outcome)} ${edge.broken.join("; ")}` : `${sign(edge.outcome)} ${edge.outcome}` }) : null)))))));
}

function picture(report) {
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
  const names = report.world.hosts.map((host) => host.name);
  const depth = depths(names, [...pairs.values()]);
  const columns = [];
  for (const name of names) (columns[depth.get(name)] ??= []).push(name);
  const place = new Map();
  columns.forEach((column, x) => column.forEach((name, y) => place.set(name, { x: 8 + x * (BOX.width + BOX.gapX - 110), y: 8 + y * (BOX.height + BOX.gapY) })));
  const width = 16 + columns.length * (BOX.width + BOX.gapX - 110) - (BOX.gapX - 110);
  const height = 16 + Math.max(...columns.map((column) => column.length)) * (BOX.height + BOX.gapY) - BOX.gapY + 10;
  const colour = { good: "var(--good)", bad: "var(--bad)", doubt: "var(--doubt)", none: "var(--faint)" };
  const arrows = [...pairs.values()].map((pair) => {
    const [from, to] = [place.get(pair.from), place.get(pair.to)];
    if (!from || !to) return null;
    const kind = pair.outcome ? tone(pair.outcome) : "none";
    const stroke = colour[kind];
    const path = curve(from, to);
    return el("g", {}, el("path", { class: "edge", d: path.line, stroke }), el("path", { d: path.head, style: `fill:${stroke}` }));
  });
  const boxes = names.filter((name) => place.has(name)).map((name) => {
    const { x, y } = place.get(name);
    const host = report.world.hosts.find((host) => host.name === name);
    return el("g", {},
      el("rect", { class: "box", x, y, width: BOX.width, height: BOX.height, rx: 6 }),
      el("text", { x: x + 10, y: y + 16, text: name.length > 17 ? `${name.slice(0, 16)}…` : name }),
      el("text", { x: x + 10, y: y + 31, style: "fill:var(--faint);font-size:10.5px", text: host.role }));
  });
  return el("svg", { class: "graph", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": "Call graph; the table below says the same" }, arrows, boxes);
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

function curve(from, to) {
  const middle = BOX.height / 2;
  if (from.x === to.x) {
    const [y1, y2] = [from.y + middle, to.y + middle];
    const x = from.x + BOX.width;
    return { line: `M${x},${y1} C${x + 40},${y1} ${x + 40},${y2} ${x + 7},${y2}`, head: `M${x},${y2} l9,-5 v10 z` };
  }
  const forward = to.x > from.x;
  const x1 = forward ? from.x + BOX.width : from.x;
  const x2 = forward ? to.x : to.x + BOX.width;
  const [y1, y2] = [from.y + middle + (forward ? -4 : 6), to.y + middle + (forward ? -4 : 6)];
  const bend = (x2 - x1) / 2;
  const back = forward ? -9 : 9;
  return { line: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2 + back * 0.7},${y2}`, head: `M${x2},${y2} l${back},-5 v10 z` };
}
