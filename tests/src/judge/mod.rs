//! The judge: compares single instructions on the host's processor with the interpreter.
//!
//! Key types: [`Case`] (an instruction and the state before it), [`After`] (the state after), [`Mismatch`].
//! [`generate`] makes cases, `host` and [`machine`] run them, [`compare`] tells them apart, `shrink` makes a
//! difference small, [`line`] writes it as one line, `keep` makes the lines of `ins/forms.ins`.
//!
//! **Invariant**: a case depends on the seed alone, and a result on the case alone.
#![allow(clippy::cast_possible_truncation, reason = "bytes and addresses are cut out of wider integers")]

pub mod compare;
mod encode;
pub mod generate;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod host;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod keep;
pub mod line;
pub mod machine;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod shrink;
mod special;
pub mod values;

pub use encode::judged;

use emu_core::cpu::Cpu;

/// Size and alignment of the addresses that belong to one worker.
pub const REGION: u64 = 1 << 24;
const FIRST_REGION: u64 = 0x2000_0000;
/// Offset of the page with the instruction; both neighbours are unmapped.
pub const CODE_PAGE: u64 = 0x1000;
/// Offset of the read-only page; below it nothing is mapped.
pub const READ_ONLY: u64 = 0x4000;
/// Offset of the two writable pages; above them nothing is mapped.
pub const WRITABLE: u64 = 0x5000;
/// Pages of data.
const LAYOUT: usize = 3;
/// Bytes of data.
pub const DATA_SIZE: usize = LAYOUT * 4096;

// Where the tester's own memory lies in the region of a worker on the host's processor.
const CONTROL: u64 = 0x10_0000;
const STACK: u64 = 0x20_0000;
const STACK_SIZE: usize = 0x10_0000;

/// Most workers at a time.
const WORKERS: u64 = 64;

/// Whether an address is the tester's own where instructions of `region` run: its stack and the like, or whatever lies
/// in the region of another worker.
fn is_ours(region: u64, address: u64) -> bool {
    let offset = address.wrapping_sub(region);
    if offset < REGION {
        return (CONTROL..STACK + STACK_SIZE as u64).contains(&offset);
    }
    (FIRST_REGION..region_of(WORKERS)).contains(&address)
}

/// The first address of worker `index`.
#[must_use]
pub const fn region_of(index: u64) -> u64 {
    FIRST_REGION + index * REGION
}

/// The data pages.
#[derive(Clone, PartialEq, Eq)]
pub struct Image(pub Box<[u8; DATA_SIZE]>);

impl Default for Image {
    fn default() -> Self {
        Image(Box::new([0; DATA_SIZE]))
    }
}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().enumerate().filter(|(_, byte)| **byte != 0)).finish()
    }
}

/// An instruction, or a short sequence, and the state before it.
#[derive(Debug, Clone)]
pub struct Case {
    /// First address of the region it was made for.
    pub region: u64,
    /// The instructions; what lies behind them is `int3`.
    pub bytes: Vec<u8>,
    /// Registers; rip is the address of the instruction.
    pub before: Cpu,
    /// Contents of the data pages: address and bytes, later entries over earlier ones; all else is zero.
    pub memory: Vec<(u64, Vec<u8>)>,
}

impl Case {
    /// The instructions: one, or those of a sequence.
    #[must_use]
    pub fn instructions(&self) -> Vec<iced_x86::Instruction> {
        let options = emu_core::decode::OPTIONS;
        let mut decoder = iced_x86::Decoder::with_ip(64, &self.bytes, self.before.rip, options);
        let mut all = Vec::with_capacity(1);
        while decoder.can_decode() {
            let next = decoder.decode();
            if next.is_invalid() {
                all.clear();
                all.push(next);
                break;
            }
            all.push(next);
        }
        all
    }

    /// The data pages before the instruction.
    #[must_use]
    pub fn image(&self) -> Image {
        let mut image = Image::default();
        for (address, bytes) in &self.memory {
            let start = address.wrapping_sub(self.region + READ_ONLY) as usize;
            for (i, byte) in bytes.iter().enumerate() {
                if let Some(at) = image.0.get_mut(start.wrapping_add(i)) {
                    *at = *byte;
                }
            }
        }
        image
    }
}

/// How an instruction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// It retired.
    Done,
    /// It raised an exception.
    Fault {
        /// The vector.
        vector: u8,
        /// The error code of a page fault.
        error: u32,
        /// The address of a page fault.
        address: u64,
    },
    /// The interpreter does not implement it, or stopped in a way no instruction should.
    Other(String),
}

/// The state after an instruction.
#[derive(Debug, Clone)]
pub struct After {
    /// Registers.
    pub cpu: Cpu,
    /// The data pages.
    pub image: Image,
    /// How it ended.
    pub end: End,
}

/// A case on which processor and interpreter differ.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// The case.
    pub case: Case,
    /// What the processor made of it.
    pub host: After,
    /// What the interpreter made of it.
    pub ours: After,
    /// The names of the parts that differ.
    pub parts: Vec<String>,
}
