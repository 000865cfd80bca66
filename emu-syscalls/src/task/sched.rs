//! Who runs next: real-time policies by priority, then everybody else by virtual runtime.
//!
//! Key types: [`Scheduler`], [`SchedParams`]. Every operation takes logarithmic time.
//!
//! **Invariant**: exactly the runnable tasks are in the queue, each once; the order follows from what the guest did.

use emu_core::persist;

use crate::task::TaskId;

/// `SCHED_*` numbers (sched(7)).
#[allow(missing_docs, reason = "the names of sched(7)")]
pub mod policy {
    pub const NORMAL: u32 = 0;
    pub const FIFO: u32 = 1;
    pub const RR: u32 = 2;
    pub const BATCH: u32 = 3;
    pub const IDLE: u32 = 5;
    pub const DEADLINE: u32 = 6;
}

/// Scheduling parameters of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchedParams {
    /// One of [`policy`].
    pub policy: u32,
    /// Real-time priority, 1 to 99; 0 for others.
    pub priority: u32,
    /// `SCHED_FLAG_RESET_ON_FORK`
    pub reset_on_fork: bool,
    /// Processors it may run on, a bit each.
    pub affinity: u64,
    /// Weighted instructions it ran: who has the least runs next.
    pub vruntime: u64,
}

impl Default for SchedParams {
    fn default() -> Self {
        SchedParams { policy: policy::NORMAL, priority: 0, reset_on_fork: false, affinity: 1, vruntime: 0 }
    }
}

/// Weights of nice values -20 to 19 (`sched_prio_to_weight`: a step is a factor of about 1.25).
const WEIGHTS: [u64; 40] = [
    88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916, 9548, 7620, 6100, 4904, 3906, 3121,
    2501, 1991, 1586, 1277, 1024, 820, 655, 526, 423, 335, 272, 215, 172, 137, 110, 87, 70, 56, 45, 36, 29,
    23, 18, 15,
];

impl SchedParams {
    /// Whether it has a real-time policy.
    #[must_use]
    pub fn is_realtime(&self) -> bool {
        matches!(self.policy, policy::FIFO | policy::RR)
    }
    /// What `ran` instructions count for at a nice value.
    #[must_use]
    pub fn weighted(&self, ran: u64, nice: i32) -> u64 {
        let index = usize::try_from(nice.clamp(-20, 19) + 20).unwrap_or(20);
        let weight = if self.policy == policy::IDLE { 3 } else { WEIGHTS[index] };
        (ran.saturating_mul(1024) / weight).max(1)
    }
}

/// Place in the queue: class (lower first), virtual runtime, arrival.
type Place = (u32, u64, u64);

/// The run queue.
#[derive(Debug, Clone, Default)]
pub struct Scheduler {
    queue: persist::OrdMap<Place, TaskId>,
    places: persist::OrdMap<TaskId, Place>,
    /// Task that runs; it stays in the queue.
    pub current: Option<TaskId>,
    /// Somebody who should run before the current task became runnable.
    pub need_resched: bool,
    /// The current task gives way (`sched_yield`).
    pub yielded: bool,
    /// A turn that pauses because somebody looks at the machine.
    pub running: Option<Running>,
    /// Who runs is varied, or given.
    pub chaos: Option<Chaos>,
    arrivals: u64,
    min_vruntime: u64,
}

/// A turn of a task on the processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Whose.
    pub tid: TaskId,
    /// Instruction count of the machine when it began.
    pub began: u64,
    /// Monotonic time when it began.
    pub began_ns: u64,
    /// System calls the task had made.
    pub calls_before: u64,
    /// Instruction count at which the slice is over.
    pub end: u64,
}

/// How far behind the others a task that slept may start: it gets a turn soon, but no credit for its sleep.
const SLEEPER_CREDIT: u64 = 100_000;

/// How much less a woken task must have run to take the processor from whoever woke it.
const WAKEUP_GRANULARITY: u64 = 25_000;

impl Scheduler {
    /// An empty queue whose choices are varied, or given.
    #[must_use]
    pub fn varied(chaos: Option<Chaos>) -> Self {
        Scheduler { chaos, ..Scheduler::default() }
    }

    /// Adds a task with default parameters; nothing if it is there.
    pub fn add(&mut self, tid: TaskId) {
        let mut params = SchedParams::default();
        self.add_with(tid, &mut params);
    }

    /// Adds a task; nothing if it is there. Its virtual runtime is brought up to date.
    pub fn add_with(&mut self, tid: TaskId, params: &mut SchedParams) {
        if self.places.contains_key(&tid) {
            return;
        }
        params.vruntime = params.vruntime.max(self.min_vruntime.saturating_sub(SLEEPER_CREDIT));
        self.arrivals += 1;
        let place = if params.is_realtime() {
            (99 - params.priority.min(99), 0, self.arrivals)
        } else {
            (100, params.vruntime, self.arrivals)
        };
        self.insert(tid, place);
        if let Some(current) = self.current.and_then(|tid| self.places.get(&tid))
            && place.0 < current.0
        {
            self.need_resched = true;
        }
    }

    /// A task was woken by another that may go on and wake more: it runs at once if it has had clearly less of the
    /// processor, as Linux does (`check_preempt_wakeup`). Without this, one who wakes others and stops them again before
    /// its slice is over would never let them run.
    pub fn woken(&mut self, tid: TaskId) {
        if let Some(current) = self.current.and_then(|tid| self.places.get(&tid))
            && let Some(woken) = self.places.get(&tid)
            && (woken.0, woken.1.saturating_add(WAKEUP_GRANULARITY)) < (current.0, current.1)
        {
            self.need_resched = true;
        }
    }

    fn insert(&mut self, tid: TaskId, place: Place) {
        self.queue.insert(place, tid);
        self.places.insert(tid, place);
    }

    /// Takes a task off.
    pub fn remove(&mut self, tid: TaskId) {
        if let Some(place) = self.places.remove(&tid) {
            self.queue.remove(&place);
        }
        if self.current == Some(tid) {
            self.current = None;
        }
    }

    /// The task to run now, at an instruction count of the machine.
    pub fn pick_at(&mut self, retired: u64) -> Option<TaskId> {
        let first = self.pick();
        if let Some(chaos) = &mut self.chaos
            && let Some(((class, ..), _)) = self.queue.get_min()
        {
            let equals: Vec<TaskId> =
                self.queue.iter().take_while(|((c, ..), _)| c == class).map(|(_, tid)| *tid).collect();
            self.current = chaos.choose(retired, &equals).or(first);
        }
        self.current
    }

    /// The count at which a turn that begins now is over, if nothing else ends it.
    pub fn turn_end(&mut self, retired: u64, slice: u64) -> u64 {
        let end = retired.saturating_add(slice);
        self.chaos.as_mut().map_or(end, |chaos| chaos.turn_end(retired, end))
    }

    /// The task to run now.
    pub fn pick(&mut self) -> Option<TaskId> {
        self.need_resched = false;
        self.current = self.queue.get_min().map(|(_, tid)| *tid);
        self.current
    }

    /// Accounts what a task in the queue ran and finds its new place. `yielded` puts it behind its equals.
    pub fn ran(&mut self, tid: TaskId, params: &mut SchedParams, weighted: u64, turn: Turn) {
        params.vruntime = params.vruntime.saturating_add(weighted);
        let Some(old) = self.places.get(&tid).copied() else { return };
        self.arrivals += 1;
        let place = if params.is_realtime() {
            let keeps = params.policy == policy::FIFO && turn == Turn::SliceOver;
            (99 - params.priority.min(99), 0, if keeps { old.2 } else { self.arrivals })
        } else {
            if turn == Turn::Yielded
                && let Some((last, _)) = self.queue.get_max()
                && last.0 == 100
            {
                params.vruntime = params.vruntime.max(last.1);
            }
            (100, params.vruntime, self.arrivals)
        };
        self.queue.remove(&old);
        self.insert(tid, place);
        if let Some((first, _)) = self.queue.get_min()
            && first.0 == 100
        {
            self.min_vruntime = self.min_vruntime.max(first.1);
        }
    }

    /// Puts a task at the place its changed parameters give it.
    pub fn changed(&mut self, tid: TaskId, params: &mut SchedParams) {
        if self.places.contains_key(&tid) {
            let current = self.current;
            self.remove(tid);
            self.add_with(tid, params);
            self.current = current;
            self.need_resched = true;
        }
    }

    /// Whether a task is in the queue.
    #[must_use]
    pub fn contains(&self, tid: TaskId) -> bool {
        self.places.contains_key(&tid)
    }
    /// How many can run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }
    /// Whether nobody can run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// A choice where Linux leaves one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Choice {
    /// This task runs.
    Run(u32),
    /// A wait that a stop of the process may end with `EINTR` ends so (signal(7)).
    Interrupt,
    /// A read takes no more than this, or than one write's worth.
    Short(u32),
    /// Timers and timeouts that are due come so many ns late.
    Late(u64),
}

/// Choices that a seed varies, or that a list gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chaos {
    random: u64,
    /// Tasks run by priorities that change now and then; all are equal otherwise.
    priorities: Option<u64>,
    /// The choices still to be made, if they are given, by their instruction counts.
    script: Option<Script>,
    /// When timers that are late come, in ns of the monotonic clock.
    pub late_until_ns: Option<u64>,
    /// The choices made.
    pub made: persist::Vector<(u64, Choice)>,
}

/// Choices still to be made: who runs, and all others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Script {
    runs: persist::Vector<(u64, u32)>,
    interrupts: persist::Vector<u64>,
    shorts: persist::Vector<(u64, u32)>,
    lates: persist::Vector<(u64, u64)>,
}

/// Most choices that are kept.
const CHOICES: usize = 1 << 20;
/// Shortest slice, as a power of two, and how many powers there are.
const SLICES: (u32, u32) = (5, 13);
/// One in so many choices changes the priorities.
const SHUFFLES: u64 = 48;
/// One in so many waits that may be interrupted is.
const INTERRUPTS: u64 = 8;
/// One in so many reads is short.
const SHORTS: u64 = 4;
/// One in so many times that timers are due they are late.
const LATES: u64 = 4;
/// By how much at least, as a power of two of ns, and how many powers there are: 4 us to 8 ms.
const LATE_NS: (u64, u64) = (12, 11);

/// The output function of a splitmix64 generator.
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Chaos {
    /// Varied by a seed, or as given by choices in order of their counts.
    #[must_use]
    pub fn new(seed: u64, script: Option<&[(u64, Choice)]>) -> Self {
        let script = script.map(|choices| {
            let mut script = Script::default();
            for (at, choice) in choices {
                match choice {
                    Choice::Run(tid) => script.runs.push_back((*at, *tid)),
                    Choice::Interrupt => script.interrupts.push_back(*at),
                    Choice::Short(most) => script.shorts.push_back((*at, *most)),
                    Choice::Late(ns) => script.lates.push_back((*at, *ns)),
                }
            }
            script
        });
        let priorities = (mix(seed) & 1 == 1).then_some(seed);
        Chaos { random: seed, priorities, script, late_until_ns: None, made: persist::Vector::new() }
    }

    /// The next number of a splitmix64 generator, below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.random) % bound.max(1)
    }

    fn note(&mut self, retired: u64, choice: Choice) {
        if self.made.len() < CHOICES {
            self.made.push_back((retired, choice));
        }
    }

    fn choose(&mut self, retired: u64, equals: &[TaskId]) -> Option<TaskId> {
        if let Some(script) = &mut self.script {
            let mut chosen = None;
            while let Some((at, tid)) = script.runs.front().copied()
                && at <= retired
            {
                script.runs.pop_front();
                chosen = equals.contains(&TaskId(tid)).then_some(TaskId(tid));
            }
            return chosen;
        }
        if self.priorities.is_some() && self.below(SHUFFLES) == 0 {
            self.priorities = Some(self.random);
        }
        let chosen = match self.priorities {
            Some(epoch) => *equals.iter().max_by_key(|tid| mix(epoch ^ u64::from(tid.0)))?,
            None => {
                let index = self.below(equals.len() as u64);
                *equals.get(usize::try_from(index).ok()?)?
            }
        };
        self.note(retired, Choice::Run(chosen.0));
        Some(chosen)
    }

    fn turn_end(&mut self, retired: u64, end: u64) -> u64 {
        match &self.script {
            Some(script) => {
                let next = script.runs.iter().map(|(at, _)| *at).find(|at| *at > retired);
                next.map_or(end, |at| at.min(end))
            }
            None => {
                let power = u64::from(SLICES.0) + self.below(u64::from(SLICES.1));
                let slice = (1 << power) + self.below(1 << power);
                retired.saturating_add(slice).min(end)
            }
        }
    }

    /// Whether a wait that may be interrupted without a handler is, here.
    pub fn interrupts(&mut self, retired: u64) -> bool {
        if let Some(script) = &mut self.script {
            let is_due = script.interrupts.front().is_some_and(|at| *at <= retired);
            if is_due {
                script.interrupts.pop_front();
            }
            return is_due;
        }
        let is_due = self.below(INTERRUPTS) == 0;
        if is_due {
            self.note(retired, Choice::Interrupt);
        }
        is_due
    }

    /// Whether timers that are due at `now_ns` come later. They come once, however many are due by then: as after a long
    /// time with interrupts off.
    pub fn is_late(&mut self, retired: u64, now_ns: u64) -> bool {
        if let Some(until) = self.late_until_ns {
            if now_ns < until {
                return true;
            }
            self.late_until_ns = None;
            return false;
        }
        let late_ns = if let Some(script) = &mut self.script {
            let Some((_, ns)) = script.lates.front().copied().filter(|(at, _)| *at <= retired) else {
                return false;
            };
            script.lates.pop_front();
            ns
        } else {
            if self.below(LATES) != 0 {
                return false;
            }
            let least = 1 << (LATE_NS.0 + self.below(LATE_NS.1));
            let ns = least + self.below(least);
            self.note(retired, Choice::Late(ns));
            ns
        };
        self.late_until_ns = Some(now_ns.saturating_add(late_ns));
        true
    }

    /// What a read of at most `max` bytes, which may take less, takes at most; `None`: all that is there.
    pub fn shortens(&mut self, retired: u64, max: usize) -> Option<usize> {
        let most = if let Some(script) = &mut self.script {
            let (at, most) = script.shorts.front().copied()?;
            if at > retired {
                return None;
            }
            script.shorts.pop_front();
            most
        } else {
            if self.below(SHORTS) != 0 {
                return None;
            }
            let most = 1 + u32::try_from(self.below(max.min(4096) as u64)).unwrap_or(0);
            self.note(retired, Choice::Short(most));
            most
        };
        Some(usize::try_from(most).unwrap_or(max).min(max))
    }
}

/// Why a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The slice is over, or somebody more important came.
    SliceOver,
    /// The task gave way.
    Yielded,
}

impl crate::kernel::Kernel {
    /// Puts a runnable task on the run queue.
    pub fn enqueue(&mut self, tid: TaskId) {
        if let Some(task) = self.tasks.get_mut(tid) {
            self.sched.add_with(tid, &mut task.sched);
        }
    }
    /// What a read that may take less than asked for takes at most, if it is made to (`--chaos`).
    pub fn shorter_read(&mut self, max: usize) -> Option<usize> {
        self.sched.chaos.as_mut().filter(|_| max > 1)?.shortens(self.retired, max)
    }
    /// Accounts `ran` instructions to a task whose turn ended.
    pub fn turn_over(&mut self, tid: TaskId, ran: u64, turn: Turn) {
        if let Some(task) = self.tasks.get_mut(tid) {
            let weighted = task.sched.weighted(ran, task.nice);
            self.sched.ran(tid, &mut task.sched, weighted, turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_tasks_take_turns() {
        let mut sched = Scheduler::default();
        let mut params = [SchedParams::default(); 3];
        for (i, p) in params.iter_mut().enumerate() {
            sched.add_with(TaskId(u32::try_from(i).unwrap()), p);
        }
        let mut order = Vec::new();
        for _ in 0..6 {
            let tid = sched.pick().unwrap();
            order.push(tid.0);
            sched.ran(tid, &mut params[tid.0 as usize], 1000, Turn::SliceOver);
        }
        assert_eq!(order, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn choices_that_were_made_can_be_given() {
        let queue = |chaos| {
            let mut sched = Scheduler { chaos: Some(chaos), ..Scheduler::default() };
            for tid in 1..5 {
                sched.add(TaskId(tid));
            }
            sched
        };
        let mut varied = queue(Chaos::new(3, None));
        let picks: Vec<_> = (0..20).map(|n| varied.pick_at(n * 100)).collect();
        assert!(picks.iter().any(|pick| *pick != picks[0]));
        let made: Vec<_> = varied.chaos.unwrap().made.into_iter().collect();
        let mut given = queue(Chaos::new(0, Some(&made)));
        assert_eq!(picks, (0..20).map(|n| given.pick_at(n * 100)).collect::<Vec<_>>());
    }

    #[test]
    fn a_task_that_ran_less_takes_the_processor_from_its_waker() {
        let mut sched = Scheduler::default();
        let (mut waker, mut sleeper) = (SchedParams::default(), SchedParams::default());
        sched.add_with(TaskId(1), &mut waker);
        sched.pick();
        sched.ran(TaskId(1), &mut waker, WAKEUP_GRANULARITY, Turn::SliceOver);
        sched.pick();
        sched.add_with(TaskId(2), &mut sleeper);
        sched.woken(TaskId(2));
        assert!(!sched.need_resched);
        sched.remove(TaskId(2));
        sched.ran(TaskId(1), &mut waker, 1, Turn::SliceOver);
        sleeper.vruntime = 0;
        sched.add_with(TaskId(2), &mut sleeper);
        sched.woken(TaskId(2));
        assert!(sched.need_resched);
        assert_eq!(sched.pick(), Some(TaskId(2)));
    }

    #[test]
    fn a_realtime_task_runs_first() {
        let mut sched = Scheduler::default();
        sched.add_with(TaskId(1), &mut SchedParams::default());
        sched.pick();
        let mut fifo = SchedParams { policy: policy::FIFO, priority: 5, ..SchedParams::default() };
        sched.add_with(TaskId(2), &mut fifo);
        assert!(sched.need_resched);
        assert_eq!(sched.pick(), Some(TaskId(2)));
    }
}
