//! A system call as strace(1) would print it.

use alloc::format;
use alloc::string::String;
use core::fmt::Write;

use crate::errno::Errno;
use crate::seams::GuestMemory;
use crate::table::{self, Arg, Args};

/// `openat(-100, "/etc/hosts", 0x80000) = 3`, or without the result while there is none.
pub fn line(memory: &dyn GuestMemory, number: u64, args: &Args, result: Option<u64>) -> String {
    let mut line = String::new();
    match table::find(number) {
        Some(row) => {
            line.push_str(row.name);
            line.push('(');
            for (n, kind) in row.args.iter().enumerate() {
                if n > 0 {
                    line.push_str(", ");
                }
                argument(&mut line, memory, *kind, args.0[n]);
            }
            line.push(')');
        }
        None => {
            let a = &args.0;
            line = format!(
                "syscall_{number}({:#x}, {:#x}, {:#x}, {:#x}, {:#x}, {:#x})",
                a[0], a[1], a[2], a[3], a[4], a[5]
            );
        }
    }
    if let Some(value) = result {
        let signed = value as i64;
        // Writing to a String cannot fail.
        let _ = match signed {
            -4095..=-1 => write!(line, " = -1 {}", Errno(-signed as u16)),
            _ if value > 1 << 32 => write!(line, " = {value:#x}"),
            _ => write!(line, " = {signed}"),
        };
    }
    line
}

fn argument(line: &mut String, memory: &dyn GuestMemory, kind: Arg, value: u64) {
    let _ = match kind {
        Arg::Fd | Arg::Int => write!(line, "{}", value as i32),
        Arg::Size => write!(line, "{value}"),
        Arg::Hex => write!(line, "{value:#x}"),
        Arg::Ptr if value == 0 => write!(line, "NULL"),
        Arg::Ptr => write!(line, "{value:#x}"),
        Arg::Path => match memory.read_path(value) {
            Ok(path) => write!(line, "{:?}", String::from_utf8_lossy(&path)),
            Err(_) => write!(line, "{value:#x}"),
        },
    };
}
