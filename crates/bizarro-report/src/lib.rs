//! What runs say, for people.
//!
//! This crate owns the views: the matrix, a run as a story, the self-check's difference, one-line
//! summaries, exit codes, record files, the [`report`] as data and as a [`page`],
//! and a run as a [`trace()`]. A view of the terminal is a pure function from values to a
//! `String`: how wide and how coloured is said by [`Look`], and nothing asks the terminal.
//!
//! It must not know how runs are made or chosen.

mod dependencies;
mod difference;
mod event;
mod exit;
mod file;
mod letters;
mod look;
mod matrix;
mod output;
mod packed;
mod page;
pub mod report;
mod sentence;
mod stopped;
mod story;
mod summary;
mod table;
mod trace;
mod words;

pub use difference::difference;
pub use exit::Exit;
pub use file::{FileError, load, save};
pub use look::{Colour, Look};
pub use matrix::{matrix, schedules, swarm};
pub use output::{DATA, PAGE, prepare_file, prepare_folder, write_file};
pub use page::page;
pub use stopped::{event_lines, stopped};
pub use story::story;
pub use summary::{matrix_line, schedules_line, swarm_line, verdict_text};
pub use trace::trace;
pub use words::replay_command;
