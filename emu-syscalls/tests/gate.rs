//! The gate between user and kernel mode, watched from outside.
#![allow(missing_docs, reason = "tests are named by what they show")]

use emu_core::engine::interp::Interp;
use emu_core::mem::Privilege;
use emu_syscalls::entry::irq::{self, BUDGET, SoftIrq};
use emu_syscalls::entry::{KERNEL_STACK_SIZE, KERNEL_STACKS, PT_REGS_SIZE, PtRegs, USER_CS, USER_SS};
use emu_syscalls::kernel::Config;
use emu_syscalls::machine::{Machine, Stopped};
use emu_syscalls::observe::{Event, Watch};
use emu_syscalls::seam::scripted::ScriptedHost;
use emu_syscalls::seam::{HostEvent, Stream};
use emu_syscalls::task::exec::start::First;
use emu_syscalls::task::{TaskId, init};
use emu_syscalls::vfs::build;

/// Address at which the code of [`program`] lies.
const CODE: u64 = 0x40_0078;

/// A static ELF program of one segment with this code (ELF-64: a header of 64 bytes, a program header of 56).
fn program(code: &[u8]) -> Vec<u8> {
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend([2, 0, 62, 0, 1, 0, 0, 0]);
    elf.extend(CODE.to_le_bytes());
    elf.extend(64u64.to_le_bytes());
    elf.extend(0u64.to_le_bytes());
    elf.extend([0, 0, 0, 0, 64, 0, 56, 0, 1, 0, 64, 0, 0, 0, 0, 0]);
    elf.extend([1, 0, 0, 0, 5, 0, 0, 0]);
    let len = 0x78 + code.len() as u64;
    for word in [0, 0x40_0000, 0x40_0000, len, len, 0x1000] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf.extend(code);
    elf
}

fn start(code: &[u8]) -> (Machine, ScriptedHost, TaskId) {
    let mut host = ScriptedHost::new(1);
    let mut machine = Machine::new(Config::default(), Box::new(Interp::new()));
    build::default_root(&mut machine.kernel, &mut host).expect("a root can be made");
    build::add_file(&mut machine.kernel, &mut host, b"/p", 0o755, &program(code))
        .expect("a file can be made");
    let argv = [b"p".to_vec()];
    let first = First { program: b"/p", argv: &argv, envp: &[], cwd: b"/" };
    let task = machine.start(&mut host, &first).expect("the program starts");
    (machine, host, task)
}

#[test]
fn pt_regs_lie_on_the_kernel_stack_during_a_system_call() {
    // mov ebx, 0x1234; mov r15, -1; mov eax, 34 (pause); syscall
    let code = [
        0xbb, 0x34, 0x12, 0, 0, 0x49, 0xc7, 0xc7, 0xff, 0xff, 0xff, 0xff, 0xb8, 34, 0, 0, 0, 0x0f, 0x05,
        0xeb, 0xfe,
    ];
    let (mut machine, mut host, task) = start(&code);
    // Nobody will ever send a signal: the machine says so, with the task asleep inside the call.
    assert!(matches!(machine.run(&mut host, u64::MAX), Stopped::Deadlock(_)));
    let k = &machine.kernel;
    let top = k.task(task).kernel_stack_top;
    assert!(top > KERNEL_STACKS && top % KERNEL_STACK_SIZE == 0);
    let mut bytes = [0; 168];
    let space = k.space_of(task);
    k.mem
        .read(space, top - PT_REGS_SIZE, &mut bytes, Privilege::Supervisor)
        .expect("the kernel stack is mapped");
    let regs = PtRegs::from_bytes(&bytes);
    assert_eq!(regs.bx, 0x1234);
    assert_eq!(regs.r15, u64::MAX);
    assert_eq!(regs.orig_ax, 34);
    assert_eq!(regs.ip, CODE + 19, "rip stands behind the syscall");
    assert_eq!(regs.cx, regs.ip, "syscall saves rip in rcx");
    assert_eq!(regs.r11, regs.flags, "and rflags in r11");
    assert_eq!((regs.cs, regs.ss), (USER_CS, USER_SS));
    assert_eq!(k.task(task).cpu.cpl, 0);
}

#[test]
fn user_mode_cannot_read_or_write_the_kernel_stack() {
    let (mut machine, mut host, task) = start(&[0xeb, 0xfe]);
    assert_eq!(machine.run(&mut host, 1000), Stopped::Budget);
    let top = machine.kernel.task(task).kernel_stack_top;
    let space = machine.kernel.space_of(task);
    assert!(machine.kernel.mem.read(space, top - 8, &mut [0; 8], Privilege::User).is_err());
    assert!(machine.kernel.mem.write(space, top - 8, &[0; 8], Privilege::User).is_err());
    // mov rax, top - 8; mov [rax], rax: killed by SIGSEGV
    let mut code = vec![0x48, 0xb8];
    code.extend((top - 8).to_le_bytes());
    code.extend([0x48, 0x89, 0x00]);
    let (mut machine, mut host, _) = start(&code);
    let Stopped::Exited(status) = machine.run(&mut host, u64::MAX) else { panic!("it should have ended") };
    assert_eq!(status & 0x7f, 11);
}

#[test]
fn a_run_stops_after_exactly_the_instructions_asked_for() {
    for stop in [1, 2, 3, 1000, 200_001] {
        let (mut machine, mut host, _) = start(&[0x48, 0xff, 0xc0, 0xeb, 0xfb]);
        assert_eq!(machine.run(&mut host, stop), Stopped::Budget);
        assert_eq!(machine.kernel.retired, stop);
    }
}

/// More events than one way out of the kernel may handle: the rest is done by ksoftirqd, in turns with the program.
#[test]
fn ksoftirqd_finishes_what_one_way_out_may_not() {
    const EVENTS: u32 = 3 * BUDGET + 8;
    let (mut machine, mut host, task) = start(&[0xeb, 0xfe]);
    machine.kernel.observer.start(Watch { machine: true, ..Watch::default() });
    assert_eq!(machine.run(&mut host, 1000), Stopped::Budget);
    for _ in 0..EVENTS {
        irq::host_interrupt(&mut machine.kernel, HostEvent::Writable(Stream::Stdout));
    }
    assert_eq!(machine.kernel.irq.events.len(), EVENTS as usize, "top halves only queue");
    // The next timer interrupt enters the kernel; its way out does what it may.
    let at = machine.kernel.retired;
    while machine.kernel.irq.left == 0 {
        assert_eq!(machine.run(&mut host, machine.kernel.retired + 1000), Stopped::Budget);
        assert!(machine.kernel.retired < at + 1_000_000, "nothing was left to ksoftirqd");
    }
    assert!(machine.kernel.irq.events.len() <= (EVENTS - BUDGET) as usize);
    // A snapshot in the middle of it goes on as the machine does.
    let (snapshot, mut host_then) = (machine.snapshot(), host.clone());
    let end = machine.kernel.retired + 2_000_000;
    assert_eq!(machine.run(&mut host, end), Stopped::Budget);
    let digest = machine.kernel.digest();
    let events: Vec<Event> =
        machine.kernel.observer.events.iter().map(|stamped| stamped.event.clone()).collect();
    assert!(machine.kernel.irq.events.is_empty() && machine.kernel.irq.left == 0);
    machine.restore(&snapshot);
    assert_eq!(machine.run(&mut host_then, end), Stopped::Budget);
    assert_eq!(machine.kernel.digest(), digest);

    let find = |from: usize, what: &dyn Fn(&Event) -> bool| {
        events[from..].iter().position(what).map(|n| from + n).expect("it is in the trace")
    };
    let tasklet = |by_daemon: bool| move |event: &Event| matches!(event, Event::SoftIrq { softirq: SoftIrq::Tasklet, begins: true, daemon } if *daemon == by_daemon);
    let on_the_way_out = find(0, &tasklet(false));
    let woken = find(on_the_way_out, &|event| *event == Event::Woken { tid: init::KSOFTIRQD });
    let switch = find(woken, &|event| matches!(event, Event::Switch { to, .. } if *to == init::KSOFTIRQD));
    let daemon = find(switch, &tasklet(true));
    // Its turn is over before all is done: the program runs, then ksoftirqd again.
    let back = find(daemon, &|event| matches!(event, Event::Switch { to, .. } if *to == task));
    let again = find(back, &|event| matches!(event, Event::Switch { to, .. } if *to == init::KSOFTIRQD));
    find(again, &tasklet(true));
    let runs = events.iter().filter(|event| tasklet(true)(event)).count();
    assert_eq!(runs, 3, "{EVENTS} events, {BUDGET} on the way out and {BUDGET} a turn");
    let all = events.iter().filter(|event| tasklet(true)(event) || tasklet(false)(event)).count();
    assert_eq!(machine.kernel.irq.softirqs[SoftIrq::Tasklet as usize], all as u64);
}
