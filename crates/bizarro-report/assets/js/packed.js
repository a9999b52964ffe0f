// Events and exchanges as the page holds them, and as it works with them: the inverse of `packed.rs`.

/** A list of a report: a number for each template, and behind it what differs. */
function unpack(report, { packed }) {
  const items = [];
  const counted = {};
  let at = 0;
  for (let place = 0; place < packed.length;) {
    const [common, marks] = report.templates[packed[place++]];
    at += packed[place++];
    const item = { ...common };
    if (common.at === null) item.at = at;
    if (common.requested === null) item.requested = at;
    for (const mark of marks) {
      const given = packed[place++];
      const name = mark.slice(1);
      if (mark[0] === "+") item[name] = counted[name] = (counted[name] ?? 0) + given;
      else if (mark[0] === "@") item[name] = given === null ? null : at + given;
      else item[name] = report.texts[given];
    }
    items.push(item);
  }
  return items;
}

const UNPACKED = new Map();

/** The events of a run that it does not share with the baseline; they are unpacked when they are first wanted. */
const eventsOf = (report, run) => unpackedOf(report, run.events);
const exchangesOf = (report, run) => unpackedOf(report, run.exchanges);

function unpackedOf(report, list) {
  if (!UNPACKED.has(list)) UNPACKED.set(list, unpack(report, list));
  return UNPACKED.get(list);
}
