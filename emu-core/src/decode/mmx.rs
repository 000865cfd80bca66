//! The instruction table, MMX part.

use iced_x86::Mnemonic;

use super::{Choice, Lower};
use crate::exec::mmx::{self, how};
use crate::exec::operand::{Me, Ra, Rb};
use crate::exec::{OpFn, vecint};

use Choice::{Body, Missing};

fn is_mm(l: &Lower<'_>, i: u32) -> bool {
    i < l.ins.op_count() && !l.is_mem(i) && !l.is_imm(i) && l.ins.op_register(i).is_mm()
}

/// True if the instruction belongs here: an operand is an MMX register or could be one.
pub(super) fn claims(l: &Lower<'_>) -> bool {
    matches!(l.ins.mnemonic(), Mnemonic::Cvtpi2ps | Mnemonic::Cvtpi2pd)
        || (0..l.ins.op_count()).any(|i| is_mm(l, i))
}

/// `a = O(a, source)`.
macro_rules! v2 {
    ($l:expr, $O:ident, $how:ident) => {
        v2!($l, $O, $how, u64)
    };
    ($l:expr, $O:ident, $how:ident, $T:ty) => {{
        let l = $l;
        if !l.is_mem(1) {
            l.op.base = l.reg(1);
        }
        Body(if l.is_mem(1) {
            mmx::v2::<vecint::$O, $T, { how::$how }, true> as OpFn
        } else {
            mmx::v2::<vecint::$O, $T, { how::$how }, false>
        })
    }};
}

macro_rules! shift {
    ($l:expr, $O:ident) => {
        if $l.is_imm(1) { Body(mmx::shift_imm::<vecint::$O>) } else { v2!($l, $O, LOW) }
    };
}

macro_rules! source {
    ($l:expr, $M:ident => $e:expr) => {{
        let l = $l;
        if l.is_mem(1) {
            const $M: bool = true;
            Body($e as OpFn)
        } else {
            l.op.base = l.reg(1);
            const $M: bool = false;
            Body($e as OpFn)
        }
    }};
}

fn moves(l: &mut Lower<'_>, wide: bool) -> Choice {
    if is_mm(l, 0) && is_mm(l, 1) {
        l.op.base = l.reg(1);
        return Body(mmx::copy);
    }
    let mem = l.is_mem(0) || l.is_mem(1);
    Body(match (is_mm(l, 0), mem, wide) {
        (true, true, true) => mmx::load::<u64, Me> as OpFn,
        (true, true, false) => mmx::load::<u32, Me>,
        (true, false, true) => mmx::load::<u64, Rb>,
        (true, false, false) => mmx::load::<u32, Rb>,
        (false, true, true) => mmx::store::<u64, Me>,
        (false, true, false) => mmx::store::<u32, Me>,
        (false, false, true) => mmx::store::<u64, Ra>,
        (false, false, false) => mmx::store::<u32, Ra>,
    })
}

pub(super) fn select(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Movd => moves(l, false),
        M::Movq | M::Movntq => moves(l, true),
        M::Movq2dq => Body(mmx::to_xmm),
        M::Movdq2q => Body(mmx::of_xmm),
        M::Pmovmskb => Body(mmx::pmovmskb),
        M::Pextrw => Body(mmx::pextrw),
        M::Pinsrw if l.is_mem(1) => Body(mmx::pinsrw::<Me>),
        M::Pinsrw => Body(mmx::pinsrw::<Rb>),
        M::Maskmovq => {
            l.op.a = l.reg(1);
            l.op.b = l.reg(2);
            l.op.index = l.segment();
            l.op.imm = super::vec::implicit_mask(l);
            Body(mmx::maskmovq)
        }
        M::Cvtpi2ps => source!(l, IN => mmx::pi2ps::<IN>),
        M::Cvtpi2pd => source!(l, IN => mmx::pi2pd::<IN>),
        M::Cvtps2pi => source!(l, IN => mmx::ps2pi::<false, IN>),
        M::Cvttps2pi => source!(l, IN => mmx::ps2pi::<true, IN>),
        M::Cvtpd2pi => source!(l, IN => mmx::pd2pi::<false, IN>),
        M::Cvttpd2pi => source!(l, IN => mmx::pd2pi::<true, IN>),
        M::Punpcklbw => v2!(l, Punpcklbw, LOW, u32),
        M::Punpcklwd => v2!(l, Punpcklwd, LOW, u32),
        M::Punpckldq => v2!(l, Punpckldq, LOW, u32),
        M::Punpckhbw => v2!(l, Punpcklbw, HIGH),
        M::Punpckhwd => v2!(l, Punpcklwd, HIGH),
        M::Punpckhdq => v2!(l, Punpckldq, HIGH),
        M::Packsswb => v2!(l, Packsswb, JOINED),
        M::Packssdw => v2!(l, Packssdw, JOINED),
        M::Packuswb => v2!(l, Packuswb, JOINED),
        M::Phaddw => v2!(l, Phaddw, JOINED),
        M::Phaddd => v2!(l, Phaddd, JOINED),
        M::Phaddsw => v2!(l, Phaddsw, JOINED),
        M::Phsubw => v2!(l, Phsubw, JOINED),
        M::Phsubd => v2!(l, Phsubd, JOINED),
        M::Phsubsw => v2!(l, Phsubsw, JOINED),
        M::Pshufb => v2!(l, Pshufb, BYTES),
        M::Palignr => v2!(l, Psrldq, SHIFT),
        M::Pshufw => v2!(l, Pshuflw, LOW),
        M::Psllw => shift!(l, Psllw),
        M::Pslld => shift!(l, Pslld),
        M::Psllq => shift!(l, Psllq),
        M::Psrlw => shift!(l, Psrlw),
        M::Psrld => shift!(l, Psrld),
        M::Psrlq => shift!(l, Psrlq),
        M::Psraw => shift!(l, Psraw),
        M::Psrad => shift!(l, Psrad),
        M::Pand => v2!(l, Pand, LOW),
        M::Pandn => v2!(l, Pandn, LOW),
        M::Por => v2!(l, Por, LOW),
        M::Pxor => v2!(l, Pxor, LOW),
        M::Paddb => v2!(l, Paddb, LOW),
        M::Paddw => v2!(l, Paddw, LOW),
        M::Paddd => v2!(l, Paddd, LOW),
        M::Paddq => v2!(l, Paddq, LOW),
        M::Psubb => v2!(l, Psubb, LOW),
        M::Psubw => v2!(l, Psubw, LOW),
        M::Psubd => v2!(l, Psubd, LOW),
        M::Psubq => v2!(l, Psubq, LOW),
        M::Paddsb => v2!(l, Paddsb, LOW),
        M::Paddsw => v2!(l, Paddsw, LOW),
        M::Paddusb => v2!(l, Paddusb, LOW),
        M::Paddusw => v2!(l, Paddusw, LOW),
        M::Psubsb => v2!(l, Psubsb, LOW),
        M::Psubsw => v2!(l, Psubsw, LOW),
        M::Psubusb => v2!(l, Psubusb, LOW),
        M::Psubusw => v2!(l, Psubusw, LOW),
        M::Pmullw => v2!(l, Pmullw, LOW),
        M::Pmulhw => v2!(l, Pmulhw, LOW),
        M::Pmulhuw => v2!(l, Pmulhuw, LOW),
        M::Pmulhrsw => v2!(l, Pmulhrsw, LOW),
        M::Pmuludq => v2!(l, Pmuludq, LOW),
        M::Pmaddwd => v2!(l, Pmaddwd, LOW),
        M::Pmaddubsw => v2!(l, Pmaddubsw, LOW),
        M::Psadbw => v2!(l, Psadbw, LOW),
        M::Pavgb => v2!(l, Pavgb, LOW),
        M::Pavgw => v2!(l, Pavgw, LOW),
        M::Pminub => v2!(l, Pminub, LOW),
        M::Pmaxub => v2!(l, Pmaxub, LOW),
        M::Pminsw => v2!(l, Pminsw, LOW),
        M::Pmaxsw => v2!(l, Pmaxsw, LOW),
        M::Pcmpeqb => v2!(l, Pcmpeqb, LOW),
        M::Pcmpeqw => v2!(l, Pcmpeqw, LOW),
        M::Pcmpeqd => v2!(l, Pcmpeqd, LOW),
        M::Pcmpgtb => v2!(l, Pcmpgtb, LOW),
        M::Pcmpgtw => v2!(l, Pcmpgtw, LOW),
        M::Pcmpgtd => v2!(l, Pcmpgtd, LOW),
        M::Pabsb => v2!(l, Pabsb, LOW),
        M::Pabsw => v2!(l, Pabsw, LOW),
        M::Pabsd => v2!(l, Pabsd, LOW),
        M::Psignb => v2!(l, Psignb, LOW),
        M::Psignw => v2!(l, Psignw, LOW),
        M::Psignd => v2!(l, Psignd, LOW),
        _ => Missing,
    }
}
