//! Which instructions of a block are done several at once: see [`crate::exec::group`].
//!
//! **Invariant**: the operations behind the first of a group stay as they are, and of the first all but the body.

use iced_x86::{Instruction, Mnemonic as M, OpKind, Register};

use super::forms::by_long;
use super::slot;
use crate::exec::group::{
    BASE, Do, INDEX, Kind, Lea, NEAR, Other, Put, Same, Sign, Store, Zero, and_jump, before_jcc, both,
    made_alu, made_jcc, made_load, made_shift, pops, pushes,
};
use crate::exec::operand::{AtBase, Im, Me, Rb};
use crate::exec::{Op, OpFn, TMP, ZERO, alu, shift};

/// An instruction of the block that is being built.
pub(super) struct Known {
    /// Place of its operation.
    pub(super) at: usize,
    pub(super) ins: Instruction,
    /// Its operation sets no flags.
    pub(super) quiet: bool,
    /// The condition of the jump that is part of it.
    pub(super) cc: Option<u8>,
}

/// Gives the first operations of groups their bodies: the places and what they had, and the body of the opposite
/// condition for the group with the jump at the end.
pub(super) fn grouped(ops: &mut [Op], list: &[Known]) -> (Vec<(u32, OpFn)>, Option<OpFn>) {
    let mut opposite = None;
    let mut groups: Vec<(u32, OpFn)> = Vec::new();
    let mut i = 0;
    while i + 1 < list.len() {
        let (n, f) = match list[i].ins.mnemonic() {
            M::Push => run(&list[i..], M::Push, pushes_of),
            M::Pop => run(&list[i..], M::Pop, pops_of),
            M::Mov | M::Movzx | M::Movsxd => {
                let f = pair(ops, &list[i], &list[i + 1], list[i + 1].cc);
                if let (Some(_), Some(cc)) = (f, list[i + 1].cc) {
                    opposite = pair(ops, &list[i], &list[i + 1], Some(cc ^ 1));
                }
                let (op, next) = (&ops[list[i].at], &ops[list[i + 1].at]);
                let f = f.or_else(|| chased(&list[i], &list[i + 1], op, next));
                (2, f)
            }
            _ => (1, None),
        };
        let (n, f) = f.map_or_else(|| (2, simple(ops, &list[i], &list[i + 1])), |f| (n, Some(f)));
        if let (Some(_), None, Some(cc)) = (f, opposite, list[i + 1].cc) {
            opposite = before_branch(ops, &list[i], &list[i + 1], cc ^ 1);
        }
        match f {
            Some(f) => {
                let at = list[i].at;
                groups.push((at as u32, std::mem::replace(&mut ops[at].f, f)));
                i += n;
            }
            None => i += 1,
        }
    }
    (groups, opposite)
}

/// The body `$e` with `$M` for what makes the register, `$size` bytes read from memory or a register.
macro_rules! by_made {
    ($first:expr, $op:expr, $M:ident => $e:expr) => {
        match ($first.mnemonic(), $first.op1_kind(), read($first)) {
            (M::Mov, OpKind::Register, 8) => by_made!(@ $M, Zero<u64, Rb>, $e),
            (M::Mov, OpKind::Register, 4) => by_made!(@ $M, Zero<u32, Rb>, $e),
            (M::Mov, OpKind::Memory, 8) if $op.index == ZERO => by_made!(@ $M, Zero<u64, AtBase>, $e),
            (M::Mov, OpKind::Memory, 8) => by_made!(@ $M, Zero<u64, Me>, $e),
            (M::Mov, OpKind::Memory, 4) if $op.index == ZERO => by_made!(@ $M, Zero<u32, AtBase>, $e),
            (M::Mov, OpKind::Memory, 4) => by_made!(@ $M, Zero<u32, Me>, $e),
            (M::Movzx, OpKind::Memory, 1) if $op.index == ZERO => by_made!(@ $M, Zero<u8, AtBase>, $e),
            (M::Movzx, OpKind::Memory, 1) => by_made!(@ $M, Zero<u8, Me>, $e),
            (M::Movsxd, OpKind::Memory, 4) if $op.index == ZERO => by_made!(@ $M, Sign<u32, AtBase>, $e),
            (M::Movsxd, OpKind::Memory, 4) => by_made!(@ $M, Sign<u32, Me>, $e),
            _ => return None,
        }
    };
    (@ $M:ident, $t:ty, $e:expr) => {{
        type $M = $t;
        $e as OpFn
    }};
}

/// The conditions that follow comparisons.
macro_rules! by_usual_cc {
    ($cc:expr, $C:ident => $e:expr) => {
        by_usual_cc!(@ $cc, $C, $e, 2 3 4 5 6 7 8 9 12 13 14 15)
    };
    (@ $cc:expr, $C:ident, $e:expr, $($n:literal)*) => {
        match $cc {
            $($n => {
                const $C: u8 = $n;
                $e as OpFn
            })*
            _ => return None,
        }
    };
}

/// The body for two simple instructions, or one and an indirect jump.
fn simple(ops: &[Op], first: &Known, second: &Known) -> Option<OpFn> {
    if second.at != first.at + 1 {
        return None;
    }
    if let Some(cc) = second.cc {
        return before_branch(ops, first, second, cc);
    }
    let a = kind(&ops[first.at], first)?;
    let b = &second.ins;
    if b.mnemonic() == M::Jmp {
        return match b.op0_kind() {
            OpKind::Register if b.op_register(0).is_gpr64() => Some(and_jump(a, true)),
            OpKind::Memory if b.memory_size().size() == 8 => Some(and_jump(a, false)),
            _ => None,
        };
    }
    let b = kind(&ops[second.at], second)?;
    // Measured: what a load in second place saves is less than what it waits for, and so it is with whatever uses at
    // once what was loaded.
    let waits = b.loads() || a.loads() && uses(&ops[second.at], second, ops[first.at].a);
    (!waits).then(|| both(a, b))
}

/// The body for an instruction, a comparison and a conditional jump.
fn before_branch(ops: &[Op], first: &Known, second: &Known, cc: u8) -> Option<OpFn> {
    let b = &second.ins;
    let compares = matches!(b.mnemonic(), M::Cmp | M::Test);
    let w = b.op_register(0).size();
    if second.at != first.at + 1 || !compares || b.op0_kind() != OpKind::Register || w < 4 {
        return None;
    }
    let register = b.op1_kind() == OpKind::Register;
    if b.op1_kind() == OpKind::Memory {
        return None;
    }
    macro_rules! jcc {
        ($A:ty) => {
            match (b.mnemonic(), register) {
                (M::Test, true) => by_long!(w, T => by_usual_cc!(cc, C => before_jcc::<$A, alu::Test, T, Rb, C>)),
                (M::Cmp, true) => by_long!(w, T => by_usual_cc!(cc, C => before_jcc::<$A, alu::Cmp, T, Rb, C>)),
                (M::Cmp, false) => by_long!(w, T => by_usual_cc!(cc, C => before_jcc::<$A, alu::Cmp, T, Im, C>)),
                _ => return None,
            }
        };
    }
    Some(match kind(&ops[first.at], first)? {
        Kind::Copy64 => jcc!(Put<Zero<u64, Rb>>),
        Kind::Copy32 => jcc!(Put<Zero<u32, Rb>>),
        Kind::Lea64 => jcc!(Lea<u64, false>),
        Kind::Lea64Near => jcc!(Lea<u64, true>),
        Kind::Lea32Near => jcc!(Lea<u32, true>),
        Kind::Load64Near => jcc!(Put<Zero<u64, AtBase>>),
        Kind::Load32Near => jcc!(Put<Zero<u32, AtBase>>),
        Kind::QuietAdd64 => jcc!(Do<alu::Add, u64, Rb, true>),
        Kind::QuietAdd64Im => jcc!(Do<alu::Add, u64, Im, true>),
        Kind::QuietAdd32 => jcc!(Do<alu::Add, u32, Rb, true>),
        Kind::QuietAdd32Im => jcc!(Do<alu::Add, u32, Im, true>),
        Kind::QuietSub64Im => jcc!(Do<alu::Sub, u64, Im, true>),
        Kind::QuietAnd32Im => jcc!(Do<alu::And, u32, Im, true>),
        Kind::Store64Near => jcc!(Store<u64, AtBase, Rb>),
        _ => return None,
    })
}

/// Whether a simple instruction reads the register `r`.
fn uses(op: &Op, known: &Known, r: u8) -> bool {
    let ins = &known.ins;
    let replaces = matches!(ins.mnemonic(), M::Mov | M::Movzx | M::Movsxd | M::Lea | M::Pop);
    let by = match ins.op_count() {
        2 if ins.op1_kind() == OpKind::Register => slot(ins.op_register(1).full_register()),
        _ => ZERO,
    };
    op.base == r || op.index == r || by == r || !replaces && op.a == r
}

/// The body for two loads, the address of the second by the register of the first.
fn chased(first: &Known, second: &Known, op: &Op, next: &Op) -> Option<OpFn> {
    let (a, b) = (&first.ins, &second.ins);
    let made = a.op_register(0);
    let to = b.op_register(0);
    let loads = b.op_count() == 2 && b.op0_kind() == OpKind::Register && b.op1_kind() == OpKind::Memory;
    let whole = made.is_gpr64() || made.is_gpr32() && a.mnemonic() != M::Movsxd;
    if !loads || !whole || op.base == TMP || next.base == TMP || second.at != first.at + 1 {
        return None;
    }
    macro_rules! by_role {
        ($T:ty, $S:literal) => {
            match (next.base == op.a, next.index == op.a) {
                (true, false) if next.index == ZERO => by_made!(a, op, P => made_load::<P, $T, $S, NEAR>),
                (true, false) => by_made!(a, op, P => made_load::<P, $T, $S, BASE>),
                (false, true) => by_made!(a, op, P => made_load::<P, $T, $S, INDEX>),
                _ => return None,
            }
        };
    }
    Some(match (b.mnemonic(), b.memory_size().size()) {
        (M::Mov, 8) if to.is_gpr64() => by_role!(u64, false),
        (M::Mov, 4) if to.is_gpr32() => by_role!(u32, false),
        (M::Movzx, 1) if to.size() >= 4 => by_role!(u8, false),
        (M::Movsxd, 4) if to.is_gpr64() => by_role!(u32, true),
        _ => return None,
    })
}

/// What kind of simple instruction this is, if it is one.
fn kind(op: &Op, known: &Known) -> Option<Kind> {
    let ins = &known.ins;
    if op.base == TMP || known.cc.is_some() || ins.op_count() == 0 {
        return None;
    }
    let (quiet, near) = (known.quiet, op.index == ZERO);
    let general = |i: u32| match ins.op_kind(i) {
        OpKind::Register => {
            let r = ins.op_register(i);
            if r.is_gpr64() || r.is_gpr32() || r.is_gpr16() || r.is_gpr8() { r.size() } else { 0 }
        }
        _ => 0,
    };
    let to = general(0);
    if ins.op_count() == 1 {
        let plain = to == 8 && ins.op_register(0) != Register::RSP;
        return match ins.mnemonic() {
            M::Push if plain => Some(Kind::Pushed),
            M::Pop if plain => Some(Kind::Popped),
            _ => None,
        };
    }
    if ins.op_count() != 2 {
        return None;
    }
    let by = match ins.op1_kind() {
        OpKind::Register => general(1),
        _ => 0,
    };
    let memory = ins.op1_kind() == OpKind::Memory;
    let immediate = by == 0 && !memory && ins.op1_kind() != OpKind::Register;
    if ins.op0_kind() == OpKind::Memory {
        let size = ins.memory_size().size();
        return match (ins.mnemonic(), size, near) {
            (M::Mov, 8, true) if immediate => Some(Kind::Store64Im),
            (M::Mov, 4, true) if immediate => Some(Kind::Store32Im),
            (M::Mov, 8, false) if by == 8 => Some(Kind::Store64),
            (M::Mov, 8, true) if by == 8 => Some(Kind::Store64Near),
            (M::Mov, 4, false) if by == 4 => Some(Kind::Store32),
            (M::Mov, 4, true) if by == 4 => Some(Kind::Store32Near),
            (M::Mov, 1, true) if by == 1 => Some(Kind::Store8Near),
            _ => None,
        };
    }
    if to < 4 {
        return None;
    }
    if memory {
        return Some(match (ins.mnemonic(), ins.memory_size().size(), near) {
            (M::Lea, _, near) => match (to, near) {
                (8, false) => Kind::Lea64,
                (8, true) => Kind::Lea64Near,
                (_, false) => Kind::Lea32,
                (_, true) => Kind::Lea32Near,
            },
            (M::Mov, 8, false) => Kind::Load64,
            (M::Mov, 8, true) => Kind::Load64Near,
            (M::Mov, 4, false) => Kind::Load32,
            (M::Mov, 4, true) => Kind::Load32Near,
            (M::Movzx, 2, false) => Kind::Load16,
            (M::Movzx, 2, true) => Kind::Load16Near,
            (M::Movzx, 1, false) => Kind::Load8,
            (M::Movzx, 1, true) => Kind::Load8Near,
            (M::Movsxd, 4, false) if to == 8 => Kind::Extended,
            (M::Movsxd, 4, true) if to == 8 => Kind::ExtendedNear,
            _ => return None,
        });
    }
    if !immediate && by == 0 {
        return None;
    }
    let long = to == 8;
    let counted = immediate && op.imm & if long { 63 } else { 31 } != 0;
    Some(match (ins.mnemonic(), long, immediate, quiet) {
        (M::Mov, true, true, _) => Kind::Set64,
        (M::Mov, false, true, _) => Kind::Set32,
        (M::Mov, true, false, _) => Kind::Copy64,
        (M::Mov, false, false, _) => Kind::Copy32,
        (M::Movzx, ..) if by == 1 => Kind::Copy8,
        (M::Movsxd, true, false, _) if by == 4 => Kind::Extend,
        (M::Add, true, false, false) => Kind::Add64,
        (M::Add, true, true, false) => Kind::Add64Im,
        (M::Add, false, false, false) => Kind::Add32,
        (M::Add, false, true, false) => Kind::Add32Im,
        (M::Sub, true, false, false) => Kind::Sub64,
        (M::Sub, true, true, false) => Kind::Sub64Im,
        (M::Sub, false, false, false) => Kind::Sub32,
        (M::Sub, false, true, false) => Kind::Sub32Im,
        (M::And, false, true, false) => Kind::And32Im,
        (M::Xor, false, false, false) => Kind::Xor32,
        (M::Add, true, false, true) => Kind::QuietAdd64,
        (M::Add, true, true, true) => Kind::QuietAdd64Im,
        (M::Add, false, false, true) => Kind::QuietAdd32,
        (M::Add, false, true, true) => Kind::QuietAdd32Im,
        (M::Sub, true, false, true) => Kind::QuietSub64,
        (M::Sub, true, true, true) => Kind::QuietSub64Im,
        (M::Sub, false, true, true) => Kind::QuietSub32Im,
        (M::And, false, false, true) => Kind::QuietAnd32,
        (M::And, false, true, true) => Kind::QuietAnd32Im,
        (M::Or, true, false, true) => Kind::QuietOr64,
        (M::Or, false, false, true) => Kind::QuietOr32,
        (M::Xor, true, false, true) => Kind::QuietXor64,
        (M::Xor, false, false, true) => Kind::QuietXor32,
        (M::Shl | M::Sal, true, true, true) if counted => Kind::Shl64,
        (M::Shl | M::Sal, false, true, true) if counted => Kind::Shl32,
        (M::Shr, true, true, true) if counted => Kind::Shr64,
        (M::Shr, false, true, true) if counted => Kind::Shr32,
        (M::Sar, true, true, true) if counted => Kind::Sar64,
        (M::Sar, false, true, true) if counted => Kind::Sar32,
        _ => return None,
    })
}

/// How many of the first instructions push or pop 64-bit registers, and the body for them.
fn run(list: &[Known], m: M, body: fn(usize) -> Option<OpFn>) -> (usize, Option<OpFn>) {
    let plain = |k: &&Known| {
        let r = k.ins.op_register(0);
        k.ins.mnemonic() == m && k.ins.op0_kind() == OpKind::Register && r.is_gpr64() && r != Register::RSP
    };
    let n = list.iter().take(6).take_while(plain).count();
    (n, body(n))
}

fn pushes_of(n: usize) -> Option<OpFn> {
    Some(match n {
        2 => pushes::<2>,
        3 => pushes::<3>,
        4 => pushes::<4>,
        5 => pushes::<5>,
        6 => pushes::<6>,
        _ => return None,
    })
}

fn pops_of(n: usize) -> Option<OpFn> {
    Some(match n {
        2 => pops::<2>,
        3 => pops::<3>,
        4 => pops::<4>,
        5 => pops::<5>,
        6 => pops::<6>,
        _ => return None,
    })
}

/// Bytes that the second operand has.
fn read(ins: &Instruction) -> usize {
    match ins.op1_kind() {
        OpKind::Memory => ins.memory_size().size(),
        _ => ins.op_register(1).size(),
    }
}

/// The body for a register made by `first` and used at once by `second`.
fn pair(ops: &[Op], first: &Known, second: &Known, cc: Option<u8>) -> Option<OpFn> {
    let (a, b) = (&first.ins, &second.ins);
    let made = a.op_register(0);
    let fits = a.op0_kind() == OpKind::Register
        && b.op0_kind() == OpKind::Register
        && (made.is_gpr32() || made.is_gpr64())
        && (a.mnemonic() != M::Movsxd || made.is_gpr64());
    let op = &ops[first.at];
    if !fits || op.base == TMP {
        return None;
    }
    let used = b.op_register(0);
    let w = used.size();
    if w < 4 || used.full_register() != made.full_register() || used.full_register() == Register::None {
        return None;
    }
    let by_register = b.op_count() > 1 && b.op1_kind() == OpKind::Register;
    let same = by_register && b.op_register(1).full_register() == made.full_register();
    if b.op_count() < 2 || b.op1_kind() == OpKind::Memory {
        return None;
    }
    if let Some(cc) = cc {
        macro_rules! jcc {
            ($O:ident, $W:ty) => {
                by_made!(a, op, P => by_long!(w, T => by_usual_cc!(cc, C => made_jcc::<P, alu::$O, T, $W, C>)))
            };
        }
        return Some(match (b.mnemonic(), by_register, same) {
            (M::Test, true, true) => jcc!(Test, Same),
            (M::Cmp, true, false) => jcc!(Cmp, Other<Rb>),
            (M::Cmp, false, _) => jcc!(Cmp, Other<Im>),
            _ => return None,
        });
    }
    if same {
        return None;
    }
    macro_rules! alu {
        ($O:ident) => {
            match (by_register, second.quiet) {
                (true, true) => by_made!(a, op, P => by_long!(w, T => made_alu::<P, alu::$O, T, Rb, true>)),
                (true, false) => by_made!(a, op, P => by_long!(w, T => made_alu::<P, alu::$O, T, Rb, false>)),
                (false, true) => by_made!(a, op, P => by_long!(w, T => made_alu::<P, alu::$O, T, Im, true>)),
                (false, false) => by_made!(a, op, P => by_long!(w, T => made_alu::<P, alu::$O, T, Im, false>)),
            }
        };
    }
    let count = if w == 8 { ops[second.at].imm & 63 } else { ops[second.at].imm & 31 };
    macro_rules! shift {
        ($O:ident) => {
            if second.quiet {
                by_made!(a, op, P => by_long!(w, T => made_shift::<P, shift::$O, T, true>))
            } else {
                by_made!(a, op, P => by_long!(w, T => made_shift::<P, shift::$O, T, false>))
            }
        };
    }
    Some(match b.mnemonic() {
        M::Add => alu!(Add),
        M::Sub => alu!(Sub),
        M::And => alu!(And),
        M::Or => alu!(Or),
        M::Xor => alu!(Xor),
        M::Shl | M::Sal if !by_register && count != 0 => shift!(Shl),
        M::Shr if !by_register && count != 0 => shift!(Shr),
        M::Sar if !by_register && count != 0 => shift!(Sar),
        _ => return None,
    })
}
