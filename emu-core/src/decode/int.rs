//! The instruction table, integer and system part.

use iced_x86::{Code, ConditionCode, Instruction, Mnemonic, OpKind, Register};

use super::forms::{by_cc, by_dst, by_form, by_form_near, by_long, by_src, by_src_near, by_wide, by_width};
use super::{Choice, Lower};
use crate::cpu::reg;
use crate::exec::flags::{CF, OF};
use crate::exec::operand::{Im, Me, Ra, Rb};
use crate::exec::{
    End, FS, GS, OpFn, alu, bits, branch, cpuid, mov, muldiv, protect, shift, string, system, xsave,
};

use Choice::{Body, Last, Missing, Undefined};

const RSP: u8 = reg::RSP as u8;

/// The condition of a `jcc`, as in its encoding.
pub(super) fn condition(ins: &Instruction) -> Option<u8> {
    if ins.is_jcc_short_or_near() { number(ins.condition_code()) } else { None }
}

fn number(cc: ConditionCode) -> Option<u8> {
    Some(match cc {
        ConditionCode::None => return None,
        ConditionCode::o => 0,
        ConditionCode::no => 1,
        ConditionCode::b => 2,
        ConditionCode::ae => 3,
        ConditionCode::e => 4,
        ConditionCode::ne => 5,
        ConditionCode::be => 6,
        ConditionCode::a => 7,
        ConditionCode::s => 8,
        ConditionCode::ns => 9,
        ConditionCode::p => 10,
        ConditionCode::np => 11,
        ConditionCode::l => 12,
        ConditionCode::ge => 13,
        ConditionCode::le => 14,
        ConditionCode::g => 15,
    })
}

/// A body for `prev` and a `jcc` of condition `cc` behind it.
pub(super) fn fused(prev: &Instruction, cc: u8) -> Option<OpFn> {
    let l = Lower::new(prev, 0, 0);
    let w = l.width(0);
    Some(match prev.mnemonic() {
        Mnemonic::Cmp => {
            by_width!(w, T => by_form_near!(l, D, S => by_cc!(cc, C => alu::alu_jcc::<alu::Cmp, T, D, S, C>)))
        }
        Mnemonic::Test => {
            by_width!(w, T => by_form_near!(l, D, S => by_cc!(cc, C => alu::alu_jcc::<alu::Test, T, D, S, C>)))
        }
        _ if l.is_mem(0) || l.is_mem(1) || w < 4 => return None,
        Mnemonic::Sub if l.is_imm(1) => {
            by_long!(w, T => by_cc!(cc, C => alu::alu_jcc::<alu::Sub, T, Ra, Im, C>))
        }
        Mnemonic::Sub => by_long!(w, T => by_cc!(cc, C => alu::alu_jcc::<alu::Sub, T, Ra, Rb, C>)),
        Mnemonic::Add if l.is_imm(1) => {
            by_long!(w, T => by_cc!(cc, C => alu::alu_jcc::<alu::Add, T, Ra, Im, C>))
        }
        Mnemonic::Add => by_long!(w, T => by_cc!(cc, C => alu::alu_jcc::<alu::Add, T, Ra, Rb, C>)),
        Mnemonic::And if l.is_imm(1) => {
            by_long!(w, T => by_cc!(cc, C => alu::alu_jcc::<alu::And, T, Ra, Im, C>))
        }
        Mnemonic::And => by_long!(w, T => by_cc!(cc, C => alu::alu_jcc::<alu::And, T, Ra, Rb, C>)),
        Mnemonic::Inc => by_long!(w, T => by_cc!(cc, C => alu::unary_jcc::<alu::Inc, T, C>)),
        Mnemonic::Dec => by_long!(w, T => by_cc!(cc, C => alu::unary_jcc::<alu::Dec, T, C>)),
        _ => return None,
    })
}

macro_rules! alu2 {
    ($l:expr, $O:ident) => {
        Body(by_width!($l.width(0), T => by_form_near!($l, D, S => alu::alu::<alu::$O, T, D, S>)))
    };
}

macro_rules! unary {
    ($l:expr, $O:ident) => {
        Body(by_width!($l.width(0), T => by_dst!($l.is_mem(0), D => alu::unary::<alu::$O, T, D>)))
    };
}

macro_rules! shift {
    ($l:expr, $O:ident) => {{
        let w = $l.width(0);
        let mask = if w == 8 { 63 } else { 31 };
        let mem = $l.is_mem(0);
        Body(if !$l.is_imm(1) {
            // cl is the byte at offset 8.
            $l.op.b = 8;
            by_width!(w, T => by_dst!(mem, D => shift::shift_cl::<shift::$O, T, D, Rb>))
        } else if $l.op.imm & mask == 0 {
            by_width!(w, T => by_dst!(mem, D => shift::shift_cl::<shift::$O, T, D, Im>))
        } else {
            by_width!(w, T => by_dst!(mem, D => shift::shift_imm::<shift::$O, T, D>))
        })
    }};
}

macro_rules! double_shift {
    ($l:expr, $f:ident) => {{
        let (w, mem) = ($l.width(0), $l.is_mem(0));
        Body(if $l.is_imm(2) {
            by_wide!(w, T => by_dst!(mem, D => shift::$f::<T, D, shift::ByImm>))
        } else {
            by_wide!(w, T => by_dst!(mem, D => shift::$f::<T, D, shift::Cl>))
        })
    }};
}

macro_rules! bit {
    ($l:expr, $k:literal) => {{
        let w = $l.width(0);
        if !$l.is_imm(1) {
            // With a segment base there is nothing to wrap at.
            let narrow = $l.before.is_some_and(|b| b.imm != u64::MAX && b.b == crate::exec::ZERO);
            $l.op.imm = if narrow { 0xffff_ffff } else { u64::MAX };
        }
        Body(match ($l.is_mem(0), $l.is_imm(1)) {
            (true, false) => by_wide!(w, T => bits::bit_string::<T, $k>),
            (true, true) => by_wide!(w, T => bits::bit::<T, Me, Im, $k>),
            (false, true) => by_wide!(w, T => bits::bit::<T, Ra, Im, $k>),
            (false, false) => by_wide!(w, T => bits::bit::<T, Ra, Rb, $k>),
        })
    }};
}

macro_rules! scan {
    ($l:expr, $O:ident) => {
        Body(by_wide!($l.width(0), T => by_src!($l.is_mem(1), S => bits::scan::<bits::$O, T, S>)))
    };
}

/// A BMI instruction `dst, rm, control` whose control register goes to `imm`.
macro_rules! bmi_last {
    ($l:expr, $T:ident, $S:ident => $f:expr) => {{
        $l.op.imm = u64::from($l.reg(2));
        Body(by_long!($l.width(0), $T => by_src!($l.is_mem(1), $S => $f)))
    }};
}

/// A BMI instruction `dst, register, rm` whose second operand goes to `imm`.
macro_rules! bmi_mid {
    ($l:expr, $T:ident, $S:ident => $f:expr) => {{
        $l.op.imm = u64::from($l.reg(1));
        if !$l.is_mem(2) {
            $l.op.b = $l.reg(2);
        }
        Body(by_long!($l.width(0), $T => by_src!($l.is_mem(2), $S => $f)))
    }};
}

macro_rules! string {
    ($l:expr, $O:ident, $w:expr) => {{
        let narrow = ($l.ins.op_kinds())
            .any(|k| matches!(k, OpKind::MemorySegESI | OpKind::MemorySegEDI | OpKind::MemoryESEDI));
        $l.op.b = $l.segment();
        let (rep, ne) = ($l.ins.has_rep_prefix(), $l.ins.has_repne_prefix());
        if rep || ne {
            $l.ending = End::Repeat;
        }
        match (narrow, rep || ne, ne) {
            (false, false, _) => Body(by_width!($w, T => string::string::<string::$O, T, u64>)),
            (true, false, _) => Body(by_width!($w, T => string::string::<string::$O, T, u32>)),
            (false, true, false) => Last(by_width!($w, T => string::rep::<string::$O, T, u64, false>)),
            (true, true, false) => Last(by_width!($w, T => string::rep::<string::$O, T, u32, false>)),
            (false, true, true) => Last(by_width!($w, T => string::rep::<string::$O, T, u64, true>)),
            (true, true, true) => Last(by_width!($w, T => string::rep::<string::$O, T, u32, true>)),
        }
    }};
}

fn push(l: &mut Lower<'_>) -> Choice {
    let w = l.ins.stack_pointer_increment().unsigned_abs();
    if l.is_imm(0) {
        l.op.base = RSP;
        return Body(by_wide!(w, T => mov::push::<T, Im>));
    }
    if l.is_mem(0) {
        return Body(by_wide!(w, T => mov::push::<T, Me>));
    }
    l.op.base = RSP;
    let r = l.ins.op_register(0);
    if r.is_segment_register() {
        l.op.imm = r.number() as u64;
        return Body(by_wide!(w, T => protect::push_seg::<T>));
    }
    Body(by_wide!(w, T => mov::push::<T, Ra>))
}

fn pop(l: &mut Lower<'_>) -> Choice {
    let w = l.ins.stack_pointer_increment().unsigned_abs();
    if l.is_mem(0) {
        // The address is computed after rsp has moved, by a helper operation too.
        if let Some(before) = &mut l.before
            && before.base == RSP
        {
            before.disp += w as i64;
        }
        return Body(by_wide!(w, T => mov::pop_mem::<T>));
    }
    l.op.base = RSP;
    if l.ins.op_register(0).is_segment_register() {
        l.op.a = l.ins.op_register(0).number() as u8;
        return Body(by_wide!(w, T => protect::pop_seg::<T>));
    }
    Body(by_wide!(w, T => mov::pop::<T>))
}

fn moves(l: &mut Lower<'_>) -> Choice {
    for i in 0..2 {
        if l.kind(i) != OpKind::Register {
            continue;
        }
        let r = l.ins.op_register(i);
        if r.is_cr() || r.is_dr() || r.is_tr() {
            return Last(system::privileged);
        }
        if r.is_segment_register() {
            if i == 0 {
                l.op.a = r.number() as u8;
                return Body(if l.is_mem(1) { protect::mov_to_seg::<Me> } else { protect::mov_to_seg::<Rb> });
            }
            l.op.imm = r.number() as u64;
            let w = if l.is_mem(0) { 2 } else { l.width(0) };
            return Body(by_wide!(w, T => by_dst!(l.is_mem(0), D => protect::mov_from_seg::<T, D>)));
        }
    }
    Body(by_width!(l.width(0), T => by_form_near!(l, D, S => mov::mov::<T, D, S>)))
}

fn extend(l: &Lower<'_>, signed: bool) -> Choice {
    let (to, mem) = (l.width(0), l.is_mem(1));
    // AMD processors read four bytes here.
    if mem && l.ins.code() == Code::Movsxd_r16_rm16 {
        return Body(mov::movsx::<u16, u32, Me>);
    }
    macro_rules! from {
        ($f:ident) => {
            match l.width(1) {
                1 => by_wide!(to, W => by_src_near!(l, mem, S => mov::$f::<W, u8, S>)),
                2 => by_wide!(to, W => by_src_near!(l, mem, S => mov::$f::<W, u16, S>)),
                _ => by_wide!(to, W => by_src_near!(l, mem, S => mov::$f::<W, u32, S>)),
            }
        };
    }
    Body(if signed { from!(movsx) } else { from!(movzx) })
}

fn branches(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    l.target = l.op.imm;
    let m = l.ins.mnemonic();
    let call = m == M::Call;
    match m {
        M::Jmp | M::Call => match l.kind(0) {
            OpKind::NearBranch64 | OpKind::NearBranch16 if !call => {
                l.ending = End::Jump;
                Last(branch::jmp)
            }
            OpKind::NearBranch64 => {
                l.op.base = RSP;
                l.op.imm = l.ins.next_ip();
                l.ending = End::Call;
                Last(branch::call)
            }
            OpKind::NearBranch16 => {
                l.op.base = RSP;
                l.ending = End::Branch;
                Last(branch::call16)
            }
            OpKind::Memory if l.ins.is_call_far_indirect() || l.ins.is_jmp_far_indirect() => far(l, call),
            OpKind::Register | OpKind::Memory if l.width(0) == 2 => {
                if !l.is_mem(0) {
                    l.op.base = RSP;
                }
                Last(match (l.is_mem(0), call) {
                    (true, true) => branch::ind16::<Me, true>,
                    (true, false) => branch::ind16::<Me, false>,
                    (false, true) => branch::ind16::<Ra, true>,
                    (false, false) => branch::ind16::<Ra, false>,
                })
            }
            OpKind::Register if l.width(0) != 8 => Missing,
            OpKind::Register if call => {
                l.op.base = RSP;
                l.op.imm = l.ins.next_ip();
                Last(branch::call_ind::<Ra>)
            }
            OpKind::Register => Last(branch::jmp_ind::<Ra>),
            OpKind::Memory if l.width(0) != 8 => Missing,
            OpKind::Memory if call => {
                l.op.imm = l.ins.next_ip();
                Last(branch::call_ind::<Me>)
            }
            OpKind::Memory => Last(branch::jmp_ind::<Me>),
            _ => Missing,
        },
        M::Ret => {
            l.op.base = RSP;
            match l.ins.code() {
                Code::Retnq | Code::Retnq_imm16 => {
                    l.ending = End::Return;
                    Last(branch::ret)
                }
                Code::Retnw | Code::Retnw_imm16 => Last(branch::ret16),
                _ => Missing,
            }
        }
        M::Jrcxz => {
            l.ending = End::Cond { opposite: None, grouped: None };
            Last(branch::jcxz::<u64>)
        }
        M::Jecxz => {
            l.ending = End::Cond { opposite: None, grouped: None };
            Last(branch::jcxz::<u32>)
        }
        _ => {
            l.ending = End::Cond { opposite: None, grouped: None };
            let code = l.ins.code();
            let narrow = matches!(
                code,
                Code::Loop_rel8_64_ECX
                    | Code::Loope_rel8_64_ECX
                    | Code::Loopne_rel8_64_ECX
                    | Code::Loop_rel8_16_ECX
                    | Code::Loope_rel8_16_ECX
                    | Code::Loopne_rel8_16_ECX
            );
            // On AMD's processors a repeat prefix says which.
            let m = match m {
                M::Loop => M::Loop,
                _ if l.ins.has_repne_prefix() => M::Loopne,
                _ if l.ins.has_rep_prefix() => M::Loope,
                other => other,
            };
            match (m, narrow) {
                (M::Loop, false) => Last(branch::loop_::<u64, 0>),
                (M::Loope, false) => Last(branch::loop_::<u64, 1>),
                (M::Loopne, false) => Last(branch::loop_::<u64, 2>),
                (M::Loop, true) => Last(branch::loop_::<u32, 0>),
                (M::Loope, true) => Last(branch::loop_::<u32, 1>),
                _ => Last(branch::loop_::<u32, 2>),
            }
        }
    }
}

/// Far JMP and CALL: an offset of 2, 4 or 8 bytes, then a selector.
fn far(l: &mut Lower<'_>, call: bool) -> Choice {
    let w = l.ins.memory_size().size() - 2;
    l.op.imm = l.ins.code() as u64;
    Last(if call {
        by_wide!(w, T => protect::far_indirect::<T, true>)
    } else {
        by_wide!(w, T => protect::far_indirect::<T, false>)
    })
}

/// What an instruction of a feature that the model lacks is: TZCNT and LZCNT are BSF and BSR then, all else `#UD`.
pub(super) fn without_feature(l: &mut Lower<'_>) -> Choice {
    match l.ins.mnemonic() {
        Mnemonic::Tzcnt => scan!(l, Bsf),
        Mnemonic::Lzcnt => scan!(l, Bsr),
        _ => Undefined,
    }
}

/// What UMIP keeps from programs, as Linux answers it; LAR, LSL, VERR, VERW; far returns.
fn protection(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    let m = l.ins.mnemonic();
    match m {
        M::Sgdt => with(l, 0xffff_ffff_fffe_0000, protect::store_table),
        M::Sidt => with(l, 0xffff_ffff_ffff_0000, protect::store_table),
        M::Sldt | M::Str | M::Smsw => {
            let value = match m {
                M::Sldt => 0,
                M::Str => 0x40,
                _ => 0x8005_0033,
            };
            let f = if l.is_mem(0) {
                protect::store_word::<u16, Me> as OpFn
            } else if l.width(0) == 2 {
                protect::store_word::<u16, Ra>
            } else if l.width(0) == 8 && m == M::Smsw {
                protect::store_word::<u64, Ra>
            } else {
                protect::store_low
            };
            with(l, value, f)
        }
        M::Lss | M::Lfs | M::Lgs => {
            let number = match m {
                M::Lss => 2,
                M::Lfs => 4,
                _ => 5,
            };
            let f = by_wide!(l.width(0), T => protect::load_far::<T> as OpFn);
            with(l, number, f)
        }
        M::Lar => Body(by_wide!(l.width(0), T => by_src!(l.is_mem(1), S => protect::lar::<T, S, false>))),
        M::Lsl => Body(by_wide!(l.width(0), T => by_src!(l.is_mem(1), S => protect::lar::<T, S, true>))),
        M::Verr | M::Verw => {
            l.op.b = l.op.a;
            let (mem, write) = (l.is_mem(0), m == M::Verw);
            Body(if write {
                by_src!(mem, S => protect::verify::<S, true>)
            } else {
                by_src!(mem, S => protect::verify::<S, false>)
            })
        }
        M::Retf => {
            let more = if l.ins.op_count() == 1 { l.ins.immediate16() } else { 0 };
            [l.op.a, l.op.b] = more.to_le_bytes();
            l.op.imm = l.ins.code() as u64;
            l.op.base = RSP;
            let w = l.ins.stack_pointer_increment().unsigned_abs() as usize - usize::from(more);
            Last(by_wide!(w / 2, T => protect::retf::<T>))
        }
        M::Iret | M::Iretd | M::Iretq => {
            l.op.imm = l.ins.code() as u64;
            l.op.base = RSP;
            let w = match m {
                M::Iret => 2,
                M::Iretd => 4,
                _ => 8,
            };
            Last(by_wide!(w, T => protect::iret::<T>))
        }
        _ => conditional(l),
    }
}

/// With immediate in `imm`.
fn with(l: &mut Lower<'_>, imm: u64, f: OpFn) -> Choice {
    l.op.imm = imm;
    Body(f)
}

fn last_with(l: &mut Lower<'_>, imm: u64, f: OpFn) -> Choice {
    l.op.imm = imm;
    Last(f)
}

/// On the stack: 16 bits or 64.
fn stack(l: &mut Lower<'_>, narrow: bool, f16: OpFn, f64: OpFn) -> OpFn {
    l.op.base = RSP;
    if narrow { f16 } else { f64 }
}

pub(super) fn select(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    if let Some(cc) = condition(l.ins) {
        l.target = l.op.imm;
        l.ending = End::Cond { opposite: Some(by_cc!(cc ^ 1, C => branch::jcc::<C>)), grouped: None };
        return Last(by_cc!(cc, C => branch::jcc::<C>));
    }
    let m = l.ins.mnemonic();
    match m {
        M::Mov => moves(l),
        M::Add => alu2!(l, Add),
        M::Or => alu2!(l, Or),
        M::Adc => alu2!(l, Adc),
        M::Sbb => alu2!(l, Sbb),
        M::And => alu2!(l, And),
        M::Sub => alu2!(l, Sub),
        M::Xor => alu2!(l, Xor),
        M::Cmp => alu2!(l, Cmp),
        M::Test => alu2!(l, Test),
        M::Inc => unary!(l, Inc),
        M::Dec => unary!(l, Dec),
        M::Neg => unary!(l, Neg),
        M::Not => unary!(l, Not),
        M::Bswap => Body(by_wide!(l.width(0), T => alu::unary::<alu::Bswap, T, Ra>)),
        M::Lea if l.is_near() => Body(by_wide!(l.width(0), T => mov::lea_near::<T>)),
        M::Lea => Body(by_wide!(l.width(0), T => mov::lea::<T>)),
        M::Movzx => extend(l, false),
        M::Movsx | M::Movsxd => extend(l, true),
        M::Xchg => {
            if l.is_mem(1) {
                l.op.b = l.op.a;
            }
            let mem = l.is_mem(0) || l.is_mem(1);
            Body(by_width!(l.width(0), T => by_dst!(mem, D => mov::xchg::<T, D>)))
        }
        M::Xadd => Body(by_width!(l.width(0), T => by_dst!(l.is_mem(0), D => alu::xadd::<T, D>))),
        M::Cmpxchg => Body(by_width!(l.width(0), T => by_dst!(l.is_mem(0), D => alu::cmpxchg::<T, D>))),
        M::Cmpxchg8b => Body(alu::cmpxchg8b),
        M::Cmpxchg16b => Body(alu::cmpxchg16b),
        M::Push => push(l),
        M::Pop => pop(l),
        M::Pushfq | M::Pushf => Body(stack(l, m == M::Pushf, mov::pushf::<u16>, mov::pushf::<u64>)),
        M::Popfq | M::Popf => Last(stack(l, m == M::Popf, mov::popf::<u16>, mov::popf::<u64>)),
        M::Leave => {
            let narrow = l.ins.code() == Code::Leavew;
            let f = stack(l, narrow, mov::leave::<u16>, mov::leave::<u64>);
            l.op.base = reg::RBP as u8;
            Body(f)
        }
        M::Enter => {
            let narrow = l.ins.code() == Code::Enterw_imm16_imm8;
            l.op.imm = u64::from(l.ins.immediate16());
            l.op.b = l.ins.immediate8_2nd() & 31;
            Body(stack(l, narrow, mov::enter::<u16>, mov::enter::<u64>))
        }
        M::Cbw => Body(mov::widen::<u16, u8>),
        M::Cwde => Body(mov::widen::<u32, u16>),
        M::Cdqe => Body(mov::widen::<u64, u32>),
        M::Cwd => Body(mov::sign::<u16>),
        M::Cdq => Body(mov::sign::<u32>),
        M::Cqo => Body(mov::sign::<u64>),
        M::Lahf => Body(mov::lahf),
        M::Sahf => Body(mov::sahf),
        M::Clc => with(l, 0, mov::carry),
        M::Stc => with(l, 1, mov::carry),
        M::Cmc => with(l, 2, mov::carry),
        M::Cld => with(l, 0, mov::direction),
        M::Std => with(l, 1, mov::direction),
        M::Xlatb => {
            l.op.base = reg::RBX as u8;
            l.op.b = l.segment();
            let narrow = l.ins.memory_base() == Register::EBX;
            with(l, if narrow { 0xffff_ffff } else { u64::MAX }, mov::xlat)
        }
        M::Movbe => Body(by_wide!(l.width(0), T => by_form!(l, D, S => mov::movbe::<T, D, S>))),
        M::Shl | M::Sal => shift!(l, Shl),
        M::Shr => shift!(l, Shr),
        M::Sar => shift!(l, Sar),
        M::Rol => shift!(l, Rol),
        M::Ror => shift!(l, Ror),
        M::Rcl => shift!(l, Rcl),
        M::Rcr => shift!(l, Rcr),
        M::Shld => double_shift!(l, shld),
        M::Shrd => double_shift!(l, shrd),
        M::Shlx => bmi_last!(l, T, S => shift::shiftx::<T, S, 0>),
        M::Shrx => bmi_last!(l, T, S => shift::shiftx::<T, S, 1>),
        M::Sarx => bmi_last!(l, T, S => shift::shiftx::<T, S, 2>),
        M::Rorx => Body(by_long!(l.width(0), T => by_src!(l.is_mem(1), S => shift::rorx::<T, S>))),
        M::Mul | M::Div | M::Idiv => one_operand(l),
        M::Imul => match l.ins.op_count() {
            1 => one_operand(l),
            2 => Body(by_wide!(l.width(0), T => by_src!(l.is_mem(1), S => muldiv::imul2::<T, S>))),
            _ => Body(by_wide!(l.width(0), T => by_src!(l.is_mem(1), S => muldiv::imul3::<T, S>))),
        },
        M::Mulx => bmi_mid!(l, T, S => muldiv::mulx::<T, S>),
        M::Bt => bit!(l, 0),
        M::Bts => bit!(l, 1),
        M::Btr => bit!(l, 2),
        M::Btc => bit!(l, 3),
        M::Bsf => scan!(l, Bsf),
        M::Bsr => scan!(l, Bsr),
        M::Tzcnt => scan!(l, Tzcnt),
        M::Lzcnt => scan!(l, Lzcnt),
        M::Popcnt => scan!(l, Popcnt),
        M::Blsr => scan!(l, Blsr),
        M::Blsi => scan!(l, Blsi),
        M::Blsmsk => scan!(l, Blsmsk),
        M::Andn => bmi_mid!(l, T, S => bits::andn::<T, S>),
        M::Pdep => bmi_mid!(l, T, S => bits::pdep::<T, S>),
        M::Pext => bmi_mid!(l, T, S => bits::pext::<T, S>),
        M::Bextr => bmi_last!(l, T, S => bits::bextr::<T, S>),
        M::Bzhi => bmi_last!(l, T, S => bits::bzhi::<T, S>),
        M::Crc32 => Body(by_width!(l.width(1), T => by_src!(l.is_mem(1), S => bits::crc32::<T, S>))),
        M::Adcx => Body(by_long!(l.width(0), T => by_src!(l.is_mem(1), S => bits::adcx::<T, S, CF>))),
        M::Adox => Body(by_long!(l.width(0), T => by_src!(l.is_mem(1), S => bits::adcx::<T, S, OF>))),
        M::Movsb => string!(l, Movs, 1),
        M::Movsw => string!(l, Movs, 2),
        M::Movsd if l.ins.is_string_instruction() => string!(l, Movs, 4),
        M::Movsq => string!(l, Movs, 8),
        M::Stosb => string!(l, Stos, 1),
        M::Stosw => string!(l, Stos, 2),
        M::Stosd => string!(l, Stos, 4),
        M::Stosq => string!(l, Stos, 8),
        M::Lodsb => string!(l, Lods, 1),
        M::Lodsw => string!(l, Lods, 2),
        M::Lodsd => string!(l, Lods, 4),
        M::Lodsq => string!(l, Lods, 8),
        M::Cmpsb => string!(l, Cmps, 1),
        M::Cmpsw => string!(l, Cmps, 2),
        M::Cmpsd if l.ins.is_string_instruction() => string!(l, Cmps, 4),
        M::Cmpsq => string!(l, Cmps, 8),
        M::Scasb => string!(l, Scas, 1),
        M::Scasw => string!(l, Scas, 2),
        M::Scasd => string!(l, Scas, 4),
        M::Scasq => string!(l, Scas, 8),
        M::Jmp | M::Call | M::Ret | M::Jrcxz | M::Jecxz | M::Loop | M::Loope | M::Loopne => branches(l),
        _ => system(l),
    }
}

fn system(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Sysenter => Undefined,
        M::Reservednop if format!("{:?}", l.ins.code()).ends_with("0F0D") => Undefined,
        M::Nop
        | M::Serialize
        | M::Endbr64
        | M::Endbr32
        | M::Pause
        | M::Lfence
        | M::Mfence
        | M::Sfence
        | M::Prefetchnta
        | M::Prefetcht0
        | M::Prefetcht1
        | M::Prefetcht2
        | M::Prefetch
        | M::Prefetchw
        | M::Prefetchwt1
        | M::Reservednop
        | M::Cldemote
        | M::Prefetchit0
        | M::Prefetchit1 => Body(mov::nop),
        M::Clflush | M::Clflushopt | M::Clwb => Body(mov::touch),
        M::Cpuid => Body(cpuid::cpuid),
        M::Xgetbv => Body(xsave::xgetbv),
        M::Syscall => Last(system::syscall),
        M::Int3 => last_with(l, 3, system::trap),
        M::Int1 => last_with(l, 1, system::trap),
        M::Int if matches!(l.op.imm, 3 | 4) => Last(system::trap),
        M::Int => Last(system::int_n),
        M::Ud0 | M::Ud1 | M::Ud2 => Undefined,
        M::Rdtsc => last_with(l, 0, system::seam),
        M::Rdtscp => last_with(l, 1, system::seam),
        M::Rdrand | M::Rdseed => last_with(l, 2, system::seam),
        M::Rdpid => Body(system::rdpid),
        M::Rdfsbase => base(l, FS, false),
        M::Rdgsbase => base(l, GS, false),
        M::Wrfsbase => base(l, FS, true),
        M::Wrgsbase => base(l, GS, true),
        M::Ldmxcsr | M::Vldmxcsr => Body(system::ldmxcsr),
        M::Stmxcsr | M::Vstmxcsr => Body(system::stmxcsr),
        M::Fxsave | M::Fxsave64 => image(l, xsave::fxsave),
        M::Fxrstor | M::Fxrstor64 => image(l, xsave::fxrstor),
        M::Xsave | M::Xsave64 => image(l, xsave::save::<0>),
        M::Xsaveopt | M::Xsaveopt64 => image(l, xsave::save::<1>),
        M::Xsavec | M::Xsavec64 => image(l, xsave::save::<2>),
        M::Xrstor | M::Xrstor64 => image(l, xsave::restore),
        M::Hlt
        | M::Cli
        | M::Sti
        | M::In
        | M::Out
        | M::Insb
        | M::Insw
        | M::Insd
        | M::Outsb
        | M::Outsw
        | M::Outsd
        | M::Lgdt
        | M::Lidt
        | M::Lldt
        | M::Ltr
        | M::Lmsw
        | M::Clts
        | M::Invd
        | M::Wbinvd
        | M::Wbnoinvd
        | M::Invlpg
        | M::Invpcid
        | M::Rdmsr
        | M::Wrmsr
        | M::Swapgs
        | M::Sysret
        | M::Sysretq
        | M::Sysexit
        | M::Sysexitq
        | M::Rdpmc
        | M::Xsetbv
        | M::Clac
        | M::Stac => {
            l.op.imm = l.ins.code() as u64;
            l.op.disp = l.ins.len() as i64;
            Last(system::privileged)
        }
        _ => protection(l),
    }
}

/// SETcc and CMOVcc.
fn conditional(l: &mut Lower<'_>) -> Choice {
    let Some(cc) = number(l.ins.condition_code()) else { return Missing };
    // With another number of operands it is neither.
    match l.ins.op_count() {
        1 => Body(by_dst!(l.is_mem(0), D => by_cc!(cc, C => mov::setcc::<D, C>))),
        2 => {
            let (w, mem) = (l.width(0), l.is_mem(1));
            Body(by_wide!(w, T => by_src!(mem, S => by_cc!(cc, C => mov::cmov::<T, S, C>))))
        }
        _ => Missing,
    }
}

/// MUL, DIV, IDIV, IMUL with one operand.
fn one_operand(l: &mut Lower<'_>) -> Choice {
    let (w, mem) = (l.width(0), l.is_mem(0));
    l.op.b = l.op.a;
    Body(match l.ins.mnemonic() {
        Mnemonic::Mul => by_width!(w, T => by_src!(mem, S => muldiv::mul::<T, S>)),
        Mnemonic::Div => by_width!(w, T => by_src!(mem, S => muldiv::div::<T, S>)),
        Mnemonic::Idiv => by_width!(w, T => by_src!(mem, S => muldiv::idiv::<T, S>)),
        _ => by_width!(w, T => by_src!(mem, S => muldiv::imul1::<T, S>)),
    })
}

fn base(l: &mut Lower<'_>, slot: u8, write: bool) -> Choice {
    l.op.b = slot;
    let w = l.width(0);
    Body(if write { by_long!(w, T => system::wrbase::<T>) } else { by_long!(w, T => system::rdbase::<T>) })
}

/// An image of the vector state: whether pointers in it are narrow.
fn image(l: &mut Lower<'_>, f: OpFn) -> Choice {
    use Mnemonic as M;
    let narrow =
        matches!(l.ins.mnemonic(), M::Fxsave | M::Fxrstor | M::Xsave | M::Xsaveopt | M::Xsavec | M::Xrstor);
    l.op.imm = u64::from(narrow) * xsave::NARROW;
    Body(f)
}
