//! /proc/PID/maps, smaps, smaps_rollup: the areas of an address space.

use std::fmt::Write as _;

use emu_core::mem::{PAGE_SIZE, PageProt, SpaceId};

use super::peer;
use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, SysResult};
use crate::kernel::Kernel;
use crate::mm::{Area, AreaFlags, Mm, MmId};
use crate::task::TaskId;

/// Column at which names begin (fs/proc/task_mmu.c: 25 + 6 * sizeof(void *), and a blank).
const NAME_COLUMN: usize = 73;

/// The name that the maps show for an area; empty for plain anonymous memory.
#[must_use]
pub fn area_name(k: &Kernel, mm: &Mm, area: &Area) -> Vec<u8> {
    if let Some(loc) = peer::file_of(area) {
        let viewer = k.sched.current.unwrap_or(TaskId(1));
        let mut path = peer::path_of(k, viewer, loc);
        path.retain(|byte| *byte != b'\n');
        return path;
    }
    let name: &str = if area.start <= mm.brk.1 && area.end > mm.brk.0 && mm.brk.0 != mm.brk.1 {
        "[heap]"
    } else if (area.start..area.end).contains(&mm.args.0) {
        "[stack]"
    } else if mm.auxv.iter().any(|(key, value)| *key == AT_SYSINFO_EHDR && *value == area.start) {
        "[vdso]"
    } else if let Some(name) = &area.name {
        let kind: &[u8] = if area.is_shared() { b"[anon_shmem:" } else { b"[anon:" };
        return [kind, name, b"]"].concat();
    } else {
        ""
    };
    name.into()
}

const AT_SYSINFO_EHDR: u64 = 33;

fn header(k: &Kernel, mm: &Mm, area: &Area) -> Vec<u8> {
    let (offset, shared) = peer::offset_of(area);
    let file = peer::file_of(area);
    let (dev, ino) = file.map_or((0, 0), |loc| peer::identity(k, loc));
    let (major, minor) = crate::file::dev::split_dev(dev);
    let bit = |flag, letter| if area.prot.contains(flag) { letter } else { '-' };
    let offset = if file.is_some() || shared { offset } else { 0 };
    let mut line = format!(
        "{:08x}-{:08x} {}{}{}{} {offset:08x} {major:02x}:{minor:02x} {ino} ",
        area.start,
        area.end,
        bit(PageProt::READ, 'r'),
        bit(PageProt::WRITE, 'w'),
        bit(PageProt::EXEC, 'x'),
        if shared { 's' } else { 'p' },
    )
    .into_bytes();
    let name = area_name(k, mm, area);
    if !name.is_empty() {
        while line.len() < NAME_COLUMN {
            line.push(b' ');
        }
        line.extend(name);
    }
    line.push(b'\n');
    line
}

/// /proc/PID/maps
pub(crate) fn maps(k: &Kernel, mm: MmId) -> Vec<u8> {
    let Some(mm) = k.mms.get(mm) else { return Vec::new() };
    mm.areas.values().flat_map(|area| header(k, mm, area)).collect()
}

/// Memory of an area in KiB, as smaps counts it.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    size: u64,
    clean: u64,
    dirty: u64,
    referenced: u64,
    anonymous: u64,
    shared_clean: u64,
    shared_dirty: u64,
    locked: u64,
}

impl Sums {
    fn add(&mut self, other: &Sums) {
        self.size += other.size;
        self.clean += other.clean;
        self.dirty += other.dirty;
        self.referenced += other.referenced;
        self.anonymous += other.anonymous;
        self.shared_clean += other.shared_clean;
        self.shared_dirty += other.shared_dirty;
        self.locked += other.locked;
    }

    fn of(k: &Kernel, space: SpaceId, area: &Area) -> Sums {
        let mut sums = Sums { size: (area.end - area.start) / 1024, ..Sums::default() };
        let kib = PAGE_SIZE / 1024;
        let mut at = area.start;
        while let Some(page) = k.mem.next_mapped(space, at..area.end) {
            at = page + PAGE_SIZE;
            let Some(info) = k.mem.page(space, page) else { continue };
            if info.frame.is_none() {
                continue;
            }
            match (info.shared.is_some(), info.dirty) {
                (false, false) => sums.clean += kib,
                (false, true) => sums.dirty += kib,
                (true, false) => sums.shared_clean += kib,
                (true, true) => sums.shared_dirty += kib,
            }
            if info.accessed || info.dirty {
                sums.referenced += kib;
            }
            if info.shared.is_none() && (info.dirty || peer::file_of(area).is_none()) {
                sums.anonymous += kib;
            }
        }
        if area.flags.contains(AreaFlags::LOCKED) {
            sums.locked = sums.rss();
        }
        sums
    }

    fn rss(&self) -> u64 {
        self.clean + self.dirty + self.shared_clean + self.shared_dirty
    }

    fn write(&self, out: &mut String, rollup: bool) {
        let mut line = |name: &str, value: u64| {
            let _ = writeln!(out, "{:<15} {value:8} kB", format!("{name}:"));
        };
        if !rollup {
            line("Size", self.size);
            line("KernelPageSize", 4);
            line("MMUPageSize", 4);
        }
        line("Rss", self.rss());
        line("Pss", self.rss());
        line("Pss_Dirty", self.dirty + self.shared_dirty);
        if rollup {
            line("Pss_Anon", self.anonymous);
            line("Pss_File", self.rss() - self.anonymous.min(self.rss()));
            line("Pss_Shmem", 0);
        }
        line("Shared_Clean", self.shared_clean);
        line("Shared_Dirty", self.shared_dirty);
        line("Private_Clean", self.clean);
        line("Private_Dirty", self.dirty);
        line("Referenced", self.referenced);
        line("Anonymous", self.anonymous);
        for name in [
            "KSM",
            "LazyFree",
            "AnonHugePages",
            "ShmemPmdMapped",
            "FilePmdMapped",
            "Shared_Hugetlb",
            "Private_Hugetlb",
            "Swap",
            "SwapPss",
        ] {
            line(name, 0);
        }
        line("Locked", self.locked);
    }
}

/// /proc/PID/smaps
pub(crate) fn smaps(k: &Kernel, mm: MmId) -> Vec<u8> {
    let Some(mm) = k.mms.get(mm) else { return Vec::new() };
    let mut out = Vec::new();
    for area in mm.areas.values() {
        out.extend(header(k, mm, area));
        let mut text = String::new();
        Sums::of(k, mm.space, area).write(&mut text, false);
        text.push_str("THPeligible:           0\nVmFlags: ");
        for (flag, name) in [(PageProt::READ, "rd "), (PageProt::WRITE, "wr "), (PageProt::EXEC, "ex ")] {
            if area.prot.contains(flag) {
                text.push_str(name);
            }
        }
        if peer::offset_of(area).1 {
            text.push_str("sh ");
        }
        text.push_str("mr mw me ");
        if area.flags.contains(AreaFlags::LOCKED) {
            text.push_str("lo ");
        }
        text.push('\n');
        out.extend(text.into_bytes());
    }
    out
}

/// /proc/PID/smaps_rollup
pub(crate) fn rollup(k: &Kernel, mm: MmId) -> Vec<u8> {
    let Some(mm) = k.mms.get(mm) else { return Vec::new() };
    let mut sums = Sums::default();
    for area in mm.areas.values() {
        sums.add(&Sums::of(k, mm.space, area));
    }
    let start = mm.areas.values().next().map_or(0, |area| area.start);
    let end = mm.areas.values().next_back().map_or(0, |area| area.end);
    let mut text = format!("{start:08x}-{end:08x} ---p 00000000 00:00 0 ");
    while text.len() < NAME_COLUMN {
        text.push(' ');
    }
    text.push_str("[rollup]\n");
    sums.write(&mut text, true);
    text.into_bytes()
}

/// `PROCMAP_QUERY` on /proc/PID/maps: one area, by address and properties (fs/proc/task_mmu.c).
pub(crate) fn query(ctx: &mut Ctx<'_>, tid: TaskId, arg: Addr) -> SysResult {
    const SIZE: u64 = 104;
    const RIGHTS: u64 = 7;
    const SHARED: u64 = 8;
    const OR_NEXT: u64 = 0x10;
    const FILE_BACKED: u64 = 0x20;
    let size = ctx.read_u64(arg)?;
    if size < 24 {
        return Err(Errno::EINVAL.into());
    }
    if size > 4096 {
        return Err(Errno::E2BIG.into());
    }
    let (flags, addr) = (ctx.read_u64(arg.at(8))?, ctx.read_u64(arg.at(16))?);
    let word = |ctx: &mut Ctx<'_>, at: u64| if size >= at + 4 { ctx.read_u32(arg.at(at)) } else { Ok(0) };
    let (name_size, build_id_size) = (word(ctx, 80)?, word(ctx, 84)?);
    let name_at = if size >= 96 { ctx.read_u64(arg.at(88))? } else { 0 };
    let build_id_at = if size >= SIZE { ctx.read_u64(arg.at(96))? } else { 0 };
    if flags & !(RIGHTS | SHARED | OR_NEXT | FILE_BACKED) != 0
        || (name_size == 0) != (name_at == 0)
        || (build_id_size == 0) != (build_id_at == 0)
    {
        return Err(Errno::EINVAL.into());
    }
    if !super::pid::may_trace(ctx.k, ctx.tid, tid) {
        return Err(Errno::EACCES.into());
    }
    let mm =
        ctx.k.tasks.get(tid).and_then(|task| task.mm).and_then(|id| ctx.k.mms.get(id)).ok_or(Errno::ESRCH)?;
    let bits = |area: &Area| {
        [(PageProt::READ, 1), (PageProt::WRITE, 2), (PageProt::EXEC, 4)]
            .iter()
            .filter(|(right, _)| area.prot.contains(*right))
            .fold(if peer::offset_of(area).1 { SHARED } else { 0 }, |all, (_, bit)| all | bit)
    };
    let wanted = flags & (RIGHTS | SHARED);
    let fits = |area: &Area| {
        bits(area) & wanted == wanted && (flags & FILE_BACKED == 0 || peer::file_of(area).is_some())
    };
    let covering = mm.find(addr).filter(|area| fits(area));
    let next = || mm.areas.range(addr..).map(|(_, area)| area).find(|area| fits(area));
    let found = if flags & OR_NEXT != 0 { covering.or_else(next) } else { covering };
    let area = found.ok_or(Errno::ENOENT)?.clone();
    let name = area_name(ctx.k, mm, &area);
    let (offset, _) = peer::offset_of(&area);
    let file = peer::file_of(&area);
    let (dev, ino) = file.map_or((0, 0), |loc| peer::identity(ctx.k, loc));
    let (major, minor) = crate::file::dev::split_dev(dev);
    let mut out = Vec::new();
    let offset = if file.is_some() { offset } else { 0 };
    for value in [area.start, area.end, bits(&area), PAGE_SIZE, offset, ino] {
        out.extend_from_slice(&value.to_le_bytes());
    }
    let mut name_len = 0;
    if name_size > 0 && !name.is_empty() {
        let len = name.len() + 1;
        if len > usize::try_from(name_size).unwrap_or(0) {
            return Err(Errno::ENAMETOOLONG.into());
        }
        name_len = u32::try_from(len).unwrap_or(0);
        ctx.write_user(Addr(name_at), &[&name[..], &[0]].concat())?;
    }
    for value in [major, minor] {
        out.extend_from_slice(&u32::try_from(value).unwrap_or(0).to_le_bytes());
    }
    // No build id is looked for.
    for value in [name_len, 0] {
        out.extend_from_slice(&u32::to_le_bytes(value));
    }
    let room = usize::try_from(size.saturating_sub(24)).unwrap_or(0).min(out.len());
    ctx.write_user(arg.at(24), &out[..room])?;
    Ok(0)
}
