//! Decoded blocks: a stretch of code with one entry, and how it grows along the way that is taken most.
//!
//! Key types: [`Block`], [`End`] (how it leaves), [`Segment`]. Neighbours: [`crate::decode::build`] makes blocks,
//! [`crate::engine::interp`] keeps them and lets them grow.
//!
//! **Invariant**: an operation that has [`EXIT`] has its [`Link`] behind it, and if it may also stay in the block, the
//! operation to stay with behind that. The last operation never stays.

use std::mem::ManuallyDrop;

use super::{EXIT, Link, Op, OpFn, OpRef, Slot, branch};
use crate::mem::FrameId;

/// Most instructions in a block that has grown.
const LONGEST: i64 = 96;
/// Most pages that such a block has code in.
const PAGES: usize = 4;

/// How a block ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// It goes on behind it: the last operation is [`branch::fall`].
    Fall,
    /// A direct jump.
    Jump,
    /// A conditional branch, then [`branch::fall`].
    Cond {
        /// The body of the opposite condition.
        opposite: Option<OpFn>,
        /// The same of the group that has the branch in it, in the place before.
        grouped: Option<OpFn>,
    },
    /// A direct call.
    Call,
    /// A near return.
    Return,
    /// Through a link, by an operation with work of its own: to a target.
    Branch,
    /// The same, to what lies behind.
    Repeat,
    /// By no link.
    Other,
}

/// Where the instructions from the `nth` on lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) nth: i64,
    pub(crate) rip: u64,
}

/// A decoded block: one basic block, or several in the order in which they ran.
pub(crate) struct Block {
    /// Its operations and links; the last one leaves the block.
    pub(crate) ops: Box<[Slot]>,
    /// Instructions in it.
    pub(crate) count: i64,
    /// Address of the first instruction.
    pub(crate) rip: u64,
    /// Address behind the last instruction.
    pub(crate) end: u64,
    /// How it ends.
    pub(crate) ending: End,
    /// Where its instructions lie, in the order of their numbers.
    pub(crate) segments: Vec<Segment>,
    /// The pages its bytes lie in, and their frames; the first instruction lies in the first.
    pub(crate) pages: Vec<(u64, FrameId)>,
    /// The places of operations that have the body of a group, in order, and the body of each that is its own.
    pub(crate) groups: Vec<(u32, OpFn)>,
    /// A successor seen when the engine looked, and how often in a row.
    pub(crate) seen: (u64, u32),
}

impl Block {
    /// The first operation.
    #[inline(always)]
    pub(crate) fn start(&self) -> OpRef {
        OpRef(self.ops.as_ptr().cast())
    }

    /// The body of an operation alone, whether it is one of a group of this block or not.
    pub(crate) fn apart(&self, op: OpRef) -> OpFn {
        let place = (op.0.addr()).wrapping_sub(self.ops.as_ptr().addr()) / size_of::<Slot>();
        let found =
            u32::try_from(place).ok().and_then(|p| self.groups.binary_search_by_key(&p, |g| g.0).ok());
        found.map_or(op.f, |i| self.groups[i].1)
    }

    /// Address of the instruction of `op`.
    #[inline]
    pub(crate) fn address(&self, op: &Op) -> u64 {
        let in_it = self.segments.iter().rev().find(|s| s.nth <= i64::from(op.nth));
        in_it.map_or(self.rip, |s| s.rip).wrapping_add(u64::from(op.ip))
    }

    /// Bytes it takes.
    pub(crate) fn size(&self) -> usize {
        size_of::<Block>()
            + size_of_val(&*self.ops)
            + self.segments.capacity() * size_of::<Segment>()
            + self.pages.capacity() * size_of::<(u64, FrameId)>()
            + self.groups.capacity() * size_of::<(u32, OpFn)>()
            + 96
    }

    /// Calls `f` with the place of each operation, in order, and whether a link lies behind it.
    fn places(ops: &[Slot], mut f: impl FnMut(usize, bool)) {
        let mut i = 0;
        while i < ops.len() {
            // SAFETY: the places of links are passed over.
            let exits = unsafe { ops[i].op.scale } & EXIT != 0;
            f(i, exits);
            i += 1 + usize::from(exits);
        }
    }

    /// Makes `next`, which ran behind the end of this block, part of it. False if that is not to be.
    pub(crate) fn grow(&mut self, next: &Block, generation: u64) -> bool {
        let count = self.count + next.count;
        if count > LONGEST || next.rip == self.rip {
            return false;
        }
        let new: Vec<_> = next.pages.iter().filter(|p| !self.pages.contains(p)).copied().collect();
        let clash = new.iter().any(|n| self.pages.iter().any(|p| p.0 == n.0));
        if clash || self.pages.len() + new.len() > PAGES {
            return false;
        }
        let mut ops = self.ops.to_vec();
        if !self.open(&mut ops, next, generation) {
            return false;
        }
        let mut exits = Vec::new();
        Block::places(&ops, |i, exit| exits.extend(exit.then_some(i + 1)));
        for i in exits {
            // SAFETY: there is a link behind each operation that has one.
            unsafe { (*ops[i].link).rest += next.count };
        }
        let old = ops.len();
        ops.extend_from_slice(&next.ops);
        let by = self.count as u8;
        let mut places = Vec::new();
        Block::places(&next.ops, |i, _| places.push(old + i));
        for i in places {
            // SAFETY: an operation is at each of these places.
            unsafe { ops[i].op.nth += by };
        }
        let moved = next.segments.iter().map(|s| Segment { nth: s.nth + self.count, rip: s.rip });
        self.segments.extend(moved);
        self.groups.extend(next.groups.iter().map(|&(place, f)| (place + old as u32, f)));
        self.pages.extend(new);
        self.ops = ops.into_boxed_slice();
        self.count = count;
        self.end = next.end;
        self.ending = next.ending;
        self.seen = (0, 0);
        true
    }

    /// Turns the end of `ops`, a copy of this block's, so that what is put behind it runs as `next` does when it
    /// follows. False if it does not follow this end.
    fn open(&self, ops: &mut Vec<Slot>, next: &Block, generation: u64) -> bool {
        let n = ops.len();
        let leads = |i: usize| {
            // SAFETY: called with the place of a link.
            let link = unsafe { &*ops[i].link };
            link.generation.get() == generation && std::ptr::eq(link.block.get(), next)
        };
        match self.ending {
            End::Fall | End::Jump if leads(n - 1) => ops.truncate(n - 2),
            End::Cond { .. } if leads(n - 1) => ops.truncate(n - 2),
            End::Cond { opposite: Some(opposite), grouped } if leads(n - 3) => {
                // Before the two places of the jump to what lies behind are those of the branch.
                ops[n - 4].op.f = opposite;
                if let Some(f) = grouped {
                    ops[n - 5].op.f = f;
                }
                ops[n - 3] = ops[n - 1].clone();
                ops.truncate(n - 2);
            }
            End::Call if leads(n - 1) => {
                ops.truncate(n - 1);
                // SAFETY: the call is there.
                let op = unsafe { &mut ops[n - 2].op };
                op.f = branch::call_on;
                op.scale &= !EXIT;
            }
            End::Return => {
                let mut other = false;
                Block::places(ops, |i, exit| other |= exit && leads(i + 1));
                if other {
                    return false;
                }
                // SAFETY: the return is there.
                let op = unsafe { &mut ops[n - 1].op };
                op.f = branch::ret_on;
                op.disp = next.rip as i64;
            }
            _ => return false,
        }
        true
    }
}

/// A link as what lies in a block.
pub(crate) fn link(to: u64) -> Slot {
    Slot { link: ManuallyDrop::new(Link::new(to)) }
}
