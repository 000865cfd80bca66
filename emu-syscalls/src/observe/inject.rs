//! Changing system calls on purpose (`strace -e inject=`): results, errors, signals and delays by a plan.
//!
//! Key types: [`Rule`] (one line of the plan), [`Verdict`] (what is done to one call).
//!
//! **Invariant**: the plan and its counters are plain data; the same run with the same plan gives the same results.

use std::collections::BTreeMap;

use crate::abi::errno::Errno;
use crate::ctx::Call;
use crate::kernel::Kernel;
use crate::observe::CallSet;
use crate::seam::Host;
use crate::task::TaskId;
use crate::task::sighand::SigInfo;
use crate::task::signal::{To, post};
use crate::task::wait::{OnSignal, Wait, WaitKey};

/// What was done to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tampered {
    /// Its result was made up.
    pub injected: bool,
    /// It was delayed.
    pub delayed: bool,
}

/// How an argument is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    /// `==`
    Eq,
    /// `!=`
    Ne,
    /// `<`
    Lt,
    /// `<=`
    Le,
    /// `>`
    Gt,
    /// `>=`
    Ge,
    /// `&`: any of these bits.
    Bits,
}

/// A condition on an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// Name of the argument in the table's row.
    pub arg: String,
    /// How it is compared.
    pub compare: Compare,
    /// With what.
    pub value: i64,
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Which calls.
    pub calls: CallSet,
    /// The first invocation of a task that it is for, from 1.
    pub first: u32,
    /// The last.
    pub last: u32,
    /// Every how many; 0 for the first only.
    pub step: u32,
    /// Only if all of these hold.
    pub conditions: Vec<Condition>,
    /// The result instead of the call.
    pub result: Option<Result<u64, Errno>>,
    /// A signal to the caller on entry.
    pub signal: Option<u8>,
    /// Nanoseconds to wait before the call.
    pub delay_enter_ns: u64,
    /// Nanoseconds to wait behind it.
    pub delay_exit_ns: u64,
}

impl Default for Rule {
    fn default() -> Self {
        Rule {
            calls: CallSet::none(),
            first: 1,
            last: u32::MAX,
            step: 1,
            conditions: Vec::new(),
            result: None,
            signal: None,
            delay_enter_ns: 0,
            delay_exit_ns: 0,
        }
    }
}

/// Where the plan stands.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// How often a rule looked at a call of a task.
    counts: BTreeMap<(TaskId, usize), u32>,
    /// What is being done to the call of a task.
    verdicts: BTreeMap<TaskId, Verdict>,
}

impl Progress {
    pub(crate) fn forget(&mut self, tid: TaskId) {
        self.verdicts.remove(&tid);
        self.counts.retain(|(task, _), _| *task != tid);
    }
}

/// What is done to one call.
#[derive(Debug, Clone, Copy, Default)]
pub struct Verdict {
    /// Its result.
    pub result: Option<Result<u64, Errno>>,
    enter_ns: u64,
    exit_ns: u64,
    until_ns: Option<u64>,
    ended: Option<Result<u64, Errno>>,
    /// For the record.
    pub tampered: Tampered,
}

impl Condition {
    fn holds(&self, call: &Call) -> bool {
        let Some(row) = crate::table::row(call.nr & 0xffff_ffff) else { return false };
        let Some(index) = row.args.iter().position(|arg| arg.name == self.arg) else { return false };
        let reg = call.args.get(index).copied().unwrap_or(0);
        let wide = matches!(
            row.args[index].kind,
            crate::arg::ArgKind::U64
                | crate::arg::ArgKind::I64
                | crate::arg::ArgKind::Len
                | crate::arg::ArgKind::Addr
        );
        let low = u32::try_from(reg & 0xffff_ffff).unwrap_or(0).cast_signed();
        let value = if wide { reg.cast_signed() } else { i64::from(low) };
        match self.compare {
            Compare::Eq => value == self.value,
            Compare::Ne => value != self.value,
            Compare::Lt => value < self.value,
            Compare::Le => value <= self.value,
            Compare::Gt => value > self.value,
            Compare::Ge => value >= self.value,
            Compare::Bits => value & self.value != 0,
        }
    }
}

impl Rule {
    fn fires(&self, count: u32) -> bool {
        if count < self.first || count > self.last {
            return false;
        }
        match self.step {
            0 => count == self.first,
            step => (count - self.first).is_multiple_of(step),
        }
    }
}

/// Looks at a call that is being entered. Several rules may hold: the first that has a result gives it.
pub(crate) fn decide(k: &mut Kernel, tid: TaskId, call: &Call) {
    let plan = k.observer.plan.clone();
    let nr = call.nr & 0xffff_ffff;
    let mut verdict = Verdict::default();
    let mut any = false;
    for (index, rule) in plan.iter().enumerate() {
        if !rule.calls.contains(nr) || !rule.conditions.iter().all(|condition| condition.holds(call)) {
            continue;
        }
        let count = k.observer.progress.counts.entry((tid, index)).or_insert(0);
        *count = count.saturating_add(1);
        if !rule.fires(*count) {
            continue;
        }
        any = true;
        if verdict.result.is_none() && rule.result.is_some() {
            verdict.result = rule.result;
            verdict.tampered.injected = true;
        }
        verdict.enter_ns = verdict.enter_ns.max(rule.delay_enter_ns);
        verdict.exit_ns = verdict.exit_ns.max(rule.delay_exit_ns);
        verdict.tampered.delayed |= rule.delay_enter_ns + rule.delay_exit_ns > 0;
        if let Some(signal) = rule.signal {
            // As a tracer injects it: from the kernel.
            post(k, To::Thread(tid), SigInfo::kernel(signal));
        }
    }
    if any {
        k.observer.progress.verdicts.insert(tid, verdict);
    }
}

/// What is to be done before the handler of a call runs.
pub(crate) enum Before {
    /// Run it.
    Run,
    /// Do not run it: this is the result.
    Answer(Result<u64, Errno>),
    /// Wait first.
    Wait(Wait),
}

fn until(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, ns: u64) -> Option<Wait> {
    let now = k.time.monotonic(host, k.retired);
    let verdict = k.observer.progress.verdicts.get_mut(&tid)?;
    let until = *verdict.until_ns.get_or_insert(now.saturating_add(ns));
    if now < until {
        return Some(Wait::any(vec![WaitKey::Never], Some(until), OnSignal::Killable));
    }
    verdict.until_ns = None;
    None
}

/// Called each time the handler of a call is about to run.
pub(crate) fn before(k: &mut Kernel, host: &mut dyn Host, tid: TaskId) -> Before {
    let Some(verdict) = k.observer.progress.verdicts.get(&tid).copied() else { return Before::Run };
    if verdict.enter_ns > 0 {
        if let Some(wait) = until(k, host, tid, verdict.enter_ns) {
            return Before::Wait(wait);
        }
        if let Some(verdict) = k.observer.progress.verdicts.get_mut(&tid) {
            verdict.enter_ns = 0;
        }
    }
    match verdict.ended.or(verdict.result) {
        Some(result) => Before::Answer(result),
        None => Before::Run,
    }
}

/// Called when a call has its result: the wait behind it, if one is due, or what is told of it.
pub(crate) fn after(
    k: &mut Kernel,
    host: &mut dyn Host,
    tid: TaskId,
    result: Result<u64, Errno>,
) -> Result<Tampered, Wait> {
    let Some(verdict) = k.observer.progress.verdicts.get(&tid).copied() else {
        return Ok(Tampered::default());
    };
    if verdict.exit_ns > 0 {
        if let Some(verdict) = k.observer.progress.verdicts.get_mut(&tid) {
            verdict.ended = Some(result);
        }
        if let Some(wait) = until(k, host, tid, verdict.exit_ns) {
            return Err(wait);
        }
    }
    k.observer.progress.verdicts.remove(&tid);
    Ok(verdict.tampered)
}
