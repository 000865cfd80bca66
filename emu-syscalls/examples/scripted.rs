//! Runs a program against a root in memory and a scripted host, looks at the machine in the middle, goes back to a
//! snapshot and runs on: the library without the command.
//!
//! `cargo run -p emu-syscalls --example scripted`
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use emu_core::engine::interp::Interp;
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::seam::scripted::ScriptedHost;
use emu_syscalls::task::exec::start::First;
use emu_syscalls::vfs::build;

/// A static program that shows arguments, files, /proc, pipes, fork and signals.
const TOUR: &[u8] = include_bytes!("../../testbins/tour");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 1. A host that exists only in memory: its clocks derive from the instruction count, its entropy from a seed.
    let mut host = ScriptedHost::new(42);

    // 2. A machine with a root file system, the program in it, and a first process.
    let mut machine = Machine::new(Config::default(), Box::new(Interp::new()));
    build::default_root(&mut machine.kernel, &mut host)?;
    build::add_file(&mut machine.kernel, &mut host, b"/bin/tour", 0o755, TOUR)?;
    let argv = [b"tour".to_vec(), b"one".to_vec()];
    let first = First { program: b"/bin/tour", argv: &argv, envp: &[], cwd: b"/" };
    let task = machine.start(&mut host, &first)?;

    // 3. Run until 20,000 instructions have retired, and look.
    assert_eq!(machine.run(&mut host, 20_000), Stopped::Budget);
    let cpu = &machine.kernel.task(task).cpu;
    println!("after {} instructions: rip {:#x}, rsp {:#x}", machine.kernel.retired, cpu.rip, cpu.regs[4]);

    // 4. A snapshot costs next to nothing; run to the end, go back, and run to the end once more.
    let (snapshot, host_then) = (machine.snapshot(), host.clone());
    let first_end = machine.run(&mut host, u64::MAX);
    let first_output = std::mem::take(&mut host.output);
    machine.restore(&snapshot);
    host = host_then;
    let second_end = machine.run(&mut host, u64::MAX);

    print!("{}", String::from_utf8_lossy(&host.output));
    println!("{second_end:?} after {} instructions", machine.kernel.retired);
    assert_eq!((first_end, first_output), (second_end, host.output), "the same run twice");
    Ok(())
}
