//! The instruction table, floating-point vector part.

use iced_x86::{Instruction, Mnemonic, OpKind};

use super::forms::by_long;
#[cfg(target_arch = "x86_64")]
use super::vec::on_host;
use super::vec::{by_enc, by_k, encoding, fill, hosted};
use super::{Choice, Lower, slot};
use crate::exec::fpops::{self, D, S};
#[cfg(target_arch = "x86_64")]
use crate::exec::host;
use crate::exec::vecint::{LEGACY, VEX128, VEX256};
use crate::exec::{Op, OpFn, vecfp};

use Choice::{Body, Missing};

/// Packed operations; `portable`: without a counterpart of the host.
macro_rules! packed {
    ($l:expr, $O:ident, $F:ty, portable) => {
        Body(by_enc!($l, IN, K => vecfp::packed::<fpops::$O, $F, IN, K>))
    };
    ($l:expr, $O:ident, $F:ty) => {
        hosted!(
            $l,
            Body(by_enc!($l, IN, K => on_host!(host::float::packed::<fpops::$O, $F, IN, K>))),
            packed!($l, $O, $F, portable)
        )
    };
}

/// `$e` with the constants `$M` (source in memory) and `$K` for an operation on the low lane.
macro_rules! by_low {
    ($l:expr, $M:ident, $K:ident => $e:expr) => {{
        let (mem, _) = fill($l);
        if mem {
            const $M: bool = true;
            by_k!($l, $K => $e)
        } else {
            const $M: bool = false;
            by_k!($l, $K => $e)
        }
    }};
}

/// `$e` with the constant `$M`.
#[cfg(target_arch = "x86_64")]
macro_rules! by_mem {
    ($mem:expr, $M:ident => $e:expr) => {
        if $mem {
            const $M: bool = true;
            $e as OpFn
        } else {
            const $M: bool = false;
            $e as OpFn
        }
    };
}

macro_rules! scalar {
    ($l:expr, $O:ident, $F:ty, portable) => {
        Body(by_low!($l, IN, K => vecfp::scalar::<fpops::$O, $F, IN, K>))
    };
    ($l:expr, $O:ident, $F:ty) => {
        hosted!(
            $l,
            Body(by_low!($l, IN, K => on_host!(host::float::scalar::<fpops::$O, $F, IN, K>))),
            scalar!($l, $O, $F, portable)
        )
    };
}

macro_rules! comis {
    ($l:expr, $F:ty, $q:literal) => {{
        let (mem, _) = fill($l);
        Body(if mem { vecfp::comis::<$F, true, $q> as OpFn } else { vecfp::comis::<$F, false, $q> })
    }};
}

macro_rules! to_int {
    ($l:expr, $F:ty, $t:literal) => {{
        let mem = $l.is_mem(1);
        $l.op.a = $l.reg(0);
        if !mem {
            $l.op.base = $l.reg(1);
        }
        let w = $l.width(0);
        Body(if mem {
            by_long!(w, T => vecfp::to_int::<T, $F, true, $t>)
        } else {
            by_long!(w, T => vecfp::to_int::<T, $F, false, $t>)
        })
    }};
}

/// Register `b`, or memory at the base alone (the index names a vector register).
macro_rules! by_src_low {
    ($mem:expr, $I:ident => $e:expr) => {
        if $mem {
            type $I = crate::exec::operand::AtBase;
            $e as OpFn
        } else {
            type $I = crate::exec::operand::Rb;
            $e as OpFn
        }
    };
}

#[cfg(target_arch = "x86_64")]
macro_rules! host_from_int {
    ($T:ident, $F:ty, $I:ident, $K:ident) => {
        on_host!(host::float::from_int::<$T, $F, $I, $K>)
    };
}

/// CVTSI2SS and its kin: `index` names the vector source, so a memory operand keeps to its base.
macro_rules! from_int {
    ($l:expr, $F:ty) => {{
        let l = $l;
        let n = l.ins.op_count();
        let (mem, w) = (l.is_mem(n - 1), l.width(n - 1));
        let first = if n == 3 { l.reg(1) } else { l.reg(0) };
        l.op.a = l.reg(0);
        if mem {
            l.address_to_base();
        } else {
            l.op.b = l.reg(n - 1);
        }
        l.op.index = first;
        hosted!(
            l,
            Body(by_k!(l, K => by_long!(w, T => by_src_low!(mem, I => host_from_int!(T, $F, I, K))))),
            Body(by_k!(l, K => by_long!(w, T => by_src_low!(mem, I => vecfp::from_int::<T, $F, I, K>))))
        )
    }};
}

macro_rules! two {
    ($l:expr, $f:ident) => {{
        hosted!(
            $l,
            Body(by_low!($l, IN, K => on_host!(host::float::$f::<IN, K>))),
            Body(by_low!($l, IN, K => vecfp::$f::<IN, K>))
        )
    }};
}

pub(super) fn select(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Addps | M::Vaddps => packed!(l, Add, S),
        M::Addpd | M::Vaddpd => packed!(l, Add, D),
        M::Addss | M::Vaddss => scalar!(l, Add, S),
        M::Addsd | M::Vaddsd => scalar!(l, Add, D),
        M::Subps | M::Vsubps => packed!(l, Sub, S),
        M::Subpd | M::Vsubpd => packed!(l, Sub, D),
        M::Subss | M::Vsubss => scalar!(l, Sub, S),
        M::Subsd | M::Vsubsd => scalar!(l, Sub, D),
        M::Mulps | M::Vmulps => packed!(l, Mul, S),
        M::Mulpd | M::Vmulpd => packed!(l, Mul, D),
        M::Mulss | M::Vmulss => scalar!(l, Mul, S),
        M::Mulsd | M::Vmulsd => scalar!(l, Mul, D),
        M::Divps | M::Vdivps => packed!(l, Div, S),
        M::Divpd | M::Vdivpd => packed!(l, Div, D),
        M::Divss | M::Vdivss => scalar!(l, Div, S),
        M::Divsd | M::Vdivsd => scalar!(l, Div, D),
        M::Sqrtps | M::Vsqrtps => packed!(l, Sqrt, S),
        M::Sqrtpd | M::Vsqrtpd => packed!(l, Sqrt, D),
        M::Sqrtss | M::Vsqrtss => scalar!(l, Sqrt, S),
        M::Sqrtsd | M::Vsqrtsd => scalar!(l, Sqrt, D),
        M::Minps | M::Vminps => packed!(l, Min, S),
        M::Minpd | M::Vminpd => packed!(l, Min, D),
        M::Minss | M::Vminss => scalar!(l, Min, S),
        M::Minsd | M::Vminsd => scalar!(l, Min, D),
        M::Maxps | M::Vmaxps => packed!(l, Max, S),
        M::Maxpd | M::Vmaxpd => packed!(l, Max, D),
        M::Maxss | M::Vmaxss => scalar!(l, Max, S),
        M::Maxsd | M::Vmaxsd => scalar!(l, Max, D),
        M::Cmpps | M::Cmppd | M::Cmpss | M::Cmpsd => {
            // Legacy encodings have eight predicates.
            l.op.imm &= 7;
            compare(l)
        }
        M::Vcmpps | M::Vcmppd | M::Vcmpss | M::Vcmpsd => compare(l),
        M::Roundps | M::Vroundps => packed!(l, Round_, S, portable),
        M::Roundpd | M::Vroundpd => packed!(l, Round_, D, portable),
        M::Roundss | M::Vroundss => scalar!(l, Round_, S, portable),
        M::Roundsd | M::Vroundsd => scalar!(l, Round_, D, portable),
        M::Rcpps | M::Vrcpps => packed!(l, Rcp, S, portable),
        M::Rcpss | M::Vrcpss => scalar!(l, Rcp, S, portable),
        M::Rsqrtps | M::Vrsqrtps => packed!(l, Rsqrt, S, portable),
        M::Rsqrtss | M::Vrsqrtss => scalar!(l, Rsqrt, S, portable),
        M::Haddps | M::Vhaddps => Body(by_enc!(l, IN, K => vecfp::horizontal::<fpops::Add, S, IN, K>)),
        M::Haddpd | M::Vhaddpd => Body(by_enc!(l, IN, K => vecfp::horizontal::<fpops::Add, D, IN, K>)),
        M::Hsubps | M::Vhsubps => Body(by_enc!(l, IN, K => vecfp::horizontal::<fpops::Sub, S, IN, K>)),
        M::Hsubpd | M::Vhsubpd => Body(by_enc!(l, IN, K => vecfp::horizontal::<fpops::Sub, D, IN, K>)),
        M::Addsubps | M::Vaddsubps => Body(by_enc!(l, IN, K => vecfp::addsub::<S, IN, K>)),
        M::Addsubpd | M::Vaddsubpd => Body(by_enc!(l, IN, K => vecfp::addsub::<D, IN, K>)),
        M::Ucomiss | M::Vucomiss => comis!(l, S, true),
        M::Ucomisd | M::Vucomisd => comis!(l, D, true),
        M::Comiss | M::Vcomiss => comis!(l, S, false),
        M::Comisd | M::Vcomisd => comis!(l, D, false),
        M::Cvtsi2ss | M::Vcvtsi2ss => from_int!(l, S),
        M::Cvtsi2sd | M::Vcvtsi2sd => from_int!(l, D),
        M::Cvtss2si | M::Vcvtss2si => to_int!(l, S, false),
        M::Cvtsd2si | M::Vcvtsd2si => to_int!(l, D, false),
        M::Cvttss2si | M::Vcvttss2si => to_int!(l, S, true),
        M::Cvttsd2si | M::Vcvttsd2si => to_int!(l, D, true),
        M::Cvtss2sd | M::Vcvtss2sd => two!(l, ss2sd),
        M::Cvtsd2ss | M::Vcvtsd2ss => two!(l, sd2ss),
        M::Cvtdq2ps | M::Vcvtdq2ps => Body(by_enc!(l, IN, K => vecfp::convert::<vecfp::Dq2ps, IN, K>)),
        M::Cvtps2dq | M::Vcvtps2dq => Body(by_enc!(l, IN, K => vecfp::convert::<vecfp::Ps2dq, IN, K>)),
        M::Cvttps2dq | M::Vcvttps2dq => Body(by_enc!(l, IN, K => vecfp::convert::<vecfp::Tps2dq, IN, K>)),
        M::Cvtps2pd | M::Vcvtps2pd => Body(by_enc!(l, IN, K => vecfp::widen::<false, IN, K>)),
        M::Cvtdq2pd | M::Vcvtdq2pd => Body(by_enc!(l, IN, K => vecfp::widen::<true, IN, K>)),
        M::Cvtpd2ps | M::Vcvtpd2ps => Body(by_enc!(l, IN, K => vecfp::narrow::<0, IN, K>)),
        M::Cvtpd2dq | M::Vcvtpd2dq => Body(by_enc!(l, IN, K => vecfp::narrow::<1, IN, K>)),
        M::Cvttpd2dq | M::Vcvttpd2dq => Body(by_enc!(l, IN, K => vecfp::narrow::<2, IN, K>)),
        _ => Missing,
    }
}

fn compare(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Cmpps | M::Vcmpps => packed!(l, Cmp, S, portable),
        M::Cmppd | M::Vcmppd => packed!(l, Cmp, D, portable),
        M::Cmpss | M::Vcmpss => scalar!(l, Cmp, S, portable),
        _ => scalar!(l, Cmp, D, portable),
    }
}

/// The operation that stands for a copy of a register and the scalar operation on it, if these two are such.
pub(super) fn copied(copy: &Instruction, l: &Lower<'_>) -> Option<Op> {
    use Mnemonic as M;
    let copies = matches!(copy.mnemonic(), M::Movapd | M::Movaps) && copy.op1_kind() == OpKind::Register;
    let mem = l.is_mem(1);
    if !(l.host
        && copies
        && copy.op0_kind() == OpKind::Register
        && l.before.is_none()
        && l.ins.op_count() == 2)
        || copy.op0_register() != l.ins.op_register(0)
    {
        return None;
    }
    let f: Option<OpFn> = hosted!(
        l,
        match l.ins.mnemonic() {
            M::Addsd => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Add, D, IN>))),
            M::Subsd => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Sub, D, IN>))),
            M::Mulsd => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Mul, D, IN>))),
            M::Divsd => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Div, D, IN>))),
            M::Addss => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Add, S, IN>))),
            M::Subss => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Sub, S, IN>))),
            M::Mulss => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Mul, S, IN>))),
            M::Divss => Some(by_mem!(mem, IN => on_host!(host::float::copied::<fpops::Div, S, IN>))),
            _ => None,
        },
        None
    );
    let from = slot(copy.op1_register());
    let source = if !mem && l.op.base == l.op.a { from } else { l.op.base };
    f.map(|f| Op { f, b: from, base: source, ..l.op })
}
