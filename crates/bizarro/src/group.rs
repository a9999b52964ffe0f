//! Groups of hosts, as a test describes them.

use std::panic::Location;

use bizarro_record::HostSpec;

use crate::host::HostDraft;
use crate::mistake::Mistake;

/// What has been said of a group.
#[derive(Clone, Debug)]
pub(crate) struct GroupDraft {
    pub(crate) name: String,
    /// Names of its hosts.
    pub(crate) hosts: Vec<String>,
    pub(crate) place: &'static Location<'static>,
}

/// Everything that is wrong with the groups. `wrong_with_name` says what is wrong with a name, for a group's name
/// stands where a host's could.
pub(crate) fn check_groups(
    hosts: &[HostDraft],
    groups: &[GroupDraft],
    wrong_with_name: impl Fn(&str) -> Option<&'static str>,
    mistakes: &mut Vec<Mistake>,
) {
    let names: Vec<&str> = hosts.iter().map(HostDraft::name).collect();
    for (index, group) in groups.iter().enumerate() {
        let mut mistake = |found: String, instead: String| {
            mistakes.push(Mistake::at(group.place, found, instead));
        };
        let name = &group.name;
        if let Some(what) = wrong_with_name(name) {
            let found = format!("`{}` cannot be a group's name: {what}", name.escape_debug());
            mistake(found, "write one such as `db` or `eu-west`".to_string());
        }
        if names.contains(&name.as_str()) {
            let found = format!("a group is called `{name}`, like a host");
            mistake(found, "give it another name, by which plans can tell them apart".to_string());
        }
        if let Some(first) = groups[..index].iter().find(|other| other.name == *name) {
            let found =
                format!("two groups are called `{name}`; the first is declared at {}", first.place);
            mistake(found, "name all hosts of a group in one place".to_string());
        }
        if group.hosts.is_empty() {
            mistake(
                format!("group `{name}` has no host"),
                "write the names of its hosts".to_string(),
            );
        }
        for (nth, host) in group.hosts.iter().enumerate() {
            if !names.contains(&host.as_str()) {
                let found = format!("no host is called `{host}`");
                mistake(found, format!("the hosts of this world: {}", names.join(", ")));
            }
            let before = groups[..index].iter().find(|other| other.hosts.contains(host));
            let first = match group.hosts[..nth].contains(host) {
                true => Some(name),
                false => before.map(|other| &other.name),
            };
            if let Some(first) = first {
                let found = format!("host `{host}` is in group `{first}` already");
                mistake(found, "name it once: a host is in one group at most".to_string());
            }
        }
    }
}

/// Puts each host into its group.
pub(crate) fn assign_groups(groups: &[GroupDraft], hosts: &mut [HostSpec]) {
    for host in hosts {
        let group = groups.iter().find(|group| group.hosts.contains(&host.name));
        host.group = group.map(|group| group.name.clone());
    }
}
