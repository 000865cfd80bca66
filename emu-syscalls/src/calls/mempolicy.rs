//! Memory policies of a machine with one memory node: get_mempolicy(2), mbind(2), move_pages(2) and their family
//! (mm/mempolicy.c, mm/migrate.c).
//!
//! **Invariant**: there is node 0 only, so a policy is kept and told but moves nothing.

use emu_core::mem::{PAGE_SIZE, USER_END};

use crate::abi::errno::Errno;
use crate::arg::{Addr, I32, Pid, U32, U64};
use crate::ctx::{Ctx, SysResult};
use crate::mm::{Backing, MmId};
use crate::task::TaskId;
use crate::task::creds::{cap, has};

/// `MPOL_*` modes (set_mempolicy(2)).
mod mode {
    pub(super) const DEFAULT: u32 = 0;
    pub(super) const PREFERRED: u32 = 1;
    pub(super) const BIND: u32 = 2;
    pub(super) const LOCAL: u32 = 4;
    pub(super) const PREFERRED_MANY: u32 = 5;
    /// One more than the last (`MPOL_WEIGHTED_INTERLEAVE`).
    pub(super) const END: u32 = 7;
    pub(super) const NUMA_BALANCING: u32 = 1 << 13;
    pub(super) const RELATIVE_NODES: u32 = 1 << 14;
    pub(super) const STATIC_NODES: u32 = 1 << 15;
}

/// Most nodes that a mask may name (`MAX_NUMNODES` of CONFIG_NODES_SHIFT=10).
const MAX_NODES: u64 = 1024;
/// `MPOL_MF_MOVE`
const MF_MOVE: u32 = 2;
/// `MPOL_MF_MOVE_ALL`
const MF_MOVE_ALL: u32 = 4;

/// A mask of nodes: whether it holds node 0, and whether it holds any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Nodes {
    first: bool,
    others: bool,
}

impl Nodes {
    fn is_empty(self) -> bool {
        !self.first && !self.others
    }
}

/// A mask in user memory of `maxnode - 1` bits (get_nodes). `EINVAL` for nodes beyond what masks can hold, `EFAULT`.
fn read_nodes(ctx: &mut Ctx<'_>, at: Addr, maxnode: u64) -> Result<Nodes, Errno> {
    let bits = maxnode.wrapping_sub(1);
    if bits == 0 || at == Addr::NULL {
        return Ok(Nodes::default());
    }
    if bits > PAGE_SIZE * 8 {
        return Err(Errno::EINVAL);
    }
    let mut nodes = Nodes::default();
    for word in 0..bits.div_ceil(64) {
        let mut value = ctx.read_u64(at.at(word * 8))?;
        let rest = bits - word * 64;
        if rest < 64 {
            value &= (1 << rest) - 1;
        }
        if value != 0 && word * 64 >= MAX_NODES {
            return Err(Errno::EINVAL);
        }
        if word == 0 {
            nodes.first = value & 1 != 0;
            nodes.others = value >> 1 != 0;
        } else {
            nodes.others |= value != 0;
        }
    }
    Ok(nodes)
}

/// Writes a mask of node 0 alone, or of none, as `maxnode - 1` bits rounded up to words (copy_nodes_to_user).
fn write_nodes(ctx: &mut Ctx<'_>, at: Addr, maxnode: u64, first: bool) -> Result<(), Errno> {
    let bytes = maxnode.wrapping_sub(1).div_ceil(64).saturating_mul(8);
    let held = MAX_NODES / 8;
    if bytes > PAGE_SIZE {
        return Err(Errno::EINVAL);
    }
    let mut mask = vec![0; usize::try_from(bytes.max(held)).unwrap_or(0)];
    mask[0] = u8::from(first);
    mask.truncate(usize::try_from(bytes).unwrap_or(0));
    ctx.write_user(at, &mask)
}

/// Splits a mode from its flags. `EINVAL` (sanitize_mpol_flags).
fn split_mode(bits: u32) -> Result<(u32, u32), Errno> {
    use mode::{NUMA_BALANCING, RELATIVE_NODES, STATIC_NODES};
    let flags = bits & (NUMA_BALANCING | RELATIVE_NODES | STATIC_NODES);
    let kind = bits & !flags;
    let both = STATIC_NODES | RELATIVE_NODES;
    if kind >= mode::END
        || flags & both == both
        || flags & NUMA_BALANCING != 0 && !matches!(kind, mode::BIND | mode::PREFERRED_MANY)
    {
        return Err(Errno::EINVAL);
    }
    Ok((kind, flags))
}

/// Checks a policy against the nodes there are and gives what is kept of it: `None` for the default (mpol_new).
fn new_policy(kind: u32, flags: u32, nodes: Nodes) -> Result<Option<u32>, Errno> {
    let placed = flags & (mode::STATIC_NODES | mode::RELATIVE_NODES) != 0;
    match kind {
        mode::DEFAULT if nodes.is_empty() => return Ok(None),
        mode::DEFAULT => return Err(Errno::EINVAL),
        mode::PREFERRED if nodes.is_empty() => {
            return if placed { Err(Errno::EINVAL) } else { Ok(Some(mode::LOCAL)) };
        }
        mode::LOCAL if nodes.is_empty() && !placed => return Ok(Some(mode::LOCAL)),
        mode::LOCAL => return Err(Errno::EINVAL),
        _ => {}
    }
    // Relative nodes are folded onto those there are; of others only node 0 counts.
    let any = nodes.first || nodes.others && flags & mode::RELATIVE_NODES != 0;
    if any { Ok(Some(kind | flags)) } else { Err(Errno::EINVAL) }
}

/// `set_mempolicy(2)`
pub(crate) fn set_mempolicy(ctx: &mut Ctx<'_>, mode: I32, nodemask: Addr, maxnode: U64) -> SysResult {
    let (kind, flags) = split_mode(mode.0.cast_unsigned())?;
    let nodes = read_nodes(ctx, nodemask, maxnode.0)?;
    ctx.task_mut().attrs.mempolicy = new_policy(kind, flags, nodes)?;
    Ok(0)
}

/// `get_mempolicy(2)`
pub(crate) fn get_mempolicy(
    ctx: &mut Ctx<'_>,
    mode: Addr,
    nodemask: Addr,
    maxnode: U64,
    addr: Addr,
    flags: U64,
) -> SysResult {
    const NODE: u64 = 1;
    const ADDR: u64 = 2;
    const MEMS_ALLOWED: u64 = 4;
    if flags.0 & !(NODE | ADDR | MEMS_ALLOWED) != 0 {
        return Err(Errno::EINVAL.into());
    }
    let (value, has_node) = if flags.0 & MEMS_ALLOWED != 0 {
        if flags.0 != MEMS_ALLOWED {
            return Err(Errno::EINVAL.into());
        }
        (0, true)
    } else if flags.0 & ADDR != 0 {
        let id = ctx.mm_id()?;
        if crate::mm::area_of(ctx.k, id, addr.0).is_none() {
            return Err(Errno::EFAULT.into());
        }
        if flags.0 & NODE != 0 {
            let mut byte = [0];
            ctx.read_user(addr, &mut byte)?;
            (0, false)
        } else {
            // Without a policy of its own an area is told to have the default, whatever the task's is.
            let policy = crate::mm::area_of(ctx.k, id, addr.0).and_then(|area| area.policy);
            (policy.unwrap_or(mode::DEFAULT), shows_node(policy))
        }
    } else {
        if addr != Addr::NULL {
            return Err(Errno::EINVAL.into());
        }
        let policy = ctx.task().attrs.mempolicy;
        let kind = policy.map_or(mode::DEFAULT, |bits| bits & 0x1fff);
        if flags.0 & NODE != 0 {
            // The node that comes next is told of interleaving policies only.
            if !matches!(kind, 3 | 6) {
                return Err(Errno::EINVAL.into());
            }
            (0, true)
        } else {
            (policy.unwrap_or(mode::DEFAULT), shows_node(policy))
        }
    };
    if mode != Addr::NULL {
        ctx.write_u32(mode, value)?;
    }
    if nodemask != Addr::NULL {
        write_nodes(ctx, nodemask, maxnode.0, has_node)?;
    }
    Ok(0)
}

/// Whether a policy names nodes.
fn shows_node(policy: Option<u32>) -> bool {
    policy.is_some_and(|bits| bits & 0x1fff != mode::LOCAL)
}

/// The pages of `start..start + len`. `EINVAL`; `None` if there are none.
fn pages(start: u64, len: u64) -> Result<Option<std::ops::Range<u64>>, Errno> {
    if !start.is_multiple_of(PAGE_SIZE) {
        return Err(Errno::EINVAL);
    }
    let len = len.wrapping_add(PAGE_SIZE - 1) & !(PAGE_SIZE - 1);
    let end = start.wrapping_add(len);
    if end < start {
        return Err(Errno::EINVAL);
    }
    Ok((end > start).then_some(start..end))
}

/// `mbind(2)`
pub(crate) fn mbind(
    ctx: &mut Ctx<'_>,
    addr: Addr,
    len: U64,
    mode: U64,
    nodemask: Addr,
    maxnode: U64,
    flags: U32,
) -> SysResult {
    const STRICT: u32 = 1;
    let (kind, mode_flags) = split_mode(u32::try_from(mode.0).map_err(|_| Errno::EINVAL)?)?;
    let nodes = read_nodes(ctx, nodemask, maxnode.0)?;
    if flags.0 & !(STRICT | MF_MOVE | MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if flags.0 & MF_MOVE_ALL != 0 && !has(&ctx.task().creds, cap::SYS_NICE) {
        return Err(Errno::EPERM.into());
    }
    let Some(range) = pages(addr.0, len.0)? else { return Ok(0) };
    let policy = new_policy(kind, mode_flags, nodes)?;
    let id = ctx.mm_id()?;
    // Every page is on the one node that a valid policy can name: there is nothing to move.
    if range.end > USER_END || !ctx.k.mms.get(id).is_some_and(|mm| mm.covers(range.clone())) {
        return Err(Errno::EFAULT.into());
    }
    crate::mm::advise::set_policy(ctx.k, id, range, policy)?;
    Ok(0)
}

/// `set_mempolicy_home_node(2)`
pub(crate) fn set_mempolicy_home_node(
    ctx: &mut Ctx<'_>,
    start: Addr,
    len: U64,
    home_node: U64,
    flags: U64,
) -> SysResult {
    if !start.0.is_multiple_of(PAGE_SIZE) || flags.0 != 0 || home_node.0 != 0 {
        return Err(Errno::EINVAL.into());
    }
    let Some(range) = pages(start.0, len.0)? else { return Ok(0) };
    let id = ctx.mm_id()?;
    let mm = ctx.k.mms.get(id).ok_or(Errno::ENOENT)?;
    // Areas without a policy of their own are passed over; of the others two kinds can have a home node.
    let mut found = false;
    for area in mm.within(range) {
        let Some(policy) = area.policy else { continue };
        if !matches!(policy & 0x1fff, mode::BIND | mode::PREFERRED_MANY) {
            return Err(Errno::EOPNOTSUPP.into());
        }
        found = true;
    }
    if found { Ok(0) } else { Err(Errno::ENOENT.into()) }
}

/// The task that a call names, 0 for the caller's own, if the caller may move its memory.
fn target(ctx: &Ctx<'_>, pid: Pid) -> Result<TaskId, Errno> {
    if pid.0 == 0 {
        return Ok(ctx.tid);
    }
    let tid = TaskId(u32::try_from(pid.0).map_err(|_| Errno::ESRCH)?);
    let other = ctx.k.tasks.get(tid).ok_or(Errno::ESRCH)?;
    let (mine, theirs) = (&ctx.task().creds, &other.creds);
    let same = theirs.uid[..3].iter().all(|uid| *uid == mine.uid[0])
        && theirs.gid[..3].iter().all(|gid| *gid == mine.gid[0]);
    if other.group != ctx.task().group && !same && !has(mine, cap::SYS_PTRACE) {
        return Err(Errno::EPERM);
    }
    Ok(tid)
}

/// `migrate_pages(2)`
pub(crate) fn migrate_pages(
    ctx: &mut Ctx<'_>,
    pid: Pid,
    maxnode: U64,
    old_nodes: Addr,
    new_nodes: Addr,
) -> SysResult {
    read_nodes(ctx, old_nodes, maxnode.0)?;
    let new = read_nodes(ctx, new_nodes, maxnode.0)?;
    let tid = target(ctx, pid)?;
    if new.others && !has(&ctx.task().creds, cap::SYS_NICE) {
        return Err(Errno::EPERM.into());
    }
    if !new.first || ctx.k.task(tid).mm.is_none() {
        return Err(Errno::EINVAL.into());
    }
    Ok(0)
}

/// Where a page is: node 0, or a negative errno.
fn status_of(ctx: &Ctx<'_>, id: MmId, addr: u64) -> i32 {
    let Some(area) = crate::mm::area_of(ctx.k, id, addr) else { return -i32::from(Errno::EFAULT.0) };
    let space = ctx.k.mms.get(id).map(|mm| mm.space);
    let mapped = space.is_some_and(|space| ctx.k.mem.page(space, addr).is_some());
    let present = match area.backing {
        Backing::Anonymous => mapped,
        Backing::Object { object, .. } => {
            let index = area.object_offset(addr).unwrap_or(0) / PAGE_SIZE;
            mapped || ctx.k.mem.object_has_page(object, index)
        }
    };
    if present { 0 } else { -i32::from(Errno::ENOENT.0) }
}

/// `move_pages(2)`: with nodes every page is where it shall be already; without, where each is.
pub(crate) fn move_pages(
    ctx: &mut Ctx<'_>,
    pid: Pid,
    count: U64,
    pages: Addr,
    nodes: Addr,
    status: Addr,
    flags: I32,
) -> SysResult {
    let bits = flags.0.cast_unsigned();
    if bits & !(MF_MOVE | MF_MOVE_ALL) != 0 {
        return Err(Errno::EINVAL.into());
    }
    if bits & MF_MOVE_ALL != 0 && !has(&ctx.task().creds, cap::SYS_NICE) {
        return Err(Errno::EPERM.into());
    }
    let tid = target(ctx, pid)?;
    let id = ctx.k.task(tid).mm.ok_or(Errno::EINVAL)?;
    for index in 0..count.0 {
        let addr = ctx.read_u64(pages.at(index.wrapping_mul(8)))?;
        if nodes != Addr::NULL {
            let node = ctx.read_u32(nodes.at(index.wrapping_mul(4)))?;
            if node != 0 {
                return Err(Errno::ENODEV.into());
            }
        }
        let found = status_of(ctx, id, addr & !(PAGE_SIZE - 1));
        ctx.write_u32(status.at(index.wrapping_mul(4)), found.cast_unsigned())?;
    }
    Ok(0)
}
