//! `emu record` and `emu snapshot save`: a run whose every input is written down.

use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use anyhow::{Context, Result, bail};
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::record::{OnError, RecordingHost};
use emu_syscalls::seam::trace::{ChunkKind, ChunkWriter, Effort, Sink};

use crate::args::{OnRecordError, RunArgs};
use crate::live::Terminal;
use crate::run::{self, say};
use crate::setup;

/// Chunks that may wait to be written.
const WAITING: usize = 32;

/// Packs and writes chunks on a thread of its own.
#[derive(Debug)]
struct Background {
    chunks: Option<SyncSender<(ChunkKind, Vec<u8>, Effort)>>,
    errors: Receiver<std::io::Error>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    fn new(file: File) -> Self {
        let (chunks, incoming) = sync_channel(WAITING);
        let (failed, errors) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            let mut writer = ChunkWriter::new(file);
            for (kind, contents, effort) in incoming {
                if let Err(error) = writer.put(kind, contents, effort) {
                    let _ = failed.send(error);
                    return;
                }
            }
        });
        Background { chunks: Some(chunks), errors, thread: Some(thread) }
    }

    fn error(&self) -> std::io::Result<()> {
        self.errors.try_recv().map_or(Ok(()), Err)
    }
}

impl Sink for Background {
    fn put(&mut self, kind: ChunkKind, contents: Vec<u8>, effort: Effort) -> std::io::Result<()> {
        self.error()?;
        if let Some(chunks) = &self.chunks
            && chunks.send((kind, contents, effort)).is_err()
        {
            self.error()?;
        }
        Ok(())
    }
    fn finish(&mut self) -> std::io::Result<()> {
        self.chunks = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.error()
    }
}

/// A machine that is recorded.
struct Recorded {
    machine: Machine,
    host: RecordingHost,
}

fn start(output: &Path, on_error: OnError, args: &RunArgs) -> Result<Recorded> {
    let (plan, live) = setup::plan(args)?;
    let file = File::create(output).with_context(|| format!("cannot write {}", output.display()))?;
    let mut host = RecordingHost::new(
        setup::host(args, live),
        Box::new(Background::new(file)),
        &plan.setup,
        plan.shares.clone(),
        args.seed(),
        on_error,
    );
    let (machine, _) = plan.build(&mut host, run::engine(args.engine))?;
    Ok(Recorded { machine, host })
}

/// Runs a program to its end, recorded, and gives its exit status.
pub(crate) fn record(output: &Path, on_error: OnRecordError, args: &RunArgs) -> Result<u8> {
    let on_error = match on_error {
        OnRecordError::Stop => OnError::Stop,
        OnRecordError::Continue => OnError::GoOn,
    };
    let Recorded { mut machine, mut host } = start(output, on_error, args)?;
    if let Some(seconds) = args.timeout {
        run::end_after(seconds)?;
    }
    let terminal = Terminal::raw();
    let mut last = Stopped::Budget;
    let end = run::to_the_end(&mut machine, |machine| {
        last = host.run(machine, u64::MAX);
        last.clone()
    });
    drop(terminal);
    run::report(&machine, args)?;
    let written = host.finish(&machine.kernel, &last);
    match (written, on_error) {
        (Ok(()), _) => end,
        (Err(error), OnError::GoOn) => {
            say(&format!("{} was not written to its end: {error}", output.display()));
            end
        }
        (Err(error), OnError::Stop) => Err(error).with_context(|| {
            format!("cannot write {}; what is there is good (see --on-record-error)", output.display())
        }),
    }
}

/// `emu snapshot save`: runs to an instruction count and leaves everything in `file`.
pub(crate) fn save(file: &Path, at: u64, args: &RunArgs) -> Result<u8> {
    let Recorded { mut machine, mut host } = start(file, OnError::Stop, args)?;
    let terminal = Terminal::raw();
    let mut stopped = host.run(&mut machine, at);
    while stopped == Stopped::Report {
        run::tell_gaps(&mut machine);
        stopped = host.run(&mut machine, at);
    }
    drop(terminal);
    host.finish(&machine.kernel, &stopped).with_context(|| format!("cannot write {}", file.display()))?;
    match stopped {
        Stopped::Budget => {
            say(&format!("saved at instruction {} in {}", machine.kernel.retired, file.display()));
            Ok(0)
        }
        Stopped::Exited(_) => bail!("the program ended after {} instructions", machine.kernel.retired),
        _ => bail!("the program did not get to instruction {at}"),
    }
}
