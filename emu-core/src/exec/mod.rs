//! The bodies of the instructions, one file a family.
//!
//! Key types: [`Ctx`] (the processor while it runs), [`Op`] (one decoded operation), [`Env`] (the memory it runs on).
//! Neighbours: [`crate::decode`] chooses a body for each instruction, [`crate::engine`] drives blocks of them.
//!
//! **Invariant**: a body reads, computes, writes memory, then registers, then flags, so a fault leaves the state
//! before the instruction. A body ends in [`OpRef::next`] or gives a [`Flow`]; nothing else leaves a block. One that
//! does not find its memory in the translation cache ends in [`Ctx::miss`] before it has changed anything, and calls
//! nothing else that walks: so it needs no frame, and what follows it is a jump.
#![allow(clippy::cast_possible_truncation, reason = "bit-level code: truncation is the operation")]

pub(crate) mod alu;
pub(crate) mod bits;
pub(crate) mod block;
pub(crate) mod branch;
pub(crate) mod cpuid;
pub(crate) mod crypto;
pub(crate) mod flags;
pub(crate) mod fpops;
pub(crate) mod group;
pub(crate) mod host;
pub(crate) mod memory;
pub(crate) mod mmx;
pub(crate) mod mov;
pub(crate) mod muldiv;
pub(crate) mod operand;
pub(crate) mod protect;
pub(crate) mod shift;
pub(crate) mod string;
pub(crate) mod system;
pub(crate) mod vecavx;
pub(crate) mod vecfma;
pub(crate) mod vecfp;
pub(crate) mod vecint;
pub(crate) mod vecmov;
pub(crate) mod vecstr;
pub(crate) mod x87;
pub(crate) mod xsave;

use std::cell::Cell;
use std::collections::BTreeSet;

use crate::cpu::{Cpu, CpuModel, Exception, RFlags, Vector, X87, Ymm, reg};
use crate::engine::Exit;
use crate::mem::{Memory, SpaceId};

/// Slot of [`Ctx::regs`] that is always zero: stands for an absent base or index.
pub(crate) const ZERO: u8 = 16;
/// Slot that holds the fs base.
pub(crate) const FS: u8 = 17;
/// Slot that holds the gs base.
pub(crate) const GS: u8 = 18;
/// Slot for an address computed by a helper operation.
pub(crate) const TMP: u8 = 19;
/// Slot for the address of [`Ctx::bounce`].
pub(crate) const BOUNCE_SLOT: u8 = 20;

/// Bit of [`Op::scale`]: a [`Link`] lies behind the operation.
pub(crate) const EXIT: u8 = 0x80;

/// A body.
pub(crate) type OpFn = fn(&mut Ctx, OpRef, &mut Env<'_>) -> Flow;

/// One decoded operation. Register fields are indices into [`Ctx::regs`], or byte offsets into it for 8-bit
/// registers; the memory operand is `regs[base] + (regs[index] << scale) + disp`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Op {
    /// The body.
    pub(crate) f: OpFn,
    /// Immediate, or the target of a branch.
    pub(crate) imm: u64,
    /// Displacement of the memory operand.
    pub(crate) disp: i64,
    /// First operand.
    pub(crate) a: u8,
    /// Second operand.
    pub(crate) b: u8,
    /// Base register; in vector operations with registers only, the last source.
    pub(crate) base: u8,
    /// Index register.
    pub(crate) index: u8,
    /// Left shift of the index, and [`EXIT`].
    pub(crate) scale: u8,
    /// Instructions of the block before this one.
    pub(crate) nth: u8,
    /// Offset of the instruction from the start of the block.
    pub(crate) ip: u16,
}

/// One place of a block: an operation, or what lies behind one that has [`EXIT`].
#[repr(C)]
pub(crate) union Slot {
    pub(crate) op: Op,
    pub(crate) link: std::mem::ManuallyDrop<Link>,
}

impl Clone for Slot {
    fn clone(&self) -> Self {
        // SAFETY: neither an operation nor a link owns anything.
        unsafe { std::ptr::read(self) }
    }
}

/// A place in a block's operations.
///
/// Made only from the start of a [`Block`], whose last operation never calls [`OpRef::next`]; so it always
/// points at a live operation while the block lives, and the engine keeps a block alive while it runs.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct OpRef(*const Op);

impl std::ops::Deref for OpRef {
    type Target = Op;
    #[inline(always)]
    fn deref(&self) -> &Op {
        // SAFETY: see the type: it points at an operation of a live block.
        unsafe { &*self.0 }
    }
}

impl OpRef {
    /// The first of some operations. Good as long as they are.
    pub(crate) fn of(ops: &[Slot]) -> Self {
        OpRef(ops.as_ptr().cast())
    }

    /// What lies behind an operation that has [`EXIT`].
    #[inline(always)]
    pub(crate) fn link<'a>(self) -> &'a Link {
        // SAFETY: the decoder puts a link behind such an operation; it lives as long as the block.
        unsafe { &*self.0.add(1).cast::<Link>() }
    }

    /// The operation `n` places on.
    #[inline(always)]
    pub(crate) fn ahead(self, n: usize) -> OpRef {
        // SAFETY: asked only by an operation that the decoder put before so many others.
        OpRef(unsafe { self.0.add(n) })
    }

    /// Goes on with the next operation of the block behind the link of this one.
    #[inline(always)]
    pub(crate) fn past(self, ctx: &mut Ctx, env: &mut Env<'_>) -> Flow {
        // SAFETY: the decoder puts an operation behind the link of one that may not leave.
        let n = OpRef(unsafe { self.0.add(2) });
        (n.f)(ctx, n, env)
    }

    /// Goes on with the next operation of the block.
    #[inline(always)]
    pub(crate) fn next(self, ctx: &mut Ctx, env: &mut Env<'_>) -> Flow {
        // SAFETY: only the last operation of a block has no successor, and it does not call this.
        let n = OpRef(unsafe { self.0.add(1) });
        (n.f)(ctx, n, env)
    }
}

/// How a run of blocks ended: the block to go on with, or null: [`Ctx::rip`] and [`Ctx::stop`] say.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub(crate) struct Flow(pub(crate) *const Block);

impl Flow {
    /// Look into the context.
    pub(crate) const STOP: Flow = Flow(std::ptr::null());
}

/// A way out of a block, with its successor remembered: good while the context's generation is `generation`.
#[repr(C)]
#[derive(Clone)]
pub(crate) struct Link {
    /// Generation of the context in which the link was made; 0 is never valid.
    pub(crate) generation: Cell<u64>,
    /// The successor.
    pub(crate) block: Cell<*const Block>,
    /// Its address.
    pub(crate) to: u64,
    /// Instructions of the block behind this way out.
    pub(crate) rest: i64,
}

impl Link {
    /// A way out at the end of a block, the successor not known yet.
    pub(crate) const fn new(to: u64) -> Self {
        Link { generation: Cell::new(0), block: Cell::new(std::ptr::null()), to, rest: 0 }
    }
}

pub(crate) use block::{Block, End, Segment};

/// Why the operations stopped.
#[derive(Debug)]
pub(crate) enum Stop {
    /// They did not: find the block at [`Ctx::rip`].
    None,
    /// Leave the engine.
    Exit(Exit),
    /// The instruction at rip touched decoded code or a page whose code mapping changed: nothing was done; take in
    /// the invalidations, then run it alone.
    Retry,
}

/// Entries of a translation cache.
pub(crate) const TLB: usize = 4096;
/// Tag of the unused entry `i`: a page that never looks there. Zero does as well, except in the first entry.
pub(crate) const fn no_tag(i: usize) -> u64 {
    (i as u64 ^ 1) << 12
}
/// Entries that are forgotten one by one; beyond, all are.
const FILLS: usize = 64;

/// A translation cache.
#[repr(C)]
pub(crate) struct Tlb {
    /// Guest addresses of pages, or [`no_tag`].
    pub(crate) tags: [u64; TLB],
    /// Host address minus guest address.
    pub(crate) addends: [u64; TLB],
}

/// An entry of the cache of jump targets.
#[derive(Clone, Copy)]
pub(crate) struct JumpEntry {
    /// Target address.
    pub(crate) rip: u64,
    /// Generation of the context.
    pub(crate) generation: u64,
    /// The block there.
    pub(crate) block: *const Block,
}

/// Entries of the cache of jump targets.
pub(crate) const JUMPS: usize = 16384;

/// What a field behind one of these is aligned to.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct CacheLine;

/// The processor while it runs: registers in slots, flags kept lazily, translation caches.
#[repr(C)]
pub(crate) struct Ctx {
    /// General registers, then [`ZERO`], [`FS`], [`GS`], [`TMP`].
    pub(crate) regs: [u64; 32],
    /// First value of the lazy flags; see [`flags`].
    pub(crate) fl_a: u64,
    /// Second value of the lazy flags.
    pub(crate) fl_b: u64,
    /// Kind of the lazy flags and width.
    pub(crate) fl_kind: flags::Kind,
    /// Left shift that aligned the flag values to bit 63.
    pub(crate) fl_sh: u8,
    /// Single instruction: writes to code pages are allowed.
    pub(crate) single: bool,
    /// The instruction was MOV to ss, behind which no single step traps.
    pub(crate) shadow: bool,
    /// Privilege level.
    pub(crate) cpl: u8,
    /// Instructions that may still run before the engine is asked, after the whole of the current block.
    pub(crate) remaining: i64,
    /// Instructions that may run beyond those.
    pub(crate) reserve: i64,
    /// Running block.
    pub(crate) block: *const Block,
    /// Generation of the current address space, mapping and privilege.
    pub(crate) generation: u64,
    /// Next instruction, when a block gives [`Flow::STOP`].
    pub(crate) rip: u64,
    /// Link to be filled by the engine with the block at rip.
    pub(crate) link: *const Link,
    /// rflags without the status bits.
    pub(crate) system_flags: u64,
    /// Why operations stopped.
    pub(crate) stop: Stop,
    /// Bytes of a slow access.
    pub(crate) scratch: [u64; 8],
    /// Address and length of the last access whose address was checked.
    pub(crate) asked: (u64, u64),
    /// Bytes on which an operation runs whose own are not in one page.
    pub(crate) bounce: [u64; 16],
    /// Entries of the translation caches filled since they were empty.
    pub(crate) fills: usize,
    /// Which, the first of them.
    pub(crate) filled: [u16; FILLS],
    /// Control and status of SSE.
    pub(crate) mxcsr: u32,
    /// TSC_AUX.
    pub(crate) tsc_aux: u32,
    /// Selectors.
    pub(crate) selectors: [u16; 6],
    /// What CPUID claims.
    pub(crate) model: CpuModel,
    /// Whether blocks are decoded to the bodies of [`host`].
    pub(crate) host: bool,
    /// Keeps each vector register in one cache line.
    apart: [CacheLine; 0],
    /// Vector registers.
    pub(crate) ymm: [Ymm; 16],
    /// x87 and MMX.
    pub(crate) x87: X87,
    /// Pages from which code ran in this generation.
    pub(crate) code_pages: BTreeSet<u64>,
    /// Translations for reading.
    pub(crate) tlb_r: Tlb,
    /// Translations for writing.
    pub(crate) tlb_w: Tlb,
    /// Jump targets.
    pub(crate) jumps: [JumpEntry; JUMPS],
}

/// What the operations run on.
pub(crate) struct Env<'a> {
    /// All memory.
    pub(crate) mem: &'a mut Memory,
    /// The address space.
    pub(crate) space: SpaceId,
}

impl Ctx {
    /// A context with empty caches. `host`: blocks may be decoded to the bodies of [`host`].
    pub(crate) fn new(host: bool) -> Box<Self> {
        let mut new = Box::<Ctx>::new_zeroed();
        let p = new.as_mut_ptr();
        // SAFETY: each field for which zeros are no value, or not the first one, is written before any is read; the
        // caches, which are large, are left as the allocator gives them. Their zeros are unused entries.
        unsafe {
            (&raw mut (*p).fl_kind).write(flags::Kind::Explicit);
            (&raw mut (*p).cpl).write(3);
            (&raw mut (*p).stop).write(Stop::None);
            (&raw mut (*p).mxcsr).write(0x1f80);
            (&raw mut (*p).selectors).write(crate::cpu::SELECTORS);
            (&raw mut (*p).model).write(CpuModel::V1);
            (&raw mut (*p).x87).write(X87::default());
            (&raw mut (*p).host).write(host && host::available());
            (&raw mut (*p).code_pages).write(BTreeSet::new());
            (&raw mut (*p).tlb_r.tags[0]).write(no_tag(0));
            (&raw mut (*p).tlb_w.tags[0]).write(no_tag(0));
            new.assume_init()
        }
    }

    /// Takes the state of `cpu` in.
    pub(crate) fn load_cpu(&mut self, cpu: &Cpu) {
        self.regs[..16].copy_from_slice(&cpu.regs);
        self.regs[ZERO as usize] = 0;
        self.regs[FS as usize] = cpu.fs_base;
        self.regs[GS as usize] = cpu.gs_base;
        self.rip = cpu.rip;
        self.set_rflags(cpu.rflags);
        self.cpl = cpu.cpl;
        self.model = cpu.model;
        self.tsc_aux = cpu.tsc_aux;
        self.selectors = cpu.selectors;
        self.mxcsr = cpu.mxcsr;
        self.x87 = cpu.x87;
        self.ymm = cpu.ymm;
    }

    /// Gives the state back; the count is the engine's.
    pub(crate) fn store_cpu(&self, cpu: &mut Cpu) {
        cpu.regs.copy_from_slice(&self.regs[..16]);
        cpu.fs_base = self.regs[FS as usize];
        cpu.gs_base = self.regs[GS as usize];
        cpu.selectors = self.selectors;
        cpu.rip = self.rip;
        cpu.rflags = self.rflags();
        cpu.mxcsr = self.mxcsr;
        cpu.x87 = self.x87;
        cpu.ymm = self.ymm;
    }

    /// Forgets all translations.
    pub(crate) fn flush_tlb(&mut self) {
        let fills = std::mem::take(&mut self.fills);
        for tlb in [&mut self.tlb_r, &mut self.tlb_w] {
            match self.filled.get(..fills) {
                Some(filled) => {
                    for i in filled.iter().map(|&i| usize::from(i) & (TLB - 1)) {
                        tlb.tags[i] = no_tag(i);
                    }
                }
                None => tlb.tags.iter_mut().enumerate().for_each(|(i, tag)| *tag = no_tag(i)),
            }
        }
    }

    /// An entry is about to be filled.
    pub(crate) fn note_fill(&mut self, i: usize) {
        if let Some(slot) = self.filled.get_mut(self.fills) {
            *slot = i as u16;
        }
        self.fills += 1;
    }

    /// Forgets the translations of one page.
    pub(crate) fn flush_page(&mut self, page: u64) {
        let i = (page >> 12) as usize & (TLB - 1);
        for tlb in [&mut self.tlb_r, &mut self.tlb_w] {
            if tlb.tags[i] == page & !0xfff {
                tlb.tags[i] = no_tag(i);
            }
        }
    }

    /// Reads a slot.
    #[inline(always)]
    pub(crate) fn r(&self, i: u8) -> u64 {
        debug_assert!(i < 32);
        // SAFETY: the decoder puts only slots below 32 into operations.
        unsafe { *self.regs.get_unchecked(i as usize) }
    }

    /// Writes a slot.
    #[inline(always)]
    pub(crate) fn w(&mut self, i: u8, v: u64) {
        debug_assert!(i < 32);
        // SAFETY: the decoder puts only slots below 32 into operations.
        unsafe { *self.regs.get_unchecked_mut(i as usize) = v }
    }

    /// Reads the low half of a vector register.
    #[inline(always)]
    pub(crate) fn x(&self, i: u8) -> [u64; 2] {
        let y = &self.ymm[i as usize & 15];
        [y[0], y[1]]
    }

    /// Writes the low half of a vector register, keeping the rest (legacy encodings).
    #[inline(always)]
    pub(crate) fn set_x(&mut self, i: u8, v: [u64; 2]) {
        let y = &mut self.ymm[i as usize & 15];
        y[0] = v[0];
        y[1] = v[1];
    }

    /// Effective address of the memory operand.
    #[inline(always)]
    pub(crate) fn ea(&self, op: &Op) -> u64 {
        let index = self.r(op.index).wrapping_shl(u32::from(op.scale));
        self.r(op.base).wrapping_add(index).wrapping_add(op.disp as u64)
    }

    /// The running block.
    #[inline(always)]
    pub(crate) fn block(&self) -> &Block {
        // SAFETY: set by the engine before it calls the block, which it keeps alive meanwhile.
        unsafe { &*self.block }
    }

    /// Address of the instruction of `op`.
    pub(crate) fn ip_of(&self, op: &Op) -> u64 {
        self.block().address(op)
    }

    /// Stops before the instruction of `op`, for the reason in [`Ctx::stop`].
    #[cold]
    #[inline(never)]
    pub(crate) fn fail(&mut self, op: OpRef) -> Flow {
        self.look_at_offset(op);
        let stack = self.through_stack(op);
        if let Stop::Exit(Exit::Exception(e)) = &mut self.stop
            && stack
            && *e == Exception::gp()
        {
            e.vector = Vector::StackFault;
        }
        self.rip = self.ip_of(&op);
        self.remaining += self.block().count - i64::from(op.nth);
        Flow::STOP
    }

    /// The same for an access to the stack by an instruction whose memory operand is another.
    pub(crate) fn fail_stack(&mut self, op: OpRef) -> Flow {
        if self.scratch[7] == memory::NONCANONICAL
            && let Stop::Exit(Exit::Exception(e)) = &mut self.stop
            && *e == Exception::gp()
        {
            e.vector = Vector::StackFault;
        }
        self.fail(op)
    }

    /// Before an access faults the processor looks at the offset, too, that the base of fs or gs is added to: `#GP`
    /// unless its first and last byte are canonical. Where the memory is there nobody looks.
    fn look_at_offset(&mut self, op: OpRef) {
        let faults = matches!(&self.stop, Stop::Exit(Exit::Exception(e)) if e.vector == Vector::PageFault);
        if !faults || self.asked.0 != self.ea(&op) {
            return;
        }
        let segment = if op.base == TMP {
            // SAFETY: see `through_stack`.
            unsafe { &*op.0.sub(1) }.b
        } else if op.base == FS || op.base == GS {
            op.base
        } else {
            op.index
        };
        if segment != FS && segment != GS {
            return;
        }
        let (addr, bytes) = self.asked;
        let offset = addr.wrapping_sub(self.regs[segment as usize]);
        if !memory::canonical(offset) || !memory::canonical(offset.wrapping_add(bytes - 1)) {
            self.stop = Stop::Exit(Exit::Exception(Exception::gp()));
        }
    }

    /// Only a memory access through the stack registers without segment override counts as the stack segment.
    fn through_stack(&self, op: OpRef) -> bool {
        if self.scratch[7] != memory::NONCANONICAL {
            return false;
        }
        let stack = |base: u8| base == reg::RSP as u8 || base == reg::RBP as u8;
        if op.base != TMP {
            return stack(op.base) && op.index != FS && op.index != GS;
        }
        // SAFETY: only a helper operation, which stands right before, makes the address in the spare slot.
        let helper = unsafe { &*op.0.sub(1) };
        stack(helper.base) && helper.b != FS && helper.b != GS
    }

    /// Stops before the instruction of `op` with an exception.
    #[cold]
    #[inline(never)]
    pub(crate) fn raise(&mut self, op: OpRef, e: Exception) -> Flow {
        self.scratch[7] = 0;
        self.stop = Stop::Exit(Exit::Exception(e));
        self.fail(op)
    }

    /// Stops before the instruction of `op` with another exit.
    #[cold]
    #[inline(never)]
    pub(crate) fn leave(&mut self, op: OpRef, exit: Exit) -> Flow {
        self.stop = Stop::Exit(exit);
        self.fail(op)
    }

    /// Counts `n` instructions of which the engine does not know.
    pub(crate) fn spend(&mut self, n: i64) {
        self.remaining -= n;
        if self.remaining < 0 && self.reserve > 0 {
            self.reserve += std::mem::replace(&mut self.remaining, 0);
        }
    }

    /// Goes on through the link of `op`.
    #[inline(always)]
    pub(crate) fn follow(&mut self, op: OpRef, env: &mut Env<'_>) -> Flow {
        let link = op.link();
        if link.generation.get() == self.generation {
            return self.go_on(link.block.get(), link.rest, env);
        }
        self.remaining += link.rest;
        self.rip = link.to;
        self.link = link;
        Flow::STOP
    }

    /// Runs the next block, if so many instructions may still run; otherwise the engine decides. `rest` instructions of
    /// the block that runs now are left out.
    #[inline(always)]
    pub(crate) fn go_on(&mut self, block: *const Block, rest: i64, env: &mut Env<'_>) -> Flow {
        // SAFETY: links and jump targets of this generation name blocks that are alive.
        let b = unsafe { &*block };
        let have = self.remaining + rest;
        let left = have - b.count;
        if left < 0 {
            self.remaining = have;
            return Flow(block);
        }
        self.remaining = left;
        self.block = block;
        let start = b.start();
        (start.f)(self, start, env)
    }

    /// The block there, if the cache of jump targets has it: it is a good address then.
    #[inline(always)]
    pub(crate) fn known(&self, target: u64) -> Option<*const Block> {
        let e = &self.jumps[jump_slot(target)];
        (e.rip == target && e.generation == self.generation).then_some(e.block)
    }

    /// Goes on at a computed address.
    pub(crate) fn jump(&mut self, env: &mut Env<'_>, target: u64) -> Flow {
        if let Some(block) = self.known(target) {
            return self.go_on(block, 0, env);
        }
        self.rip = target;
        self.link = std::ptr::null();
        Flow::STOP
    }

    /// Interrupt-enable and the like, without the status bits.
    pub(crate) fn set_rflags(&mut self, v: u64) {
        self.system_flags = (v | RFlags::FIXED.bits()) & !RFlags::STATUS.bits();
        self.set_explicit(v & RFlags::STATUS.bits());
    }

    /// rflags, exact.
    pub(crate) fn rflags(&self) -> u64 {
        self.system_flags | self.status()
    }

    /// True if the direction flag is set.
    pub(crate) fn df(&self) -> bool {
        self.system_flags & RFlags::DF.bits() != 0
    }
}

/// Slot of the cache of jump targets.
#[inline(always)]
pub(crate) fn jump_slot(target: u64) -> usize {
    (target ^ (target >> 12)) as usize & (JUMPS - 1)
}
