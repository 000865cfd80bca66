//! The instruction table, vector part.

use iced_x86::{Code, EncodingKind, Mnemonic, OpKind, Register};

use super::{Choice, Lower};
#[cfg(target_arch = "x86_64")]
use crate::exec::host;
use crate::exec::operand::{AtBase, Me, Ra, Rb};
use crate::exec::vecint::{LEGACY, VEX128, VEX256};
use crate::exec::{OpFn, mov, vecavx, vecint, vecmov};

use Choice::{Body, Missing};

/// Encoding of the instruction, as bodies name it.
pub(super) fn encoding(l: &Lower<'_>) -> u8 {
    // Not from `Code::op_code`, whose table of all forms takes milliseconds to make.
    let code = l.ins.code();
    let wide = |i| match l.ins.op_kind(i) {
        OpKind::Register => l.ins.op_register(i).is_ymm(),
        // A narrowing conversion from memory names no ymm register.
        OpKind::Memory => l.ins.memory_size().size() == 32,
        _ => false,
    };
    if code.encoding() != EncodingKind::VEX {
        LEGACY
    } else if code == Code::VEX_Vzeroall || (0..l.ins.op_count()).any(wide) {
        VEX256
    } else {
        VEX128
    }
}

/// Fills `a = f(b, source)` in: `b` is the destination itself in legacy encodings.
pub(super) fn fill(l: &mut Lower<'_>) -> (bool, u8) {
    let k = encoding(l);
    let n = (0..l.ins.op_count()).filter(|&i| !l.is_imm(i)).count() as u32;
    let last = n.saturating_sub(1);
    let mem = l.is_mem(last);
    l.op.a = l.reg(0);
    l.op.b = if n == 3 { l.reg(1) } else { l.reg(0) };
    if !mem {
        l.op.base = l.reg(last);
    }
    (mem, k)
}

/// `$e` with the constants `$M` (source in memory) and `$K` (encoding).
macro_rules! by_enc {
    ($l:expr, $M:ident, $K:ident => $e:expr) => {{
        let (mem, k) = fill($l);
        match (mem, k) {
            (false, LEGACY) => {
                const $M: bool = false;
                const $K: u8 = LEGACY;
                $e as OpFn
            }
            (true, LEGACY) => {
                const $M: bool = true;
                const $K: u8 = LEGACY;
                $e as OpFn
            }
            (false, VEX128) => {
                const $M: bool = false;
                const $K: u8 = VEX128;
                $e as OpFn
            }
            (true, VEX128) => {
                const $M: bool = true;
                const $K: u8 = VEX128;
                $e as OpFn
            }
            (false, _) => {
                const $M: bool = false;
                const $K: u8 = VEX256;
                $e as OpFn
            }
            (true, _) => {
                const $M: bool = true;
                const $K: u8 = VEX256;
                $e as OpFn
            }
        }
    }};
}

/// `$h`, which names bodies of `crate::exec::host`, where they may be chosen, `$p` otherwise.
macro_rules! hosted {
    ($l:expr, $h:expr, $p:expr) => {{
        #[cfg(target_arch = "x86_64")]
        let choice = if $l.host { $h } else { $p };
        #[cfg(not(target_arch = "x86_64"))]
        let choice = {
            let _ = &$l;
            $p
        };
        choice
    }};
}

/// A body of `crate::exec::host`.
#[cfg(target_arch = "x86_64")]
macro_rules! on_host {
    ($e:expr) => {
        // SAFETY: `hosted!` chooses it only where the host has the instructions.
        unsafe { $crate::exec::host::body($e as $crate::exec::host::HostFn) }
    };
}

/// An operation of the host too.
macro_rules! v2 {
    ($l:expr, $O:ty) => {
        hosted!(
            $l,
            Body(by_enc!($l, IN, K => on_host!($crate::exec::host::int::v2::<$O, IN, K>))),
            Body(by_enc!($l, IN, K => $crate::exec::vecint::v2::<$O, IN, K>))
        )
    };
}

/// One without a counterpart.
macro_rules! v2_portable {
    ($l:expr, $O:ty) => {
        Body(by_enc!($l, IN, K => $crate::exec::vecint::v2::<$O, IN, K>))
    };
}

/// `$e` with the constant `$K` for a shift by an immediate: register `b` to `a`.
macro_rules! by_shift {
    ($l:expr, $K:ident => $e:expr) => {{
        let l = &mut *$l;
        l.op.a = l.reg(0);
        l.op.b = l.reg(l.ins.op_count() - 2);
        by_encoding!(encoding(l), $K => $e)
    }};
}

/// `$e` with the constant `$K` (encoding).
macro_rules! by_encoding {
    ($k:expr, $K:ident => $e:expr) => {
        match $k {
            LEGACY => {
                const $K: u8 = LEGACY;
                $e as OpFn
            }
            VEX128 => {
                const $K: u8 = VEX128;
                $e as OpFn
            }
            _ => {
                const $K: u8 = VEX256;
                $e as OpFn
            }
        }
    };
}

/// Shifts: by an immediate, or by a vector.
macro_rules! vshift {
    ($l:expr, $O:ident) => {{
        let l = $l;
        if l.is_imm(l.ins.op_count() - 1) && l.ins.op_count() < 4 && !l.is_mem(1) {
            // `op x, imm` or VEX `op x, x, imm`.
            hosted!(
                l,
                Body(by_shift!(l, K => on_host!(host::int::shift_imm::<vecint::$O, K>))),
                Body(by_shift!(l, K => vecint::shift_imm::<vecint::$O, K>))
            )
        } else {
            hosted!(
                l,
                Body(by_enc!(l, IN, K => on_host!(host::int::shift_reg::<vecint::$O, IN, K>))),
                Body(by_enc!(l, IN, K => vecint::shift_reg::<vecint::$O, IN, K>))
            )
        }
    }};
}

/// A whole-vector move; `$al`: aligned.
macro_rules! whole {
    ($l:expr, $al:literal) => {{
        let l = $l;
        if l.is_mem(0) {
            l.op.b = l.reg(1);
            let k = encoding(l);
            hosted!(
                l,
                Body(by_encoding!(k, K => on_host!(host::moves::store::<$al, K>))),
                Body(by_encoding!(k, K => vecmov::store::<$al, K>))
            )
        } else {
            hosted!(
                l,
                Body(by_enc!(l, IN, K => on_host!(host::moves::load::<IN, $al, K>))),
                Body(by_enc!(l, IN, K => vecmov::load::<IN, $al, K>))
            )
        }
    }};
}

/// The encodings of 128 bits only.
macro_rules! by_k {
    ($l:expr, $K:ident => $e:expr) => {
        if encoding($l) == LEGACY {
            const $K: u8 = LEGACY;
            $e as OpFn
        } else {
            const $K: u8 = VEX128;
            $e as OpFn
        }
    };
}

/// The same with a body that is named alike in `vecmov` and in `host::moves`.
macro_rules! by_k_hosted {
    ($l:expr, $K:ident => $f:ident::<$($arg:tt),+ $(,)?>) => {
        hosted!(
            $l,
            by_k!($l, $K => on_host!(host::moves::$f::<$($arg),+>)),
            by_k!($l, $K => vecmov::$f::<$($arg),+>)
        )
    };
}

fn is_xmm(l: &Lower<'_>, i: u32) -> bool {
    l.ins.op_register(i).is_xmm()
}

/// MOVD, MOVQ.
fn movd(l: &mut Lower<'_>, wide: bool) -> Choice {
    if is_xmm(l, 0) && is_xmm(l, 1) {
        l.op.base = l.reg(1);
        return Body(by_k_hosted!(l, K => movq::<K>));
    }
    if is_xmm(l, 0) {
        let mem = l.is_mem(1);
        return Body(match (wide, mem) {
            (false, false) => by_k_hosted!(l, K => load_low::<u32, Rb, K>),
            (false, true) if l.is_near() => by_k_hosted!(l, K => load_low::<u32, AtBase, K>),
            (true, true) if l.is_near() => by_k_hosted!(l, K => load_low::<u64, AtBase, K>),
            (false, true) => by_k_hosted!(l, K => load_low::<u32, Me, K>),
            (true, false) => by_k_hosted!(l, K => load_low::<u64, Rb, K>),
            (true, true) => by_k_hosted!(l, K => load_low::<u64, Me, K>),
        });
    }
    Body(match (wide, l.is_mem(0)) {
        (false, false) => vecmov::store_low::<u32, Ra>,
        (false, true) => vecmov::store_low::<u32, Me>,
        (true, false) => vecmov::store_low::<u64, Ra>,
        (true, true) => vecmov::store_low::<u64, Me>,
    })
}

/// MOVSS, MOVSD.
fn scalar_move(l: &mut Lower<'_>, wide: bool) -> Choice {
    if l.is_mem(0) {
        return Body(match (wide, l.is_near()) {
            (true, true) => vecmov::store_low::<u64, AtBase> as OpFn,
            (false, true) => vecmov::store_low::<u32, AtBase>,
            (true, false) => vecmov::store_low::<u64, Me>,
            (false, false) => vecmov::store_low::<u32, Me>,
        });
    }
    if l.is_mem(1) {
        return Body(match (wide, l.is_near()) {
            (true, true) => by_k_hosted!(l, K => load_low::<u64, AtBase, K>),
            (false, true) => by_k_hosted!(l, K => load_low::<u32, AtBase, K>),
            (true, false) => by_k_hosted!(l, K => load_low::<u64, Me, K>),
            (false, false) => by_k_hosted!(l, K => load_low::<u32, Me, K>),
        });
    }
    fill(l);
    Body(if wide {
        by_k_hosted!(l, K => merge_low::<u64, K>)
    } else {
        by_k_hosted!(l, K => merge_low::<u32, K>)
    })
}

/// MOVLPS, MOVHPS and their doubles.
fn half_move(l: &mut Lower<'_>, upper: bool) -> Choice {
    if l.is_mem(0) {
        return Body(if upper { vecmov::store_half::<1> } else { vecmov::store_half::<0> });
    }
    fill(l);
    Body(if upper {
        by_k_hosted!(l, K => load_half::<1, K>)
    } else {
        by_k_hosted!(l, K => load_half::<0, K>)
    })
}

/// PINSRB and its kin: the general register stands in `index`.
fn insert(l: &mut Lower<'_>) -> bool {
    let (mem, _) = fill(l);
    if !mem {
        // An 8-bit form names a 32-bit register.
        l.op.index = l.op.base;
    }
    mem
}

macro_rules! insert {
    ($l:expr, $T:ty) => {{
        let mem = insert($l);
        Body(by_in!($l, mem, $T))
    }};
}

macro_rules! by_in {
    ($l:expr, $mem:expr, $T:ty) => {
        if $mem {
            by_k!($l, K => vecmov::insert::<$T, true, K>)
        } else {
            by_k!($l, K => vecmov::insert::<$T, false, K>)
        }
    };
}

/// PINSRD, PINSRQ by the host: the lane is part of the body.
#[cfg(target_arch = "x86_64")]
macro_rules! insert_at {
    ($l:expr, $T:ty, $mem:expr, $lane:expr, [$($n:literal)+]) => {
        match ($lane, $mem) {
            $(
                ($n, true) => by_k!($l, K => on_host!(host::moves::insert::<$T, $n, true, K>)),
                ($n, false) => by_k!($l, K => on_host!(host::moves::insert::<$T, $n, false, K>)),
            )+
            (_, true) => by_k!($l, K => on_host!(host::moves::insert::<$T, 0, true, K>)),
            (_, false) => by_k!($l, K => on_host!(host::moves::insert::<$T, 0, false, K>)),
        }
    };
}

/// The load form of MOVDDUP.
fn movddup_load<const K: u8>(l: &Lower<'_>) -> OpFn {
    hosted!(l, on_host!(host::moves::movddup_load::<K>), vecmov::movddup_load::<K>)
}

macro_rules! extract {
    ($l:expr, $T:ty, $W:ty) => {
        Body(if $l.is_mem(0) { vecmov::extract::<$T, $T, Me> as OpFn } else { vecmov::extract::<$T, $W, Ra> })
    };
}

macro_rules! extend {
    ($l:expr, $T:ty, $W:ty, $s:literal) => {
        hosted!(
            $l,
            Body(by_enc!($l, IN, K => on_host!(host::moves::extend::<$T, $W, $s, IN, K>))),
            Body(by_enc!($l, IN, K => vecavx::extend::<$T, $W, $s, IN, K>))
        )
    };
}

/// Legacy blends take their mask from xmm0, VEX ones from a fourth register.
macro_rules! blendv {
    ($l:expr, $T:ty) => {{
        let l = $l;
        let vex = encoding(l) != LEGACY;
        let mask = if vex { l.reg(3) } else { 0 };
        let mem = l.is_mem(if vex { 2 } else { 1 });
        let k = encoding(l);
        l.op.a = l.reg(0);
        l.op.b = if vex { l.reg(1) } else { l.reg(0) };
        if !mem {
            l.op.base = l.reg(if vex { 2 } else { 1 });
        }
        l.op.imm = u64::from(mask);
        if mem {
            hosted!(
                l,
                Body(by_encoding!(k, K => on_host!(host::moves::blendv::<$T, true, K>))),
                Body(by_encoding!(k, K => vecavx::blendv::<$T, true, K>))
            )
        } else {
            hosted!(
                l,
                Body(by_encoding!(k, K => on_host!(host::moves::blendv::<$T, false, K>))),
                Body(by_encoding!(k, K => vecavx::blendv::<$T, false, K>))
            )
        }
    }};
}

/// The mask that 32-bit addressing puts on the implicit address of MASKMOV.
pub(super) fn implicit_mask(l: &Lower<'_>) -> u64 {
    if l.kind(0) == iced_x86::OpKind::MemorySegEDI { 0xffff_ffff } else { u64::MAX }
}

#[cfg(target_arch = "x86_64")]
pub(super) use on_host;
pub(super) use {by_enc, by_k, hosted, v2, v2_portable};

pub(super) fn select(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Movdqa | M::Movaps | M::Movapd | M::Vmovdqa | M::Vmovaps | M::Vmovapd => whole!(l, true),
        M::Movntdq
        | M::Movntps
        | M::Movntpd
        | M::Movntdqa
        | M::Vmovntdq
        | M::Vmovntps
        | M::Vmovntpd
        | M::Vmovntdqa => whole!(l, true),
        M::Movdqu | M::Movups | M::Movupd | M::Lddqu | M::Vmovdqu | M::Vmovups | M::Vmovupd | M::Vlddqu => {
            whole!(l, false)
        }
        M::Movd | M::Vmovd => movd(l, false),
        M::Movq | M::Vmovq => movd(l, true),
        M::Movnti => {
            let narrow = l.width(1) == 4;
            Body(if narrow {
                mov::mov::<u32, Me, crate::exec::operand::Rb>
            } else {
                mov::mov::<u64, Me, crate::exec::operand::Rb>
            })
        }
        M::Movss | M::Vmovss => scalar_move(l, false),
        M::Movsd | M::Vmovsd => scalar_move(l, true),
        M::Movlps | M::Movlpd | M::Vmovlps | M::Vmovlpd => half_move(l, false),
        M::Movhps | M::Movhpd | M::Vmovhps | M::Vmovhpd => half_move(l, true),
        M::Movlhps | M::Vmovlhps => {
            fill(l);
            Body(by_k_hosted!(l, K => movlhps::<K>))
        }
        M::Movhlps | M::Vmovhlps => {
            fill(l);
            Body(by_k_hosted!(l, K => movhlps::<K>))
        }
        M::Pmovmskb | M::Vpmovmskb => hosted!(
            l,
            Body(by_enc!(l, _IN, K => on_host!(host::moves::pmovmskb::<K>))),
            Body(by_enc!(l, _IN, K => vecmov::pmovmskb::<K>))
        ),
        M::Movmskps | M::Vmovmskps => hosted!(
            l,
            Body(by_enc!(l, _IN, K => on_host!(host::moves::movmskps::<K>))),
            Body(by_enc!(l, _IN, K => vecmov::movmskps::<K>))
        ),
        M::Movmskpd | M::Vmovmskpd => hosted!(
            l,
            Body(by_enc!(l, _IN, K => on_host!(host::moves::movmskpd::<K>))),
            Body(by_enc!(l, _IN, K => vecmov::movmskpd::<K>))
        ),
        M::Maskmovdqu | M::Vmaskmovdqu => {
            l.op.a = l.reg(1);
            l.op.b = l.reg(2);
            l.op.index = l.segment();
            l.op.imm = implicit_mask(l);
            Body(vecmov::maskmovdqu)
        }
        M::Pextrb | M::Vpextrb => extract!(l, u8, u32),
        M::Pextrw | M::Vpextrw => extract!(l, u16, u32),
        M::Pextrd | M::Vpextrd | M::Extractps | M::Vextractps => extract!(l, u32, u32),
        M::Pextrq | M::Vpextrq => extract!(l, u64, u64),
        M::Pinsrb | M::Vpinsrb => insert!(l, u8),
        M::Pinsrw | M::Vpinsrw => insert!(l, u16),
        M::Pinsrd | M::Vpinsrd => {
            let mem = insert(l);
            Body(hosted!(l, insert_at!(l, u32, mem, l.op.imm & 3, [1 2 3]), by_in!(l, mem, u32)))
        }
        M::Pinsrq | M::Vpinsrq => {
            let mem = insert(l);
            Body(hosted!(l, insert_at!(l, u64, mem, l.op.imm & 1, [1]), by_in!(l, mem, u64)))
        }
        M::Insertps | M::Vinsertps => {
            let (mem, _) = fill(l);
            Body(if mem {
                by_k!(l, K => vecmov::insertps::<true, K>)
            } else {
                by_k!(l, K => vecmov::insertps::<false, K>)
            })
        }
        M::Movddup if l.is_mem(1) => Body(movddup_load::<LEGACY>(l)),
        M::Vmovddup if l.is_mem(1) && encoding(l) == VEX128 => Body(movddup_load::<VEX128>(l)),
        M::Ptest | M::Vptest => hosted!(
            l,
            Body(by_enc!(l, IN, K => on_host!(host::moves::ptest::<IN, K>))),
            Body(by_enc!(l, IN, K => vecmov::ptest::<IN, K>))
        ),
        M::Pblendvb | M::Vpblendvb => blendv!(l, u8),
        M::Blendvps | M::Vblendvps => blendv!(l, u32),
        M::Blendvpd | M::Vblendvpd => blendv!(l, u64),
        M::Pmovzxbw | M::Vpmovzxbw => extend!(l, u8, u16, false),
        M::Pmovzxbd | M::Vpmovzxbd => extend!(l, u8, u32, false),
        M::Pmovzxbq | M::Vpmovzxbq => extend!(l, u8, u64, false),
        M::Pmovzxwd | M::Vpmovzxwd => extend!(l, u16, u32, false),
        M::Pmovzxwq | M::Vpmovzxwq => extend!(l, u16, u64, false),
        M::Pmovzxdq | M::Vpmovzxdq => extend!(l, u32, u64, false),
        M::Pmovsxbw | M::Vpmovsxbw => extend!(l, u8, u16, true),
        M::Pmovsxbd | M::Vpmovsxbd => extend!(l, u8, u32, true),
        M::Pmovsxbq | M::Vpmovsxbq => extend!(l, u8, u64, true),
        M::Pmovsxwd | M::Vpmovsxwd => extend!(l, u16, u32, true),
        M::Pmovsxwq | M::Vpmovsxwq => extend!(l, u16, u64, true),
        M::Pmovsxdq | M::Vpmovsxdq => extend!(l, u32, u64, true),
        _ => match lanes(l) {
            Missing => match super::vecfp::select(l) {
                Missing => super::vecavx::select(l),
                choice => choice,
            },
            choice => choice,
        },
    }
}

fn lanes(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    if l.ins.op_count() < 2 || l.ins.op_register(0) == Register::None {
        return Missing;
    }
    match l.ins.mnemonic() {
        M::Pand | M::Vpand | M::Andps | M::Andpd | M::Vandps | M::Vandpd => v2!(l, vecint::Pand),
        M::Por | M::Vpor | M::Orps | M::Orpd | M::Vorps | M::Vorpd => v2!(l, vecint::Por),
        M::Pxor | M::Vpxor | M::Xorps | M::Xorpd | M::Vxorps | M::Vxorpd => v2!(l, vecint::Pxor),
        M::Pandn | M::Vpandn | M::Andnps | M::Andnpd | M::Vandnps | M::Vandnpd => v2!(l, vecint::Pandn),
        M::Paddb | M::Vpaddb => v2!(l, vecint::Paddb),
        M::Paddw | M::Vpaddw => v2!(l, vecint::Paddw),
        M::Paddd | M::Vpaddd => v2!(l, vecint::Paddd),
        M::Paddq | M::Vpaddq => v2!(l, vecint::Paddq),
        M::Psubb | M::Vpsubb => v2!(l, vecint::Psubb),
        M::Psubw | M::Vpsubw => v2!(l, vecint::Psubw),
        M::Psubd | M::Vpsubd => v2!(l, vecint::Psubd),
        M::Psubq | M::Vpsubq => v2!(l, vecint::Psubq),
        M::Paddsb | M::Vpaddsb => v2!(l, vecint::Paddsb),
        M::Paddsw | M::Vpaddsw => v2!(l, vecint::Paddsw),
        M::Paddusb | M::Vpaddusb => v2!(l, vecint::Paddusb),
        M::Paddusw | M::Vpaddusw => v2!(l, vecint::Paddusw),
        M::Psubsb | M::Vpsubsb => v2!(l, vecint::Psubsb),
        M::Psubsw | M::Vpsubsw => v2!(l, vecint::Psubsw),
        M::Psubusb | M::Vpsubusb => v2!(l, vecint::Psubusb),
        M::Psubusw | M::Vpsubusw => v2!(l, vecint::Psubusw),
        M::Pmullw | M::Vpmullw => v2!(l, vecint::Pmullw),
        M::Pmulhw | M::Vpmulhw => v2!(l, vecint::Pmulhw),
        M::Pmulhuw | M::Vpmulhuw => v2!(l, vecint::Pmulhuw),
        M::Pmulhrsw | M::Vpmulhrsw => v2!(l, vecint::Pmulhrsw),
        M::Pmulld | M::Vpmulld => v2!(l, vecint::Pmulld),
        M::Pmuludq | M::Vpmuludq => v2!(l, vecint::Pmuludq),
        M::Pmuldq | M::Vpmuldq => v2!(l, vecint::Pmuldq),
        M::Pmaddwd | M::Vpmaddwd => v2!(l, vecint::Pmaddwd),
        M::Pmaddubsw | M::Vpmaddubsw => v2!(l, vecint::Pmaddubsw),
        M::Psadbw | M::Vpsadbw => v2!(l, vecint::Psadbw),
        M::Pavgb | M::Vpavgb => v2!(l, vecint::Pavgb),
        M::Pavgw | M::Vpavgw => v2!(l, vecint::Pavgw),
        M::Pminub | M::Vpminub => v2!(l, vecint::Pminub),
        M::Pmaxub | M::Vpmaxub => v2!(l, vecint::Pmaxub),
        M::Pminsb | M::Vpminsb => v2!(l, vecint::Pminsb),
        M::Pmaxsb | M::Vpmaxsb => v2!(l, vecint::Pmaxsb),
        M::Pminsw | M::Vpminsw => v2!(l, vecint::Pminsw),
        M::Pmaxsw | M::Vpmaxsw => v2!(l, vecint::Pmaxsw),
        M::Pminuw | M::Vpminuw => v2!(l, vecint::Pminuw),
        M::Pmaxuw | M::Vpmaxuw => v2!(l, vecint::Pmaxuw),
        M::Pminsd | M::Vpminsd => v2!(l, vecint::Pminsd),
        M::Pmaxsd | M::Vpmaxsd => v2!(l, vecint::Pmaxsd),
        M::Pminud | M::Vpminud => v2!(l, vecint::Pminud),
        M::Pmaxud | M::Vpmaxud => v2!(l, vecint::Pmaxud),
        M::Pcmpeqb | M::Vpcmpeqb => v2!(l, vecint::Pcmpeqb),
        M::Pcmpeqw | M::Vpcmpeqw => v2!(l, vecint::Pcmpeqw),
        M::Pcmpeqd | M::Vpcmpeqd => v2!(l, vecint::Pcmpeqd),
        M::Pcmpeqq | M::Vpcmpeqq => v2!(l, vecint::Pcmpeqq),
        M::Pcmpgtb | M::Vpcmpgtb => v2!(l, vecint::Pcmpgtb),
        M::Pcmpgtw | M::Vpcmpgtw => v2!(l, vecint::Pcmpgtw),
        M::Pcmpgtd | M::Vpcmpgtd => v2!(l, vecint::Pcmpgtd),
        M::Pcmpgtq | M::Vpcmpgtq => v2!(l, vecint::Pcmpgtq),
        M::Pabsb | M::Vpabsb => v2!(l, vecint::Pabsb),
        M::Pabsw | M::Vpabsw => v2!(l, vecint::Pabsw),
        M::Pabsd | M::Vpabsd => v2!(l, vecint::Pabsd),
        M::Psignb | M::Vpsignb => v2!(l, vecint::Psignb),
        M::Psignw | M::Vpsignw => v2!(l, vecint::Psignw),
        M::Psignd | M::Vpsignd => v2!(l, vecint::Psignd),
        M::Punpcklbw | M::Vpunpcklbw => v2!(l, vecint::Punpcklbw),
        M::Punpckhbw | M::Vpunpckhbw => v2!(l, vecint::Punpckhbw),
        M::Punpcklwd | M::Vpunpcklwd => v2!(l, vecint::Punpcklwd),
        M::Punpckhwd | M::Vpunpckhwd => v2!(l, vecint::Punpckhwd),
        M::Punpckldq | M::Vpunpckldq | M::Unpcklps | M::Vunpcklps => v2!(l, vecint::Punpckldq),
        M::Punpckhdq | M::Vpunpckhdq | M::Unpckhps | M::Vunpckhps => v2!(l, vecint::Punpckhdq),
        M::Punpcklqdq | M::Vpunpcklqdq | M::Unpcklpd | M::Vunpcklpd => v2!(l, vecint::Punpcklqdq),
        M::Punpckhqdq | M::Vpunpckhqdq | M::Unpckhpd | M::Vunpckhpd => v2!(l, vecint::Punpckhqdq),
        M::Packsswb | M::Vpacksswb => v2!(l, vecint::Packsswb),
        M::Packuswb | M::Vpackuswb => v2!(l, vecint::Packuswb),
        M::Packssdw | M::Vpackssdw => v2!(l, vecint::Packssdw),
        M::Packusdw | M::Vpackusdw => v2!(l, vecint::Packusdw),
        M::Psllw | M::Vpsllw => vshift!(l, Psllw),
        M::Pslld | M::Vpslld => vshift!(l, Pslld),
        M::Psllq | M::Vpsllq => vshift!(l, Psllq),
        M::Psrlw | M::Vpsrlw => vshift!(l, Psrlw),
        M::Psrld | M::Vpsrld => vshift!(l, Psrld),
        M::Psrlq | M::Vpsrlq => vshift!(l, Psrlq),
        M::Psraw | M::Vpsraw => vshift!(l, Psraw),
        M::Psrad | M::Vpsrad => vshift!(l, Psrad),
        M::Pslldq | M::Vpslldq => vshift!(l, Pslldq),
        M::Psrldq | M::Vpsrldq => vshift!(l, Psrldq),
        M::Pshufd | M::Vpshufd => v2!(l, vecint::Pshufd),
        M::Pshuflw | M::Vpshuflw => v2_portable!(l, vecint::Pshuflw),
        M::Pshufhw | M::Vpshufhw => v2_portable!(l, vecint::Pshufhw),
        M::Shufps | M::Vshufps => v2!(l, vecint::Shufps),
        M::Shufpd => v2!(l, vecint::Split<vecint::Shufpd, 2>),
        M::Pshufb | M::Vpshufb => v2!(l, vecint::Pshufb),
        M::Palignr | M::Vpalignr => v2!(l, vecint::Palignr),
        M::Pblendw | M::Vpblendw => v2!(l, vecint::Pblendw),
        M::Blendps => v2!(l, vecint::Split<vecint::Blendps, 4>),
        M::Blendpd => v2!(l, vecint::Split<vecint::Blendpd, 2>),
        M::Phaddw | M::Vphaddw => v2!(l, vecint::Phaddw),
        M::Phsubw | M::Vphsubw => v2!(l, vecint::Phsubw),
        M::Phaddsw | M::Vphaddsw => v2!(l, vecint::Phaddsw),
        M::Phsubsw | M::Vphsubsw => v2!(l, vecint::Phsubsw),
        M::Phaddd | M::Vphaddd => v2!(l, vecint::Phaddd),
        M::Phsubd | M::Vphsubd => v2!(l, vecint::Phsubd),
        M::Phminposuw | M::Vphminposuw => v2_portable!(l, vecint::Phminposuw),
        M::Mpsadbw => v2_portable!(l, vecint::Mpsadbw),
        M::Movddup => v2!(l, vecint::Movddup),
        M::Vmovddup => v2!(l, vecint::Movddup),
        M::Movsldup | M::Vmovsldup => v2!(l, vecint::Movsldup),
        M::Movshdup | M::Vmovshdup => v2!(l, vecint::Movshdup),
        _ => Missing,
    }
}
