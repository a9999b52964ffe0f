//! What the simulator needs of the machine, and what to do where it is missing.

#[cfg(worlds)]
mod machine;

/// What was found of one need.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Symptom {
    /// What is needed.
    pub need: &'static str,
    /// How it is here.
    pub state: State,
}

/// How a need is met.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum State {
    /// It is there; more about it.
    Met(String),
    /// It is not, and something else is done instead.
    Helped(String),
    /// It is not, and no world can run: what is missing and what to do.
    Missing(String),
}

/// Looks at everything.
pub fn examine() -> Vec<Symptom> {
    let kind = Symptom { need: "Linux on x86_64 with glibc", state: kind() };
    [kind].into_iter().chain(rest()).collect()
}

/// The needs that are not met, in words.
pub(crate) fn missing() -> Vec<String> {
    let lines = examine().into_iter().filter_map(|symptom| match symptom.state {
        State::Missing(what) => Some(format!("{}: {what}", symptom.need)),
        _ => None,
    });
    lines.collect()
}

#[cfg(worlds)]
use machine::examine as rest;

/// On another kind of machine the rest makes no difference.
#[cfg(not(worlds))]
fn rest() -> Vec<Symptom> {
    Vec::new()
}

fn kind() -> State {
    if cfg!(worlds) {
        return State::Met(String::new());
    }
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let libc = if cfg!(target_env = "gnu") { "" } else { ", without glibc" };
    State::Missing(format!(
        "this is built for {os} on {arch}{libc}; build for x86_64-unknown-linux-gnu, on such a machine, a virtual one or in a container"
    ))
}

#[cfg(all(test, worlds))]
mod tests {
    use super::*;

    /// Whoever runs this test has a machine on which worlds are to run.
    #[test]
    fn a_machine_for_development_has_everything() {
        assert_eq!(missing(), Vec::<String>::new());
    }
}
