//! Runs a program in a machine without a host behind it: `cargo run --example run -- PROGRAM [ARGS]...`
//!
//! The program is put into a root in memory; its output is collected and printed at the end.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "an example is a command")]

use std::io::Write as _;

use emu_core::engine::interp::Interp;
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::scripted::ScriptedHost;
use emu_syscalls::task::exec::start::First;
use emu_syscalls::vfs;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argv: Vec<Vec<u8>> =
        std::env::args_os().skip(1).map(std::ffi::OsString::into_encoded_bytes).collect();
    let program = std::env::args_os().nth(1).ok_or("usage: run PROGRAM [ARGS]...")?;
    let mut host = ScriptedHost::new(1);
    let mut machine = Machine::new(Config::default(), Box::new(Interp::default()));
    let k = &mut machine.kernel;
    vfs::default_root(k, &mut host).map_err(|errno| format!("root: {errno}"))?;
    vfs::add_file(k, &mut host, b"/program", 0o755, &std::fs::read(&program)?)
        .map_err(|errno| format!("program: {errno}"))?;
    let envp = [b"FOO=bar".to_vec()];
    machine.start(&mut host, &First { program: b"/program", argv: &argv, envp: &envp, cwd: b"/" })?;
    loop {
        let stopped = machine.run(&mut host, 1_000_000_000);
        for gap in std::mem::take(&mut machine.kernel.gaps_new) {
            println!("gap: {} ({})", gap.what, gap.at);
        }
        if stopped != Stopped::Report {
            std::io::stdout().write_all(&host.output)?;
            println!("{stopped:?} after {} instructions", machine.kernel.retired);
            return Ok(());
        }
    }
}
