//! Mapping a program and its interpreter into new memory (fs/binfmt_elf.c).
//!
//! **Invariant**: if anything fails the new memory is dropped and the caller is as before.

use emu_core::cpu::CpuModel;
use emu_core::elf::{ElfError, Image, Placement, StackRights, page_down, page_up};
use emu_core::mem::{Access, PAGE_SIZE, PageProt};

use super::{Executable, Program, find, is_secure, stack};
use crate::abi::errno::Errno;
use crate::arg::DirFd;
use crate::ctx::{Ctx, Stop};
use crate::kernel::Kernel;
use crate::mm::fault::{BadAccess, fault_in};
use crate::mm::layout::{MMAP_MIN, PIE_BASE, STACK_TOP, TASK_SIZE, mmap_top};
use crate::mm::map::{Limits, NewArea, Place, map};
use crate::mm::{AreaFlags, Backing, Mm, MmId, RWX};
use crate::seam::Host;
use crate::task::Creds;
use crate::vfs::{InodeId, Resolve, page_object, read_inode};

/// Room above the strings that the stack gets at once.
const STACK_EXTRA: u64 = 128 << 10;

/// A program in memory of its own.
#[derive(Debug, Clone, Copy)]
pub struct Loaded {
    /// Its memory, with one user.
    pub mm: MmId,
    /// Where it starts: the interpreter's entry point, if it has one.
    pub entry: u64,
    /// Its stack pointer.
    pub sp: u64,
}

/// Reads the headers of a file.
pub fn parse(k: &mut Kernel, host: &mut dyn Host, inode: InodeId) -> Result<Image, ElfError> {
    let len = k.vfs.inode(inode).size;
    Image::parse(&mut reader(k, host, inode), len)
}

/// A file as what the ELF reader reads from.
pub fn reader<'a>(
    k: &'a mut Kernel,
    host: &'a mut dyn Host,
    inode: InodeId,
) -> impl FnMut(u64, &mut [u8]) -> usize + 'a {
    move |offset: u64, buf: &mut [u8]| {
        let mut done = 0;
        while done < buf.len() {
            let at = offset.saturating_add(done as u64);
            let Ok(data) = read_inode(k, host, inode, at, buf.len() - done) else { break };
            if data.is_empty() {
                break;
            }
            buf[done..done + data.len()].copy_from_slice(&data);
            done += data.len();
        }
        done
    }
}

/// Builds the memory of `program`.
pub fn load(ctx: &mut Ctx<'_>, program: &Program, creds: &Creds) -> Result<Loaded, Stop> {
    let image = parse(ctx.k, ctx.host, program.file.inode).map_err(|_| Errno::ENOEXEC)?;
    let interpreter = match &image.interpreter {
        Some(path) => {
            let file = find(ctx, DirFd::CWD, path, Resolve::FOLLOW)?;
            let image = parse(ctx.k, ctx.host, file.inode).map_err(|_| Errno::ELIBBAD)?;
            Some((file, image))
        }
        None => None,
    };
    let space = ctx.k.mem.create_space();
    let mut mm = Mm::new(space);
    mm.exe = Some(program.file.loc);
    if let Some(old) = ctx.task().mm.and_then(|id| ctx.k.mms.get(id)) {
        mm.dump_filter = old.dump_filter;
    }
    let id = ctx.k.mms.insert(mm);
    ctx.k.vfs.inode_mut(program.file.inode).writers -= 1;
    let limits = Limits::of(ctx.k, ctx.tid);
    let built = Builder { ctx, id, limits }.build(program, creds, &image, interpreter);
    built.map_err(|errno| {
        crate::mm::put(ctx.k, id);
        errno.into()
    })
}

/// New memory being filled.
struct Builder<'a, 'c> {
    ctx: &'a mut Ctx<'c>,
    id: MmId,
    limits: Limits,
}

impl Builder<'_, '_> {
    fn build(
        mut self,
        program: &Program,
        creds: &Creds,
        image: &Image,
        interpreter: Option<(Executable, Image)>,
    ) -> Result<Loaded, Errno> {
        let strings = stack::strings_size(program);
        self.map_stack(image, strings)?;
        let bias = match image.placement {
            Placement::Fixed => 0,
            Placement::Anywhere => {
                let span = image.span();
                PIE_BASE.next_multiple_of(image.align()).wrapping_sub(span.start & !(image.align() - 1))
            }
        };
        self.map_image(program.file, image, bias)?;
        let mut entry = image.entry.wrapping_add(bias);
        let mut base = 0;
        if let Some((file, interpreter)) = interpreter {
            base = self.interpreter_bias(&interpreter)?;
            self.map_image(file, &interpreter, base)?;
            entry = interpreter.entry.wrapping_add(base);
        }
        let end = page_up(image.span().end.wrapping_add(bias));
        let mm = self.mm()?;
        mm.brk = (end, end);
        for segment in &image.segments {
            let (start, end) = (segment.vaddr.wrapping_add(bias), segment.vaddr.wrapping_add(bias));
            let file_end = end + segment.file_size;
            if segment.prot.contains(PageProt::EXEC) {
                mm.code = if mm.code == (0, 0) { (start, file_end) } else { (mm.code.0, file_end) };
            }
            if segment.prot.contains(PageProt::WRITE) {
                mm.data = if mm.data == (0, 0) { (start, file_end) } else { (mm.data.0, file_end) };
            }
        }
        let auxv = self.auxv(creds, image, bias, base);
        let sp = stack::lay(&mut self, program, auxv)?;
        Ok(Loaded { mm: self.id, entry, sp })
    }

    fn mm(&mut self) -> Result<&mut Mm, Errno> {
        self.ctx.k.mms.get_mut(self.id).ok_or(Errno::ENOMEM)
    }

    fn map_stack(&mut self, image: &Image, strings: u64) -> Result<(), Errno> {
        let stack_limit = self.limits.stack;
        self.mm()?.mmap_top = mmap_top(stack_limit);
        let room = page_up(strings).saturating_add(STACK_EXTRA.min(page_down(stack_limit)));
        let mut prot = PageProt::READ | PageProt::WRITE;
        prot.set(PageProt::EXEC, image.stack == StackRights::Execute);
        let mut new = NewArea::anonymous(prot);
        new.flags = AreaFlags::GROWS_DOWN;
        map(self.ctx.k, self.id, Place::Fixed(STACK_TOP - room), room, new, &self.limits)?;
        Ok(())
    }

    fn interpreter_bias(&mut self, image: &Image) -> Result<u64, Errno> {
        if image.placement == Placement::Fixed {
            return Ok(0);
        }
        let span = image.span();
        let start = span.start & !(image.align() - 1);
        let mm = self.mm()?;
        let at =
            mm.room_below(mm.mmap_top, MMAP_MIN, span.end - start, image.align()).ok_or(Errno::ENOMEM)?;
        Ok(at.wrapping_sub(start))
    }

    /// Maps all segments, shifted by `bias`.
    fn map_image(&mut self, file: Executable, image: &Image, bias: u64) -> Result<(), Errno> {
        let object = page_object(self.ctx.k, self.ctx.host, file.inode)?;
        for segment in &image.segments {
            let start = segment.vaddr.wrapping_add(bias);
            if start < MMAP_MIN && !self.limits.low_addresses {
                return Err(Errno::EPERM);
            }
            let mem_end = start.checked_add(segment.mem_size).filter(|end| *end <= TASK_SIZE);
            let mem_end = page_up(mem_end.ok_or(Errno::ENOMEM)?);
            let (first, file_end) = (page_down(start), start + segment.file_size);
            let prot = segment.prot & RWX;
            let mut zeros_from = first;
            if segment.file_size > 0 {
                let backing = Backing::Object {
                    object,
                    offset: page_down(segment.offset),
                    shared: false,
                    inode: Some(file.inode),
                    file: Some(file.loc),
                };
                let new = NewArea { backing, ..NewArea::anonymous(prot) };
                zeros_from = page_up(file_end);
                let place = self.place(first, zeros_from)?;
                map(self.ctx.k, self.id, place, zeros_from - first, new, &self.limits)?;
            }
            if mem_end > zeros_from {
                let new = NewArea::anonymous(prot);
                let place = self.place(zeros_from, mem_end)?;
                map(self.ctx.k, self.id, place, mem_end - zeros_from, new, &self.limits)?;
            }
            if segment.mem_size > segment.file_size && file_end % PAGE_SIZE != 0 {
                let zeros = vec![0; usize::try_from(page_up(file_end) - file_end).unwrap_or(0)];
                self.write(file_end, &zeros)?;
            }
        }
        Ok(())
    }

    /// A segment replaces the page that it shares with the one before, but nothing of the stack.
    fn place(&mut self, start: u64, end: u64) -> Result<Place, Errno> {
        let collides = self.mm()?.within(start..end).any(crate::mm::Area::grows_down);
        if collides { Err(Errno::ENOMEM) } else { Ok(Place::Fixed(start)) }
    }

    /// Writes to the new memory, whatever its rights.
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
        let space = self.mm()?.space;
        let mut at = page_down(addr);
        while at < addr + bytes.len() as u64 {
            if self.ctx.k.mem.page(space, at).is_none() {
                let area = self.mm()?.find(at).cloned().ok_or(Errno::EFAULT)?;
                let access = if area.prot.contains(PageProt::WRITE) { Access::Write } else { Access::Read };
                if !area.prot.is_empty() {
                    fault_in(self.ctx.k, self.ctx.host, self.id, at, access, &self.limits).map_err(
                        |bad| match bad {
                            BadAccess::OutOfMemory => Errno::ENOMEM,
                            _ => Errno::EFAULT,
                        },
                    )?;
                }
            }
            at += PAGE_SIZE;
        }
        self.ctx.k.mem.write_forced(space, addr, bytes).map_err(|_| Errno::ENOMEM)
    }

    /// The auxiliary vector in Linux's order; addresses of strings are filled in by [`stack::lay`].
    fn auxv(&self, creds: &Creds, image: &Image, bias: u64, base: u64) -> Vec<(u64, u64)> {
        use stack::at;
        let model: CpuModel = self.ctx.task().cpu.model;
        let [_, _, _, hwcap] = model.cpuid(1, 0);
        let [_, features, ..] = model.cpuid(7, 0);
        // HWCAP2_FSGSBASE: rdfsbase and its like may be used.
        let hwcap2 = u64::from(features & 1) << 1;
        let phdr = if image.phdr == 0 { 0 } else { image.phdr.wrapping_add(bias) };
        vec![
            (at::MINSIGSTKSZ, stack::MIN_SIGNAL_STACK),
            (at::HWCAP, u64::from(hwcap)),
            (at::PAGESZ, PAGE_SIZE),
            (at::CLKTCK, 100),
            (at::PHDR, phdr),
            (at::PHENT, emu_core::elf::PROGRAM_HEADER_SIZE),
            (at::PHNUM, image.phnum),
            (at::BASE, base),
            (at::FLAGS, 0),
            (at::ENTRY, image.entry.wrapping_add(bias)),
            (at::UID, u64::from(creds.uid[0])),
            (at::EUID, u64::from(creds.uid[1])),
            (at::GID, u64::from(creds.gid[0])),
            (at::EGID, u64::from(creds.gid[1])),
            (at::SECURE, u64::from(is_secure(creds))),
            (at::RANDOM, 0),
            (at::HWCAP2, hwcap2),
            (at::EXECFN, 0),
            (at::PLATFORM, 0),
            (at::RSEQ_FEATURE_SIZE, 28),
            (at::RSEQ_ALIGN, 32),
            (at::NULL, 0),
        ]
    }
}

impl stack::Target for Builder<'_, '_> {
    fn write(&mut self, addr: u64, bytes: &[u8]) -> Result<(), Errno> {
        Builder::write(self, addr, bytes)
    }
    fn random(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        self.ctx.host.entropy(&mut bytes);
        bytes
    }
    fn mm(&mut self) -> Result<&mut Mm, Errno> {
        Builder::mm(self)
    }
}
