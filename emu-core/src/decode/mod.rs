//! From bytes to operations: iced-x86 decodes, this module chooses a body for each instruction.
//!
//! Key types: [`Lower`] (one instruction on its way), [`build`] (a basic block). The instruction table is
//! [`select`]: one match over mnemonics per family, in `int`, `vec` and `fpu`. Neighbour: [`crate::exec`].
//!
//! **Invariant**: operand kinds, widths and register numbers are resolved here, never when the instruction runs.
#![allow(clippy::cast_possible_truncation, reason = "bit-level code: truncation is the operation")]

pub mod features;
mod forms;
mod fpu;
mod group;
mod int;
mod length;
mod mmx;
mod quiet;
mod vec;
mod vecavx;
mod vecfp;

use std::sync::LazyLock;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind, Register};

use group::Known;
use quiet::Effect;

use crate::cpu::{CpuModel, Exception};
use crate::exec::block::link;
use crate::exec::{
    Block, Ctx, EXIT, End, Env, FS, GS, Op, OpFn, Segment, Slot, TMP, ZERO, branch, mov, system,
};
use crate::mem::{Access, FrameId, PAGE_SIZE};

/// How bytes are read: as processors of the vendor do that CPUID names.
pub const OPTIONS: u32 = DecoderOptions::AMD;

/// Most instructions in a block.
pub(crate) const BLOCK: usize = 64;

/// Most bytes of a block, but for its last instruction.
const FETCH: usize = 320;

/// How a body follows from an instruction.
pub(crate) enum Choice {
    /// This body.
    Body(OpFn),
    /// This body, and it ends the block.
    Last(OpFn),
    /// `#UD` on the machine we are.
    Undefined,
    /// Not implemented.
    Missing,
}

/// One instruction being lowered: its operation with operands filled in.
pub(crate) struct Lower<'a> {
    pub(crate) ins: &'a Instruction,
    pub(crate) op: Op,
    /// A helper operation before it.
    pub(crate) before: Option<Op>,
    /// Target of a direct branch.
    pub(crate) target: u64,
    /// How it ends its block, if it does.
    pub(crate) ending: End,
    /// The bodies of [`crate::exec::host`] may be chosen.
    pub(crate) host: bool,
}

/// The number of a register as operations name it: a slot, or a byte offset for 8-bit registers.
pub(crate) fn slot(r: Register) -> u8 {
    // Asked several times an instruction, so it is worth a table.
    static SLOTS: LazyLock<[u8; 256]> = LazyLock::new(|| {
        let mut slots = [0; 256];
        for r in Register::values() {
            slots[r as usize & 0xff] = match r {
                Register::AH => 1,
                Register::CH => 9,
                Register::DH => 17,
                Register::BH => 25,
                Register::None => ZERO,
                r if r.is_gpr8() => r.full_register().number() as u8 * 8,
                r => r.number() as u8,
            };
        }
        slots
    });
    SLOTS[r as usize & 0xff]
}

impl<'a> Lower<'a> {
    fn new(ins: &'a Instruction, nth: u8, ip: u16) -> Self {
        let f = system::missing;
        let mut op = Op { f, imm: 0, disp: 0, a: ZERO, b: ZERO, base: ZERO, index: ZERO, scale: 0, nth, ip };
        let mut before = None;
        for i in 0..ins.op_count() {
            match ins.op_kind(i) {
                OpKind::Register => {
                    let r = slot(ins.op_register(i));
                    match i {
                        0 => op.a = r,
                        1 => op.b = r,
                        _ => {}
                    }
                }
                OpKind::Memory => {
                    (op.base, op.index, op.scale, op.disp) = memory(ins, &mut before, &op);
                }
                OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64 => {
                    op.imm = ins.near_branch_target();
                }
                k if is_immediate(k) => op.imm = ins.immediate(i),
                _ => {}
            }
        }
        Lower { ins, op, before, target: 0, ending: End::Other, host: false }
    }

    /// Kind of operand `i`.
    pub(crate) fn kind(&self, i: u32) -> OpKind {
        if i < self.ins.op_count() { self.ins.op_kind(i) } else { OpKind::Register }
    }

    /// True if no operand is memory.
    pub(crate) fn on_registers(&self) -> bool {
        !(0..self.ins.op_count()).any(|i| self.is_mem(i))
    }

    /// True if operand `i` is memory.
    pub(crate) fn is_mem(&self, i: u32) -> bool {
        self.kind(i) == OpKind::Memory
    }

    /// True if the memory operand has no index.
    pub(crate) fn is_near(&self) -> bool {
        self.op.index == ZERO
    }

    /// True if operand `i` is an immediate.
    pub(crate) fn is_imm(&self, i: u32) -> bool {
        is_immediate(self.kind(i))
    }

    /// Width in bytes of operand `i`.
    pub(crate) fn width(&self, i: u32) -> usize {
        match self.kind(i) {
            OpKind::Register if i < self.ins.op_count() => self.ins.op_register(i).size(),
            _ => self.ins.memory_size().size(),
        }
    }

    /// Slot of register operand `i`.
    pub(crate) fn reg(&self, i: u32) -> u8 {
        slot(self.ins.op_register(i))
    }

    /// Makes the memory operand a base and a displacement without an index.
    pub(crate) fn address_to_base(&mut self) {
        if self.op.index == ZERO {
            return;
        }
        self.before = Some(Op { f: mov::address, imm: u64::MAX, b: ZERO, ..self.op });
        (self.op.base, self.op.index, self.op.scale, self.op.disp) = (TMP, ZERO, 0, 0);
    }

    /// Slot of the segment base of a string instruction's source.
    pub(crate) fn segment(&self) -> u8 {
        segment(self.ins.segment_prefix())
    }
}

fn segment(r: Register) -> u8 {
    match r {
        Register::FS => FS,
        Register::GS => GS,
        _ => ZERO,
    }
}

fn is_immediate(k: OpKind) -> bool {
    matches!(
        k,
        OpKind::Immediate8
            | OpKind::Immediate8_2nd
            | OpKind::Immediate16
            | OpKind::Immediate32
            | OpKind::Immediate64
            | OpKind::Immediate8to16
            | OpKind::Immediate8to32
            | OpKind::Immediate8to64
            | OpKind::Immediate32to64
    )
}

/// Base, index, scale and displacement. What does not fit goes through a helper operation.
fn memory(ins: &Instruction, before: &mut Option<Op>, like: &Op) -> (u8, u8, u8, i64) {
    // An address that is only computed has no segment.
    let computed = ins.mnemonic() == iced_x86::Mnemonic::Lea;
    let seg = if computed { ZERO } else { segment(ins.memory_segment()) };
    if ins.is_ip_rel_memory_operand() {
        return (seg, ZERO, 0, ins.ip_rel_memory_address() as i64);
    }
    let (base, index) = (ins.memory_base(), ins.memory_index());
    let absolute = base == Register::None && index == Register::None;
    let narrow = base.is_gpr32() || index.is_gpr32() || (absolute && ins.memory_displ_size() == 4);
    let scale = ins.memory_index_scale().trailing_zeros() as u8;
    let disp = ins.memory_displacement64() as i64;
    let (b, i) = (slot(base), if index.is_vector_register() { ZERO } else { slot(index) });
    if seg == ZERO && (!narrow || absolute) {
        return (b, i, scale, disp);
    }
    if !narrow && i == ZERO {
        return (b, seg, 0, disp);
    }
    let mask = if narrow { 0xffff_ffff } else { u64::MAX };
    *before = Some(Op { f: mov::address, imm: mask, disp, base: b, index: i, scale, b: seg, ..*like });
    (TMP, ZERO, 0, 0)
}

/// The table: a body for an instruction, operands filled in as it wants them.
fn select(l: &mut Lower<'_>, model: CpuModel) -> Choice {
    let code = l.ins.code();
    if code == Code::INVALID {
        return Choice::Undefined;
    }
    if features::lowest_for(code).is_none_or(|lowest| lowest > model) {
        return int::without_feature(l);
    }
    if features::hint(code) {
        return Choice::Body(mov::nop);
    }
    let choice = int::select(l);
    if !matches!(choice, Choice::Missing) {
        return choice;
    }
    if mmx::claims(l) {
        return mmx::select(l);
    }
    let choice = vec::select(l);
    if !matches!(choice, Choice::Missing) {
        return choice;
    }
    fpu::select(l)
}

/// True if the instruction form is implemented (some of its operand kinds, at any CPU model).
#[must_use]
pub fn implemented(code: Code) -> bool {
    if code == Code::INVALID {
        return false;
    }
    let info = code.op_code();
    [false, true].into_iter().any(|memory| {
        let mut ins = Instruction::default();
        ins.set_code(code);
        for i in 0..info.op_count() {
            fill_operand(&mut ins, i, info.op_kind(i), memory);
        }
        let mut l = Lower::new(&ins, 0, 0);
        matches!(select(&mut l, CpuModel::V3), Choice::Body(_) | Choice::Last(_))
    })
}

/// Gives a made-up instruction an operand of the kind that its form asks for.
fn fill_operand(ins: &mut Instruction, i: u32, kind: iced_x86::OpCodeOperandKind, memory: bool) {
    let name = format!("{kind:?}");
    let reg = |ins: &mut Instruction, r| {
        ins.set_op_kind(i, OpKind::Register);
        ins.set_op_register(i, r);
    };
    if name.contains("mem") && (memory || name == "mem") {
        ins.set_op_kind(i, OpKind::Memory);
        ins.set_memory_base(Register::RAX);
        return;
    }
    match name.as_str() {
        n if n.starts_with("imm") => ins.set_op_kind(i, OpKind::Immediate8),
        n if n.starts_with("br") => ins.set_op_kind(i, OpKind::NearBranch64),
        n if n.starts_with("seg_r") => ins.set_op_kind(i, OpKind::MemorySegRSI),
        n if n.starts_with("es_r") => ins.set_op_kind(i, OpKind::MemoryESRDI),
        n if n.contains("ymm") => reg(ins, Register::YMM1),
        n if n.contains("xmm") => reg(ins, Register::XMM1),
        n if n.contains("zmm") => reg(ins, Register::ZMM1),
        n if n.contains("mm") => reg(ins, Register::MM1),
        n if n.contains("r64") || n == "rax" => reg(ins, Register::RAX),
        n if n.contains("r32") || n == "eax" => reg(ins, Register::EAX),
        n if n.contains("r16") || n == "ax" || n == "dx" => reg(ins, Register::AX),
        n if n.contains("r8") || n == "al" || n == "cl" => reg(ins, Register::CL),
        n if n.starts_with("st") => reg(ins, Register::ST1),
        "fs" => reg(ins, Register::FS),
        "gs" => reg(ins, Register::GS),
        n if n.contains("seg") => reg(ins, Register::DS),
        n if n.contains("cr") => reg(ins, Register::CR0),
        n if n.contains("dr") => reg(ins, Register::DR0),
        _ => reg(ins, Register::None),
    }
}

/// The bytes of the page of `rip` from there on, and of the next page as far as an instruction can reach.
struct Fetch {
    bytes: Vec<u8>,
    room: usize,
    frames: [FrameId; 2],
    fault: Option<Exception>,
    crossed: bool,
}

fn fetch_page(
    ctx: &mut Ctx,
    env: &mut Env<'_>,
    at: u64,
    n: usize,
    into: &mut Vec<u8>,
) -> Result<FrameId, Exception> {
    let page = ctx.lookup(env, at, Access::Execute)?;
    let offset = (at & 0xfff) as usize;
    let n = n.min(PAGE_SIZE as usize - offset);
    // SAFETY: a looked-up page is readable to its end, and `n` keeps within.
    into.extend_from_slice(unsafe { std::slice::from_raw_parts(page.ptr.add(offset), n) });
    Ok(page.frame)
}

impl Fetch {
    fn new(ctx: &mut Ctx, env: &mut Env<'_>, rip: u64) -> Result<Self, Exception> {
        let mut bytes = Vec::with_capacity(FETCH + 16);
        let frame = fetch_page(ctx, env, rip, FETCH, &mut bytes)?;
        let room = bytes.len();
        Ok(Fetch { bytes, room, frames: [frame; 2], fault: None, crossed: false })
    }

    /// Makes the bytes of an instruction at `offset` present, as far as pages allow.
    fn reach(&mut self, ctx: &mut Ctx, env: &mut Env<'_>, rip: u64, offset: usize) {
        if offset + 15 <= self.room || self.crossed || self.fault.is_some() {
            return;
        }
        let end = rip.wrapping_add(self.room as u64);
        if end & 0xfff != 0 {
            return;
        }
        match fetch_page(ctx, env, end, 15, &mut self.bytes) {
            Ok(frame) => {
                self.frames[1] = frame;
                self.crossed = true;
            }
            Err(e) => self.fault = Some(e),
        }
    }
}

/// F3 90 with REX.B is XCHG with r8, not PAUSE.
fn correct(ins: &mut Instruction, bytes: &[u8]) {
    if ins.code() != Code::Pause {
        return;
    }
    let rex = bytes.get(ins.len().wrapping_sub(2)).copied().unwrap_or(0);
    if rex & 0xf1 != 0x41 {
        return;
    }
    let (code, r, a) = if rex & 8 != 0 {
        (Code::Xchg_r64_RAX, Register::R8, Register::RAX)
    } else {
        (Code::Xchg_r32_EAX, Register::R8D, Register::EAX)
    };
    ins.set_code(code);
    for (i, r) in [r, a].into_iter().enumerate() {
        ins.set_op_kind(i as u32, OpKind::Register);
        ins.set_op_register(i as u32, r);
    }
}

/// Decodes the block at `rip`, at most `max` instructions. The error is the fault of its first fetch.
pub(crate) fn build(ctx: &mut Ctx, env: &mut Env<'_>, rip: u64, max: usize) -> Result<Block, Exception> {
    let mut fetch = Fetch::new(ctx, env, rip)?;
    let mut ops: Vec<Op> = Vec::with_capacity(16);
    let (mut offset, mut count, mut target, mut ending) = (0, 0, 0, End::Fall);
    let mut last: Option<Instruction> = None;
    let mut effects: Vec<(Effect, Option<OpFn>)> = Vec::with_capacity(16);
    let mut known: Vec<Known> = Vec::with_capacity(16);
    let mut ins = Instruction::default();
    let mut whole = [0; FETCH];
    let room = fetch.bytes.len();
    whole[..room].copy_from_slice(&fetch.bytes);
    let mut decoder = Decoder::with_ip(64, &whole[..room], rip, OPTIONS);
    while count < max && offset < fetch.room {
        fetch.reach(ctx, env, rip, offset);
        let ip = rip.wrapping_add(offset as u64);
        let upto = fetch.bytes.len().min(offset + 15);
        let bytes = &fetch.bytes[offset..upto];
        // A decoder costs more to make than to use: this one serves the block, unless the bytes have grown.
        let at_once = offset < room && decoder.set_position(offset).is_ok();
        if at_once {
            decoder.set_ip(ip);
            decoder.decode_out(&mut ins);
        }
        if !at_once || ins.is_invalid() {
            Decoder::with_ip(64, bytes, ip, OPTIONS).decode_out(&mut ins);
        }
        correct(&mut ins, bytes);
        let mut l = Lower::new(&ins, count as u8, offset as u16);
        l.host = ctx.host;
        let mut choice = select(&mut l, ctx.model);
        if matches!(choice, Choice::Undefined) && length::length(bytes) > bytes.len() {
            if bytes.len() == 15 {
                choice = Choice::Last(system::too_long);
            } else if count == 0 {
                // Fetch ran into the end: a page that faults, or the end of what was copied.
                return Err(fetch.fault.unwrap_or_else(Exception::gp));
            } else {
                break;
            }
        }
        let (f, ends) = match choice {
            Choice::Body(f) => {
                let shown = fpu::opcode(&ins, bytes);
                l.op.imm |= shown;
                if shown != 0 && l.on_registers() {
                    l.op.disp = ip as i64;
                }
                (f, false)
            }
            Choice::Last(f) => (f, true),
            Choice::Undefined => (system::undefined as OpFn, true),
            Choice::Missing => {
                l.op.imm = ins.code() as u64;
                l.op.disp = ins.len() as i64;
                l.before = None;
                (system::missing as OpFn, true)
            }
        };
        count += 1;
        offset += ins.len().max(1);
        if let (Some(prev), Some(cc)) = (&last, int::condition(&ins))
            && let (Some(f), Some(op)) = (int::fused(prev, cc), ops.last_mut())
        {
            op.f = f;
            l.ending = End::Cond { opposite: int::fused(prev, cc ^ 1), grouped: None };
            if let Some(known) = known.last_mut() {
                known.cc = Some(cc);
            }
        } else {
            let (effect, quiet) = if ends { (Effect::Shows, None) } else { quiet::effect(&l) };
            l.op.f = f;
            if let Some(before) = &last
                && let Some(op) = vecfp::copied(before, &l)
            {
                // It stands for the copy before it too.
                ops.pop();
                effects.pop();
                known.pop();
                l.op = op;
            }
            ops.extend(l.before);
            effects.push((effect, quiet));
            known.push(Known { at: ops.len(), ins, quiet: false, cc: None });
            ops.push(l.op);
        }
        if ends {
            target = l.target;
            ending = l.ending;
            break;
        }
        last = Some(ins);
    }
    let mut dead = false;
    for (known, (effect, quiet)) in known.iter_mut().zip(effects).rev() {
        if let (true, Some(f)) = (dead, quiet) {
            ops[known.at].f = f;
            known.quiet = true;
        }
        dead = effect == Effect::Kills || (effect == Effect::Keeps && dead);
    }
    let (groups, opposite) = group::grouped(&mut ops, &known);
    if let End::Cond { grouped, .. } = &mut ending {
        *grouped = opposite;
    }
    let end = rip.wrapping_add(offset as u64);
    let first = rip & !0xfff;
    let mut pages = vec![(first, fetch.frames[0])];
    if offset > fetch.room {
        pages.push((first.wrapping_add(PAGE_SIZE), fetch.frames[1]));
    }
    Ok(Block {
        ops: laid_out(&mut ops, ending, target, end),
        count: count as i64,
        rip,
        end,
        ending,
        segments: vec![Segment { nth: 0, rip }],
        pages,
        groups,
        seen: (0, 0),
    })
}

/// The operations of a block with the links that its end asks for.
fn laid_out(ops: &mut [Op], ending: End, target: u64, end: u64) -> Box<[Slot]> {
    let to = match ending {
        End::Jump | End::Cond { .. } | End::Call | End::Branch => Some(target),
        End::Repeat => Some(end),
        End::Fall | End::Return | End::Other => None,
    };
    if let (Some(_), Some(op)) = (to, ops.last_mut()) {
        op.scale |= EXIT;
    }
    let falls = matches!(ending, End::Fall | End::Cond { .. });
    // Of its size: shrinking would leave the rest as a splinter.
    let mut slots = Vec::with_capacity(ops.len() + usize::from(to.is_some()) + 2 * usize::from(falls));
    slots.extend(ops.iter().map(|&op| Slot { op }));
    slots.extend(to.map(link));
    if falls {
        let f = branch::fall;
        let (a, b, base, index, scale) = (ZERO, ZERO, ZERO, ZERO, EXIT);
        slots.push(Slot { op: Op { f, imm: 0, disp: 0, a, b, base, index, scale, nth: 0, ip: 0 } });
        slots.push(link(end));
    }
    slots.into_boxed_slice()
}

/// The instruction at `rip`, if it can be fetched and decoded.
pub(crate) fn instruction_at(ctx: &mut Ctx, env: &mut Env<'_>, rip: u64) -> Result<Instruction, Exception> {
    let mut fetch = Fetch::new(ctx, env, rip)?;
    fetch.reach(ctx, env, rip, 0);
    let n = fetch.bytes.len().min(15);
    let mut ins = Decoder::with_ip(64, &fetch.bytes[..n], rip, OPTIONS).decode();
    correct(&mut ins, &fetch.bytes[..n]);
    Ok(ins)
}
