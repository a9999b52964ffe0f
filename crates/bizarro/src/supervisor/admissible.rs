//! Which plans a test can be run with: those of its hosts, and of its system model.

use bizarro_fault::SystemModel;
use bizarro_record::{Effect, Nanos, Plan};

use super::runner::TestCase;

/// Why `plan` is none for `test`, with what would be; `None` where it is one.
pub(crate) fn objection(test: &TestCase, plan: &Plan) -> Option<String> {
    unknown_host(test, plan).or_else(|| excluded(test, plan))
}

/// What concerns a host that is not there could never come to pass.
fn unknown_host(test: &TestCase, plan: &Plan) -> Option<String> {
    let hosts: Vec<&str> = test.blueprint.hosts.iter().map(|host| host.name.as_str()).collect();
    let ends = plan.injections.iter().flat_map(|fault| [&fault.at.client, &fault.at.server]);
    let tasks = plan.deviations.iter().flat_map(|deviation| deviation.tasks());
    let losses = plan.power_losses.iter().map(|loss| &loss.host);
    let ends = ends.chain(losses);
    let mut named = ends.chain(tasks.map(|task| &task.host));
    let unknown = named.find(|name| !hosts.contains(&name.as_str()))?;
    Some(format!(
        "no host is called `{unknown}` in {}\n  --> {plan}\n  = the hosts of this world: {}",
        test.name,
        hosts.join(", ")
    ))
}

/// What the model excludes need not be survived, so a run of it would say nothing.
fn excluded(test: &TestCase, plan: &Plan) -> Option<String> {
    let model = test.model;
    let named = plan.injections.iter().map(|injection| injection.effect);
    let drawn = plan.faults.iter().flat_map(|faults| faults.effects.iter().copied());
    let effect = named.chain(drawn).find(|effect| !model.allows(*effect)).map(|e| e.to_string());
    let jitter =
        (plan.jitter > Nanos::ZERO && !model.allows(Effect::Late)).then(|| "jitter".into());
    let power = (!plan.power_losses.is_empty() && !model.allows(Effect::Crash))
        .then(|| "power-off".to_string());
    let excluded = effect.or(jitter).or(power)?;
    Some(format!(
        "the system model of {} excludes `{excluded}`\n  --> {plan}\n  = {model} allows: {}",
        test.name,
        allowed(model)
    ))
}

fn allowed(model: SystemModel) -> String {
    let allowed = Effect::ALL.into_iter().filter(|effect| model.allows(*effect));
    let words: Vec<String> = allowed
        .map(|effect| match effect {
            Effect::CrashAt(_) => "crash@N".to_string(),
            other => other.to_string(),
        })
        .collect();
    words.join(", ")
}
