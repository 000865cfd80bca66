//! The instruction table, vector part.

use iced_x86::{Code, EncodingKind, Mnemonic, OpKind, Register};

use super::{Choice, Lower};
use crate::exec::operand::{AtBase, Me, Ra};
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

macro_rules! v2 {
    ($l:expr, $O:ident) => {
        Body(by_enc!($l, IN, K => vecint::v2::<vecint::$O, IN, K>))
    };
}

/// Shifts: by an immediate, or by a vector.
macro_rules! vshift {
    ($l:expr, $O:ident) => {{
        let l = $l;
        if l.is_imm(l.ins.op_count() - 1) && l.ins.op_count() < 4 && !l.is_mem(1) {
            // `op x, imm` or VEX `op x, x, imm`.
            let k = encoding(l);
            l.op.a = l.reg(0);
            l.op.b = l.reg(l.ins.op_count() - 2);
            Body(match k {
                LEGACY => vecint::shift_imm::<vecint::$O, LEGACY> as OpFn,
                VEX128 => vecint::shift_imm::<vecint::$O, VEX128>,
                _ => vecint::shift_imm::<vecint::$O, VEX256>,
            })
        } else {
            Body(by_enc!(l, IN, K => vecint::shift_reg::<vecint::$O, IN, K>))
        }
    }};
}

/// A whole-vector move; `$al`: aligned.
macro_rules! whole {
    ($l:expr, $al:literal) => {{
        let l = $l;
        if l.is_mem(0) {
            l.op.b = l.reg(1);
            Body(match encoding(l) {
                LEGACY => vecmov::store::<$al, LEGACY> as OpFn,
                VEX128 => vecmov::store::<$al, VEX128>,
                _ => vecmov::store::<$al, VEX256>,
            })
        } else {
            Body(by_enc!(l, IN, K => vecmov::load::<IN, $al, K>))
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

fn is_xmm(l: &Lower<'_>, i: u32) -> bool {
    l.ins.op_register(i).is_xmm()
}

/// MOVD, MOVQ.
fn movd(l: &mut Lower<'_>, wide: bool) -> Choice {
    if is_xmm(l, 0) && is_xmm(l, 1) {
        l.op.base = l.reg(1);
        return Body(by_k!(l, K => vecmov::movq::<K>));
    }
    if is_xmm(l, 0) {
        let mem = l.is_mem(1);
        return Body(match (wide, mem) {
            (false, false) => by_k!(l, K => vecmov::load_low::<u32, crate::exec::operand::Rb, K>),
            (false, true) if l.is_near() => by_k!(l, K => vecmov::load_low::<u32, AtBase, K>),
            (true, true) if l.is_near() => by_k!(l, K => vecmov::load_low::<u64, AtBase, K>),
            (false, true) => by_k!(l, K => vecmov::load_low::<u32, Me, K>),
            (true, false) => by_k!(l, K => vecmov::load_low::<u64, crate::exec::operand::Rb, K>),
            (true, true) => by_k!(l, K => vecmov::load_low::<u64, Me, K>),
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
            (true, true) => by_k!(l, K => vecmov::load_low::<u64, AtBase, K>),
            (false, true) => by_k!(l, K => vecmov::load_low::<u32, AtBase, K>),
            (true, false) => by_k!(l, K => vecmov::load_low::<u64, Me, K>),
            (false, false) => by_k!(l, K => vecmov::load_low::<u32, Me, K>),
        });
    }
    fill(l);
    Body(if wide {
        by_k!(l, K => vecmov::merge_low::<u64, K>)
    } else {
        by_k!(l, K => vecmov::merge_low::<u32, K>)
    })
}

/// MOVLPS, MOVHPS and their doubles.
fn half_move(l: &mut Lower<'_>, upper: bool) -> Choice {
    if l.is_mem(0) {
        return Body(if upper { vecmov::store_half::<1> } else { vecmov::store_half::<0> });
    }
    fill(l);
    Body(if upper {
        by_k!(l, K => vecmov::load_half::<1, K>)
    } else {
        by_k!(l, K => vecmov::load_half::<0, K>)
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
        Body(if mem {
            by_k!($l, K => vecmov::insert::<$T, true, K>)
        } else {
            by_k!($l, K => vecmov::insert::<$T, false, K>)
        })
    }};
}

macro_rules! extract {
    ($l:expr, $T:ty, $W:ty) => {
        Body(if $l.is_mem(0) { vecmov::extract::<$T, $T, Me> as OpFn } else { vecmov::extract::<$T, $W, Ra> })
    };
}

macro_rules! extend {
    ($l:expr, $T:ty, $W:ty, $s:literal) => {
        Body(by_enc!($l, IN, K => vecavx::extend::<$T, $W, $s, IN, K>))
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
        Body(match (mem, k) {
            (false, LEGACY) => vecavx::blendv::<$T, false, LEGACY> as OpFn,
            (true, LEGACY) => vecavx::blendv::<$T, true, LEGACY>,
            (false, VEX128) => vecavx::blendv::<$T, false, VEX128>,
            (true, VEX128) => vecavx::blendv::<$T, true, VEX128>,
            (false, _) => vecavx::blendv::<$T, false, VEX256>,
            (true, _) => vecavx::blendv::<$T, true, VEX256>,
        })
    }};
}

/// The mask that 32-bit addressing puts on the implicit address of MASKMOV.
pub(super) fn implicit_mask(l: &Lower<'_>) -> u64 {
    if l.kind(0) == iced_x86::OpKind::MemorySegEDI { 0xffff_ffff } else { u64::MAX }
}

pub(super) use {by_enc, by_k};

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
            Body(by_k!(l, K => vecmov::movlhps::<K>))
        }
        M::Movhlps | M::Vmovhlps => {
            fill(l);
            Body(by_k!(l, K => vecmov::movhlps::<K>))
        }
        M::Pmovmskb | M::Vpmovmskb => Body(by_enc!(l, _IN, K => vecmov::pmovmskb::<K>)),
        M::Movmskps | M::Vmovmskps => Body(by_enc!(l, _IN, K => vecmov::movmskps::<K>)),
        M::Movmskpd | M::Vmovmskpd => Body(by_enc!(l, _IN, K => vecmov::movmskpd::<K>)),
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
        M::Pinsrd | M::Vpinsrd => insert!(l, u32),
        M::Pinsrq | M::Vpinsrq => insert!(l, u64),
        M::Insertps | M::Vinsertps => {
            let (mem, _) = fill(l);
            Body(if mem {
                by_k!(l, K => vecmov::insertps::<true, K>)
            } else {
                by_k!(l, K => vecmov::insertps::<false, K>)
            })
        }
        M::Movddup if l.is_mem(1) => Body(vecmov::movddup_load::<LEGACY>),
        M::Vmovddup if l.is_mem(1) && encoding(l) == VEX128 => Body(vecmov::movddup_load::<VEX128>),
        M::Ptest | M::Vptest => Body(by_enc!(l, IN, K => vecmov::ptest::<IN, K>)),
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
        M::Pand | M::Vpand | M::Andps | M::Andpd | M::Vandps | M::Vandpd => v2!(l, Pand),
        M::Por | M::Vpor | M::Orps | M::Orpd | M::Vorps | M::Vorpd => v2!(l, Por),
        M::Pxor | M::Vpxor | M::Xorps | M::Xorpd | M::Vxorps | M::Vxorpd => v2!(l, Pxor),
        M::Pandn | M::Vpandn | M::Andnps | M::Andnpd | M::Vandnps | M::Vandnpd => v2!(l, Pandn),
        M::Paddb | M::Vpaddb => v2!(l, Paddb),
        M::Paddw | M::Vpaddw => v2!(l, Paddw),
        M::Paddd | M::Vpaddd => v2!(l, Paddd),
        M::Paddq | M::Vpaddq => v2!(l, Paddq),
        M::Psubb | M::Vpsubb => v2!(l, Psubb),
        M::Psubw | M::Vpsubw => v2!(l, Psubw),
        M::Psubd | M::Vpsubd => v2!(l, Psubd),
        M::Psubq | M::Vpsubq => v2!(l, Psubq),
        M::Paddsb | M::Vpaddsb => v2!(l, Paddsb),
        M::Paddsw | M::Vpaddsw => v2!(l, Paddsw),
        M::Paddusb | M::Vpaddusb => v2!(l, Paddusb),
        M::Paddusw | M::Vpaddusw => v2!(l, Paddusw),
        M::Psubsb | M::Vpsubsb => v2!(l, Psubsb),
        M::Psubsw | M::Vpsubsw => v2!(l, Psubsw),
        M::Psubusb | M::Vpsubusb => v2!(l, Psubusb),
        M::Psubusw | M::Vpsubusw => v2!(l, Psubusw),
        M::Pmullw | M::Vpmullw => v2!(l, Pmullw),
        M::Pmulhw | M::Vpmulhw => v2!(l, Pmulhw),
        M::Pmulhuw | M::Vpmulhuw => v2!(l, Pmulhuw),
        M::Pmulhrsw | M::Vpmulhrsw => v2!(l, Pmulhrsw),
        M::Pmulld | M::Vpmulld => v2!(l, Pmulld),
        M::Pmuludq | M::Vpmuludq => v2!(l, Pmuludq),
        M::Pmuldq | M::Vpmuldq => v2!(l, Pmuldq),
        M::Pmaddwd | M::Vpmaddwd => v2!(l, Pmaddwd),
        M::Pmaddubsw | M::Vpmaddubsw => v2!(l, Pmaddubsw),
        M::Psadbw | M::Vpsadbw => v2!(l, Psadbw),
        M::Pavgb | M::Vpavgb => v2!(l, Pavgb),
        M::Pavgw | M::Vpavgw => v2!(l, Pavgw),
        M::Pminub | M::Vpminub => v2!(l, Pminub),
        M::Pmaxub | M::Vpmaxub => v2!(l, Pmaxub),
        M::Pminsb | M::Vpminsb => v2!(l, Pminsb),
        M::Pmaxsb | M::Vpmaxsb => v2!(l, Pmaxsb),
        M::Pminsw | M::Vpminsw => v2!(l, Pminsw),
        M::Pmaxsw | M::Vpmaxsw => v2!(l, Pmaxsw),
        M::Pminuw | M::Vpminuw => v2!(l, Pminuw),
        M::Pmaxuw | M::Vpmaxuw => v2!(l, Pmaxuw),
        M::Pminsd | M::Vpminsd => v2!(l, Pminsd),
        M::Pmaxsd | M::Vpmaxsd => v2!(l, Pmaxsd),
        M::Pminud | M::Vpminud => v2!(l, Pminud),
        M::Pmaxud | M::Vpmaxud => v2!(l, Pmaxud),
        M::Pcmpeqb | M::Vpcmpeqb => v2!(l, Pcmpeqb),
        M::Pcmpeqw | M::Vpcmpeqw => v2!(l, Pcmpeqw),
        M::Pcmpeqd | M::Vpcmpeqd => v2!(l, Pcmpeqd),
        M::Pcmpeqq | M::Vpcmpeqq => v2!(l, Pcmpeqq),
        M::Pcmpgtb | M::Vpcmpgtb => v2!(l, Pcmpgtb),
        M::Pcmpgtw | M::Vpcmpgtw => v2!(l, Pcmpgtw),
        M::Pcmpgtd | M::Vpcmpgtd => v2!(l, Pcmpgtd),
        M::Pcmpgtq | M::Vpcmpgtq => v2!(l, Pcmpgtq),
        M::Pabsb | M::Vpabsb => v2!(l, Pabsb),
        M::Pabsw | M::Vpabsw => v2!(l, Pabsw),
        M::Pabsd | M::Vpabsd => v2!(l, Pabsd),
        M::Psignb | M::Vpsignb => v2!(l, Psignb),
        M::Psignw | M::Vpsignw => v2!(l, Psignw),
        M::Psignd | M::Vpsignd => v2!(l, Psignd),
        M::Punpcklbw | M::Vpunpcklbw => v2!(l, Punpcklbw),
        M::Punpckhbw | M::Vpunpckhbw => v2!(l, Punpckhbw),
        M::Punpcklwd | M::Vpunpcklwd => v2!(l, Punpcklwd),
        M::Punpckhwd | M::Vpunpckhwd => v2!(l, Punpckhwd),
        M::Punpckldq | M::Vpunpckldq | M::Unpcklps | M::Vunpcklps => v2!(l, Punpckldq),
        M::Punpckhdq | M::Vpunpckhdq | M::Unpckhps | M::Vunpckhps => v2!(l, Punpckhdq),
        M::Punpcklqdq | M::Vpunpcklqdq | M::Unpcklpd | M::Vunpcklpd => v2!(l, Punpcklqdq),
        M::Punpckhqdq | M::Vpunpckhqdq | M::Unpckhpd | M::Vunpckhpd => v2!(l, Punpckhqdq),
        M::Packsswb | M::Vpacksswb => v2!(l, Packsswb),
        M::Packuswb | M::Vpackuswb => v2!(l, Packuswb),
        M::Packssdw | M::Vpackssdw => v2!(l, Packssdw),
        M::Packusdw | M::Vpackusdw => v2!(l, Packusdw),
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
        M::Pshufd | M::Vpshufd => v2!(l, Pshufd),
        M::Pshuflw | M::Vpshuflw => v2!(l, Pshuflw),
        M::Pshufhw | M::Vpshufhw => v2!(l, Pshufhw),
        M::Shufps | M::Vshufps => v2!(l, Shufps),
        M::Shufpd => v2!(l, Shufpd),
        M::Pshufb | M::Vpshufb => v2!(l, Pshufb),
        M::Palignr | M::Vpalignr => v2!(l, Palignr),
        M::Pblendw | M::Vpblendw => v2!(l, Pblendw),
        M::Blendps => v2!(l, Blendps),
        M::Blendpd => v2!(l, Blendpd),
        M::Phaddw | M::Vphaddw => v2!(l, Phaddw),
        M::Phsubw | M::Vphsubw => v2!(l, Phsubw),
        M::Phaddsw | M::Vphaddsw => v2!(l, Phaddsw),
        M::Phsubsw | M::Vphsubsw => v2!(l, Phsubsw),
        M::Phaddd | M::Vphaddd => v2!(l, Phaddd),
        M::Phsubd | M::Vphsubd => v2!(l, Phsubd),
        M::Phminposuw | M::Vphminposuw => v2!(l, Phminposuw),
        M::Mpsadbw => v2!(l, Mpsadbw),
        M::Movddup => v2!(l, Movddup),
        M::Vmovddup => v2!(l, Movddup),
        M::Movsldup | M::Vmovsldup => v2!(l, Movsldup),
        M::Movshdup | M::Vmovshdup => v2!(l, Movshdup),
        _ => Missing,
    }
}
