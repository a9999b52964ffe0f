//! The matrix as a table: a row for each caller, callee and name, a column for each step.

use std::collections::BTreeSet;

use bizarro_explore::{Cell, Outcome};
use bizarro_record::{Exchange, Step};

use crate::letters::Letters;
use crate::look::{Ink, Look, harmless, pad, shorten, width, wrap_parts};
use crate::words::attempt;

/// Exchanges of one caller, callee and name, folded to the worst of each step.
pub(crate) struct Row {
    peers: String,
    name: String,
    exchanges: usize,
    /// Attempts at one call among them.
    attempts: u32,
    cells: [Folded; 8],
}

/// Cells of one step, folded.
#[derive(Clone)]
struct Folded {
    outcome: Outcome,
    /// Properties that any of them breaks.
    broken: BTreeSet<String>,
}

/// Folds cells to rows, in the order in which the rows' first exchanges come.
pub(crate) fn rows(cells: &[Cell], exchanges: &[Exchange]) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for exchange in cells.chunks(Step::ALL.len()) {
        let id = &exchange[0].exchange;
        let peers = harmless(&format!("{} → {}", id.client, id.server));
        let name = harmless(&id.name);
        let known = rows.iter().position(|row| row.peers == peers && row.name == name);
        let index = known.unwrap_or_else(|| {
            let nothing = Folded { outcome: Outcome::NotApplicable, broken: BTreeSet::new() };
            let cells = std::array::from_fn(|_| nothing.clone());
            rows.push(Row { peers, name, exchanges: 0, attempts: 1, cells });
            rows.len() - 1
        });
        rows[index].exchanges += 1;
        let seen = exchanges.iter().find(|seen| seen.id == *id);
        rows[index].attempts = seen.map_or(1, |seen| seen.attempt).max(rows[index].attempts);
        for cell in exchange {
            rows[index].cells[cell.step.number() - 1].add(cell);
        }
    }
    rows
}

impl Folded {
    fn add(&mut self, cell: &Cell) {
        self.outcome = self.outcome.max(cell.outcome());
        for variant in cell.variants.iter().filter(|v| v.verdict.outcome.is_failure()) {
            self.broken.extend(variant.verdict.properties().map(str::to_string));
        }
    }

    fn text(&self, letters: &Letters) -> String {
        let mut broken: Vec<&str> = self.broken.iter().map(|name| letters.get(name)).collect();
        broken.sort_unstable();
        match self.outcome {
            Outcome::NotApplicable => "·".to_string(),
            Outcome::Held => "✓".to_string(),
            Outcome::Inconclusive => "?".to_string(),
            _ => format!("✗ {}", broken.concat()),
        }
    }

    fn ink(&self) -> Ink {
        match self.outcome {
            Outcome::NotApplicable => Ink::Faint,
            Outcome::Held => Ink::Good,
            Outcome::Inconclusive => Ink::Doubt,
            _ => Ink::Bad,
        }
    }
}

/// The heads of the step columns, in two lines; the second is empty where the terminal is narrow.
fn heads(step: Step) -> [&'static str; 2] {
    match step {
        Step::PostRequest => ["1 post", "request"],
        Step::DeliverRequest => ["2 deliver", "request"],
        Step::ValidateRequest => ["3 validate", "request"],
        Step::UpdateServer => ["4 update", "server"],
        Step::PostReply => ["5 post", "reply"],
        Step::DeliverReply => ["6 deliver", "reply"],
        Step::ValidateReply => ["7 validate", "reply"],
        Step::UpdateClient => ["8 update", "client"],
    }
}

/// Widths of the columns.
struct Layout {
    peers: usize,
    name: usize,
    count: usize,
    steps: [usize; 8],
    heads: [[String; 2]; 8],
}

const PEERS: &str = "caller → callee";
const NAME: &str = "exchange";
/// A name is not shortened further than this; rather the table is wider than the terminal.
const NAME_MIN: usize = 14;
/// Columns between two columns.
const GAP: usize = 2;

impl Layout {
    /// Full heads where they fit, else only their numbers; names are shortened last.
    fn of(rows: &[Row], letters: &Letters, look: Look) -> Layout {
        let full = Step::ALL.map(|step| heads(step).map(str::to_string));
        let numbers = Step::ALL.map(|step| [String::new(), step.number().to_string()]);
        let mut layout = Layout::with(rows, letters, full);
        if layout.width() > look.width {
            layout = Layout::with(rows, letters, numbers);
        }
        let excess = layout.width().saturating_sub(look.width);
        layout.name = layout.name.saturating_sub(excess).max(NAME_MIN.min(layout.name));
        layout
    }

    fn with(rows: &[Row], letters: &Letters, heads: [[String; 2]; 8]) -> Layout {
        let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
        let steps = std::array::from_fn(|step| {
            let cells = rows.iter().map(|row| width(&row.cells[step].text(letters)));
            widest(&mut cells.chain(heads[step].iter().map(|head| width(head))))
        });
        Layout {
            peers: widest(&mut rows.iter().map(|row| width(&row.peers)).chain([width(PEERS)])),
            name: widest(&mut rows.iter().map(|row| width(&row.name)).chain([width(NAME)])),
            count: widest(&mut rows.iter().map(|row| width(&times(row)))),
            steps,
            heads,
        }
    }

    fn width(&self) -> usize {
        let steps: usize = self.steps.iter().map(|step| step + GAP).sum();
        1 + self.peers + GAP + self.name + 1 + self.count + steps
    }

    fn are_numbers(&self) -> bool {
        self.heads[0][0].is_empty()
    }
}

fn times(row: &Row) -> String {
    let again = attempt(row.attempts);
    match row.exchanges {
        1 => again.trim_start().to_string(),
        many => format!("×{many}{again}"),
    }
}

/// Draws the rows, each line ending in a newline.
pub(crate) fn table(rows: &[Row], letters: &Letters, look: Look) -> String {
    let layout = Layout::of(rows, letters, look);
    let mut text = String::new();
    for line in [0, 1] {
        let left = if line == 0 { ["", ""] } else { [PEERS, NAME] };
        let steps: Vec<(Ink, &str)> =
            layout.heads.iter().map(|head| (Ink::Strong, head[line].as_str())).collect();
        if line == 1 || !layout.are_numbers() {
            text += &drawn([left[0], left[1], ""], &steps, &layout, look);
        }
    }
    for row in rows {
        let name = shorten(&row.name, layout.name);
        let cells = row.cells.each_ref().map(|cell| (cell.ink(), cell.text(letters)));
        let cells: Vec<(Ink, &str)> = cells.iter().map(|(i, text)| (*i, text.as_str())).collect();
        text += &drawn([&row.peers, &name, &times(row)], &cells, &layout, look);
    }
    if layout.are_numbers() {
        let steps = Step::ALL.map(|step| heads(step).join(" "));
        for line in wrap_parts(&steps, 1, look) {
            text += &format!(" {}\n", look.paint(Ink::Faint, &line));
        }
    }
    text
}

fn drawn(left: [&str; 3], cells: &[(Ink, &str)], layout: &Layout, look: Look) -> String {
    let [peers, name, count] = left;
    let mut line = format!(
        " {}{}{} {}",
        pad(peers, layout.peers),
        " ".repeat(GAP),
        pad(name, layout.name),
        pad(count, layout.count)
    );
    for ((ink, text), columns) in cells.iter().zip(layout.steps) {
        let padding = " ".repeat(columns.saturating_sub(width(text)));
        line += &format!("{}{}{padding}", " ".repeat(GAP), look.paint(*ink, text));
    }
    line.trim_end().to_string() + "\n"
}
