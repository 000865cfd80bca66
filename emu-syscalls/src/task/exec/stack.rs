//! The first stack of a program, to the byte as Linux lays it (fs/exec.c, `create_elf_tables`).
//!
//! From the top: eight zero bytes, the file's name, the environment's strings, the arguments' strings; then, aligned, the
//! platform's name and 16 random bytes; then the auxiliary vector, the pointers, and the count at the stack pointer.
//!
//! **Invariant**: the stack pointer is a multiple of 16.

use super::Program;
use crate::abi::errno::Errno;
use crate::mm::Mm;
use crate::mm::layout::STACK_TOP;

/// Keys of the auxiliary vector.
#[allow(missing_docs, reason = "the names of getauxval(3)")]
pub mod at {
    pub const NULL: u64 = 0;
    pub const PHDR: u64 = 3;
    pub const PHENT: u64 = 4;
    pub const PHNUM: u64 = 5;
    pub const PAGESZ: u64 = 6;
    pub const BASE: u64 = 7;
    pub const FLAGS: u64 = 8;
    pub const ENTRY: u64 = 9;
    pub const UID: u64 = 11;
    pub const EUID: u64 = 12;
    pub const GID: u64 = 13;
    pub const EGID: u64 = 14;
    pub const PLATFORM: u64 = 15;
    pub const HWCAP: u64 = 16;
    pub const CLKTCK: u64 = 17;
    pub const SECURE: u64 = 23;
    pub const RANDOM: u64 = 25;
    pub const HWCAP2: u64 = 26;
    pub const RSEQ_FEATURE_SIZE: u64 = 27;
    pub const RSEQ_ALIGN: u64 = 28;
    pub const EXECFN: u64 = 31;
    pub const MINSIGSTKSZ: u64 = 51;
}

/// Largest signal frame: 832 bytes of XSAVE area, the frame around it, alignment.
pub const MIN_SIGNAL_STACK: u64 = 1776;
/// What `AT_PLATFORM` names.
const PLATFORM: &[u8] = b"x86_64\0";

/// What a stack is laid into.
pub(super) trait Target {
    /// Writes bytes.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Errno>;
    /// The random bytes of `AT_RANDOM`.
    fn random(&mut self) -> [u8; 16];
    /// The memory's description.
    fn mm(&mut self) -> Result<&mut Mm, Errno>;
}

fn with_nul(strings: &[Vec<u8>]) -> u64 {
    strings.iter().map(|string| string.len() as u64 + 1).sum()
}

/// Bytes that strings, pointers and tables take.
pub(super) fn strings_size(program: &Program) -> u64 {
    let strings = &program.strings;
    let count = strings.argv.len() as u64 + strings.envp.len() as u64;
    let bytes = with_nul(&strings.argv) + with_nul(&strings.envp) + program.filename.len() as u64;
    bytes + count * 8 + 4096
}

/// Lays the stack and returns the stack pointer.
pub(super) fn lay(
    target: &mut dyn Target,
    program: &Program,
    mut auxv: Vec<(u64, u64)>,
) -> Result<u64, Errno> {
    let strings = &program.strings;
    let execfn = STACK_TOP - 8 - (program.filename.len() as u64 + 1);
    let env_start = execfn - with_nul(&strings.envp);
    let arg_start = env_start - with_nul(&strings.argv);
    let mut block = Vec::new();
    let mut pointers = Vec::new();
    for group in [&strings.argv, &strings.envp] {
        for string in group {
            pointers.push(arg_start + block.len() as u64);
            block.extend_from_slice(string);
            block.push(0);
        }
        pointers.push(0);
    }
    block.extend_from_slice(&program.filename);
    block.resize(block.len() + 9, 0);
    target.write(arg_start, &block)?;

    let platform = (arg_start & !15) - PLATFORM.len() as u64;
    target.write(platform, PLATFORM)?;
    let random = platform - 16;
    let bytes = target.random();
    target.write(random, &bytes)?;

    for (key, value) in &mut auxv {
        match *key {
            at::RANDOM => *value = random,
            at::EXECFN => *value = execfn,
            at::PLATFORM => *value = platform,
            _ => {}
        }
    }
    let words = 1 + pointers.len() as u64 + 2 * auxv.len() as u64;
    let sp = (random - words * 8) & !15;
    let mut table = (strings.argv.len() as u64).to_le_bytes().to_vec();
    table.extend(pointers.iter().flat_map(|pointer| pointer.to_le_bytes()));
    table.extend(auxv.iter().flat_map(|(key, value)| [key.to_le_bytes(), value.to_le_bytes()].concat()));
    target.write(sp, &table)?;

    let mm = target.mm()?;
    mm.args = (arg_start, env_start);
    mm.env = (env_start, execfn);
    mm.stack_start = sp;
    mm.auxv = auxv;
    Ok(sp)
}
