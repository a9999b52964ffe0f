//! A host as a test describes it.

use std::fmt;
use std::net::Ipv4Addr;
use std::panic::Location;
use std::process::Termination;

use bizarro_record::{ClockSpec, Declared, HostSpec, Mount, Role};

use crate::mistake::Mistake;
use crate::program::run_program;
use crate::world::World;

/// What a host's processes may use where the test does not say: 1 GiB.
pub(crate) const MEMORY_LIMIT: u64 = 1 << 30;
/// As many CPUs as `sched_setaffinity(2)`'s usual mask holds.
const CPUS_MAX: u32 = 1024;

/// A host while it is described. Every method changes the world at once; the value itself is only
/// there to say more.
///
/// # What a program is
/// A program is a function without arguments: the `main` of a service (`#[tokio::main] async fn main` is one
/// too), or a closure. It may return whatever a `main` may. It starts like a new process: statics and
/// thread-locals have the values of a fresh exec, and after a crash it is started so again. What a
/// closure captured is its host's own private copy, as after `fork(2)`: hosts cannot reach each other,
/// or the test, through it, and a restarted program finds it as it was declared. The closure is called
/// by reference and never dropped on a host.
///
/// Where the test's binary has an allocator of its own (`#[global_allocator]`), a program may read and overwrite
/// what it captured, but not grow or free it: that memory is the test's allocator's, and a host's one starts afresh.
#[derive(Debug)]
pub struct Host<'w> {
    world: &'w mut World,
}

/// What has been said of a host.
pub(crate) struct HostDraft {
    pub(crate) spec: HostSpec,
    /// `None` until the test gives one; then the draft's address is not meaningful.
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) program: Option<Box<dyn Fn() -> i32>>,
    pub(crate) place: &'static Location<'static>,
}

impl HostDraft {
    pub(crate) fn new(name: &str, place: &'static Location<'static>) -> HostDraft {
        let executable = format!("/usr/bin/{name}");
        let spec = HostSpec {
            name: name.to_string(),
            address: Ipv4Addr::UNSPECIFIED,
            cpus: 2,
            slowdown: 1,
            clock: ClockSpec::default(),
            memory_limit: MEMORY_LIMIT,
            out_of_memory: Default::default(),
            role: Role::Program,
            group: None,
            declared: Declared::Nothing,
            entry: 0,
            data: 0,
            arguments: vec![executable.clone()],
            executable,
            env: Vec::new(),
            mounts: Vec::new(),
            files: Vec::new(),
            kept: Vec::new(),
        };
        HostDraft { spec, address: None, program: None, place }
    }

    pub(crate) fn name(&self) -> &str {
        &self.spec.name
    }
}

impl fmt::Debug for HostDraft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostDraft")
            .field("spec", &self.spec)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl<'w> Host<'w> {
    /// The host that was declared last.
    pub(crate) fn new(world: &'w mut World) -> Host<'w> {
        Host { world }
    }

    fn draft(&mut self) -> &mut HostDraft {
        self.world.hosts.last_mut().expect("a Host is made only after its draft")
    }

    pub(crate) fn spec(&mut self) -> &mut HostSpec {
        &mut self.draft().spec
    }

    pub(crate) fn mistake(&mut self, mistake: Mistake) {
        self.world.mistakes.push(mistake);
    }

    /// Says that the test has to hold without this host. The matrix takes it away from each host that asks it, from the
    /// start of a run to its end: it refuses, there is no way to it, or nothing is heard of it. Where that breaks
    /// something, something critical depends on it, and that is a violation.
    ///
    /// Without this, how much depends on a host is measured too, and is only told.
    pub fn non_critical(mut self) -> Self {
        self.spec().declared = Declared::NonCritical;
        self
    }

    /// Its IPv4 address, as text or as an [`Ipv4Addr`]. Without this: the first one of 10.0.0.1, 10.0.0.2, …
    /// that no host has.
    #[track_caller]
    pub fn address(mut self, address: impl ToString) -> Self {
        let text = address.to_string();
        match text.parse::<Ipv4Addr>() {
            Ok(address) if is_usable(address) => self.draft().address = Some(address),
            Ok(_) => self.mistake(Mistake::here(
                format!("{text} cannot be a host's address: it is a loopback, multicast, broadcast or unspecified one"),
                "write a unicast address, such as \"10.0.0.5\"",
            )),
            Err(_) => self.mistake(Mistake::here(
                format!("`{text}` is not an IPv4 address"),
                "write four numbers, such as \"10.0.0.5\"",
            )),
        }
        self
    }

    /// How many CPUs its programs are told to have (`sched_getaffinity(2)`); 2 without this.
    #[track_caller]
    pub fn cpus(mut self, cpus: u32) -> Self {
        if (1..=CPUS_MAX).contains(&cpus) {
            self.spec().cpus = cpus;
        } else {
            self.mistake(Mistake::here(
                format!("a host with {cpus} CPUs"),
                format!("write a number from 1 to {CPUS_MAX}"),
            ));
        }
        self
    }

    /// Bytes of memory its processes may use; 1 GiB without this. It binds `malloc` and its kin: what a program maps
    /// itself, or an allocator of its own does (mimalloc, jemalloc), is not counted.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.spec().memory_limit = bytes;
        self
    }

    /// Sets an environment variable for its programs. They inherit none of the test's.
    #[track_caller]
    pub fn env(mut self, name: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            self.mistake(Mistake::here(
                format!(
                    "`{}={}` cannot be in an environment",
                    name.escape_debug(),
                    value.escape_debug()
                ),
                "write a name without `=`, and neither with a NUL: `.env(\"RUST_LOG\", \"info\")`",
            ));
            return self;
        }
        let start = format!("{name}=");
        self.spec().env.retain(|entry| !entry.starts_with(&start));
        self.spec().env.push(start + &value);
        self
    }

    /// Puts a file on its disk before the first start. The path is absolute; directories are made.
    #[track_caller]
    pub fn file(mut self, path: &str, content: impl Into<Vec<u8>>) -> Self {
        if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
            self.mistake(Mistake::here(
                format!("`{}` is not the absolute path of a file", path.escape_debug()),
                "write where the program finds it: `.file(\"/etc/bank.toml\", \"limit = 5\")`",
            ));
            return self;
        }
        self.spec().files.retain(|(other, _)| other != path);
        self.spec().files.push((path.to_string(), content.into()));
        self
    }

    /// Keeps a file of its disk in the record of each run, as it is at the end, so that a check can
    /// look at it with [`Run::file`](crate::Run::file). The path is absolute.
    #[track_caller]
    pub fn keep(mut self, path: &str) -> Self {
        if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
            self.mistake(Mistake::here(
                format!("`{}` is not the absolute path of a file", path.escape_debug()),
                "write where the program leaves it: `.keep(\"/var/lib/bank/journal\")`",
            ));
            return self;
        }
        self.spec().kept.push(path.to_string());
        self
    }

    /// Lets its programs read a real directory, at a path of their own. What is in it decides the
    /// run like everything else: change it and the run may change.
    #[track_caller]
    pub fn mount(mut self, real: &str, guest: &str) -> Self {
        if !real.starts_with('/') {
            self.mistake(Mistake::here(
                format!("`{}` is not an absolute path, and a world has no current directory", real.escape_debug()),
                "write `.mount(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/fixtures\"), \"/fixtures\")`",
            ));
        } else if !std::path::Path::new(real).is_dir() {
            self.mistake(Mistake::here(
                format!("`{}` is not a directory of this machine", real.escape_debug()),
                "write the absolute path of an existing directory",
            ));
        } else if !guest.starts_with('/') || guest.contains('\0') {
            self.mistake(Mistake::here(
                format!("`{}` is not an absolute path on the host", guest.escape_debug()),
                "write where the program finds it, such as \"/fixtures\"",
            ));
        } else {
            let mount = Mount { source: real.to_string(), target: guest.to_string() };
            self.spec().mounts.push(mount);
        }
        self
    }

    /// Runs the program until the run ends. See [above](Host#what-a-program-is) for what it may be.
    #[track_caller]
    pub fn program<T: Termination>(self, program: impl Fn() -> T + 'static) -> Self {
        self.runs(Role::Program, program)
    }

    /// Runs the program; the run ends when every workload has ended.
    /// See [above](Host#what-a-program-is) for what it may be.
    #[track_caller]
    pub fn workload<T: Termination>(self, program: impl Fn() -> T + 'static) -> Self {
        self.runs(Role::Workload, program)
    }

    #[track_caller]
    fn runs<T: Termination>(mut self, role: Role, program: impl Fn() -> T + 'static) -> Self {
        if self.draft().program.is_some() {
            let name = self.draft().name().to_string();
            self.mistake(Mistake::here(
                format!("host `{name}` has two programs"),
                "give the second one a host of its own, or start both from one function",
            ));
            return self;
        }
        self.spec().role = role;
        self.draft().program = Some(Box::new(move || run_program(&program)));
        self
    }
}

fn is_usable(address: Ipv4Addr) -> bool {
    !(address.is_loopback()
        || address.is_multicast()
        || address.is_broadcast()
        || address.is_unspecified()
        || address.octets()[0] == 0)
}
