//! Names of functions by address, for crash reports and traces.
//!
//! **Invariant**: a damaged symbol table gives fewer names, never an error.

use goblin::elf::section_header::{SHT_DYNSYM, SHT_SYMTAB};
use goblin::elf::sym::STT_FUNC;
use goblin::elf::{SectionHeader, Sym};

use super::{ReadAt, ctx, read_exact, read_header};

/// Bytes in a section header.
const SECTION_HEADER_SIZE: u64 = 64;
/// Bytes in a symbol.
const SYM_SIZE: u64 = 24;
/// Most bytes of symbols and of strings that are read.
const MAX_BYTES: u64 = 256 << 20;

/// A function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Function {
    start: u64,
    size: u64,
    /// Where its name begins in [`Symbols::names`].
    name: usize,
}

/// Functions of a file, from `.symtab`, or else `.dynsym`.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    /// Ascending by address.
    functions: Vec<Function>,
    names: Vec<u8>,
}

impl Symbols {
    /// Reads the symbols of a file of `len` bytes.
    pub fn read(file: &mut dyn ReadAt, len: u64) -> Self {
        Self::try_read(file, len).unwrap_or_default()
    }

    fn try_read(file: &mut dyn ReadAt, len: u64) -> Option<Self> {
        let header = read_header(file, len).ok()?;
        if u64::from(header.e_shentsize) != SECTION_HEADER_SIZE || header.e_shnum == 0 {
            return None;
        }
        let size = u64::from(header.e_shnum) * SECTION_HEADER_SIZE;
        let bytes = read_exact(file, "section headers", header.e_shoff, size).ok()?;
        let sections = SectionHeader::parse_from(&bytes, 0, usize::from(header.e_shnum), ctx()).ok()?;
        let find = |kind| sections.iter().find(|section| section.sh_type == kind && section.sh_size > 0);
        let table = find(SHT_SYMTAB).or_else(|| find(SHT_DYNSYM))?;
        let strings = sections.get(usize::try_from(table.sh_link).ok()?)?;
        let fits = |offset: u64, size: u64| {
            size <= MAX_BYTES && offset.checked_add(size).is_some_and(|end| end <= len)
        };
        if !fits(table.sh_offset, table.sh_size) || !fits(strings.sh_offset, strings.sh_size) {
            return None;
        }
        let bytes = read_exact(file, "symbols", table.sh_offset, table.sh_size).ok()?;
        let names = read_exact(file, "strings", strings.sh_offset, strings.sh_size).ok()?;
        let count = usize::try_from(table.sh_size / SYM_SIZE).ok()?;
        let mut functions: Vec<Function> = Sym::parse(&bytes, 0, count, ctx())
            .ok()?
            .iter()
            .filter(|sym| sym.st_type() == STT_FUNC && sym.st_shndx != 0 && sym.st_name < names.len())
            .map(|sym| Function { start: sym.st_value, size: sym.st_size, name: sym.st_name })
            .collect();
        functions.sort_by_key(|function| (function.start, function.name));
        Some(Symbols { functions, names })
    }

    /// The function that holds `addr` (an address before any shift), and the offset in it. A function without a size
    /// reaches to the next.
    #[must_use]
    pub fn find(&self, addr: u64) -> Option<(String, u64)> {
        let after = self.functions.partition_point(|function| function.start <= addr);
        let found = self.functions[..after].iter().rev().take(16).find(|function| {
            let offset = addr - function.start;
            offset < function.size || function.size == 0
        })?;
        let name = self.names.get(found.name..)?;
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        Some((String::from_utf8_lossy(&name[..end]).into_owned(), addr - found.start))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }
}
