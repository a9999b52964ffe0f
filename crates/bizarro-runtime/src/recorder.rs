//! What is kept of a run: events and properties.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;

use bizarro_kernel::parts::Parts;
use bizarro_kernel::seams::Observer;
use bizarro_record::{Assertion, Event, Messages, Nanos, Property, Stamped, Stream};

use crate::raw;

/// Where output goes beside the record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Forward {
    /// Nowhere.
    Nothing,
    /// To the real stdout and stderr: a program that is run by itself.
    Output,
}

/// Collects what happens.
pub struct Recorder {
    /// Events in order.
    pub events: Parts<Stamped>,
    /// Properties by name.
    pub properties: BTreeMap<String, Property>,
    /// Operations of histories so far.
    pub operations: u64,
    /// The host whose process asked to end without success, and where it did.
    pub exiting: Option<(u16, String)>,
    trace_fd: i32,
    messages: Messages,
    forward: Forward,
}

/// The kernel's handle on the recorder, which the runtime reads at the end.
pub struct Handle(pub *mut Recorder);

impl Recorder {
    /// An empty recorder. `trace_fd`: a descriptor of the real kernel for a line per system call, or -1.
    pub fn new(trace_fd: i32, messages: Messages, forward: Forward) -> Box<Recorder> {
        Box::new(Recorder {
            events: Parts::default(),
            properties: BTreeMap::new(),
            operations: 0,
            exiting: None,
            trace_fd,
            messages,
            forward,
        })
    }

    /// A property was looked at, at `at` on `host`.
    pub fn assertion(&mut self, at: Nanos, host: u16, assertion: &Assertion<'_>) {
        let property =
            self.properties.entry(String::from(assertion.name)).or_insert_with(|| Property {
                kind: assertion.kind,
                name: String::from(assertion.name),
                place: String::from(assertion.place),
                passes: 0,
                failures: 0,
                first_failure: None,
                picture: None,
            });
        if assertion.holds {
            property.passes += 1;
            return;
        }
        property.failures += 1;
        property.first_failure.get_or_insert_with(|| (at, host, String::from(assertion.detail)));
    }
}

impl Observer for Handle {
    fn event(&mut self, at: Nanos, host: u16, tid: u32, mut event: Event) {
        // SAFETY: the recorder outlives the kernel, and only the one kernel thread touches it, in calls like this one.
        let recorder = unsafe { &mut *self.0 };
        if let Event::Exited { backtrace, .. } = &mut event
            && let Some((_, place)) = recorder.exiting.take_if(|(exiting, _)| *exiting == host)
        {
            *backtrace = place;
        }
        if recorder.forward == Forward::Output
            && let Event::Output { stream, line } = &event
        {
            let fd = if *stream == Stream::Stdout { 1 } else { 2 };
            raw::write_all(fd, format!("{line}\n").as_bytes());
        }
        // A line for each byte would hide the calls.
        if recorder.trace_fd >= 0 && !matches!(event, Event::Packet { .. }) {
            let line = format!("{at} host {host} task {tid} -- {event:?}\n");
            raw::write_all(recorder.trace_fd, line.as_bytes());
        }
        recorder.events.push(Stamped { at, host, tid, event });
    }

    fn call(&mut self, at: Nanos, host: u16, tid: u32, line: &str) {
        // SAFETY: as above.
        let recorder = unsafe { &*self.0 };
        let line = format!("{at} host {host} task {tid} {line}\n");
        raw::write_all(recorder.trace_fd, line.as_bytes());
    }

    fn wants_messages(&self) -> bool {
        // SAFETY: as above.
        let messages = unsafe { (*self.0).messages };
        messages != Messages::Hidden || self.traces()
    }

    fn wants_packets(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.0).messages == Messages::Captured }
    }

    fn traces(&self) -> bool {
        // SAFETY: as above.
        unsafe { (*self.0).trace_fd >= 0 }
    }
}
