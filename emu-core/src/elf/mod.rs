//! ELF files as images that a kernel can map: every field checked once, here.
//!
//! Key types: [`Image`], [`Segment`], [`ElfError`], [`symbols::Symbols`]. A file is read through [`ReadAt`], so that a
//! big binary is never copied whole.
//!
//! **Invariant**: no input makes this panic or allocate more than [`MAX_TABLE`] bytes at a time. Of an [`Image`],
//! address ranges do not wrap, lie below the end of user space and do not overlap.

use std::ops::Range;

use goblin::container::{Container, Ctx, Endian};
use goblin::elf::header::{EM_X86_64, ET_DYN, ET_EXEC, SIZEOF_IDENT, et_to_str, machine_to_str};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_PHDR, PT_TLS};
use goblin::elf::{Elf, Header, ProgramHeader};

use crate::mem::{PAGE_SIZE, PageProt, USER_END};

pub mod symbols;
#[cfg(test)]
mod tests;

/// Bytes in an ELF-64 header.
pub const HEADER_SIZE: u64 = 64;
/// Bytes in a program header.
pub const PROGRAM_HEADER_SIZE: u64 = 56;
/// Most bytes of program headers that are read (Linux: `ELF_MIN_ALIGN`'s 64 KiB).
pub const MAX_TABLE: u64 = 65536;
/// Longest name of an interpreter with its NUL (PATH_MAX).
pub const MAX_INTERPRETER: u64 = 4096;

/// Why a file is not a program that can run here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// No magic number.
    #[error("not an ELF file")]
    NotElf,
    /// 32-bit.
    #[error("a 32-bit program ({0}); only 64-bit x86-64 programs run")]
    ThirtyTwoBit(String),
    /// Big-endian.
    #[error("a big-endian program; only x86-64 programs run")]
    BigEndian,
    /// Another processor.
    #[error("a program for {0}, not for x86-64")]
    Machine(String),
    /// Not an executable: a core dump, an object file.
    #[error("an ELF file of type {0}, not a program")]
    Type(String),
    /// The file ends before what its headers speak of.
    #[error("truncated: {0} ends at byte {1:#x}, past the end of the file")]
    Truncated(&'static str, u64),
    /// A header that says something impossible.
    #[error("bad {0}")]
    Malformed(&'static str),
    /// Nothing to load.
    #[error("no segment to load")]
    Empty,
    /// A segment outside of user addresses.
    #[error("segment at {0:#x} of {1:#x} bytes does not fit in user addresses")]
    Huge(u64, u64),
    /// Two segments share bytes.
    #[error("segments at {0:#x} and {1:#x} overlap")]
    Overlap(u64, u64),
    /// Offset and address differ within a page.
    #[error("segment at {0:#x} is not aligned with its file offset {1:#x}")]
    Alignment(u64, u64),
    /// The entry point lies in no segment.
    #[error("entry point {0:#x} is in no segment")]
    Entry(u64),
}

/// Reads a file by parts.
pub trait ReadAt {
    /// Fills `buf` from `offset` on; returns how many bytes there were.
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize;
}

impl ReadAt for &[u8] {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize {
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        let len = buf.len().min(self.len() - start);
        buf[..len].copy_from_slice(&self[start..start + len]);
        len
    }
}

impl<F: FnMut(u64, &mut [u8]) -> usize> ReadAt for F {
    fn read_at(&mut self, offset: u64, buf: &mut [u8]) -> usize {
        self(offset, buf)
    }
}

/// Whether a program stands at the addresses it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// At exactly these (`ET_EXEC`).
    Fixed,
    /// Anywhere (`ET_DYN`).
    Anywhere,
}

/// What `PT_GNU_STACK` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StackRights {
    /// No such header: the architecture's default.
    Default,
    /// Not executable.
    NoExecute,
    /// Executable.
    Execute,
}

/// A part of the file that is mapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Segment {
    /// Address of the first byte, before any shift.
    pub vaddr: u64,
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// Bytes from the file.
    pub file_size: u64,
    /// Bytes in memory; those past `file_size` are zeros.
    pub mem_size: u64,
    /// Rights.
    pub prot: PageProt,
    /// Alignment, a power of two, at least a page.
    pub align: u64,
}

impl Segment {
    /// Addresses of its pages.
    #[must_use]
    pub fn pages(&self) -> Range<u64> {
        page_down(self.vaddr)..page_up(self.vaddr + self.mem_size)
    }
}

/// The initial image of thread-local variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tls {
    /// Address, before any shift.
    pub vaddr: u64,
    /// Initialised bytes.
    pub file_size: u64,
    /// All bytes.
    pub mem_size: u64,
    /// Alignment.
    pub align: u64,
}

/// A checked program or interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Where it stands.
    pub placement: Placement,
    /// Entry point, before any shift.
    pub entry: u64,
    /// What to map, ascending by address.
    pub segments: Vec<Segment>,
    /// Path of the interpreter, without NUL.
    pub interpreter: Option<Vec<u8>>,
    /// Thread-local variables.
    pub tls: Option<Tls>,
    /// What the stack shall allow.
    pub stack: StackRights,
    /// Address of the program headers in memory, before any shift; 0 if they are not mapped.
    pub phdr: u64,
    /// How many program headers there are.
    pub phnum: u64,
}

/// Rounds down to a page.
#[must_use]
pub const fn page_down(addr: u64) -> u64 {
    addr & !(PAGE_SIZE - 1)
}

/// Rounds up to a page; the caller knows that this does not overflow.
#[must_use]
pub const fn page_up(addr: u64) -> u64 {
    (addr + (PAGE_SIZE - 1)) & !(PAGE_SIZE - 1)
}

impl Image {
    /// Reads and checks the headers of a file of `len` bytes.
    ///
    /// # Errors
    /// Whatever makes it no program for this machine.
    pub fn parse(file: &mut dyn ReadAt, len: u64) -> Result<Self, ElfError> {
        let header = read_header(file, len)?;
        let phdrs = read_program_headers(file, len, &header)?;
        let placement = if header.e_type == ET_EXEC { Placement::Fixed } else { Placement::Anywhere };
        let mut image = Image {
            placement,
            entry: header.e_entry,
            segments: Vec::new(),
            interpreter: None,
            tls: None,
            stack: StackRights::Default,
            phdr: 0,
            phnum: u64::from(header.e_phnum),
        };
        let mut named_phdr = None;
        for ph in &phdrs {
            match ph.p_type {
                PT_LOAD => image.segments.extend(segment(ph, len)?),
                PT_INTERP if image.interpreter.is_none() => {
                    image.interpreter = Some(interpreter(file, len, ph)?);
                }
                PT_TLS => {
                    image.tls = Some(Tls {
                        vaddr: ph.p_vaddr,
                        file_size: ph.p_filesz,
                        mem_size: ph.p_memsz,
                        align: ph.p_align,
                    });
                }
                PT_GNU_STACK => {
                    image.stack = match ph.p_flags & PF_X {
                        0 => StackRights::NoExecute,
                        _ => StackRights::Execute,
                    };
                }
                PT_PHDR => named_phdr = Some(ph.p_vaddr),
                _ => {}
            }
        }
        image.segments.sort_by_key(|segment| segment.vaddr);
        check_segments(&image.segments)?;
        // Linux goes by the segment that holds the table's file offset; PT_PHDR agrees with it in sane files.
        let table = header.e_phoff;
        let holder = image.segments.iter().find(|s| (s.offset..s.offset + s.file_size).contains(&table));
        image.phdr = holder.map_or(named_phdr.unwrap_or(0), |s| s.vaddr + (table - s.offset));
        let inside = |s: &Segment| (s.vaddr..s.vaddr + s.mem_size).contains(&image.entry);
        // An interpreter or library may have no entry point; whoever jumps to 0 then faults as on Linux.
        if !image.segments.iter().any(inside) && (placement == Placement::Fixed || image.entry != 0) {
            return Err(ElfError::Entry(image.entry));
        }
        Ok(image)
    }

    /// Addresses of all its pages, before any shift: the holes between segments belong to it.
    #[must_use]
    pub fn span(&self) -> Range<u64> {
        let start = self.segments.first().map_or(0, |segment| segment.pages().start);
        let end = self.segments.last().map_or(0, |segment| segment.pages().end);
        start..end
    }

    /// The largest alignment of a segment.
    #[must_use]
    pub fn align(&self) -> u64 {
        self.segments.iter().map(|segment| segment.align).max().unwrap_or(PAGE_SIZE)
    }
}

/// Reads exactly `len` bytes of something named `what`.
fn read_exact(file: &mut dyn ReadAt, what: &'static str, offset: u64, len: u64) -> Result<Vec<u8>, ElfError> {
    let end = offset.checked_add(len).ok_or(ElfError::Malformed(what))?;
    let size = usize::try_from(len).map_err(|_| ElfError::Malformed(what))?;
    let mut bytes = vec![0; size];
    if file.read_at(offset, &mut bytes) != size {
        return Err(ElfError::Truncated(what, end));
    }
    Ok(bytes)
}

fn ctx() -> Ctx {
    Ctx::new(Container::Big, Endian::Little)
}

/// The name of a machine, as people write it.
fn machine(number: u16) -> String {
    let name = match number {
        3 => "i386",
        8 => "mips",
        20 => "powerpc",
        21 => "powerpc64",
        22 => "s390",
        40 => "arm",
        43 => "sparc64",
        183 => "aarch64",
        243 => "riscv",
        258 => "loongarch",
        _ => return format!("{} (machine {number})", machine_to_str(number)),
    };
    name.to_owned()
}

fn read_header(file: &mut dyn ReadAt, len: u64) -> Result<Header, ElfError> {
    #[expect(clippy::cast_possible_truncation, reason = "a small constant")]
    let mut bytes = [0; HEADER_SIZE as usize];
    let have = file.read_at(0, &mut bytes);
    if have < 4 || &bytes[..4] != b"\x7fELF" {
        return Err(ElfError::NotElf);
    }
    if have < SIZEOF_IDENT + 4 {
        return Err(ElfError::Truncated("header", HEADER_SIZE));
    }
    match bytes[4..6] {
        [1, 1] => return Err(ElfError::ThirtyTwoBit(machine(u16::from_le_bytes([bytes[18], bytes[19]])))),
        [1, 2] => return Err(ElfError::ThirtyTwoBit(machine(u16::from_be_bytes([bytes[18], bytes[19]])))),
        [2, 1] => {}
        [2, 2] => return Err(ElfError::BigEndian),
        _ => return Err(ElfError::Malformed("class or byte order in the header")),
    }
    if have < bytes.len() || len < HEADER_SIZE {
        return Err(ElfError::Truncated("header", HEADER_SIZE));
    }
    let header = Elf::parse_header(&bytes).map_err(|_| ElfError::Malformed("header"))?;
    if header.e_machine != EM_X86_64 {
        return Err(ElfError::Machine(machine(header.e_machine)));
    }
    if !matches!(header.e_type, ET_EXEC | ET_DYN) {
        return Err(ElfError::Type(et_to_str(header.e_type).to_owned()));
    }
    Ok(header)
}

fn read_program_headers(
    file: &mut dyn ReadAt,
    len: u64,
    header: &Header,
) -> Result<Vec<ProgramHeader>, ElfError> {
    let size = u64::from(header.e_phnum) * PROGRAM_HEADER_SIZE;
    if header.e_phnum == 0 {
        return Err(ElfError::Empty);
    }
    if u64::from(header.e_phentsize) != PROGRAM_HEADER_SIZE || size > MAX_TABLE {
        return Err(ElfError::Malformed("size of the program headers"));
    }
    let end = header.e_phoff.checked_add(size).ok_or(ElfError::Malformed("program headers"))?;
    if end > len {
        return Err(ElfError::Truncated("program headers", end));
    }
    let bytes = read_exact(file, "program headers", header.e_phoff, size)?;
    ProgramHeader::parse(&bytes, 0, usize::from(header.e_phnum), ctx())
        .map_err(|_| ElfError::Malformed("program headers"))
}

fn interpreter(file: &mut dyn ReadAt, len: u64, ph: &ProgramHeader) -> Result<Vec<u8>, ElfError> {
    if !(2..=MAX_INTERPRETER).contains(&ph.p_filesz) {
        return Err(ElfError::Malformed("interpreter's name"));
    }
    let end = ph.p_offset.checked_add(ph.p_filesz).ok_or(ElfError::Malformed("interpreter's name"))?;
    if end > len {
        return Err(ElfError::Truncated("interpreter's name", end));
    }
    let mut name = read_exact(file, "interpreter's name", ph.p_offset, ph.p_filesz)?;
    if name.pop() != Some(0) {
        return Err(ElfError::Malformed("interpreter's name"));
    }
    // As the C string that Linux takes it for.
    name.truncate(name.iter().position(|byte| *byte == 0).unwrap_or(name.len()));
    Ok(name)
}

/// A PT_LOAD, or nothing for an empty one.
fn segment(ph: &ProgramHeader, len: u64) -> Result<Option<Segment>, ElfError> {
    if ph.p_memsz == 0 {
        return Ok(None);
    }
    if ph.p_filesz > ph.p_memsz {
        return Err(ElfError::Malformed("segment: more bytes in the file than in memory"));
    }
    let end = ph.p_vaddr.checked_add(ph.p_memsz).filter(|end| *end <= USER_END - PAGE_SIZE);
    if end.is_none() {
        return Err(ElfError::Huge(ph.p_vaddr, ph.p_memsz));
    }
    let file_end =
        ph.p_offset.checked_add(ph.p_filesz).ok_or(ElfError::Malformed("segment's place in the file"))?;
    if ph.p_filesz > 0 && file_end > len {
        return Err(ElfError::Truncated("segment", file_end));
    }
    if ph.p_filesz > 0 && ph.p_vaddr % PAGE_SIZE != ph.p_offset % PAGE_SIZE {
        return Err(ElfError::Alignment(ph.p_vaddr, ph.p_offset));
    }
    // Linux ignores an alignment that is no power of two.
    let align = if ph.p_align.is_power_of_two() { ph.p_align.max(PAGE_SIZE) } else { PAGE_SIZE };
    let mut prot = PageProt::USER;
    prot.set(PageProt::READ, ph.p_flags & PF_R != 0);
    prot.set(PageProt::WRITE, ph.p_flags & PF_W != 0);
    prot.set(PageProt::EXEC, ph.p_flags & PF_X != 0);
    Ok(Some(Segment {
        vaddr: ph.p_vaddr,
        offset: ph.p_offset,
        file_size: ph.p_filesz,
        mem_size: ph.p_memsz,
        prot,
        align,
    }))
}

fn check_segments(segments: &[Segment]) -> Result<(), ElfError> {
    if segments.is_empty() {
        return Err(ElfError::Empty);
    }
    for pair in segments.windows(2) {
        if pair[0].vaddr + pair[0].mem_size > pair[1].vaddr {
            return Err(ElfError::Overlap(pair[0].vaddr, pair[1].vaddr));
        }
    }
    Ok(())
}
