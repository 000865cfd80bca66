//! Which instructions of a block need not set the flags.
//!
//! **Invariant**: flags are left out only where the block itself sets all of them again before anything that may read
//! them, fault or leave it.

use iced_x86::Mnemonic as M;

use super::Lower;
use super::forms::by_long;
use crate::exec::operand::{AtBase, Im, Me, Rb};
use crate::exec::{OpFn, alu, shift};

/// What an instruction means for the flags set before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// They may be seen.
    Shows,
    /// They stay, unseen.
    Keeps,
    /// All of them are set anew, unseen.
    Kills,
}

/// The effect of an instruction, and its body without flags.
pub(super) fn effect(l: &Lower<'_>) -> (Effect, Option<OpFn>) {
    let m = l.ins.mnemonic();
    let memory = l.is_mem(0) || l.is_mem(1) || l.is_mem(2);
    let effect = match m {
        M::Lea => Effect::Keeps,
        _ if memory => Effect::Shows,
        M::Mov
            if l.ins.op_register(0).is_segment_register() || l.ins.op_register(1).is_segment_register() =>
        {
            Effect::Shows
        }
        M::Mov
        | M::Movzx
        | M::Movsx
        | M::Movsxd
        | M::Cdqe
        | M::Cwde
        | M::Cdq
        | M::Cqo
        | M::Not
        | M::Bswap
        | M::Endbr64 => Effect::Keeps,
        M::Add | M::Sub | M::Cmp | M::And | M::Or | M::Xor | M::Test | M::Neg => Effect::Kills,
        M::Shl | M::Sal | M::Shr | M::Sar if counted(l) => Effect::Kills,
        _ => Effect::Shows,
    };
    (effect, if l.is_mem(0) || l.width(0) < 4 { None } else { quiet(l) })
}

/// True for a shift by an immediate that is not zero.
fn counted(l: &Lower<'_>) -> bool {
    let mask = if l.width(0) == 8 { 63 } else { 31 };
    l.is_imm(1) && l.op.imm & mask != 0
}

fn quiet(l: &Lower<'_>) -> Option<OpFn> {
    let w = l.width(0);
    macro_rules! alu {
        ($O:ident) => {
            match (l.is_mem(1), l.is_imm(1)) {
                (true, _) if l.is_near() => by_long!(w, T => alu::alu_quiet::<alu::$O, T, AtBase>),
                (true, _) => by_long!(w, T => alu::alu_quiet::<alu::$O, T, Me>),
                (_, true) => by_long!(w, T => alu::alu_quiet::<alu::$O, T, Im>),
                _ => by_long!(w, T => alu::alu_quiet::<alu::$O, T, Rb>),
            }
        };
    }
    macro_rules! unary {
        ($O:ident) => {
            by_long!(w, T => alu::unary_quiet::<alu::$O, T>)
        };
    }
    macro_rules! shift {
        ($O:ident) => {
            by_long!(w, T => shift::shift_quiet::<shift::$O, T>)
        };
    }
    Some(match l.ins.mnemonic() {
        M::Add => alu!(Add),
        M::Sub => alu!(Sub),
        M::And => alu!(And),
        M::Or => alu!(Or),
        M::Xor => alu!(Xor),
        M::Inc => unary!(Inc),
        M::Dec => unary!(Dec),
        M::Neg => unary!(Neg),
        M::Shl | M::Sal if counted(l) => shift!(Shl),
        M::Shr if counted(l) => shift!(Shr),
        M::Sar if counted(l) => shift!(Sar),
        M::Rol if counted(l) => shift!(Rol),
        M::Ror if counted(l) => shift!(Ror),
        _ => return None,
    })
}
