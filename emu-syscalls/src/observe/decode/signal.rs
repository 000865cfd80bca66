//! Signals: names, sets, `siginfo_t`, `struct sigaction` and their relatives.

use super::{Decoder, i32_of, id, named, time, u32_of, u64_of};
use crate::observe::names::task::{SA, SIGEV, SIGNAL, SS};
use crate::observe::value::{Value, field};

/// The name of a signal; its number if it has none.
#[must_use]
pub fn signal_name(number: u64) -> String {
    SIGNAL.name(number).map_or_else(|| number.to_string(), str::to_owned)
}

pub(super) fn signal(low: u32) -> Value {
    Value::Named { value: u64::from(low), text: signal_text(low) }
}

fn signal_text(low: u32) -> String {
    match SIGNAL.name(u64::from(low)) {
        Some(name) => name.to_owned(),
        None => low.cast_signed().to_string(),
    }
}

/// A set of signals: names without SIG, the shorter of what is in it and what is not.
pub(super) fn sigset(bits: u64, count: u32) -> Value {
    let inverted = bits.count_ones() >= count * 2 / 3;
    let shown = if inverted { !bits } else { bits };
    let names = (0..count)
        .filter(|bit| shown & (1 << bit) != 0)
        .map(|bit| {
            let name = signal_name(u64::from(bit) + 1);
            name.strip_prefix("SIG").unwrap_or(&name).to_owned()
        })
        .collect();
    Value::Set { names, inverted }
}

/// Names of `si_code` for any signal, then for the one given.
fn si_code(signo: u32, code: i64) -> String {
    let general = match code {
        0 => "SI_USER",
        0x80 => "SI_KERNEL",
        -1 => "SI_QUEUE",
        -2 => "SI_TIMER",
        -3 => "SI_MESGQ",
        -4 => "SI_ASYNCIO",
        -5 => "SI_SIGIO",
        -6 => "SI_TKILL",
        -7 => "SI_DETHREAD",
        -60 => "SI_ASYNCNL",
        _ => "",
    };
    if !general.is_empty() {
        return general.to_owned();
    }
    let special: &[&str] = match signo {
        4 => &[
            "ILL_ILLOPC",
            "ILL_ILLOPN",
            "ILL_ILLADR",
            "ILL_ILLTRP",
            "ILL_PRVOPC",
            "ILL_PRVREG",
            "ILL_COPROC",
            "ILL_BADSTK",
            "ILL_BADIADDR",
        ],
        5 => &["TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"],
        7 => &["BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"],
        8 => &[
            "FPE_INTDIV",
            "FPE_INTOVF",
            "FPE_FLTDIV",
            "FPE_FLTOVF",
            "FPE_FLTUND",
            "FPE_FLTRES",
            "FPE_FLTINV",
            "FPE_FLTSUB",
        ],
        11 => &[
            "SEGV_MAPERR",
            "SEGV_ACCERR",
            "SEGV_BNDERR",
            "SEGV_PKUERR",
            "SEGV_ACCADI",
            "SEGV_ADIDERR",
            "SEGV_ADIPERR",
            "SEGV_MTEAERR",
            "SEGV_MTESERR",
        ],
        17 => &["CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"],
        29 => &["POLL_IN", "POLL_OUT", "POLL_MSG", "POLL_ERR", "POLL_PRI", "POLL_HUP"],
        31 => &["SYS_SECCOMP", "SYS_USER_DISPATCH"],
        _ => &[],
    };
    let name = usize::try_from(code - 1).ok().and_then(|index| special.get(index));
    name.map_or_else(|| format!("{code:#x}"), |name| (*name).to_owned())
}

/// `siginfo_t` from its 128 bytes.
#[must_use]
pub fn siginfo(b: &[u8]) -> Value {
    let (signo, errno, code) = (u32_of(b, 0), i32_of(b, 4), i32_of(b, 8));
    if signo == 0 {
        return Value::Struct(Vec::new());
    }
    let mut fields = vec![
        field("si_signo", signal(signo)),
        field("si_code", Value::Named { value: code.cast_unsigned(), text: si_code(signo, code) }),
    ];
    if errno != 0 {
        let text =
            crate::abi::errno::Errno(errno as u16).name().map_or_else(|| errno.to_string(), str::to_owned);
        fields.push(field("si_errno", Value::text(text)));
    }
    let pid_uid = |fields: &mut Vec<_>| {
        fields.push(field("si_pid", Value::Int(i32_of(b, 16))));
        fields.push(field("si_uid", id(u32_of(b, 20))));
    };
    let value = |fields: &mut Vec<_>| {
        if u64_of(b, 24) != 0 {
            fields.push(field("si_int", Value::Int(i32_of(b, 24))));
            fields.push(field("si_ptr", Value::Addr(u64_of(b, 24))));
        }
    };
    match (code, signo) {
        (0, _) => pid_uid(&mut fields),
        (-6, _) => pid_uid(&mut fields),
        (-2, _) => {
            fields.push(field("si_timerid", Value::Hex(u64::from(u32_of(b, 16)))));
            fields.push(field("si_overrun", Value::Int(i32_of(b, 20))));
            fields.push(field("si_int", Value::Int(i32_of(b, 24))));
            fields.push(field("si_ptr", Value::Addr(u64_of(b, 24))));
        }
        (code, _) if code < 0 => {
            pid_uid(&mut fields);
            value(&mut fields);
        }
        (_, 17) => {
            pid_uid(&mut fields);
            let status = u32_of(b, 24);
            fields.push(field(
                "si_status",
                if code == 1 { Value::Int(i64::from(status.cast_signed())) } else { signal(status) },
            ));
            fields.push(field("si_utime", time::ticks(u64_of(b, 32))));
            fields.push(field("si_stime", time::ticks(u64_of(b, 40))));
        }
        (_, 4 | 5 | 7 | 8 | 11) => fields.push(field("si_addr", Value::Addr(u64_of(b, 16)))),
        (1, 31) => {
            fields.push(field("si_call_addr", Value::Addr(u64_of(b, 16))));
            let nr = u64::from(u32_of(b, 24));
            let name =
                crate::table::row(nr).map_or_else(|| nr.to_string(), |row| format!("__NR_{}", row.name));
            fields.push(field("si_syscall", Value::text(name)));
            let arch = u32_of(b, 28);
            let name =
                if arch == crate::task::seccomp::AUDIT_ARCH { "AUDIT_ARCH_X86_64" } else { "AUDIT_ARCH_???" };
            let told = Value::Named { value: u64::from(arch), text: name.to_owned() };
            fields.push(field("si_arch", told));
        }
        // POLL_IN to POLL_HUP
        (1..=6, 29) => {
            fields.push(field("si_band", Value::Int(u64_of(b, 16).cast_signed())));
            fields.push(field("si_fd", Value::Int(i32_of(b, 24))));
        }
        _ => {
            if u64_of(b, 16) != 0 {
                pid_uid(&mut fields);
            }
            value(&mut fields);
        }
    }
    Value::Struct(fields)
}

impl Decoder<'_> {
    /// A signal set whose size is `size` bytes.
    pub(super) fn sigset_at(&mut self, addr: u64, size: u64) -> Option<Value> {
        if size != 8 {
            return None;
        }
        self.u64_at(addr).map(|bits| sigset(bits, 64))
    }

    pub(super) fn sigaction(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 32)?;
        let flags = u64_of(&b, 8);
        let handler = match u64_of(&b, 0) {
            0 => Value::Named { value: 0, text: "SIG_DFL".into() },
            1 => Value::Named { value: 1, text: "SIG_IGN".into() },
            u64::MAX => Value::Named { value: u64::MAX, text: "SIG_ERR".into() },
            handler => Value::Addr(handler),
        };
        let mut fields = vec![
            field("sa_handler", handler),
            field("sa_mask", sigset(u64_of(&b, 24), 64)),
            field("sa_flags", named(&SA, flags)),
        ];
        if flags & 0x0400_0000 != 0 {
            fields.push(field("sa_restorer", Value::Addr(u64_of(&b, 16))));
        }
        Some(Value::Struct(fields))
    }

    pub(super) fn siginfo_at(&mut self, addr: u64) -> Option<Value> {
        self.bytes(addr, 128).map(|b| siginfo(&b))
    }

    pub(super) fn sigevent(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 64)?;
        let mut fields = Vec::new();
        let notify = u32_of(&b, 12);
        if u64_of(&b, 0) != 0 {
            fields.push(field(
                "sigev_value",
                Value::Struct(vec![
                    field("sival_int", Value::Int(i32_of(&b, 0))),
                    field("sival_ptr", Value::Addr(u64_of(&b, 0))),
                ]),
            ));
        }
        let signo = u32_of(&b, 8);
        fields.push(field("sigev_signo", signal(signo)));
        fields.push(field("sigev_notify", named(&SIGEV, u64::from(notify))));
        match notify {
            4 => fields.push(field("sigev_notify_thread_id", Value::Int(i32_of(&b, 16)))),
            2 => {
                fields.push(field("sigev_notify_function", Value::Addr(u64_of(&b, 16))));
                fields.push(field("sigev_notify_attributes", Value::Addr(u64_of(&b, 24))));
            }
            _ => {}
        }
        Some(Value::Struct(fields))
    }

    pub(super) fn sigstack(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 24)?;
        Some(Value::Struct(vec![
            field("ss_sp", Value::Addr(u64_of(&b, 0))),
            field("ss_flags", named(&SS, u64::from(u32_of(&b, 8)))),
            field("ss_size", Value::Uint(u64_of(&b, 16))),
        ]))
    }

    /// The mask that a handler's return puts back, from the frame on the stack (asm/sigcontext.h, `struct rt_sigframe`).
    pub(super) fn sigreturn_mask(&mut self) -> Value {
        const UC_SIGMASK: u64 = 40 + 256;
        let sp = self.k.user_regs(self.tid).sp;
        match self.u64_at(sp.wrapping_add(UC_SIGMASK)) {
            Some(bits) => Value::Struct(vec![field("mask", sigset(bits, 64))]),
            None => Value::Struct(vec![field("mask", Value::Addr(sp.wrapping_add(UC_SIGMASK)))]),
        }
    }
}
