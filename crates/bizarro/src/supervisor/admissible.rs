//! Which plans a test can be run with: those of its hosts, and of its system model.

use std::collections::BTreeSet;

use bizarro_fault::SystemModel;
use bizarro_record::{Effect, FORMS, IT, Incident, Nanos, Plan, Trouble};

use super::runner::TestCase;
use crate::incident::{IT_IS, unknown_in};

/// Why `plan` is none for `test`, with what would be; `None` where it is one.
pub(crate) fn objection(test: &TestCase, plan: &Plan) -> Option<String> {
    unknown_host(test, plan).or_else(|| excluded(test, plan))
}

/// What concerns a host that is not there could never come to pass.
fn unknown_host(test: &TestCase, plan: &Plan) -> Option<String> {
    let all = &test.blueprint.hosts;
    let hosts: Vec<&str> = all.iter().map(|host| host.name.as_str()).collect();
    let groups: BTreeSet<&str> = all.iter().filter_map(|host| host.group.as_deref()).collect();
    let injections = plan.injections.iter().map(|fault| (&fault.at.client, &fault.at.server));
    let removals = plan.removals.iter().map(|removal| (&removal.client, &removal.server));
    let ends = || injections.clone().chain(removals.clone());
    let is_known = |name: &str| hosts.contains(&name) || groups.contains(name);
    let tasks = plan.deviations.iter().flat_map(|deviation| deviation.tasks());
    let mut asked = ends().flat_map(|(client, server)| [client, server]);
    let unknown = asked.find(|name| !is_known(name)).or_else(|| {
        let mut hosts_of_tasks = tasks.map(|task| &task.host);
        hosts_of_tasks.find(|name| !hosts.contains(&name.as_str()))
    });
    let unknown = unknown.cloned().or_else(|| {
        let mut incidents = plan.incidents.iter();
        incidents.find_map(|incident| unknown_in(incident, &test.blueprint))
    });
    if unknown.as_deref() == Some(IT) {
        return Some(format!("`{IT}` is nobody\n  --> {plan}\n  = {IT_IS}: {}", hosts.join(", ")));
    }
    if let Some(unknown) = unknown {
        let groups: Vec<&str> = groups.into_iter().collect();
        let groups = match groups.is_empty() {
            true => String::new(),
            false => format!("; its groups: {}", groups.join(", ")),
        };
        return Some(format!(
            "no host is called `{unknown}` in {}\n  --> {plan}\n  = the hosts of this world: {}{groups}",
            test.name,
            hosts.join(", ")
        ));
    }
    // A request between a group and a host of another group is counted by nobody.
    let of_group = |name: &str| all.iter().find(|host| host.name == name)?.group.as_deref();
    let mixed = |(client, server): &(&String, &String)| {
        [(client, server), (server, client)].into_iter().find_map(|(one, other)| {
            let group = of_group(one)?;
            groups.contains(other.as_str()).then(|| (one.to_string(), other.to_string(), group))
        })
    };
    let (host, group, own) = injections.clone().find_map(|ends| mixed(&ends))?;
    Some(format!(
        "`{host}` is a host and `{group}` a group\n  --> {plan}\n  = write two hosts, or two groups: `{host}` is in `{own}`"
    ))
}

/// What the model excludes need not be survived, so a run of it would say nothing.
fn excluded(test: &TestCase, plan: &Plan) -> Option<String> {
    let model = test.model;
    let named = plan.injections.iter().map(|injection| injection.effect);
    let named = named.chain(plan.removals.iter().map(|removal| removal.effect));
    let drawn = plan.faults.iter().flat_map(|faults| faults.effects.iter().copied());
    let effect = named.chain(drawn).find(|effect| !model.allows(*effect)).map(|e| e.to_string());
    let jitter =
        (plan.jitter > Nanos::ZERO && !model.allows(Effect::Late)).then(|| "jitter".into());
    let trouble = plan.incidents.iter().map(|incident| &incident.trouble);
    let trouble = excluded_trouble(model, trouble).map(|trouble| trouble.word().to_string());
    let excluded = effect.or(jitter).or(trouble)?;
    Some(format!(
        "the system model of {} excludes `{excluded}`\n  --> {plan}\n  = {model} allows: {}",
        test.name,
        allowed(model)
    ))
}

/// The first of these that the model excludes.
fn excluded_trouble<'a>(
    model: SystemModel,
    mut troubles: impl Iterator<Item = &'a Trouble>,
) -> Option<&'a Trouble> {
    troubles.find(|trouble| !model.allows_trouble(trouble))
}

fn allowed(model: SystemModel) -> String {
    let allowed = Effect::ALL.into_iter().filter(|effect| model.allows(*effect));
    let words: Vec<String> = allowed
        .map(|effect| match effect {
            Effect::CrashAt(_) => "crash@N".to_string(),
            other => other.to_string(),
        })
        .collect();
    let troubles = FORMS.iter().filter(|form| {
        let example: Option<Incident> = form.example.parse().ok();
        example.is_some_and(|incident| model.allows_trouble(&incident.trouble))
    });
    let troubles = troubles.map(|form| form.word.to_string());
    let mut words: Vec<String> = words.into_iter().chain(troubles).collect();
    let mut seen = BTreeSet::new();
    words.retain(|word| seen.insert(word.clone()));
    words.join(", ")
}
