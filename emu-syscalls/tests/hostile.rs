//! Every handler is called with hostile arguments: edge values in every position and random ones from a fixed seed. No
//! panic, no hang, no allocation that the guest did not pay for. The host is a scripted one, and nothing else is reachable.
#![allow(missing_docs, reason = "tests are named by what they show")]
#![allow(clippy::cast_possible_truncation, clippy::print_stderr, reason = "test code")]

mod rig;

use std::alloc::{GlobalAlloc, Layout, System};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use emu_syscalls::table::{ROWS, Row};
use rig::{MEMORY, Random, Rig};

/// Counts what is allocated.
struct Counting;

static LIVE: AtomicU64 = AtomicU64::new(0);
static PEAK: AtomicU64 = AtomicU64::new(0);
/// Beats once a call; the watch thread ends a test that stands still.
static BEAT: AtomicU64 = AtomicU64::new(0);
static CALL: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];

// SAFETY: every request goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size() as u64, Relaxed) + layout.size() as u64;
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller's layout.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as u64, Relaxed);
        // SAFETY: the caller's pointer and layout.
        unsafe { System.dealloc(at, layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.fetch_add(layout.size() as u64, Relaxed) + layout.size() as u64;
        PEAK.fetch_max(live, Relaxed);
        // SAFETY: the caller's layout.
        unsafe { System.alloc_zeroed(layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What one call may allocate at most: all of the guest's memory, and as much again for what describes it.
const ALLOWED: u64 = 2 * MEMORY;
/// Calls from one snapshot before the next.
const SEQUENCE: usize = 100;
/// Tests of a debug build are a tenth.
const SCALE: u64 = if cfg!(debug_assertions) { 1 } else { 10 };

fn watch() {
    std::thread::spawn(|| {
        let (mut last, mut still) = (0, 0);
        loop {
            std::thread::sleep(std::time::Duration::from_secs(1));
            let beat = BEAT.load(Relaxed);
            still = if beat == last { still + 1 } else { 0 };
            last = beat;
            if still >= 60 && beat != 0 {
                let call: Vec<String> =
                    CALL.iter().map(|word| format!("{:#x}", word.load(Relaxed))).collect();
                eprintln!("a call does not end: {call:?}");
                std::process::abort();
            }
        }
    });
}

struct Tester {
    rig: Rig,
    since: Vec<(u32, [u64; 6])>,
    failures: Vec<String>,
    kinds: std::collections::BTreeSet<String>,
    calls: u64,
    /// Rows that gave a value at least once.
    successes: std::collections::BTreeSet<u32>,
}

impl Tester {
    fn new(seed: u64) -> Tester {
        Tester {
            rig: Rig::new(seed),
            since: Vec::new(),
            failures: Vec::new(),
            kinds: Default::default(),
            calls: 0,
            successes: Default::default(),
        }
    }

    fn restore(&mut self) {
        self.rig.restore();
        self.since.clear();
    }

    fn call(&mut self, row: &Row, args: [u64; 6]) {
        if self.since.len() >= SEQUENCE || !self.rig.usable() {
            self.restore();
        }
        self.since.push((row.nr, args));
        self.calls += 1;
        BEAT.fetch_add(1, Relaxed);
        CALL[0].store(u64::from(row.nr), Relaxed);
        for (slot, arg) in CALL[1..].iter().zip(args) {
            slot.store(arg, Relaxed);
        }
        let before = LIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        let rig = &mut self.rig;
        let end = catch_unwind(AssertUnwindSafe(|| rig.call(u64::from(row.nr), args)));
        let grew = PEAK.load(Relaxed).saturating_sub(before);
        let failed = match end {
            Err(_) => Some(PANIC.lock().map(|text| text.clone()).unwrap_or_default()),
            Ok(()) if grew > ALLOWED => Some(format!("{} allocates {} MiB", row.name, grew >> 20)),
            Ok(()) => {
                if self.rig.result().is_some_and(|value| value >= 0) {
                    self.successes.insert(row.nr);
                }
                None
            }
        };
        if let Some(why) = failed {
            if self.kinds.insert(why.clone()) {
                let calls: Vec<String> =
                    self.since.iter().map(|(nr, args)| format!("{nr} {args:x?}")).collect();
                self.failures.push(format!("{}: {why}\n    {}", row.name, calls.join("\n    ")));
            }
            // Its state may be half changed.
            self.restore();
        }
    }

    fn judge(self) {
        drop(std::panic::take_hook());
        eprintln!("{} calls, {} rows gave a value", self.calls, self.successes.len());
        // Arguments so wrong that nothing ever gets past the first check would test little.
        assert!(self.successes.len() > 200, "only {} rows ever gave a value", self.successes.len());
        assert!(
            self.failures.is_empty(),
            "{} kinds of failure:\n{}",
            self.failures.len(),
            self.failures.join("\n")
        );
    }
}

static PANIC: std::sync::Mutex<String> = std::sync::Mutex::new(String::new());

fn remember_panics() {
    std::panic::set_hook(Box::new(|info| {
        if let Ok(mut text) = PANIC.lock() {
            *text = info.to_string();
        }
    }));
}

/// One test, because the allocator counts for the whole process.
#[test]
fn no_handler_panics_hangs_or_allocates_without_bound() {
    watch();
    let mut tester = Tester::new(1);
    remember_panics();
    // Every value in every position, the others chosen by their kind.
    let mut random = Random(2);
    let mut values = tester.rig.numbers.clone();
    values.extend(&tester.rig.pointers);
    values.extend(&tester.rig.fds);
    values.extend(&tester.rig.strings);
    for row in ROWS {
        for position in 0..row.args.len() {
            for value in &values {
                for _ in 0..SCALE {
                    let mut args = tester.rig.arguments(row, &mut random);
                    args[position] = *value;
                    tester.call(row, args);
                }
            }
        }
    }
    // All arguments chosen, calls in random order, so that one meets the state that others made.
    for _ in 0..SCALE * 150_000 {
        let row = &ROWS[random.below(ROWS.len() as u64) as usize];
        let args = tester.rig.arguments(row, &mut random);
        tester.call(row, args);
    }
    tester.judge();
}
