//! Running a program: options become a machine, the machine runs, its end becomes our exit status.

use anyhow::{Result, bail};

use crate::args::RunArgs;

/// The program could not be started.
#[derive(Debug)]
pub(crate) struct NotStarted {
    status: u8,
    why: String,
}

impl NotStarted {
    /// The exit status a shell gives: 126 not executable, 127 not found.
    pub(crate) fn status(&self) -> u8 {
        self.status
    }
}

impl std::fmt::Display for NotStarted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for NotStarted {}

pub(crate) fn run(args: &RunArgs) -> Result<u8> {
    let _terminal = crate::live::Terminal::raw();
    let _host = crate::live::LiveHost::new()?;
    let _ = args;
    bail!("not wired yet")
}
