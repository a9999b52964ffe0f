// What the page says in tables: findings, properties, faults in numbers, the world, and help.

/** What found a finding, where that was not the matrix. */
const FOUND_BY = { schedules: "random schedules", swarm: "swarm" };

const shortened = (text) => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** The list of findings; `choose(index)` is called when one is chosen. */
function findingList(report, choose) {
  if (report.findings.length === 0) return null;
  const letters = new Map(report.properties.map((property) => [property.name, property.letter]));
  const items = report.findings.map((finding, index) => {
    const signs = finding.properties.map((name) => letters.get(name) ?? "?").sort().join("") || "?";
    const alike = finding.alike > 1 ? `${count(finding.alike, "run")} alike` : "";
    return el("li", { class: isFailure(finding.outcome) ? undefined : "doubt-edge", "data-finding": index },
      el("button", { class: "finding", onclick: () => choose(index) },
        el("b", { class: isFailure(finding.outcome) ? "bad" : "doubt", text: `${index + 1}  ${signs}  ` }), finding.sentence,
        finding.facts.map((fact) => el("div", { text: fact })),
        el("div", { class: "numbers", text: [FOUND_BY[finding.search], impactText(finding.impact), alike].filter(Boolean).join(" · ") }),
        finding.shrunk_from && finding.shrink_runs > 0 ? el("div", { class: "numbers", text: `shrunk in ${count(finding.shrink_runs, "run")} from ${shortened(finding.shrunk_from)}` }) : null));
  });
  return el("section", { "aria-labelledby": "findings-title" },
    el("h2", { id: "findings-title", text: `Findings (${report.findings.length})` }),
    el("p", { class: "faint", text: "Runs that break the same things at the same kind of place are one finding; the run with the fewest faults stands for them." }),
    el("ol", { class: "findings" }, items));
}

const KINDS = {
  "always": "safety: whenever it is looked at", "sometimes": "at least once over all runs", "reachable": "reached at least once over all runs",
  "unreachable": "never reached", "eventually": "liveness: in the end, after the faults", "at-end": "when the run is over", "default": "holds for every test",
};

function propertyTable(report) {
  if (report.properties.length === 0) return null;
  const rows = report.properties.map((property) => {
    const isUnmet = (property.kind === "sometimes" || property.kind === "reachable") && property.runs_passed === 0;
    const verdict = property.runs_broken > 0 ? ["bad", `✗ broken in ${count(property.runs_broken, "run")}`] : isUnmet ? ["doubt", "? never seen"] : ["good", "✓ held"];
    return el("tr", {},
      el("td", {}, el("b", { class: "bad", text: property.letter ? `${property.letter} ` : "" }), property.name,
        property.place ? el("div", { class: "faint mono", text: property.place }) : null),
      el("td", { class: "faint", text: KINDS[property.kind] ?? property.kind }),
      el("td", { class: verdict[0], text: verdict[1] }));
  });
  return el("section", { "aria-labelledby": "properties-title" },
    el("h2", { id: "properties-title", text: "Properties" }),
    el("p", { class: "faint", text: "What has to hold, and over all runs did or did not." }),
    el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, ["property", "has to hold", "over all runs"].map((text) => el("th", { scope: "col", text })))),
      el("tbody", {}, rows)));
}

const FAULT_ROWS = 30;

/** Recovery time and blast radius of each fault, the worst first. */
function faultTable(report, choose) {
  const rows = report.cells.flatMap((cell, index) => cell.variants.map((variant, at) => ({ cell, index, variant, at }))).filter(({ variant }) => variant.impact);
  if (rows.length === 0) return null;
  const time = ({ variant }) => (variant.impact.recovered ? variant.impact.recovery ?? 0 : Infinity);
  rows.sort((one, other) => (time(one) === time(other) ? other.variant.impact.exchanges - one.variant.impact.exchanges : time(other) > time(one) ? 1 : -1));
  const body = el("tbody");
  const show = (from, to) => body.append(...rows.slice(from, to).map(({ cell, index, variant, at }) => {
    const exchange = report.exchanges[cell.exchange];
    const { impact } = variant;
    return el("tr", {},
      el("td", {}, el("button", { class: "row", text: `${exchange.client} → ${exchange.server} ${exchangeText(exchange)}${attemptText(exchange.attempt)}`, onclick: () => choose(index, at) })),
      el("td", { text: `${stepIndex.get(cell.step) + 1} ${variant.effect}` }),
      el("td", { class: `tight ${tone(variant.outcome)}`, text: `${sign(variant.outcome)} ${variant.outcome}` }),
      el("td", { class: `number ${impact.recovered ? "" : "bad"}`, text: recovery(impact) }),
      el("td", { class: `number ${impact.recovered ? "" : "bad"}`, text: fromHeal(impact) }),
      el("td", { class: "number", text: `${impact.hosts}/${impact.hosts_total}` }),
      el("td", { class: "number", text: `${impact.exchanges}/${impact.exchanges_total}` }));
  }));
  show(0, FAULT_ROWS);
  const rest = rows.length - FAULT_ROWS;
  const more = rest > 0 ? el("button", { text: `show ${count(rest, "more fault")}`, onclick: () => { show(FAULT_ROWS, rows.length); more.remove(); } }) : null;
  return el("section", { "aria-labelledby": "faults-title" },
    el("h2", { id: "faults-title", text: "Recovery time and blast radius" }),
    el("p", { class: "faint", text: "For each fault: virtual time until the client that it struck was served again, from the strike and from the moment at which the fault was over by itself (a partition healed, a pause ended, a host started again), and how many hosts and requests of the run without faults it touched." }),
    el("div", { class: "scroll-x" }, el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, ["exchange", "fault", "outcome", "recovery", "from heal", "hosts", "exchanges"].map((text) => el("th", { scope: "col", text })))), body)), more);
}

function worldSection(report) {
  const { world } = report;
  const hosts = world.hosts.map((host) => el("tr", {},
    el("td", { class: "mono", text: host.name }), el("td", { class: "mono", text: host.address }), el("td", { text: host.role }),
    el("td", { class: "number", text: host.cpus }), el("td", { class: "number", text: host.clock_offset === 0 ? "true" : `${host.clock_offset > 0 ? "+" : "−"}${span(Math.abs(host.clock_offset))}` }),
    el("td", { class: "mono", text: host.environment.join(" ") })));
  const links = world.links.map((link) => {
    const latency = link.latency_min === link.latency_max ? span(link.latency_min) : `${span(link.latency_min)} to ${span(link.latency_max)}`;
    const rest = [link.bandwidth ? `${thousands(link.bandwidth)} bytes/s` : "", link.loss_ppm ? `${link.loss_ppm / 1e4}% lost` : ""].filter(Boolean).map((text) => `, ${text}`).join("");
    return el("li", { text: `${link.between ? link.between.join(" – ") : "every pair"}: ${latency} one way${rest}` });
  });
  return el("section", { "aria-labelledby": "world-title" },
    el("h2", { id: "world-title", text: "Model and world" }),
    el("p", {}, "System model: ", el("b", { text: report.model }), ". Only faults that it allows were tried."),
    el("div", { class: "scroll-x" }, el("table", { class: "plain" },
      el("thead", {}, el("tr", {}, ["host", "address", "role", "CPUs", "its clock", "environment"].map((text) => el("th", { scope: "col", text })))), el("tbody", {}, hosts))),
    links.length > 0 ? [el("h3", { text: "Links" }), el("ul", {}, links)] : null,
    el("p", { class: "faint", text: `A run starts at ${ownClock({ epoch: world.epoch, hosts: [] }, 0, 0)} and is called stuck after ${span(world.deadline)}. Build ${report.build}.` }));
}

/** What a run broke, how it ended, and its counts. */
function facts(report, run) {
  const broken = run.broken.map((violation) => [
    el("h3", { class: "bad", text: `✗ ${violation.property}` }),
    el("p", {}, violation.fact || "broken", el("span", { class: "faint", text: ` at ${moment(violation.at)}${violation.host ? ` on ${violation.host}` : ""}${violation.place ? `, ${violation.place}` : ""}` })),
    // As an image nothing in it is obeyed, whatever a program wrote.
    violation.picture ? el("img", { class: "why", alt: `why ${violation.property} is broken: ${violation.fact}`, src: `data:image/svg+xml,${encodeURIComponent(violation.picture)}` }) : null,
    violation.backtrace ? el("pre", { text: violation.backtrace }) : null]);
  const tasks = run.tasks.map((task) => [
    el("p", {}, el("b", { text: `${task.host} task ${task.task} ` }), el("span", { class: "mono", text: task.name }), ` waits in ${task.waits_for}`),
    task.backtrace ? el("pre", { class: "faint", text: task.backtrace }) : null]);
  const rows = [
    ["verdict", run.outcome], ["ended", `after ${span(run.virtual_time)}: ${run.ending}`], ["plan", run.plan], ["fingerprint", run.fingerprint],
    ["system calls", thousands(run.syscalls)], ["events", thousands(run.shared + run.omitted + run.events.count)], ["exchanges", thousands(run.exchanges_shared + run.exchanges_omitted + run.exchanges.count)],
  ];
  return [
    run.broken.length > 0 ? [el("h2", { text: "What broke" }), broken] : null,
    run.doubts.length > 0 ? [el("h2", { text: "Why it could not be judged" }), el("ul", {}, run.doubts.map((text) => el("li", { text })))] : null,
    run.missed.length > 0 ? [el("h2", { text: "Faults that never struck" }), el("ul", {}, run.missed.map((text) => el("li", { class: "mono", text })))] : null,
    tasks.length > 0 ? [el("h2", { text: "What tasks were doing" }), tasks] : null,
    el("h2", { text: "The run" }),
    el("table", { class: "plain" }, el("tbody", {}, rows.map(([name, text]) => el("tr", {}, el("th", { scope: "row", text: name }), el("td", { class: name === "plan" || name === "fingerprint" ? "mono" : undefined, text }))))),
  ];
}

const KEYS = [
  ["j  k", "next, previous finding"], ["arrows", "move from cell to cell in the matrix; Enter opens one"], ["/", "search in the chosen run and in the findings"],
  ["d  t  x  f", "diagram, timeline, differences, facts"], ["b", "the baseline beside the run"], ["n  p", "next, previous fault, break or difference"],
  ["+  −", "stretch, shrink the diagram"], ["0", "the run without faults"], ["c", "copy the command that repeats the run"], ["?", "this help"], ["Esc", "close, or leave the search"],
];

function help(dialog) {
  const word = (name, text) => [el("dt", { text: name }), el("dd", { text })];
  fill(dialog,
    el("h2", { id: "help-title", text: "How to read this page" }),
    el("p", { text: "Bizarro runs a distributed system on simulated machines with a simulated network, disk and clock, so that a run can be repeated exactly. First it runs the test without any fault: the baseline. Then it runs it again for every way in which one request and its reply can fail, and looks whether what has to hold still holds." }),
    el("p", { text: "Choose a finding or a cell at the left; its run appears at the right. In the diagram each column is a host and time runs downwards: a slanted arrow is a message, and the further it falls the longer it took; a red arrow that ends in a cross was lost. ⚡ is the fault. Violet is what did not happen in the baseline. A bracket beside a host is an operation of a history, dashed where its end never became known. A grey band is a stretch in which nothing happened, shortened; busy stretches are stretched. A gap in a host's line means that its program is not running, a broad line that the host stands still." }),
    el("dl", { class: "keys" },
      word("cell", "one step of one exchange"), word("exchange", "one request and its reply"), word("baseline", "the run without faults"),
      word("recovery", "virtual time from the fault until its client was served again"), word("blast radius", "hosts and requests that the fault touched"),
      word("virtual time", "time inside the simulation; a minute of waiting takes no real time")),
    el("h2", { text: "Keys" }),
    el("dl", { class: "keys" }, KEYS.map(([key, text]) => word(key, text))),
    el("button", { text: "close", onclick: () => dialog.close() }));
}
