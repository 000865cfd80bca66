//! The fast interpreter: decoded blocks, cached by the frame that holds their bytes, chained to each other, and joined
//! where one is seen to follow another.
//!
//! Key type: [`Interp`]. Neighbours: [`crate::decode::build`] makes blocks, [`crate::exec`] runs them.
//!
//! **Invariant**: a link or a jump-cache entry is followed only in the generation that made it. A generation stands
//! for one address space at one privilege level, until a page from which code ran changes or any block is dropped.
//! Blocks are dropped and joined only between two blocks, never under a running one.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasherDefault, Hasher};

use super::{Engine, Exit, step};
use crate::cpu::{Cpu, CpuModel, Exception, RFlags};
use crate::decode::{self, BLOCK};
use crate::exec::{Block, Ctx, Env, JumpEntry, Stop, jump_slot};
use crate::mem::{Access, FrameId, Memory, SpaceId};

/// Bytes of decoded blocks at which the cache is emptied.
const CACHE_BYTES: usize = 64 << 20;
/// Instructions after which blocks come back to the engine at the latest, which looks then at what runs. Blocks call each
/// other by jumps as far as the compiler makes jumps of calls in last place; where it does not, this bounds the stack.
const STRETCH: i64 = 2048;
/// How often in a row a successor is seen that becomes part of its predecessor.
const OFTEN: u32 = 2;
/// Instructions remembered that ran alone.
const SINGLES: usize = 4096;
/// Address spaces remembered at once.
const CONTEXTS: usize = 256;

/// What belongs to one address space at one privilege level.
struct Context {
    generation: u64,
    code_pages: BTreeSet<u64>,
}

/// An instruction that ran alone, as one does at the end of a slice.
struct Single {
    rip: u64,
    generation: u64,
    block: Block,
}

/// The decoded-block interpreter.
pub struct Interp {
    ctx: Box<Ctx>,
    blocks: Blocks,
    by_frame: BTreeMap<FrameId, Vec<(FrameId, u64)>>,
    singles: Vec<Option<Box<Single>>>,
    bytes: usize,
    capacity: usize,
    stretch: i64,
    contexts: BTreeMap<(SpaceId, u8), Context>,
    current: Option<(SpaceId, u8)>,
    model: CpuModel,
    generations: u64,
    /// The page put last into the context's set of pages with code, and for which generation.
    noted: (u64, u64),
}

/// The blocks by frame and address. Nothing goes through them in order.
#[expect(clippy::disallowed_types, reason = "a cache with a fixed hasher, which is never iterated")]
type Blocks = std::collections::HashMap<(FrameId, u64), Held, BuildHasherDefault<Mix>>;

/// The hash of a key of [`Blocks`].
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.write_u64(u64::from(*b));
        }
    }

    fn write_u64(&mut self, v: u64) {
        let spread = (self.0.rotate_left(32) ^ v).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.0 = spread ^ (spread >> 32);
    }
}

/// A block in the cache. Links and the context point at it too.
struct Held(*mut Block);

impl Held {
    fn new(block: Block) -> Self {
        Held(Box::into_raw(Box::new(block)))
    }

    fn get(&self) -> &Block {
        // SAFETY: made by `new`, and changed only by `grow`, which runs between two blocks.
        unsafe { &*self.0 }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: made by `new`; whoever drops it makes every link invalid.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

// SAFETY: the pointers in the context are into the blocks that this engine owns.
unsafe impl Send for Interp {}

impl std::fmt::Debug for Interp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interp").field("blocks", &self.blocks.len()).field("bytes", &self.bytes).finish()
    }
}

impl Default for Interp {
    fn default() -> Self {
        Interp::new()
    }
}

impl Engine for Interp {
    fn run(&mut self, cpu: &mut Cpu, mem: &mut Memory, space: SpaceId, stop_at: u64) -> Exit {
        if cpu.icount >= stop_at {
            return Exit::Budget;
        }
        let mut env = Env { mem, space };
        self.enter(cpu, &mut env);
        let budget = (stop_at - cpu.icount).min(i64::MAX as u64) as i64;
        self.ctx.remaining = 0;
        self.ctx.reserve = budget;
        let exit = self.go(&mut env);
        cpu.icount += (budget - self.ctx.reserve - self.ctx.remaining) as u64;
        self.ctx.store_cpu(cpu);
        exit
    }

    fn complete(
        &mut self,
        cpu: &mut Cpu,
        mem: &mut Memory,
        space: SpaceId,
        value: u64,
    ) -> Result<(), Exception> {
        let mut env = Env { mem, space };
        self.enter(cpu, &mut env);
        step::complete(&mut self.ctx, &mut env, cpu, value)
    }

    fn flush(&mut self) {
        self.drop_all();
        self.ctx.flush_tlb();
        self.current = None;
    }

    fn name(&self) -> &'static str {
        "interp"
    }
}

impl Interp {
    /// An engine with empty caches.
    #[must_use]
    pub fn new() -> Self {
        Interp::with_cache(CACHE_BYTES)
    }

    /// An engine that empties its cache when its blocks take more than `capacity` bytes.
    #[must_use]
    pub fn with_cache(capacity: usize) -> Self {
        Interp {
            ctx: Ctx::new(true),
            blocks: Blocks::default(),
            by_frame: BTreeMap::new(),
            singles: Vec::new(),
            bytes: 0,
            capacity,
            stretch: STRETCH,
            contexts: BTreeMap::new(),
            current: None,
            model: CpuModel::V1,
            generations: 0,
            noted: (0, 0),
        }
    }

    /// The same engine, looking every `stretch` instructions at which blocks to join.
    #[must_use]
    pub fn with_stretch(self, stretch: u16) -> Self {
        Interp { stretch: i64::from(stretch.max(1)), ..self }
    }

    /// An engine that computes nothing by the host's own vector instructions, to compare.
    #[must_use]
    pub fn portable() -> Self {
        Interp { ctx: Ctx::new(false), ..Interp::new() }
    }

    /// Takes the processor in and makes the caches those of its address space.
    fn enter(&mut self, cpu: &Cpu, env: &mut Env<'_>) {
        let checked = self.ctx.alignment_checked();
        self.ctx.load_cpu(cpu);
        if self.ctx.alignment_checked() != checked {
            self.ctx.flush_tlb();
        }
        self.ctx.stop = Stop::None;
        // Whoever runs now need not be at the place that the last run left open.
        self.ctx.link = std::ptr::null();
        if cpu.model != self.model {
            self.drop_all();
            self.model = cpu.model;
        }
        let key = (env.space, cpu.cpl);
        if self.current != Some(key) {
            self.switch_to(key);
        }
        if env.mem.pending_in(env.space) {
            self.take(env);
        }
    }

    fn switch_to(&mut self, key: (SpaceId, u8)) {
        self.ctx.flush_tlb();
        if let Some(old) = self.current.take() {
            if self.contexts.len() >= CONTEXTS {
                self.contexts.clear();
            }
            let code_pages = std::mem::take(&mut self.ctx.code_pages);
            self.contexts.insert(old, Context { generation: self.ctx.generation, code_pages });
        }
        match self.contexts.remove(&key) {
            Some(c) => {
                self.ctx.generation = c.generation;
                self.ctx.code_pages = c.code_pages;
            }
            None => self.new_generation(),
        }
        self.current = Some(key);
    }

    fn new_generation(&mut self) {
        self.generations += 1;
        self.ctx.generation = self.generations;
        self.ctx.code_pages.clear();
    }

    /// Makes every link of every context invalid.
    fn retire(&mut self) {
        self.contexts.clear();
        self.new_generation();
        self.ctx.link = std::ptr::null();
    }

    fn drop_all(&mut self) {
        self.retire();
        self.blocks.clear();
        self.by_frame.clear();
        self.singles.clear();
        self.bytes = 0;
    }

    /// Takes in what changed in memory. Called between blocks only.
    #[cold]
    fn take(&mut self, env: &mut Env<'_>) {
        let changed = env.mem.take_invalidations(env.space);
        if changed.all {
            self.ctx.flush_tlb();
            self.new_generation();
        }
        for page in changed.pages {
            let page = page & !0xfff;
            self.ctx.flush_page(page);
            if self.ctx.code_pages.contains(&page) {
                self.new_generation();
            }
        }
        for frame in changed.code {
            let Some(keys) = self.by_frame.remove(&frame) else { continue };
            self.retire();
            for key in keys {
                if let Some(block) = self.blocks.remove(&key) {
                    self.bytes -= block.get().size();
                }
            }
        }
    }

    /// The block at `rip`, decoded now if need be.
    fn find(&mut self, env: &mut Env<'_>, rip: u64) -> Result<*const Block, Exception> {
        let e = self.ctx.jumps[jump_slot(rip)];
        if e.rip == rip && e.generation == self.ctx.generation {
            return Ok(e.block);
        }
        let page = self.ctx.lookup(env, rip, Access::Execute)?;
        if !page.code {
            env.mem.mark_code(env.space, rip);
            self.ctx.flush_page(rip);
            if env.mem.pending_in(env.space) {
                self.take(env);
            }
        }
        let key = (page.frame, rip);
        let known = self.blocks.get(&key).is_some_and(|b| {
            b.get().pages[1..].iter().all(|&(page, frame)| {
                self.ctx.lookup(env, page, Access::Execute).is_ok_and(|p| p.frame == frame && p.code)
            })
        });
        if !known {
            self.decode(env, rip, key)?;
        }
        let Some(block) = self.blocks.get(&key) else { return Err(Exception::gp()) };
        let pointer = block.0.cast_const();
        let pages = &block.get().pages;
        if pages.len() > 1 || self.noted != (self.ctx.generation, pages[0].0) {
            self.noted = (self.ctx.generation, pages[0].0);
            self.ctx.code_pages.extend(pages.iter().map(|p| p.0));
        }
        self.ctx.jumps[jump_slot(rip)] = JumpEntry { rip, generation: self.ctx.generation, block: pointer };
        Ok(pointer)
    }

    fn decode(&mut self, env: &mut Env<'_>, rip: u64, key: (FrameId, u64)) -> Result<(), Exception> {
        let block = decode::build(&mut self.ctx, env, rip, BLOCK)?;
        if let Some(&(second, _)) = block.pages.get(1) {
            env.mem.mark_code(env.space, second);
            self.ctx.flush_page(second);
            if env.mem.pending_in(env.space) {
                self.take(env);
            }
        }
        if self.bytes > self.capacity {
            self.drop_all();
        }
        self.bytes += block.size();
        for &(_, frame) in &block.pages {
            self.by_frame.entry(frame).or_default().push(key);
        }
        if let Some(old) = self.blocks.insert(key, Held::new(block)) {
            self.bytes -= old.get().size();
            self.retire();
        }
        Ok(())
    }

    /// Looks at which block follows which, now and then: a successor seen more than once becomes part of its
    /// predecessor, so that what runs most runs in few blocks. `from` ended, and `to` is next.
    fn sample(&mut self, from: *const Block, to: *const Block) {
        // SAFETY: both ran or are about to in this generation, so they are alive.
        let (a, b) = unsafe { (&*from, &*to) };
        let times = if a.seen.0 == b.rip { a.seen.1 + 1 } else { 1 };
        let key = (a.pages[0].1, a.rip);
        let Some(held) = self.blocks.get(&key) else { return };
        if !std::ptr::eq(held.0, from) || std::ptr::eq(from, to) {
            return;
        }
        // SAFETY: no block runs, and no reference into this one is held but `a`, which ends here.
        let block = unsafe { &mut *held.0 };
        block.seen = (b.rip, times);
        // What did not work is tried again ever more rarely.
        if times < OFTEN || !times.is_power_of_two() || self.bytes > self.capacity {
            return;
        }
        let (bytes, pages) = (block.size(), block.pages.len());
        if block.grow(b, self.ctx.generation) {
            self.bytes += block.size() - bytes;
            for &(_, frame) in &block.pages[pages..] {
                self.by_frame.entry(frame).or_default().push(key);
            }
        }
    }

    fn go(&mut self, env: &mut Env<'_>) -> Exit {
        loop {
            self.refill();
            if self.ctx.remaining <= 0 {
                return Exit::Budget;
            }
            if env.mem.pending_in(env.space) {
                self.take(env);
            }
            if self.ctx.system_flags & RFlags::TF.bits() != 0 {
                if let Some(exit) = step::step(&mut self.ctx, env) {
                    return exit;
                }
                continue;
            }
            let block = match self.find(env, self.ctx.rip) {
                Ok(block) => block,
                Err(e) => return Exit::Exception(e),
            };
            if !self.ctx.link.is_null() {
                // SAFETY: the link lies in a block; blocks are dropped only in `take` and `decode`, which clear it.
                let link = unsafe { &*self.ctx.link };
                link.block.set(block);
                link.generation.set(self.ctx.generation);
                self.ctx.link = std::ptr::null();
            }
            if let Some(exit) = self.chain(env, block) {
                return exit;
            }
        }
    }

    /// Lets so many instructions run as blocks may run one after another without coming back.
    fn refill(&mut self) {
        let ctx = &mut *self.ctx;
        let total = ctx.remaining + ctx.reserve;
        ctx.remaining = total.min(self.stretch);
        ctx.reserve = total - ctx.remaining;
    }

    /// Runs blocks as long as each names its successor.
    fn chain(&mut self, env: &mut Env<'_>, mut block: *const Block) -> Option<Exit> {
        let mut from: *const Block = std::ptr::null();
        loop {
            // SAFETY: blocks are alive until `take` or `decode` drop them, which this loop does not call.
            let b = unsafe { &*block };
            if b.count > self.ctx.remaining {
                if !from.is_null() {
                    self.sample(from, block);
                }
                self.refill();
            }
            let ctx = &mut *self.ctx;
            if b.count > ctx.remaining {
                ctx.rip = b.rip;
                break;
            }
            ctx.remaining -= b.count;
            ctx.block = block;
            let start = b.start();
            let flow = (start.f)(ctx, start, env);
            if flow.0.is_null() {
                match std::mem::replace(&mut ctx.stop, Stop::None) {
                    Stop::None => return None,
                    Stop::Exit(exit) => return Some(exit),
                    Stop::Retry => break,
                }
            }
            block = flow.0;
            from = self.ctx.block;
        }
        if self.ctx.remaining <= 0 {
            return Some(Exit::Budget);
        }
        if env.mem.pending_in(env.space) {
            self.take(env);
        }
        self.alone(env)
    }

    /// Runs the instruction at rip alone.
    fn alone(&mut self, env: &mut Env<'_>) -> Option<Exit> {
        let (rip, generation) = (self.ctx.rip, self.ctx.generation);
        let slot = jump_slot(rip) % SINGLES;
        if let Some(Some(s)) = self.singles.get(slot)
            && (s.rip, s.generation) == (rip, generation)
        {
            return step::step_by(&mut self.ctx, env, &s.block);
        }
        let block = match decode::build(&mut self.ctx, env, rip, 1) {
            Ok(block) => block,
            Err(e) => return Some(Exit::Exception(e)),
        };
        let exit = step::step_by(&mut self.ctx, env, &block);
        // A generation ends when a page changes that is known to have code.
        if block.pages.iter().all(|(page, _)| self.ctx.code_pages.contains(page)) {
            if self.singles.is_empty() {
                self.singles.resize_with(SINGLES, || None);
            }
            self.singles[slot] = Some(Box::new(Single { rip, generation, block }));
        }
        exit
    }
}
