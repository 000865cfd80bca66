//! Sequences of system calls: each call takes one byte for its row and, for each argument, one byte that chooses a value of
//! the argument's kind or, if it is 255, the eight bytes behind it. `cargo fuzz run -s none sequence`, or
//! without it and with a stable compiler, from fuzz/:
//! `RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=3
//! -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table" cargo run --release
//! --target x86_64-unknown-linux-gnu -- corpus -max_len=4096`.
#![no_main]

#[path = "../../emu-syscalls/tests/rig/mod.rs"]
mod rig;

use std::sync::Mutex;

use emu_syscalls::table::ROWS;
use libfuzzer_sys::fuzz_target;
use rig::{Random, Rig};

static RIG: Mutex<Option<Rig>> = Mutex::new(None);

fuzz_target!(|data: &[u8]| {
    let mut slot = RIG.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let rig = slot.get_or_insert_with(|| Rig::new(1));
    rig.restore();
    let mut bytes = data.iter().copied();
    for _ in 0..256 {
        let (Some(high), Some(low)) = (bytes.next(), bytes.next()) else { return };
        let row = &ROWS[usize::from(u16::from_le_bytes([low, high])) % ROWS.len()];
        let mut args = [0u64; 6];
        for (slot, arg) in args.iter_mut().zip(row.args) {
            let Some(choice) = bytes.next() else { return };
            *slot = if choice == 255 {
                let mut word = [0; 8];
                for byte in &mut word {
                    *byte = bytes.next().unwrap_or(0);
                }
                u64::from_le_bytes(word)
            } else {
                rig.argument(arg.kind, &mut Random(u64::from(choice)))
            };
        }
        if !rig.usable() {
            return;
        }
        rig.call(u64::from(row.nr), args);
    }
});
