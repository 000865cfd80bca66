//! Which instructions of a block are done several at once: see [`crate::exec::group`].
//!
//! **Invariant**: the operations of the instructions stay behind that of their group, as they are.

use iced_x86::{Instruction, Mnemonic as M, OpKind, Register};

use super::forms::by_long;
use crate::exec::group::{Other, Same, Sign, Zero, made_alu, made_jcc, made_shift, pops, pushes};
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

/// Puts groups before the operations; the body of the opposite condition for one with the jump at the end.
pub(super) fn grouped(ops: &mut Vec<Op>, list: &[Known]) -> Option<OpFn> {
    let mut opposite = None;
    let mut new: Vec<(usize, OpFn)> = Vec::new();
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
                (2, f)
            }
            _ => (1, None),
        };
        match f {
            Some(f) => {
                new.push((list[i].at, f));
                i += n;
            }
            None => i += 1,
        }
    }
    for (at, f) in new.into_iter().rev() {
        ops.insert(at, Op { f, ..ops[at] });
    }
    opposite
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
