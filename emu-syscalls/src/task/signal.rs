//! Sending and delivering signals.

use emu_core::cpu::Exception;

use crate::abi::errno::Errno;
use crate::kernel::Kernel;
use crate::mm::fault::BadAccess;
use crate::seam::Host;
use crate::task::TaskId;
use crate::task::wait::OnSignal;

/// The signal that an exception becomes.
pub fn force_fault(k: &mut Kernel, tid: TaskId, exception: Exception, bad: Option<BadAccess>) {
    let _ = (k, tid, exception, bad);
}

/// Delivers pending signals to a task on its way to user mode: runs default actions, sets up handler frames, decides about
/// restarts. The task may be stopped or dead afterwards.
pub fn deliver(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) {
    let _ = (k, host, tid);
}

/// Whether a call that would block is to be interrupted by a pending signal, and with which (possibly restart) number.
pub fn interrupts(k: &Kernel, tid: TaskId, on_signal: OnSignal) -> Option<Errno> {
    let _ = (k, tid, on_signal);
    None
}

/// Whether a signal that is not blocked waits for `tid`.
pub fn pending(k: &Kernel, tid: TaskId) -> bool {
    let _ = (k, tid);
    false
}

/// The host passes a signal to the guest: to the foreground group, or the first process.
pub fn from_host(k: &mut Kernel, number: u8) {
    let _ = (k, number);
}

/// SIGPIPE to the thread that wrote to a pipe or socket nobody reads.
pub fn send_sigpipe(k: &mut Kernel, tid: TaskId) {
    let _ = (k, tid);
}
