//! Signals as a file: signalfd(2).
//!
//! **Invariant**: whoever reads takes signals sent to itself or its process, whoever made the file.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::{FileId, FileOps, NextRead, Ready, flags};
use crate::kernel::Kernel;
use crate::seam::Host;
use crate::task::deliver::dequeue;
use crate::task::sighand::{SigInfo, SigSet};
use crate::task::wait::{OnSignal, Wait, WaitKey};

/// Bytes of `struct signalfd_siginfo`.
const RECORD: usize = 128;

/// Signals as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignalFdFile {
    /// Bit `n - 1` stands for signal `n`.
    pub mask: u64,
}

fn record(info: &SigInfo) -> [u8; RECORD] {
    let mut out = [0; RECORD];
    let mut put = |at: usize, bytes: &[u8]| out[at..at + bytes.len()].copy_from_slice(bytes);
    let f = &info.fields;
    put(0, &u32::from(info.signo).to_le_bytes());
    put(4, &info.errno.to_le_bytes());
    put(8, &info.code.to_le_bytes());
    const SI_TIMER: i32 = -2;
    match (info.signo, info.code) {
        (_, SI_TIMER) => {
            put(24, &f[0..4]); // ssi_tid
            put(32, &f[4..8]); // ssi_overrun
            put(44, &f[8..12]); // ssi_int
            put(48, &f[8..16]); // ssi_ptr
        }
        // SIGCHLD
        (17, 1..) => {
            put(12, &f[0..8]); // ssi_pid, ssi_uid
            put(40, &f[8..12]); // ssi_status
            put(56, &f[16..32]); // ssi_utime, ssi_stime
        }
        // SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV
        (4 | 5 | 7 | 8 | 11, 1..) => put(72, &f[0..8]), // ssi_addr
        // SIGPOLL
        (29, 1..) => {
            put(28, &f[0..4]); // ssi_band
            put(20, &f[8..12]); // ssi_fd
        }
        _ => {
            put(12, &f[0..8]); // ssi_pid, ssi_uid
            put(44, &f[8..12]); // ssi_int
            put(48, &f[8..16]); // ssi_ptr
        }
    }
    out
}

impl FileOps for SignalFdFile {
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        if max < RECORD {
            return Err(Errno::EINVAL.into());
        }
        let mut out = Vec::new();
        while out.len() + RECORD <= max {
            match dequeue(ctx.k, ctx.host, ctx.tid, SigSet(!self.mask)) {
                Some(info) => out.extend_from_slice(&record(&info)),
                None => break,
            }
        }
        if !out.is_empty() {
            return Ok(out);
        }
        if ctx.file(id).flags & flags::O_NONBLOCK != 0 {
            return Err(Errno::EAGAIN.into());
        }
        let key = WaitKey::Signal(ctx.task().group);
        Err(Stop::Block(Wait::any(vec![key], None, OnSignal::Restart)))
    }
    fn next_read(&self, _k: &Kernel) -> NextRead {
        NextRead::Message
    }
    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, _id: FileId) -> Ready {
        let Some(task) = k.sched.current.and_then(|tid| k.tasks.get(tid)) else { return Ready::empty() };
        let group = k.group(task.group);
        let mask = SigSet(self.mask);
        let none = task.pending.set.and(mask).is_empty() && group.pending.set.and(mask).is_empty();
        if none { Ready::empty() } else { Ready::IN }
    }
    fn wait_keys(&self, k: &Kernel, id: FileId) -> Vec<WaitKey> {
        let group = k.sched.current.and_then(|tid| k.tasks.get(tid)).map(|task| task.group);
        let mut keys = vec![WaitKey::File(id)];
        keys.extend(group.map(WaitKey::Signal));
        keys
    }
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[signalfd]".to_owned()
    }
}
