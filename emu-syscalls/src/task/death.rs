//! What the user is told when the first process is killed by a signal.

use emu_core::elf::symbols::Symbols;

use crate::kernel::Kernel;
use crate::mm::{Backing, area_of};
use crate::seam::Host;
use crate::task::TaskId;
use crate::task::exec::load;
use crate::task::pids::FIRST_PID;
use crate::task::sighand::{SigInfo, si, sig};

/// Names of the signals 1 to 31 and what strsignal(3) says of them.
const SIGNALS: [(&str, &str); 31] = [
    ("SIGHUP", "Hangup"),
    ("SIGINT", "Interrupt"),
    ("SIGQUIT", "Quit"),
    ("SIGILL", "Illegal instruction"),
    ("SIGTRAP", "Trace/breakpoint trap"),
    ("SIGABRT", "Aborted"),
    ("SIGBUS", "Bus error"),
    ("SIGFPE", "Floating point exception"),
    ("SIGKILL", "Killed"),
    ("SIGUSR1", "User defined signal 1"),
    ("SIGSEGV", "Segmentation fault"),
    ("SIGUSR2", "User defined signal 2"),
    ("SIGPIPE", "Broken pipe"),
    ("SIGALRM", "Alarm clock"),
    ("SIGTERM", "Terminated"),
    ("SIGSTKFLT", "Stack fault"),
    ("SIGCHLD", "Child exited"),
    ("SIGCONT", "Continued"),
    ("SIGSTOP", "Stopped (signal)"),
    ("SIGTSTP", "Stopped"),
    ("SIGTTIN", "Stopped (tty input)"),
    ("SIGTTOU", "Stopped (tty output)"),
    ("SIGURG", "Urgent I/O condition"),
    ("SIGXCPU", "CPU time limit exceeded"),
    ("SIGXFSZ", "File size limit exceeded"),
    ("SIGVTALRM", "Virtual timer expired"),
    ("SIGPROF", "Profiling timer expired"),
    ("SIGWINCH", "Window changed"),
    ("SIGIO", "I/O possible"),
    ("SIGPWR", "Power failure"),
    ("SIGSYS", "Bad system call"),
];

/// A signal's name and description.
#[must_use]
pub fn describe(signo: u8) -> String {
    match usize::from(signo).checked_sub(1).and_then(|index| SIGNALS.get(index)) {
        Some((name, text)) => format!("{name} ({text})"),
        None => format!("signal {signo}"),
    }
}

/// A signal is about to end the process of `tid`: if it is the first, notes what the user is told. Shells keep silent
/// about SIGINT and SIGPIPE, and so do we.
pub fn note(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, info: &SigInfo) {
    if k.task(tid).group.0 != FIRST_PID || matches!(info.signo, sig::INT | sig::PIPE) {
        return;
    }
    let mut text = format!("killed by {}", describe(info.signo));
    let faults = matches!(info.signo, sig::SEGV | sig::BUS | sig::ILL | sig::FPE | sig::TRAP);
    if faults && (info.code > 0 && info.code != si::USER) {
        let ip = k.user_regs(tid).ip;
        let trap = k.task(tid).trap;
        if matches!(info.signo, sig::SEGV | sig::BUS) && info.code != si::KERNEL {
            text.push_str(&format!(": address {:#x} at rip {ip:#x}", trap.cr2));
        } else {
            text.push_str(&format!(" at rip {ip:#x}"));
        }
        if let Some(place) = place(k, host, tid, ip) {
            text.push_str(&format!(" ({place})"));
        }
    }
    k.death = Some(text);
}

/// The function that an address of code lies in, from the symbols of the mapped file.
pub fn place(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, ip: u64) -> Option<String> {
    let area = area_of(k, k.task(tid).mm?, ip)?;
    let Backing::Object { inode: Some(inode), .. } = area.backing else { return None };
    let offset = area.object_offset(ip)?;
    let image = load::parse(k, host, inode).ok()?;
    let segment = image
        .segments
        .iter()
        .find(|segment| offset.checked_sub(segment.offset).is_some_and(|into| into < segment.file_size))?;
    let addr = segment.vaddr.checked_add(offset - segment.offset)?;
    let len = k.vfs.inode(inode).size;
    let symbols = Symbols::read(&mut load::reader(k, host, inode), len);
    let (name, into) = symbols.find(addr)?;
    Some(format!("{name}+{into:#x}"))
}
