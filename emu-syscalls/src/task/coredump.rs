//! Core files: what core(5) says is written when a signal ends a process, where RLIMIT_CORE allows it.
//!
//! Neighbours: [`super::deliver`] calls [`dump`] before the process ends; `calls/ptrace.rs` shows the same registers.
//!
//! **Invariant**: nothing is read that the process could not read itself, and no page is made that was never touched.

use emu_core::cpu::xsave;
use emu_core::mem::PAGE_SIZE;

use crate::arg::DirFd;
use crate::ctx::{Call, Ctx};
use crate::entry;
use crate::file::fdtable::put_file;
use crate::file::flags;
use crate::kernel::Kernel;
use crate::mm::{Area, AreaFlags, Backing, Mm, MmId};
use crate::seam::Host;
use crate::task::sighand::SigInfo;
use crate::task::{RunState, TaskId};
use crate::vfs::procfs::{peer, sysctl};
use crate::vfs::walk::{Resolve, resolve_parent};
use crate::vfs::{InodeId, data, open, ops};

/// Kinds of memory in a core file unless /proc/PID/coredump_filter says otherwise.
pub const DEFAULT_FILTER: u16 = 0x33;
/// Index of RLIMIT_FSIZE and RLIMIT_CORE.
const RLIMIT_FSIZE: usize = 1;
const RLIMIT_CORE: usize = 4;
/// Longest name of a core file (CORENAME_MAX_SIZE).
const MAX_NAME: usize = 128;

/// Bits of the filter (core(5)).
mod filter {
    pub(super) const ANON_PRIVATE: u16 = 1;
    pub(super) const ANON_SHARED: u16 = 2;
    pub(super) const FILE_PRIVATE: u16 = 4;
    pub(super) const FILE_SHARED: u16 = 8;
    pub(super) const ELF_HEADERS: u16 = 0x10;
}

/// Types of notes (elf.h).
mod nt {
    pub(super) const PRSTATUS: u32 = 1;
    pub(super) const PRFPREG: u32 = 2;
    pub(super) const PRPSINFO: u32 = 3;
    pub(super) const AUXV: u32 = 6;
    pub(super) const X86_XSTATE: u32 = 0x202;
    pub(super) const FILE: u32 = 0x4649_4c45;
    pub(super) const SIGINFO: u32 = 0x5349_4749;
}

/// Writes the core file of the process of `tid`, which `info` is about to end. Whether there is one now.
pub fn dump(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, info: &SigInfo) -> bool {
    let task = k.task(tid);
    let group = k.group(task.group);
    let Some(mm) = task.mm else { return false };
    let (limit, most) = (group.rlimits[RLIMIT_CORE].0, group.rlimits[RLIMIT_FSIZE].0);
    if group.dumpable == 0 || limit < PAGE_SIZE {
        return false;
    }
    let at = format!("task {}", tid.0);
    if group.dumpable == 2 {
        k.gap("core files of set-id programs (fs.suid_dumpable=2)".to_owned(), at);
        return false;
    }
    let pattern = sysctl::text_of(k, "sys/kernel/core_pattern");
    if pattern.starts_with('|') || pattern.starts_with('@') {
        k.gap("core files handed to a program or socket (kernel.core_pattern)".to_owned(), at);
        return false;
    }
    let name = name(k, host, tid, info, &pattern);
    for other in k.group(k.task(tid).group).threads.clone() {
        // Where one was interrupted in user mode its registers are still the processor's.
        if k.tasks.get(other).is_some_and(|task| !task.is_dead() && !task.in_kernel) {
            entry::enter(k, other, entry::NO_SYSCALL);
        }
    }
    let head = Plan::new(k, host, tid, mm, info);
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    let Some((file, inode)) = create(&mut ctx, &name) else { return false };
    let mut out = Out { inode, at: 0, written: 0, limit, most };
    head.write(&mut ctx, &mut out, mm);
    let end = out.at;
    if ctx.k.vfs.inode(inode).size < end {
        // What was skipped at the end.
        let _ = data::set_size(ctx.k, ctx.host, inode, end);
    }
    ops::stamp_change(&mut ctx, inode);
    put_file(ctx.k, file);
    true
}

/// The name that a pattern gives (format_corename).
fn name(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, info: &SigInfo, pattern: &str) -> Vec<u8> {
    let mut ctx = Ctx { k, host, tid, call: Call::default() };
    let seconds = ctx.realtime_ns() / 1_000_000_000;
    let task = ctx.task();
    let exe = task.mm.and_then(|mm| ctx.k.mms.get(mm)).and_then(|mm| mm.exe);
    let exe = exe.map(|loc| peer::path_of(ctx.k, tid, loc)).unwrap_or_default();
    // A name within the name holds no slash, and is not "." or "..".
    let flat = |text: &[u8]| -> Vec<u8> {
        let mut text: Vec<u8> = text.iter().map(|byte| if *byte == b'/' { b'!' } else { *byte }).collect();
        if matches!(text.as_slice(), b"." | b"..") {
            text[0] = b'!';
        }
        text
    };
    let mut out = Vec::new();
    let mut pid_named = false;
    let mut rest = pattern.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let piece = match rest.next() {
            Some(b'%') => b"%".to_vec(),
            Some(b'p' | b'P') => {
                pid_named = true;
                task.group.0.to_string().into_bytes()
            }
            Some(b'i' | b'I') => tid.0.to_string().into_bytes(),
            Some(b'u') => task.creds.uid[0].to_string().into_bytes(),
            Some(b'g') => task.creds.gid[0].to_string().into_bytes(),
            Some(b'd') => ctx.group().dumpable.to_string().into_bytes(),
            Some(b's') => info.signo.to_string().into_bytes(),
            Some(b't') => seconds.to_string().into_bytes(),
            Some(b'h') => flat(&peer::hostname(ctx.k)),
            Some(b'e') => flat(&task.comm),
            Some(b'f') => flat(exe.rsplit(|byte| *byte == b'/').next().unwrap_or_default()),
            Some(b'E') => flat(&exe),
            Some(b'c') => ctx.group().rlimits[RLIMIT_CORE].0.to_string().into_bytes(),
            Some(b'C') => b"0".to_vec(),
            // Others are left out.
            _ => Vec::new(),
        };
        out.extend(piece);
    }
    if !pid_named && sysctl::number(ctx.k, "kernel/core_uses_pid") != 0 {
        out.extend(format!(".{}", task.group.0).bytes());
    }
    out.truncate(MAX_NAME - 1);
    out
}

/// Makes the file anew, as the process itself would. `None` if it may not.
fn create(ctx: &mut Ctx<'_>, name: &[u8]) -> Option<(crate::file::FileId, InodeId)> {
    if let Ok(parent) = resolve_parent(ctx, DirFd::CWD, name) {
        // One that is there already is left to whoever has it open.
        let _ = ops::unlink(ctx, &parent);
    }
    let how = flags::O_CREAT | flags::O_EXCL | flags::O_RDWR | flags::O_NOFOLLOW;
    let file = open::open_path(ctx, DirFd::CWD, name, how, 0o600, Resolve::empty()).ok()?;
    let loc = ctx.file(file).loc?;
    Some((file, ctx.k.vfs.inode_at(loc)))
}

/// Where a core file is written to.
struct Out {
    inode: InodeId,
    at: u64,
    /// Bytes that are no holes, and how many there may be (RLIMIT_CORE).
    written: u64,
    limit: u64,
    /// Length that the file may have (RLIMIT_FSIZE).
    most: u64,
}

impl Out {
    /// Appends bytes; `false` at the limit, or where no room is left: the file ends there.
    fn put(&mut self, ctx: &mut Ctx<'_>, bytes: &[u8]) -> bool {
        let mut rest = bytes;
        let len = rest.len() as u64;
        self.written += len;
        if self.written > self.limit || self.at + len > self.most {
            return false;
        }
        while !rest.is_empty() {
            match data::write_inode(ctx.k, ctx.host, self.inode, self.at, rest) {
                Ok(n) if n > 0 => {
                    self.at += n as u64;
                    rest = &rest[n..];
                }
                _ => return false,
            }
        }
        true
    }
    /// Leaves a hole.
    fn skip(&mut self, bytes: u64) -> bool {
        let end = self.at.saturating_add(bytes);
        if end > self.most {
            return false;
        }
        self.at = end;
        true
    }
}

/// A piece of memory in the file.
struct Segment {
    start: u64,
    end: u64,
    flags: u32,
    /// Bytes of it that are written.
    dumped: u64,
    /// Whether pages that nobody touched are read too: they come from a file.
    whole: bool,
}

/// What a core file holds: its notes, and pieces of memory.
struct Plan {
    notes: Vec<u8>,
    segments: Vec<Segment>,
}

fn note(out: &mut Vec<u8>, owner: &[u8], kind: u32, body: &[u8]) {
    let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(0).to_le_bytes();
    out.extend(len(owner));
    out.extend(len(body));
    out.extend(kind.to_le_bytes());
    out.extend(owner);
    out.resize(out.len().next_multiple_of(4), 0);
    out.extend(body);
    out.resize(out.len().next_multiple_of(4), 0);
}

impl Plan {
    fn new(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, id: MmId, info: &SigInfo) -> Plan {
        let mut notes = Vec::new();
        note(&mut notes, b"CORE\0", nt::PRSTATUS, &prstatus(k, tid, info.signo));
        let psinfo = prpsinfo(k, host, tid, id);
        note(&mut notes, b"CORE\0", nt::PRPSINFO, &psinfo);
        note(&mut notes, b"CORE\0", nt::SIGINFO, &info.to_bytes());
        let mut segments = Vec::new();
        if let Some(mm) = k.mms.get(id) {
            let mut auxv: Vec<u8> =
                mm.auxv.iter().flat_map(|(key, value)| [*key, *value]).flat_map(u64::to_le_bytes).collect();
            if mm.auxv.last().is_none_or(|(key, _)| *key != 0) {
                auxv.extend([0; 16]);
            }
            note(&mut notes, b"CORE\0", nt::AUXV, &auxv);
            if let Some(files) = files(k, tid, mm) {
                note(&mut notes, b"CORE\0", nt::FILE, &files);
            }
            let areas: Vec<Area> = mm.areas.values().cloned().collect();
            segments = areas.iter().map(|area| segment(k, host, id, area)).collect();
        }
        registers(k, tid, &mut notes);
        for other in k.group(k.task(tid).group).threads.clone() {
            if other != tid && k.tasks.get(other).is_some_and(|task| !task.is_dead()) {
                note(&mut notes, b"CORE\0", nt::PRSTATUS, &prstatus(k, other, info.signo));
                registers(k, other, &mut notes);
            }
        }
        Plan { notes, segments }
    }

    fn write(&self, ctx: &mut Ctx<'_>, out: &mut Out, mm: MmId) {
        const HEADER: u64 = 64;
        const PHDR: u64 = 56;
        const PT_LOAD: u32 = 1;
        const PT_NOTE: u32 = 4;
        let count = self.segments.len() as u64 + 1;
        let notes_at = HEADER + count * PHDR;
        let mut at = (notes_at + self.notes.len() as u64).next_multiple_of(PAGE_SIZE);
        let mut head = b"\x7fELF\x02\x01\x01".to_vec();
        head.resize(16, 0);
        head.extend(4u16.to_le_bytes()); // ET_CORE
        head.extend(62u16.to_le_bytes()); // EM_X86_64
        head.extend(1u32.to_le_bytes());
        for word in [0, HEADER, 0] {
            head.extend(word.to_le_bytes());
        }
        head.extend(0u32.to_le_bytes());
        // Areas are bounded by MAX_AREAS, so that the count fits.
        for half in [64, 56, u16::try_from(count).unwrap_or(u16::MAX), 0, 0, 0] {
            head.extend(half.to_le_bytes());
        }
        let mut phdr = |kind: u32, flags: u32, words: [u64; 6]| {
            head.extend(kind.to_le_bytes());
            head.extend(flags.to_le_bytes());
            for word in words {
                head.extend(word.to_le_bytes());
            }
        };
        phdr(PT_NOTE, 0, [notes_at, 0, 0, self.notes.len() as u64, 0, 4]);
        for one in &self.segments {
            phdr(PT_LOAD, one.flags, [at, one.start, 0, one.dumped, one.end - one.start, PAGE_SIZE]);
            at += one.dumped;
        }
        head.extend(&self.notes);
        let gap = (head.len() as u64).next_multiple_of(PAGE_SIZE) - head.len() as u64;
        if !out.put(ctx, &head) || !out.skip(gap) {
            return;
        }
        for one in &self.segments {
            if !write_memory(ctx, out, mm, one) {
                return;
            }
        }
    }
}

/// Writes the pages of a segment that somebody touched; the others stay holes.
fn write_memory(ctx: &mut Ctx<'_>, out: &mut Out, mm: MmId, one: &Segment) -> bool {
    let Some(space) = ctx.k.mms.get(mm).map(|mm| mm.space) else { return false };
    let end = one.start + one.dumped;
    let mut at = one.start;
    let mut page = vec![0; usize::try_from(PAGE_SIZE).unwrap_or(0)];
    while at < end {
        let next = if one.whole { Some(at) } else { ctx.k.mem.next_mapped(space, at..end) };
        let Some(next) = next else { return out.skip(end - at) };
        if !out.skip(next - at) {
            return false;
        }
        let read = peer::read_memory(ctx.k, ctx.host, mm, next, &mut page);
        let written = if page[..read].iter().all(|byte| *byte == 0) {
            out.skip(PAGE_SIZE)
        } else {
            page[read..].fill(0);
            out.put(ctx, &page)
        };
        if !written {
            return false;
        }
        at = next + PAGE_SIZE;
    }
    true
}

/// What of an area is written (vma_dump_size).
fn segment(k: &mut Kernel, host: &mut dyn Host, id: MmId, area: &Area) -> Segment {
    let flags = u32::from(area.prot.contains(emu_core::mem::PageProt::READ)) << 2
        | u32::from(area.prot.contains(emu_core::mem::PageProt::WRITE)) << 1
        | u32::from(area.prot.contains(emu_core::mem::PageProt::EXEC));
    let mut one = Segment { start: area.start, end: area.end, flags, dumped: 0, whole: false };
    let Some(mm) = k.mms.get(id) else { return one };
    let (wanted, space) = (mm.dump_filter, mm.space);
    let has = |bit: u16| wanted & bit != 0;
    let size = area.end - area.start;
    if area.flags.contains(AreaFlags::DONTDUMP) {
        return one;
    }
    match &area.backing {
        Backing::Anonymous => {
            let touched = k.mem.next_mapped(space, area.start..area.end).is_some();
            one.dumped = if touched && has(filter::ANON_PRIVATE) { size } else { 0 };
        }
        Backing::Object { shared: true, file, .. } => {
            let bit = if file.is_some() { filter::FILE_SHARED } else { filter::ANON_SHARED };
            one.dumped = if has(bit) { size } else { 0 };
            one.whole = file.is_some();
        }
        Backing::Object { offset, .. } => {
            let changed = has(filter::ANON_PRIVATE) && any_private(k, space, area);
            if changed || has(filter::FILE_PRIVATE) {
                one.dumped = size;
                one.whole = true;
            } else if has(filter::ELF_HEADERS) && *offset == 0 && flags & 4 != 0 {
                let mut magic = [0; 4];
                let read = peer::read_memory(k, host, id, area.start, &mut magic);
                one.dumped = if read == 4 && magic == *b"\x7fELF" { PAGE_SIZE } else { 0 };
                one.whole = true;
            }
        }
    }
    one
}

/// Whether any page of a private mapping of a file was written to.
fn any_private(k: &Kernel, space: emu_core::mem::SpaceId, area: &Area) -> bool {
    let mut at = area.start;
    while let Some(page) = k.mem.next_mapped(space, at..area.end) {
        if k.mem.page(space, page).is_some_and(|info| info.shared.is_none() && info.frame.is_some()) {
            return true;
        }
        at = page + PAGE_SIZE;
    }
    false
}

/// NT_FPREGSET and NT_X86_XSTATE of a thread.
fn registers(k: &Kernel, tid: TaskId, notes: &mut Vec<u8>) {
    let cpu = &k.task(tid).cpu;
    note(notes, b"CORE\0", nt::PRFPREG, &xsave::fxsave(cpu));
    let mut image = xsave::xsave(cpu).to_vec();
    image[464..472].copy_from_slice(&xsave::XFEATURES.to_le_bytes());
    note(notes, b"LINUX\0", nt::X86_XSTATE, &image);
}

/// `struct elf_prstatus`
fn prstatus(k: &Kernel, tid: TaskId, signo: u8) -> Vec<u8> {
    let task = k.task(tid);
    let group = k.group(task.group);
    let mut out = u32::from(signo).to_le_bytes().to_vec();
    out.extend([0; 8]); // si_code, si_errno
    out.extend(u32::from(signo).to_le_bytes()); // pr_cursig and what fills up its word
    for set in [task.pending.set.0, task.blocked.0] {
        out.extend(set.to_le_bytes());
    }
    let parent = group.parent.map_or(0, |parent| parent.0);
    for number in [tid.0, parent, group.pgid.0, group.sid.0] {
        out.extend(number.to_le_bytes());
    }
    let times = peer::group_times(k, group);
    let (user, system) = if tid.0 == task.group.0 {
        (times.user_ns, times.system_ns)
    } else {
        (task.user_ns(), task.system_ns())
    };
    for ns in [user, system, times.child_user_ns, times.child_system_ns] {
        out.extend((ns / 1_000_000_000).to_le_bytes());
        out.extend((ns % 1_000_000_000 / 1000).to_le_bytes());
    }
    let mut words = [0; 27];
    words[..21].copy_from_slice(&k.user_regs(tid).words());
    (words[21], words[22]) = (task.cpu.fs_base, task.cpu.gs_base);
    out.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    out.extend(1u64.to_le_bytes()); // pr_fpvalid
    out
}

/// `struct elf_prpsinfo`
fn prpsinfo(k: &mut Kernel, host: &mut dyn Host, tid: TaskId, id: MmId) -> Vec<u8> {
    let mut args = [0; 79];
    let range = k.mms.get(id).map_or((0, 0), |mm| mm.args);
    let len = usize::try_from(range.1.saturating_sub(range.0)).unwrap_or(0).min(args.len());
    let read = peer::read_memory(k, host, id, range.0, &mut args[..len]);
    for byte in args[..read].iter_mut().filter(|byte| **byte == 0) {
        *byte = b' ';
    }
    let task = k.task(tid);
    let group = k.group(task.group);
    let number = |text: i32| text.to_le_bytes()[0];
    let sleeping = matches!(task.state, RunState::Parked(_));
    let mut out = vec![u8::from(sleeping), if sleeping { b'S' } else { b'R' }, 0, number(task.nice)];
    out.resize(8, 0);
    out.extend(0x0040_0000u64.to_le_bytes());
    let parent = group.parent.map_or(0, |parent| parent.0);
    for number in [task.creds.uid[0], task.creds.gid[0], group.id.0, parent, group.pgid.0, group.sid.0] {
        out.extend(number.to_le_bytes());
    }
    let leader = k.tasks.get(TaskId(group.id.0)).unwrap_or(task);
    let mut name = leader.comm.clone();
    name.resize(16, 0);
    out.extend(name);
    out.extend(args);
    out.push(0);
    out
}

/// The body of NT_FILE: which part of which file lies where. `None` if it would be longer than Linux makes it.
fn files(k: &Kernel, tid: TaskId, mm: &Mm) -> Option<Vec<u8>> {
    const MOST: usize = 4 << 20;
    let (mut words, mut names, mut count) = (Vec::new(), Vec::new(), 0u64);
    for area in mm.areas.values() {
        let Some(loc) = peer::file_of(area) else { continue };
        for word in [area.start, area.end, peer::offset_of(area).0 / PAGE_SIZE] {
            words.extend(word.to_le_bytes());
        }
        names.extend(peer::path_of(k, tid, loc));
        names.push(0);
        count += 1;
        if words.len() + names.len() > MOST {
            return None;
        }
    }
    let mut out = count.to_le_bytes().to_vec();
    out.extend(PAGE_SIZE.to_le_bytes());
    out.extend(words);
    out.extend(names);
    (out.len() <= MOST && count > 0).then_some(out)
}
