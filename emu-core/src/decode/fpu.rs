//! The instruction table, x87 part.

use iced_x86::{Instruction, MemorySize, Mnemonic, Register};

use super::{Choice, Lower};
use crate::exec::x87::{self, Form, environment as words};
use crate::exec::{FS, GS, OpFn, ZERO};

use Choice::{Body, Missing};

/// Form of the source (or destination) of an x87 instruction.
fn form(l: &Lower<'_>) -> u64 {
    if l.on_registers() {
        return Form::St as u64;
    }
    (match l.ins.memory_size() {
        MemorySize::Float32 => Form::M32,
        MemorySize::Float64 => Form::M64,
        MemorySize::Float80 => Form::M80,
        MemorySize::Int16 => Form::I16,
        MemorySize::Int32 => Form::I32,
        MemorySize::Bcd => Form::Bcd,
        _ => Form::I64,
    }) as u64
}

/// The body `$e` with the constant `$F` for the form of the operand.
macro_rules! by_form {
    ($l:expr, $F:ident => $e:expr) => {
        by_form!(@ $l, $F, $e, 0 1 2 3 4 5 6)
    };
    (@ $l:expr, $F:ident, $e:expr, $($n:literal)*) => {
        match form($l) {
            $($n => {
                const $F: u8 = $n;
                $e as OpFn
            })*
            _ => {
                const $F: u8 = Form::Bcd as u8;
                $e as OpFn
            }
        }
    };
}

/// Body `f`, its kind, form and pops in the immediate; st(i) operands in `a` and `b`.
fn with(l: &mut Lower<'_>, f: OpFn, kind: u64, pops: u64) -> Choice {
    l.op.imm = kind | (form(l) << 8) | (pops << 16);
    let n = l.ins.op_count();
    if n >= 1 && l.ins.op_register(0).is_st() {
        l.op.a = l.reg(0);
        l.op.b = l.reg(n - 1);
    } else {
        l.op.a = 0;
        l.op.b = 1;
    }
    Body(f)
}

/// Only the kind in the immediate.
fn plain(l: &mut Lower<'_>, f: OpFn, kind: u64) -> Choice {
    l.op.imm = kind;
    if l.ins.op_count() >= 1 && l.ins.op_register(0).is_st() {
        l.op.a = l.reg(0);
        l.op.b = l.reg(l.ins.op_count() - 1);
    }
    Body(f)
}

/// The eleven bits of the opcode that the environment shows, placed in the immediate; 0 for what the environment does
/// not name: control instructions, and all that is not of the x87 unit. Above it, whether an operand is
/// on the stack, and which base its address is shown without.
pub(super) fn opcode(ins: &Instruction, bytes: &[u8]) -> u64 {
    use Mnemonic as M;
    let prefix =
        |b: &u8| matches!(b, 0x26 | 0x2e | 0x36 | 0x3e | 0x40..=0x4f | 0x64..=0x67 | 0xf0 | 0xf2 | 0xf3);
    let mut rest = bytes.iter().skip_while(|b| prefix(b));
    let (Some(first @ 0xd8..=0xdf), Some(second)) = (rest.next(), rest.next()) else { return 0 };
    let control = matches!(
        ins.mnemonic(),
        M::Fninit
            | M::Fnclex
            | M::Fldcw
            | M::Fnstcw
            | M::Fnstsw
            | M::Fnstenv
            | M::Fldenv
            | M::Fnsave
            | M::Frstor
            | M::Fneni
            | M::Fndisi
            | M::Fnsetpm
    );
    if control {
        return 0;
    }
    // Other segment prefixes mean nothing.
    let (stack, base) = match ins.segment_prefix() {
        Register::FS => (0, FS),
        Register::GS => (0, GS),
        _ => {
            let through = ins.memory_base().full_register();
            (u64::from(through == Register::RSP || through == Register::RBP), ZERO)
        }
    };
    let shown = (u64::from(first & 7) << 8 | u64::from(*second)) << x87::OPCODE;
    shown | stack << x87::STACK | u64::from(base) << x87::BASE
}

/// An image of the environment; 2 in the immediate for that of 16-bit programs.
fn environment(l: &mut Lower<'_>, f: OpFn, kind: u64) -> Choice {
    let short = matches!(l.ins.memory_size(), MemorySize::FpuEnv14 | MemorySize::FpuState94);
    plain(l, f, kind | u64::from(short) << 1)
}

pub(super) fn select(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Fld | M::Fild | M::Fbld => with(l, by_form!(l, F => x87::fld::<F>), 0, 0),
        M::Fst | M::Fist => with(l, by_form!(l, F => x87::fst::<F>), 0, 0),
        M::Fstp | M::Fistp | M::Fbstp => with(l, by_form!(l, F => x87::fst::<F>), 0, 1),
        M::Fisttp => with(l, by_form!(l, F => x87::fst::<F>), 1, 1),
        M::Fld1 => plain(l, x87::constant, 0),
        M::Fldl2t => plain(l, x87::constant, 1),
        M::Fldl2e => plain(l, x87::constant, 2),
        M::Fldpi => plain(l, x87::constant, 3),
        M::Fldlg2 => plain(l, x87::constant, 4),
        M::Fldln2 => plain(l, x87::constant, 5),
        M::Fldz => plain(l, x87::constant, 6),
        M::Fadd | M::Fiadd => with(l, by_form!(l, F => x87::arith::<0, F>), 0, 0),
        M::Fmul | M::Fimul => with(l, by_form!(l, F => x87::arith::<1, F>), 1, 0),
        M::Fsub | M::Fisub => with(l, by_form!(l, F => x87::arith::<4, F>), 4, 0),
        M::Fsubr | M::Fisubr => with(l, by_form!(l, F => x87::arith::<5, F>), 5, 0),
        M::Fdiv | M::Fidiv => with(l, by_form!(l, F => x87::arith::<6, F>), 6, 0),
        M::Fdivr | M::Fidivr => with(l, by_form!(l, F => x87::arith::<7, F>), 7, 0),
        M::Faddp => with(l, by_form!(l, F => x87::arith::<0, F>), 0, 1),
        M::Fmulp => with(l, by_form!(l, F => x87::arith::<1, F>), 1, 1),
        M::Fsubp => with(l, by_form!(l, F => x87::arith::<4, F>), 4, 1),
        M::Fsubrp => with(l, by_form!(l, F => x87::arith::<5, F>), 5, 1),
        M::Fdivp => with(l, by_form!(l, F => x87::arith::<6, F>), 6, 1),
        M::Fdivrp => with(l, by_form!(l, F => x87::arith::<7, F>), 7, 1),
        M::Fcom | M::Ficom => with(l, by_form!(l, F => x87::compare::<F>), 0, 0),
        M::Fcomp | M::Ficomp => with(l, by_form!(l, F => x87::compare::<F>), 0, 1),
        M::Fcompp => with(l, by_form!(l, F => x87::compare::<F>), 0, 2),
        M::Fucom => with(l, by_form!(l, F => x87::compare::<F>), 1, 0),
        M::Fucomp => with(l, by_form!(l, F => x87::compare::<F>), 1, 1),
        M::Fucompp => with(l, by_form!(l, F => x87::compare::<F>), 1, 2),
        M::Ftst => with(l, by_form!(l, F => x87::compare::<F>), 2, 0),
        M::Fcomi => with(l, by_form!(l, F => x87::compare::<F>), 4, 0),
        M::Fcomip => with(l, by_form!(l, F => x87::compare::<F>), 4, 1),
        M::Fucomi => with(l, by_form!(l, F => x87::compare::<F>), 5, 0),
        M::Fucomip => with(l, by_form!(l, F => x87::compare::<F>), 5, 1),
        M::Fchs => plain(l, x87::simple::<0>, 0),
        M::Fabs => plain(l, x87::simple::<1>, 1),
        M::Fsqrt => plain(l, x87::simple::<2>, 2),
        M::Frndint => plain(l, x87::unary, 3),
        M::F2xm1 => plain(l, x87::unary, 4),
        M::Fsin => plain(l, x87::unary, 5),
        M::Fcos => plain(l, x87::unary, 6),
        M::Fsincos => plain(l, x87::unary, 7),
        M::Fptan => plain(l, x87::unary, 8),
        M::Fxtract => plain(l, x87::unary, 9),
        M::Fprem => plain(l, x87::binary, 0),
        M::Fprem1 => plain(l, x87::binary, 1),
        M::Fscale => plain(l, x87::binary, 2),
        M::Fpatan => plain(l, x87::binary, 3),
        M::Fyl2x => plain(l, x87::binary, 4),
        M::Fyl2xp1 => plain(l, x87::binary, 5),
        M::Fxch => with(l, x87::fxch, 0, 0),
        M::Fcmovb => with(l, x87::fcmov::<2>, 0, 0),
        M::Fcmovnb => with(l, x87::fcmov::<3>, 0, 0),
        M::Fcmove => with(l, x87::fcmov::<4>, 0, 0),
        M::Fcmovne => with(l, x87::fcmov::<5>, 0, 0),
        M::Fcmovbe => with(l, x87::fcmov::<6>, 0, 0),
        M::Fcmovnbe => with(l, x87::fcmov::<7>, 0, 0),
        M::Fcmovu => with(l, x87::fcmov::<10>, 0, 0),
        M::Fcmovnu => with(l, x87::fcmov::<11>, 0, 0),
        M::Fxam => plain(l, x87::fxam, 0),
        M::Ffree => plain(l, x87::stack, 0),
        M::Ffreep => plain(l, x87::stack, 1),
        M::Fincstp => plain(l, x87::stack, 2),
        M::Fdecstp => plain(l, x87::stack, 3),
        M::Fnop => plain(l, x87::stack, 4),
        M::Wait => plain(l, x87::stack, 5),
        M::Fstpnce => plain(l, x87::stack, 6),
        M::Fninit => plain(l, words::reset, 0),
        M::Fnclex => plain(l, words::reset, 1),
        M::Emms => plain(l, words::reset, 2),
        M::Fneni | M::Fndisi | M::Fnsetpm => plain(l, words::reset, 3),
        M::Fnstsw if l.is_mem(0) => plain(l, words::store_word, 0),
        M::Fnstsw => plain(l, words::store_word, 2),
        M::Fnstcw => plain(l, words::store_word, 1),
        M::Fldcw => plain(l, words::fldcw, 0),
        M::Fnstenv => environment(l, words::save, 0),
        M::Fnsave => environment(l, words::save, 1),
        M::Fldenv => environment(l, words::restore, 0),
        M::Frstor => environment(l, words::restore, 1),
        _ => Missing,
    }
}
