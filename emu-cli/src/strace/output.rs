//! Where the trace goes: standard error, a file, a command's input, or a file for each task.
//!
//! **Invariant**: a full disk or a closed pipe behind the trace never disturbs the guest: writing stops, the guest goes on.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::process::{Child, Command, Stdio};

use emu_syscalls::task::TaskId;

use super::options::{Options, Usage, plain};
use crate::live::Terminal;

/// See the module documentation.
#[derive(Debug)]
pub(super) enum Output {
    Stderr,
    File(BufWriter<File>),
    Command(Option<Child>),
    Separate {
        base: OsString,
        append: bool,
        files: BTreeMap<TaskId, BufWriter<File>>,
    },
    /// Writing failed once.
    Broken,
}

fn open(path: &OsStr, append: bool) -> std::io::Result<BufWriter<File>> {
    let mut how = OpenOptions::new();
    how.create(true).write(true);
    if append {
        how.append(true)
    } else {
        how.truncate(true)
    };
    Ok(BufWriter::new(how.open(path)?))
}

impl Output {
    pub(super) fn new(options: &Options) -> Result<Self, Usage> {
        let Some(target) = &options.output else { return Ok(Output::Stderr) };
        let text = target.to_string_lossy();
        if let Some(command) = text.strip_prefix('|').or_else(|| text.strip_prefix('!')) {
            let child = Command::new("sh").arg("-c").arg(command).stdin(Stdio::piped()).spawn();
            let child =
                child.map_err(|error| plain(format!("Can't popen '{command}': {}", reason(&error))))?;
            return Ok(Output::Command(Some(child)));
        }
        if options.separate {
            return Ok(Output::Separate {
                base: target.clone(),
                append: options.append,
                files: BTreeMap::new(),
            });
        }
        let file = open(target, options.append)
            .map_err(|error| plain(format!("Can't fopen '{text}': {}", reason(&error))))?;
        Ok(Output::File(file))
    }

    /// Writes a piece of the trace that belongs to `tid`.
    pub(super) fn write(&mut self, tid: TaskId, text: &str) {
        let done = match self {
            Output::Stderr => {
                let mut stderr = std::io::stderr().lock();
                let text = if Terminal::is_raw() { text.replace('\n', "\r\n") } else { text.to_owned() };
                // Whoever reads standard error may be gone; that is no business of the guest.
                let _ = stderr.write_all(text.as_bytes());
                return;
            }
            Output::File(file) => file.write_all(text.as_bytes()),
            Output::Command(Some(child)) => match &mut child.stdin {
                Some(stdin) => stdin.write_all(text.as_bytes()),
                None => return,
            },
            Output::Separate { base, append, files } => {
                let file = match files.entry(tid) {
                    std::collections::btree_map::Entry::Occupied(entry) => Ok(entry.into_mut()),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        let mut path = base.clone();
                        path.push(format!(".{}", tid.0));
                        open(&path, *append).map(|file| entry.insert(file))
                    }
                };
                file.and_then(|file| file.write_all(text.as_bytes()))
            }
            Output::Command(None) | Output::Broken => return,
        };
        if done.is_err() {
            *self = Output::Broken;
        }
    }

    /// Everything is written; a command is waited for.
    pub(super) fn finish(&mut self) {
        let flushed = match self {
            Output::File(file) => file.flush(),
            Output::Separate { files, .. } => files.values_mut().try_for_each(|file| file.flush()),
            Output::Command(child) => {
                if let Some(mut child) = child.take() {
                    drop(child.stdin.take());
                    let _ = child.wait();
                }
                Ok(())
            }
            Output::Stderr | Output::Broken => Ok(()),
        };
        if let Err(error) = flushed {
            eprintln!("emu: the trace is not complete: {error}");
        }
        if matches!(self, Output::Broken) {
            eprintln!("emu: the trace is not complete: writing it failed");
        }
    }
}

/// The text of an error as strerror(3) has it.
pub(super) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}
