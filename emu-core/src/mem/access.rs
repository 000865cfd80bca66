//! Access by address: the kernel's reads and writes, and the walk that engines' lookups make.
//!
//! **Invariant**: one walk a page; nothing is written before the whole of a page's part is allowed.

#![allow(clippy::cast_possible_truncation, reason = "offsets in a page and indices in a node fit")]

use std::ops::Range;

use super::frame::{Bound, Frame, ZERO_FRAME, zero_page};
use super::space::{Side, half_mut};
use super::table::{Pte, Used};
use super::{Access, HostPage, MemFault, Memory, PAGE_SIZE, PageProt, Privilege, SpaceId};

/// Whether the page's protection counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Checks {
    /// It does, for this kind of user.
    Held(Privilege),
    /// Only presence does.
    Forced,
}

impl Checks {
    fn permit(self, prot: PageProt, access: Access, addr: u64) -> Result<(), MemFault> {
        let Self::Held(who) = self else { return Ok(()) };
        let mut needed = match access {
            Access::Read => PageProt::READ,
            Access::Write => PageProt::WRITE,
            Access::Execute => PageProt::EXEC,
        };
        if who == Privilege::User {
            needed |= PageProt::USER;
        }
        if prot.contains(needed) { Ok(()) } else { Err(MemFault::Protection(addr)) }
    }
}

fn host_page(frame: &Frame) -> HostPage {
    HostPage { ptr: frame.page().as_ptr(), frame: frame.id(), code: frame.has_code() }
}

fn zero_host_page() -> HostPage {
    HostPage { ptr: zero_page().as_ptr(), frame: ZERO_FRAME, code: false }
}

/// The parts of `len` bytes from `addr` that lie in one page: address, offset in the page, range of the bytes.
fn parts(addr: u64, len: usize) -> impl Iterator<Item = (Result<u64, MemFault>, usize, Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let at = addr.checked_add(done as u64).ok_or(MemFault::NonCanonical(u64::MAX));
        let offset = (addr.wrapping_add(done as u64) % PAGE_SIZE) as usize;
        let part = done..(done + PAGE_SIZE as usize - offset).min(len);
        done = part.end;
        Some((at, offset, part))
    })
}

impl Memory {
    /// The entry of `addr`, and its frame for reading; `None` stands for zeros.
    fn view(
        &self,
        space: SpaceId,
        addr: u64,
        access: Access,
        checks: Checks,
    ) -> Result<(&Pte, Option<&Frame>), MemFault> {
        let (side, page) = Side::of(addr)?;
        let pte = self.half(space, side).table.get(page).ok_or(MemFault::NotPresent(addr))?;
        let frame = match pte {
            Pte::Absent => return Err(MemFault::NotPresent(addr)),
            Pte::Zero { .. } => None,
            Pte::Private { frame, .. } => Some(frame),
            Pte::Shared { object, index, .. } => {
                self.objects.frame(*object, *index).ok_or(MemFault::NotPresent(addr))?
            }
        };
        checks.permit(pte.prot(), access, addr)?;
        Ok((pte, frame))
    }

    /// Walks for writing: breaks copy-on-write, sets `mark`, and runs `act` on a frame that is ours alone.
    fn with_own_frame<R>(
        &mut self,
        space: SpaceId,
        addr: u64,
        checks: Checks,
        mark: Used,
        act: impl FnOnce(&mut Frame) -> R,
    ) -> Result<R, MemFault> {
        let (side, page) = Side::of(addr)?;
        let out_of_memory = |_| MemFault::OutOfMemory(addr);
        let half = half_mut(&mut self.spaces, &mut self.kernel, space, side);
        let pte = half.table.get_mut(page).ok_or(MemFault::NotPresent(addr))?;
        let held = pte.used().contains(Used::ACCESSED);
        if let Pte::Shared { object, index, prot, used } = pte {
            if let Err(fault) = checks.permit(*prot, Access::Write, addr) {
                // What is not there is not forbidden.
                let found = self.objects.frame(*object, *index);
                return Err(found.map_or(MemFault::NotPresent(addr), |_| fault));
            }
            let own = self.objects.frame_mut(&self.pool, *object, *index).map_err(out_of_memory)?;
            let own = own.ok_or(MemFault::NotPresent(addr))?;
            *used |= mark;
            let result = act(own.frame);
            if own.is_stale {
                self.stale_everywhere();
            }
            return Ok(result);
        }
        checks.permit(pte.prot(), Access::Write, addr)?;
        let mut replaced = false;
        if let Pte::Zero { prot, used } = *pte {
            let frame = self.pool.zeroed(Bound::Checked).map_err(out_of_memory)?;
            *pte = Pte::Private { prot, used, frame };
            replaced = true;
        }
        let Pte::Private { used, frame, .. } = pte else { return Err(MemFault::NotPresent(addr)) };
        replaced |= frame.make_unique(Bound::Checked).map_err(out_of_memory)?;
        *used |= mark;
        let result = act(frame);
        if replaced && held {
            self.stale_page(space, side, page);
        }
        Ok(result)
    }

    fn read_with(
        &self,
        space: SpaceId,
        addr: u64,
        buf: &mut [u8],
        checks: Checks,
    ) -> Result<(), (usize, MemFault)> {
        for (at, offset, part) in parts(addr, buf.len()) {
            let done = part.start;
            let (_, frame) = at
                .and_then(|at| self.view(space, at, Access::Read, checks))
                .map_err(|fault| (done, fault))?;
            match frame {
                Some(frame) => frame.read(offset, &mut buf[part]),
                None => buf[part].fill(0),
            }
        }
        Ok(())
    }

    fn write_with(
        &mut self,
        space: SpaceId,
        addr: u64,
        buf: &[u8],
        checks: Checks,
    ) -> Result<(), (usize, MemFault)> {
        for (at, offset, part) in parts(addr, buf.len()) {
            let done = part.start;
            let code = at
                .and_then(|at| {
                    self.with_own_frame(space, at, checks, Used::DIRTY, |frame| {
                        frame.write(offset, &buf[part]);
                        (frame.has_code() && frame.set_code(false)).then(|| frame.id())
                    })
                })
                .map_err(|fault| (done, fault))?;
            if let Some(frame) = code {
                self.stale_code(frame);
            }
        }
        Ok(())
    }

    /// Reads `buf.len()` bytes at `addr`.
    ///
    /// # Errors
    /// The first fault, and how many bytes were read before it.
    pub fn read(
        &self,
        space: SpaceId,
        addr: u64,
        buf: &mut [u8],
        who: Privilege,
    ) -> Result<(), (usize, MemFault)> {
        self.read_with(space, addr, buf, Checks::Held(who))
    }

    /// Reads whatever the protection is, as `ptrace` may.
    ///
    /// # Errors
    /// As [`Memory::read`].
    pub fn read_forced(&self, space: SpaceId, addr: u64, buf: &mut [u8]) -> Result<(), (usize, MemFault)> {
        self.read_with(space, addr, buf, Checks::Forced)
    }

    /// Writes `buf` at `addr`.
    ///
    /// # Errors
    /// The first fault, and how many bytes were written before it.
    pub fn write(
        &mut self,
        space: SpaceId,
        addr: u64,
        buf: &[u8],
        who: Privilege,
    ) -> Result<(), (usize, MemFault)> {
        self.write_with(space, addr, buf, Checks::Held(who))
    }

    /// Writes whatever the protection is; copy-on-write is broken as ever (`ptrace` POKE, setting up at exec).
    ///
    /// # Errors
    /// As [`Memory::write`].
    pub fn write_forced(&mut self, space: SpaceId, addr: u64, buf: &[u8]) -> Result<(), (usize, MemFault)> {
        self.write_with(space, addr, buf, Checks::Forced)
    }

    /// Writes words that lie in one page, as the processor saves registers: one walk for all of them.
    ///
    /// # Errors
    /// The fault; nothing is written then.
    ///
    /// # Panics
    /// The words do not lie in one page.
    pub fn write_words<const N: usize>(
        &mut self,
        space: SpaceId,
        addr: u64,
        words: &[u64; N],
        who: Privilege,
    ) -> Result<(), MemFault> {
        self.change_words(space, addr, who, |place: &mut [u64; N]| *place = *words)
    }

    /// Changes words that lie in one page where they stand, and returns what they are then: one walk for all of it.
    ///
    /// # Errors
    /// The fault; nothing is changed then.
    ///
    /// # Panics
    /// The words do not lie in one page.
    pub fn change_words<const N: usize>(
        &mut self,
        space: SpaceId,
        addr: u64,
        who: Privilege,
        change: impl FnOnce(&mut [u64; N]),
    ) -> Result<(), MemFault> {
        let offset = (addr % PAGE_SIZE) as usize;
        let code = self.with_own_frame(space, addr, Checks::Held(who), Used::DIRTY, |frame| {
            frame.change_words(offset, change);
            (frame.has_code() && frame.set_code(false)).then(|| frame.id())
        })?;
        if let Some(frame) = code {
            self.stale_code(frame);
        }
        Ok(())
    }

    /// Compares and exchanges a word, as a futex operation of the kernel does. The inner result is the value found:
    /// `Ok` if it was `current` and is now `new`.
    ///
    /// # Errors
    /// The fault of reading or writing the word.
    pub fn compare_exchange_u32(
        &mut self,
        space: SpaceId,
        addr: u64,
        current: u32,
        new: u32,
        who: Privilege,
    ) -> Result<Result<u32, u32>, MemFault> {
        let found = self.read_u32(space, addr, who)?;
        if found == current {
            self.write_u32(space, addr, new, who)?;
            return Ok(Ok(found));
        }
        self.check(space, addr..addr.saturating_add(4), Access::Write, who)?;
        Ok(Err(found))
    }

    /// Whether all of `range` allows `access`.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(
        &self,
        space: SpaceId,
        range: Range<u64>,
        access: Access,
        who: Privilege,
    ) -> Result<(), MemFault> {
        let mut at = range.start;
        while at < range.end {
            self.view(space, at, access, Checks::Held(who))?;
            match (at - at % PAGE_SIZE).checked_add(PAGE_SIZE) {
                Some(next) => at = next,
                None => break,
            }
        }
        Ok(())
    }

    /// Walks the table for an engine. For writing, breaks copy-on-write and marks the page dirty; what is cached of
    /// the page for other kinds of access is stale then if it was replaced (and is reported as such).
    ///
    /// # Errors
    /// The fault, with `addr`.
    pub fn lookup(
        &mut self,
        space: SpaceId,
        addr: u64,
        access: Access,
        who: Privilege,
    ) -> Result<HostPage, MemFault> {
        let checks = Checks::Held(who);
        if access == Access::Write {
            let mark = Used::DIRTY | Used::ACCESSED;
            return self.with_own_frame(space, addr, checks, mark, |frame| host_page(frame));
        }
        let (pte, frame) = self.view(space, addr, access, checks)?;
        let hole = match pte {
            Pte::Shared { object, index, .. } if frame.is_none() => Some((*object, *index)),
            _ => None,
        };
        let accessed = pte.used().contains(Used::ACCESSED);
        let mut host = frame.map_or_else(zero_host_page, host_page);
        if let Some((object, index)) = hole {
            // It gets its page now, as tmpfs does it, so that nobody caches the zero page for it.
            host = match self.objects.frame_mut(&self.pool, object, index) {
                Ok(Some(own)) => host_page(own.frame),
                Ok(None) => return Err(MemFault::NotPresent(addr)),
                Err(_) => return Err(MemFault::OutOfMemory(addr)),
            };
        }
        if !accessed {
            // A second walk, once in the life of a mapping.
            let (side, page) = Side::of(addr)?;
            let half = half_mut(&mut self.spaces, &mut self.kernel, space, side);
            if let Some((_, used)) = half.table.get_mut(page).and_then(Pte::fields) {
                *used |= Used::ACCESSED;
            }
        }
        Ok(host)
    }
}

macro_rules! words {
    ($($read:ident $write:ident $type:ty),*) => {
        impl Memory {
            $(
                /// Reads a little-endian word, aligned or not.
                ///
                /// # Errors
                /// The first fault.
                pub fn $read(&self, space: SpaceId, addr: u64, who: Privilege) -> Result<$type, MemFault> {
                    let mut bytes = [0; size_of::<$type>()];
                    self.read(space, addr, &mut bytes, who).map_err(|(_, fault)| fault)?;
                    Ok(<$type>::from_le_bytes(bytes))
                }

                /// Writes a little-endian word, aligned or not. One that crosses into a page that faults is
                /// not written at all.
                ///
                /// # Errors
                /// The first fault.
                pub fn $write(
                    &mut self,
                    space: SpaceId,
                    addr: u64,
                    value: $type,
                    who: Privilege,
                ) -> Result<(), MemFault> {
                    let bytes = value.to_le_bytes();
                    if addr % PAGE_SIZE + bytes.len() as u64 > PAGE_SIZE {
                        let end = addr.checked_add(bytes.len() as u64).ok_or(MemFault::NonCanonical(u64::MAX))?;
                        self.check(space, addr..end, Access::Write, who)?;
                    }
                    self.write(space, addr, &bytes, who).map_err(|(_, fault)| fault)
                }
            )*
        }
    };
}
words!(read_u8 write_u8 u8, read_u16 write_u16 u16, read_u32 write_u32 u32, read_u64 write_u64 u64);
