//! Plans that broke a test once: kept in a file beside it, which is committed, and run first the next time.
//!
//! The file is text: a line that says what it is and of which version, then a plan a line, shrunk. Lines that
//! begin with `#` are for people.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use bizarro_record::Plan;

/// The folder, in the directory of the test's package.
pub(crate) const FOLDER: &str = "bizarro-regressions";
/// The first line.
const HEAD: &str = "bizarro regressions 1";
/// Plans that one invocation adds at the most: with so many something is wrong at large.
const ADDED_MAX: usize = 20;

/// The regressions of one test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Regressions {
    path: PathBuf,
    /// The plans, with the numbers of their lines.
    pub(crate) plans: Vec<(usize, Plan)>,
}

impl Regressions {
    /// Reads what is known of the test of this name; `folder` need not be there.
    ///
    /// # Errors
    /// Where the file cannot be read or is not what it should be: with its name, the line, and what was expected.
    pub(crate) fn read(folder: &Path, test: &str) -> Result<Regressions, String> {
        let path = folder.join(format!("{}.plans", test.replace("::", ".")));
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Regressions { path, plans: Vec::new() });
            }
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim_end()));
        match lines.next() {
            Some((_, HEAD)) => {}
            other => {
                let found = other.map_or("", |(_, line)| line);
                return Err(format!("{}:1: found `{found}`, expected `{HEAD}`", path.display()));
            }
        }
        let mut plans = Vec::new();
        for (number, line) in lines {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let plan = line.parse();
            plans.push((
                number,
                plan.map_err(|error| format!("{}:{number}: {error}", path.display()))?,
            ));
        }
        Ok(Regressions { path, plans })
    }

    /// Where a line of the file is, as an editor understands it.
    pub(crate) fn place(&self, line: usize) -> String {
        format!("{}:{line}", self.path.display())
    }

    /// Adds the plans that are not there yet; gives what is to be said of it, which may be nothing.
    pub(crate) fn add<'a>(&self, found: impl Iterator<Item = &'a Plan>) -> String {
        let mut new: Vec<String> = Vec::new();
        for plan in found.filter(|plan| self.plans.iter().all(|(_, known)| known != *plan)) {
            let line = plan.to_string();
            if !new.contains(&line) && new.len() < ADDED_MAX {
                new.push(line);
            }
        }
        if new.is_empty() {
            return String::new();
        }
        let count = match new.len() {
            1 => "1 plan".to_string(),
            n => format!("{n} plans"),
        };
        match self.append(&new) {
            Ok(()) => format!(
                "{count} kept in {}: commit it, and it is run first from now on\n",
                self.path.display()
            ),
            Err(error) => format!("{count} cannot be kept in {}: {error}\n", self.path.display()),
        }
    }

    fn append(&self, lines: &[String]) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut text = String::new();
        if !self.path.exists() {
            text = format!(
                "{HEAD}\n# Plans that broke this test once. They are run first; commit this file.\n"
            );
        }
        lines.iter().for_each(|line| text += &format!("{line}\n"));
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.path)?
            .write_all(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(text: &str) -> Plan {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_added_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let read = || Regressions::read(&folder.path().join("sub"), "shop::cart::once").unwrap();
        assert_eq!(read().plans, []);
        let (one, two) = (plan("a>b GET /# #1 post-reply=reset"), plan("preempt a/100 #3"));
        let said = read().add([&one, &two, &one].into_iter());
        assert!(said.starts_with("2 plans kept in ") && said.contains("shop.cart.once.plans"));
        assert_eq!(read().plans, [(3, one.clone()), (4, two)]);
        assert_eq!(read().add([&one].into_iter()), "");
        assert!(read().place(3).ends_with("shop.cart.once.plans:3"));
    }

    #[test]
    fn what_is_none_is_refused_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |text: &str| {
            fs::write(folder.path().join("t.plans"), text).unwrap();
            let error = Regressions::read(folder.path(), "t").unwrap_err();
            error.rsplit_once('/').unwrap().1.to_string()
        };
        assert_eq!(refused(""), "t.plans:1: found ``, expected `bizarro regressions 1`");
        assert_eq!(
            refused("bizarro regressions 2\n"),
            "t.plans:1: found `bizarro regressions 2`, expected `bizarro regressions 1`"
        );
        let error = refused("bizarro regressions 1\n# fine\nseed=x\n");
        assert!(error.starts_with("t.plans:3: found `seed=x`, expected seed=NUMBER"), "{error}");
        // Where nothing can be written, nothing else goes wrong.
        fs::write(folder.path().join("file"), "").unwrap();
        let regressions =
            Regressions { path: folder.path().join("file/t.plans"), plans: Vec::new() };
        let said = regressions.add([&plan("seed=1")].into_iter());
        assert!(said.starts_with("1 plan cannot be kept in "), "{said}");
    }
}
