//! A plan as a TOML file.

use std::fmt::{Display, Write};

use bizarro_record::{End, Lasting, Moment, Plan, Schedule};
use toml::Value;

use super::VERSION;

/// The plan as a file that [`PlanFile::read`](super::PlanFile::read) reads.
pub fn to_toml(plan: &Plan) -> String {
    let mut file = Toml(format!("version = {VERSION}\n"));
    if plan.seed != 0 {
        file.number("seed", plan.seed);
    }
    let only = |part: Plan| part.to_string();
    if plan.schedule != Schedule::Fair {
        file.text("schedule", only(Plan { schedule: plan.schedule, ..Plan::default() }));
    }
    if plan.jitter.0 > 0 {
        let jitter = only(Plan { jitter: plan.jitter, ..Plan::default() });
        file.text("jitter", jitter.trim_start_matches("jitter="));
    }
    if !plan.deviations.is_empty() {
        file.texts("deviations", plan.deviations.iter());
    }
    if let Some(faults) = &plan.faults {
        file.table("[drawn]");
        file.number("one-in", faults.one_in.into());
        file.texts("effects", faults.effects.iter());
    }
    for removal in &plan.removals {
        file.table("[[removed]]");
        file.text("client", &removal.client);
        file.text("server", &removal.server);
        file.text("effect", removal.effect);
    }
    for incident in &plan.incidents {
        file.table("[[incident]]");
        match &incident.moment {
            Moment::Milestone { milestone, later } => {
                file.text("after", &milestone.name);
                file.number("count", milestone.count.into());
                if later.0 > 0 {
                    file.text("later", End::After(*later).to_string().trim_start_matches("for "));
                }
            }
            moment => file.text("at", moment.to_string().trim_start_matches("at ")),
        }
        match &incident.end {
            None => {}
            Some(End::Milestone(milestone)) => {
                file.text("until", &milestone.name);
                file.number("until-count", milestone.count.into());
            }
            Some(end) => file.text("for", end.to_string().trim_start_matches("for ")),
        }
        file.text("trouble", &incident.trouble);
    }
    for injection in &plan.injections {
        file.table("[[fault]]");
        file.text("at", &injection.at);
        file.text("step", injection.step);
        file.text("effect", injection.effect);
        if injection.lasting == Lasting::Sticky {
            file.0.push_str("sticky = true\n");
        }
    }
    file.0
}

struct Toml(String);

impl Toml {
    fn table(&mut self, head: &str) {
        writeln!(self.0, "\n{head}").expect("a string takes everything");
    }

    fn number(&mut self, key: &str, number: u64) {
        writeln!(self.0, "{key} = {number}").expect("a string takes everything");
    }

    fn text(&mut self, key: &str, text: impl Display) {
        let text = Value::String(text.to_string());
        writeln!(self.0, "{key} = {text}").expect("a string takes everything");
    }

    fn texts(&mut self, key: &str, texts: impl Iterator<Item = impl Display>) {
        let texts = texts.map(|text| Value::String(text.to_string())).collect();
        writeln!(self.0, "{key} = {}", Value::Array(texts)).expect("a string takes everything");
    }
}
