//! Where the kernel tells the observer: entry and exit of calls, signals, the end of tasks.
//!
//! **Invariant**: as in [`super`]; every function here returns at once if nobody watches.

use super::decode::Decoder;
use super::inject::Tampered;
use super::{Ended, Event, Open};
use crate::abi::errno::Errno;
use crate::arg::Returns;
use crate::ctx::Call;
use crate::kernel::Kernel;
use crate::observe::value::Value;
use crate::seam::Host;
use crate::task::sighand::SigInfo;
use crate::task::wait::OnSignal;
use crate::task::{RunState, TaskId};

const NR_RESTART: u64 = 219;
const NR_SIGRETURN: u64 = 15;

/// Reads the clocks of whoever watches.
pub(crate) fn stamp(k: &mut Kernel, host: &mut dyn Host) {
    if k.observer.on {
        k.observer.now = host.stamp(k.retired);
    }
}

fn is_watched(k: &Kernel, tid: TaskId) -> bool {
    k.observer.on && k.observer.watch.only.is_none_or(|only| only == tid)
}

/// A call is entered.
pub(crate) fn enter(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, call: &Call) {
    if !is_watched(k, tid) {
        return;
    }
    stamp(k, host);
    let nr = call.nr & 0xffff_ffff;
    let previous = k.observer.open.get(&tid).map(|open| open.nr);
    let watched = k.observer.watch.calls.contains(nr);
    let ip = k.user_regs(tid).ip;
    let row = crate::table::row(nr);
    let (args, more, next, saved) = match (watched, nr) {
        (false, _) => (Vec::new(), false, 0, Vec::new()),
        (true, NR_RESTART) => {
            let name = previous.and_then(crate::table::row).map_or("restart_syscall", |row| row.name);
            (vec![Value::text(format!("<... resuming interrupted {name} ...>"))], false, 0, Vec::new())
        }
        (true, NR_SIGRETURN) => {
            let style = k.observer.watch.style_of(nr);
            (vec![Decoder::new(k, host, tid, call, style).sigreturn()], false, 0, Vec::new())
        }
        (true, _) => {
            let style = k.observer.watch.style_of(nr);
            let head = Decoder::new(k, host, tid, call, style).enter(row);
            (head.args, head.more, head.next, head.saved)
        }
    };
    let owed = k.observer.open.remove(&tid).map(|open| open.owed).unwrap_or_default();
    k.observer.open.insert(tid, Open { nr, next, saved, inside: true, owed });
    let retired = k.retired;
    let regs = call.args;
    let gate = k.observer.watch.gate.then(|| Box::new(k.user_regs(tid).words()));
    k.observer.note(retired, || Event::Enter { tid, nr, regs, ip, args, more, gate });
    if matches!(nr, 60 | 231) {
        ended(k, tid, nr, (Vec::new(), Returns::Int, None, None), Ended::Never, Tampered::default());
    }
}

type Rest = (Vec<Value>, Returns, Option<super::value::FdPath>, Option<String>);

fn ended(k: &mut Kernel, tid: TaskId, nr: u64, rest: Rest, ended: Ended, tampered: Tampered) {
    let retired = k.retired;
    let (args, returns, fd, note) = rest;
    let in_kernel = k.tasks.get(tid).is_some_and(|task| task.in_kernel);
    let gate = (k.observer.watch.gate && in_kernel).then(|| {
        // The result goes to pt_regs.ax when the observer has been told.
        let mut regs = k.user_regs(tid);
        match ended {
            Ended::Value(value) => regs.ax = value,
            Ended::Error(errno) => regs.ax = errno.to_reg(),
            Ended::Never => {}
        }
        Box::new(regs.words())
    });
    k.observer.note(retired, || Event::Exit { tid, nr, args, ended, returns, fd, note, tampered, gate });
    let owed = match k.observer.open.get_mut(&tid) {
        Some(open) => {
            open.inside = false;
            std::mem::take(&mut open.owed)
        }
        None => Vec::new(),
    };
    for info in owed {
        k.observer.note(retired, || Event::Signal { tid, info: Box::new(info) });
    }
}

/// A call finished.
pub(crate) fn exit(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    call: &Call,
    result: Result<u64, Errno>,
    tampered: Tampered,
) {
    if !is_watched(k, tid) {
        return;
    }
    stamp(k, host);
    finish(k, host, tid, call, result, tampered);
}

fn finish(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    call: &Call,
    result: Result<u64, Errno>,
    tampered: Tampered,
) {
    let (nr, next, saved) = match k.observer.open.get(&tid) {
        // A call that goes on tells only its result; what is filled in belongs to the call as it was entered.
        Some(open) if open.inside && open.nr == NR_RESTART => {
            let how = result.map_or_else(Ended::Error, Ended::Value);
            return ended(k, tid, NR_RESTART, (Vec::new(), Returns::Int, None, None), how, tampered);
        }
        Some(open) if open.inside => (call.nr & 0xffff_ffff, open.next, open.saved.clone()),
        // The call was entered before anybody watched.
        _ => return,
    };
    let rest = if k.observer.watch.calls.contains(nr) {
        let style = k.observer.watch.style_of(nr);
        let exit = Decoder::new(k, host, tid, call, style).exit(crate::table::row(nr), next, saved, result);
        data(k, host, tid, call, result);
        if k.observer.watch.stack {
            let frames = super::stack::walk(k, host, tid);
            let retired = k.retired;
            k.observer.note(retired, || Event::Stack { tid, frames });
        }
        (exit.args, exit.returns, exit.fd, exit.note)
    } else {
        (Vec::new(), Returns::Int, None, None)
    };
    let how = match result {
        Ok(value) => Ended::Value(value),
        Err(errno) => Ended::Error(errno),
    };
    ended(k, tid, nr, rest, how, tampered);
}

/// A call that does not return in the usual way: `execve`, `rt_sigreturn`, the end of the task.
pub(crate) fn exit_elsewhere(k: &mut Kernel, host: &mut dyn Host, before: TaskId, tid: TaskId, call: &Call) {
    if !k.observer.on {
        return;
    }
    let nr = call.nr & 0xffff_ffff;
    if before != tid {
        let open = k.observer.open.remove(&before);
        k.observer.open.insert(tid, open.unwrap_or_default());
        let retired = k.retired;
        k.observer.note(retired, || Event::Renumbered { from: before, to: tid });
    }
    if !is_watched(k, tid) || !k.tasks.contains(tid) || matches!(nr, 60 | 231) {
        return;
    }
    stamp(k, host);
    let result = match nr {
        59 | 322 => Ok(0),
        _ if k.task(tid).in_kernel => {
            let ax = k.user_regs(tid).ax;
            match u16::try_from(ax.wrapping_neg()) {
                Ok(number @ 1..=4095) => Err(Errno(number)),
                _ => Ok(ax),
            }
        }
        _ => return,
    };
    if matches!(nr, 59 | 322 | NR_SIGRETURN) {
        let how = result.map_or_else(Ended::Error, Ended::Value);
        if k.observer.open.get(&tid).is_some_and(|open| open.inside) {
            ended(k, tid, nr, (Vec::new(), Returns::Int, None, None), how, Tampered::default());
        }
    } else {
        finish(k, host, tid, call, result, Tampered::default());
    }
}

/// The whole data of a read or write, if that is to be shown.
fn data(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, call: &Call, result: Result<u64, Errno>) {
    let fd = call.args[0] & 0xffff_ffff;
    let bit = |set: u64| fd < 64 && set >> fd & 1 != 0;
    let read = match call.nr {
        0 | 17 | 19 | 45 | 295 | 327 if bit(k.observer.watch.data_read) => true,
        1 | 18 | 20 | 44 | 296 | 328 if bit(k.observer.watch.data_written) => false,
        _ => return,
    };
    let Ok(moved) = result else { return };
    let mut left = usize::try_from(if read { moved } else { u64::MAX }).unwrap_or(usize::MAX).min(1 << 20);
    let mut buffers = Vec::new();
    if matches!(call.nr, 19 | 20 | 295 | 296 | 327 | 328) {
        for n in 0..call.args[2].min(1024) {
            let vector = super::peek::read_some(k, host, tid, call.args[1] + n * 16, 16);
            let Ok(words) = <[u8; 16]>::try_from(vector) else { break };
            let (base, len) = u128_halves(u128::from_le_bytes(words));
            let take = usize::try_from(len).unwrap_or(usize::MAX).min(left);
            if take == 0 {
                continue;
            }
            left -= take;
            buffers.push(super::peek::read_some(k, host, tid, base, take));
        }
    } else {
        let len = if read { left } else { usize::try_from(call.args[2]).unwrap_or(usize::MAX).min(left) };
        buffers.push(super::peek::read_some(k, host, tid, call.args[1], len));
    }
    let retired = k.retired;
    k.observer.note(retired, || Event::Data { tid, read, buffers });
}

fn u128_halves(both: u128) -> (u64, u64) {
    let low = both & u128::from(u64::MAX);
    (u64::try_from(low).unwrap_or(0), u64::try_from(both >> 64).unwrap_or(0))
}

/// A signal was sent that its target ignores: Linux queues nothing, but who traces the target sees it come.
pub(crate) fn ignored(k: &mut Kernel, tid: TaskId, info: &SigInfo) {
    if is_watched(k, tid) && k.observer.ignored.len() < 4096 {
        k.observer.ignored.push((tid, info.clone()));
    }
}

/// Tells signals that were ignored: a call that waits is told as interrupted and entered again, as a tracer sees it.
pub(crate) fn settle(k: &mut Kernel, host: &mut dyn Host) {
    for (tid, info) in std::mem::take(&mut k.observer.ignored) {
        let Some(task) = k.tasks.get(tid) else { continue };
        if task.is_dead() {
            continue;
        }
        let inside = k.observer.open.get(&tid).is_some_and(|open| open.inside);
        let waiting = match &task.state {
            RunState::Parked(wait) => Some(wait.on_signal),
            _ => None,
        };
        let retired = k.retired;
        let interrupted = match waiting {
            Some(OnSignal::Restart) => Some(Errno::ERESTARTSYS),
            Some(OnSignal::RestartNoHandler) => Some(Errno::ERESTARTNOHAND),
            Some(OnSignal::RestartBlock) => Some(Errno::ERESTART_RESTARTBLOCK),
            _ => None,
        };
        match (inside, interrupted, task.call.clone()) {
            (true, Some(errno), Some(mut call)) => {
                finish(k, host, tid, &call, Err(errno), Tampered::default());
                k.observer.note(retired, || Event::Signal { tid, info: Box::new(info) });
                if errno == Errno::ERESTART_RESTARTBLOCK {
                    call.nr = NR_RESTART;
                }
                enter(k, host, tid, &call);
            }
            (true, ..) => {
                if let Some(open) = k.observer.open.get_mut(&tid) {
                    open.owed.push(info);
                }
            }
            _ => k.observer.note(retired, || Event::Signal { tid, info: Box::new(info) }),
        }
    }
}

/// A task ended.
pub(crate) fn task_exited(k: &mut Kernel, tid: TaskId, status: u32) {
    if !is_watched(k, tid) {
        return;
    }
    let retired = k.retired;
    if let Some(open) = k.observer.open.remove(&tid)
        && open.inside
    {
        k.observer.note(retired, || Event::Exit {
            tid,
            nr: open.nr,
            args: Vec::new(),
            ended: Ended::Never,
            returns: Returns::Int,
            fd: None,
            note: None,
            tampered: Tampered::default(),
            gate: None,
        });
    }
    k.observer.progress.forget(tid);
    k.observer.note(retired, || Event::TaskExited { tid, status });
}
