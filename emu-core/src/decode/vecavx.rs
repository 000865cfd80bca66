//! The instruction table: AVX and AVX2 beyond the forms they share with SSE, FMA3, F16C, SSE4.2 strings, SSE4a,
//! AES, SHA, PCLMULQDQ.

use iced_x86::{Code, Mnemonic, OpKind, Register};

use super::forms::by_long;
#[cfg(target_arch = "x86_64")]
use super::vec::on_host;
use super::vec::{by_enc, by_k, encoding, fill, hosted, v2, v2_portable};
use super::{Choice, Lower, segment, slot};
use crate::exec::fpops::{D, S};
#[cfg(target_arch = "x86_64")]
use crate::exec::host;
use crate::exec::vecfma::{self, fma_imm};
use crate::exec::vecint::{self, LEGACY, VEX128, VEX256};
use crate::exec::{OpFn, ZERO, crypto, vecavx, vecstr};

use Choice::{Body, Missing};

macro_rules! wide {
    ($l:expr, $O:ident) => {{
        let (mem, _) = fill($l);
        Body(hosted!(
            $l,
            if mem {
                on_host!(host::int::wide::<vecavx::$O, true>)
            } else {
                on_host!(host::int::wide::<vecavx::$O, false>)
            },
            if mem { vecavx::wide::<vecavx::$O, true> as OpFn } else { vecavx::wide::<vecavx::$O, false> }
        ))
    }};
}

macro_rules! broadcast {
    ($l:expr, $T:ty) => {
        hosted!(
            $l,
            Body(by_enc!($l, IN, K => on_host!(host::moves::broadcast::<$T, IN, K>))),
            Body(by_enc!($l, IN, K => vecavx::broadcast::<$T, IN, K>))
        )
    };
}

/// VEX.128 or VEX.256 as the constant `$K`.
macro_rules! by_vex {
    ($k:expr, $K:ident => $e:expr) => {
        if $k == VEX256 {
            const $K: u8 = VEX256;
            $e as OpFn
        } else {
            const $K: u8 = VEX128;
            $e as OpFn
        }
    };
}

macro_rules! masked {
    ($l:expr, $T:ty) => {{
        let l = $l;
        let k = encoding(l);
        if l.is_mem(0) {
            l.op.a = l.reg(1);
            l.op.b = l.reg(2);
            Body(by_vex!(k, K => vecavx::mask_store::<$T, K>))
        } else {
            Body(by_vex!(k, K => vecavx::mask_load::<$T, K>))
        }
    }};
}

/// Gathers: `$T` data, `$I` index lanes.
macro_rules! gather {
    ($l:expr, $T:ty, $I:ty) => {{
        let k = gather_operands($l);
        Body(by_vex!(k, K => vecavx::gather::<$T, $I, K>))
    }};
}

/// The vector index goes to `b`, the segment to `index`, the mask register and the address size to the immediate.
/// Gives the larger encoding of data and index.
fn gather_operands(l: &mut Lower<'_>) -> u8 {
    let ins = l.ins;
    l.before = None;
    let narrow =
        ins.memory_base().is_gpr32() || (ins.memory_base() == Register::None && has_narrow_address(l));
    l.op.a = l.reg(0);
    l.op.b = slot(ins.memory_index());
    l.op.base = if ins.memory_base() == Register::None { ZERO } else { slot(ins.memory_base()) };
    l.op.index = segment(ins.memory_segment());
    l.op.scale = ins.memory_index_scale().trailing_zeros() as u8;
    l.op.disp = ins.memory_displacement64() as i64;
    l.op.imm = u64::from(l.reg(2)) | if narrow { vecavx::gather_imm::NARROW } else { 0 };
    if ins.memory_index().is_ymm() || ins.op_register(0).is_ymm() { VEX256 } else { VEX128 }
}

fn has_narrow_address(l: &Lower<'_>) -> bool {
    l.ins.memory_displ_size() == 4
}

macro_rules! string {
    ($l:expr, $explicit:literal, $mask:literal) => {{
        let l = $l;
        let wide = matches!(
            l.ins.code(),
            Code::Pcmpestri64_xmm_xmmm128_imm8
                | Code::Pcmpestrm64_xmm_xmmm128_imm8
                | Code::VEX_Vpcmpestri64_xmm_xmmm128_imm8
                | Code::VEX_Vpcmpestrm64_xmm_xmmm128_imm8
        );
        l.op.imm = l.op.imm & 0xff | if wide { 0x100 } else { 0 };
        let (mem, _) = fill(l);
        Body(if mem {
            by_k!(l, K => vecstr::pcmpstr::<$explicit, $mask, true, K>)
        } else {
            by_k!(l, K => vecstr::pcmpstr::<$explicit, $mask, false, K>)
        })
    }};
}

/// A packed multiply-add of the host; those that alternate are left to the portable body.
#[cfg(target_arch = "x86_64")]
macro_rules! fma_on_host {
    ($F:ty, $order:literal, $imm:expr, $mem:expr, $k:expr, $portable:expr) => {{
        const NEGATE: u64 = $imm & 3;
        if $imm & fma_imm::ALTERNATE != 0 {
            $portable
        } else if $mem {
            by_vex!($k, K => on_host!(host::float::fused_packed::<$F, $order, NEGATE, true, K>))
        } else {
            by_vex!($k, K => on_host!(host::float::fused_packed::<$F, $order, NEGATE, false, K>))
        }
    }};
}

macro_rules! fma {
    ($l:expr, $order:literal, $F:ty, packed, $imm:expr) => {{
        let (mem, k) = fill($l);
        $l.op.imm = $imm;
        let portable = if mem {
            by_vex!(k, K => vecfma::packed::<$F, $order, true, K>)
        } else {
            by_vex!(k, K => vecfma::packed::<$F, $order, false, K>)
        };
        Body(hosted!($l, fma_on_host!($F, $order, $imm, mem, k, portable), portable))
    }};
    ($l:expr, $order:literal, $F:ty, scalar, $imm:expr) => {{
        let (mem, _) = fill($l);
        $l.op.imm = $imm;
        Body(hosted!(
            $l,
            if mem {
                on_host!(host::float::fused_scalar::<$F, $order, { $imm & 3 }, true>)
            } else {
                on_host!(host::float::fused_scalar::<$F, $order, { $imm & 3 }, false>)
            },
            if mem {
                vecfma::scalar::<$F, $order, true> as OpFn
            } else {
                vecfma::scalar::<$F, $order, false>
            }
        ))
    }};
}

/// The mnemonics of one kind of fused multiply-add, all orders and formats.
macro_rules! fused {
    ($l:expr, $imm:expr, [$p132s:ident $p213s:ident $p231s:ident], [$p132d:ident $p213d:ident $p231d:ident]
     $(, [$s132s:ident $s213s:ident $s231s:ident], [$s132d:ident $s213d:ident $s231d:ident])?) => {
        match $l.ins.mnemonic() {
            Mnemonic::$p132s => return fma!($l, 132, S, packed, $imm),
            Mnemonic::$p213s => return fma!($l, 213, S, packed, $imm),
            Mnemonic::$p231s => return fma!($l, 231, S, packed, $imm),
            Mnemonic::$p132d => return fma!($l, 132, D, packed, $imm),
            Mnemonic::$p213d => return fma!($l, 213, D, packed, $imm),
            Mnemonic::$p231d => return fma!($l, 231, D, packed, $imm),
            $(
                Mnemonic::$s132s => return fma!($l, 132, S, scalar, $imm),
                Mnemonic::$s213s => return fma!($l, 213, S, scalar, $imm),
                Mnemonic::$s231s => return fma!($l, 231, S, scalar, $imm),
                Mnemonic::$s132d => return fma!($l, 132, D, scalar, $imm),
                Mnemonic::$s213d => return fma!($l, 213, D, scalar, $imm),
                Mnemonic::$s231d => return fma!($l, 231, D, scalar, $imm),
            )?
            _ => {}
        }
    };
}

fn fused(l: &mut Lower<'_>) -> Choice {
    use fma_imm::{ADDEND, ALTERNATE, PRODUCT};
    fused!(l, 0, [Vfmadd132ps Vfmadd213ps Vfmadd231ps], [Vfmadd132pd Vfmadd213pd Vfmadd231pd],
        [Vfmadd132ss Vfmadd213ss Vfmadd231ss], [Vfmadd132sd Vfmadd213sd Vfmadd231sd]);
    fused!(l, ADDEND, [Vfmsub132ps Vfmsub213ps Vfmsub231ps], [Vfmsub132pd Vfmsub213pd Vfmsub231pd],
        [Vfmsub132ss Vfmsub213ss Vfmsub231ss], [Vfmsub132sd Vfmsub213sd Vfmsub231sd]);
    fused!(l, PRODUCT, [Vfnmadd132ps Vfnmadd213ps Vfnmadd231ps], [Vfnmadd132pd Vfnmadd213pd Vfnmadd231pd],
        [Vfnmadd132ss Vfnmadd213ss Vfnmadd231ss], [Vfnmadd132sd Vfnmadd213sd Vfnmadd231sd]);
    fused!(l, PRODUCT | ADDEND, [Vfnmsub132ps Vfnmsub213ps Vfnmsub231ps],
        [Vfnmsub132pd Vfnmsub213pd Vfnmsub231pd],
        [Vfnmsub132ss Vfnmsub213ss Vfnmsub231ss], [Vfnmsub132sd Vfnmsub213sd Vfnmsub231sd]);
    fused!(l, ALTERNATE, [Vfmaddsub132ps Vfmaddsub213ps Vfmaddsub231ps],
        [Vfmaddsub132pd Vfmaddsub213pd Vfmaddsub231pd]);
    fused!(l, ADDEND | ALTERNATE, [Vfmsubadd132ps Vfmsubadd213ps Vfmsubadd231ps],
        [Vfmsubadd132pd Vfmsubadd213pd Vfmsubadd231pd]);
    Missing
}

/// EXTRQ, INSERTQ: the first immediate goes to `imm`, the second to `disp`.
fn bit_field(l: &mut Lower<'_>, insert: bool) -> Choice {
    let first = if insert { 2 } else { 1 };
    if l.ins.op_count() <= first || l.kind(first) == OpKind::Register {
        return Body(if insert { vecavx::insertq_reg } else { vecavx::extrq_reg });
    }
    l.op.imm = l.ins.immediate(first);
    l.op.disp = l.ins.immediate(first + 1) as i64;
    Body(if insert { vecavx::insertq } else { vecavx::extrq })
}

pub(super) fn select(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Vpermilps if l.is_imm(2) => v2!(l, vecint::Pshufd),
        M::Vpermilps => v2!(l, vecint::Vpermilps),
        M::Vpermilpd if l.is_imm(2) => v2!(l, vecint::Split<vecint::Permilpd, 2>),
        M::Vpermilpd => v2!(l, vecint::Vpermilpd),
        M::Vshufpd => v2!(l, vecint::Split<vecint::Shufpd, 2>),
        M::Vblendps => v2!(l, vecint::Split<vecint::Blendps, 4>),
        M::Vblendpd => v2!(l, vecint::Split<vecint::Blendpd, 2>),
        M::Vpblendd => v2!(l, vecint::Split<vecint::Blendps, 4>),
        M::Vmpsadbw => v2_portable!(l, vecint::Split<vecint::Mpsadbw, 3>),
        M::Vpsllvd => v2!(l, vecint::Vpsllvd),
        M::Vpsllvq => v2!(l, vecint::Vpsllvq),
        M::Vpsrlvd => v2!(l, vecint::Vpsrlvd),
        M::Vpsrlvq => v2!(l, vecint::Vpsrlvq),
        M::Vpsravd => v2!(l, vecint::Vpsravd),
        M::Vpermd | M::Vpermps => wide!(l, Vpermd),
        M::Vpermq | M::Vpermpd => wide!(l, Vpermq),
        M::Vperm2f128 | M::Vperm2i128 => wide!(l, Vperm2),
        M::Vinsertf128 | M::Vinserti128 => {
            let (mem, _) = fill(l);
            Body(hosted!(
                l,
                match (mem, l.op.imm & 1 != 0) {
                    (false, false) => on_host!(host::moves::insert128::<false, false>),
                    (false, true) => on_host!(host::moves::insert128::<true, false>),
                    (true, false) => on_host!(host::moves::insert128::<false, true>),
                    (true, true) => on_host!(host::moves::insert128::<true, true>),
                },
                if mem { vecavx::insert128::<true> as OpFn } else { vecavx::insert128::<false> }
            ))
        }
        M::Vextractf128 | M::Vextracti128 => {
            l.op.b = l.reg(1);
            let mem = l.is_mem(0);
            Body(hosted!(
                l,
                match (mem, l.op.imm & 1 != 0) {
                    (false, false) => on_host!(host::moves::extract128::<false, false>),
                    (false, true) => on_host!(host::moves::extract128::<true, false>),
                    (true, false) => on_host!(host::moves::extract128::<false, true>),
                    (true, true) => on_host!(host::moves::extract128::<true, true>),
                },
                if mem { vecavx::extract128::<true> as OpFn } else { vecavx::extract128::<false> }
            ))
        }
        M::Vpbroadcastb => broadcast!(l, u8),
        M::Vpbroadcastw => broadcast!(l, u16),
        M::Vpbroadcastd | M::Vbroadcastss => broadcast!(l, u32),
        M::Vpbroadcastq | M::Vbroadcastsd => broadcast!(l, u64),
        M::Vbroadcastf128 | M::Vbroadcasti128 => {
            Body(hosted!(l, on_host!(host::moves::broadcast128), vecavx::broadcast128))
        }
        M::Vzeroupper => Body(hosted!(l, on_host!(host::moves::zero_upper), vecavx::zero::<false>)),
        M::Vzeroall => Body(vecavx::zero::<true>),
        M::Vmaskmovps | M::Vpmaskmovd => masked!(l, u32),
        M::Vmaskmovpd | M::Vpmaskmovq => masked!(l, u64),
        M::Vpgatherdd | M::Vgatherdps => gather!(l, u32, u32),
        M::Vpgatherdq | M::Vgatherdpd => gather!(l, u64, u32),
        M::Vpgatherqd | M::Vgatherqps => gather!(l, u32, u64),
        M::Vpgatherqq | M::Vgatherqpd => gather!(l, u64, u64),
        M::Vtestps => Body(by_enc!(l, IN, K => vecavx::test_signs::<u32, IN, K>)),
        M::Vtestpd => Body(by_enc!(l, IN, K => vecavx::test_signs::<u64, IN, K>)),
        M::Pcmpestri | M::Vpcmpestri | M::Pcmpestri64 | M::Vpcmpestri64 => string!(l, true, false),
        M::Pcmpestrm | M::Vpcmpestrm | M::Pcmpestrm64 | M::Vpcmpestrm64 => string!(l, true, true),
        M::Pcmpistri | M::Vpcmpistri => string!(l, false, false),
        M::Pcmpistrm | M::Vpcmpistrm => string!(l, false, true),
        M::Dpps | M::Vdpps => Body(by_enc!(l, IN, K => vecfma::dot_product::<S, IN, K>)),
        M::Dppd | M::Vdppd => Body(by_enc!(l, IN, K => vecfma::dot_product::<D, IN, K>)),
        M::Vcvtph2ps => Body(by_enc!(l, IN, K => vecfma::ph2ps::<IN, K>)),
        M::Vcvtps2ph => {
            l.op.b = l.reg(1);
            let k = if l.ins.op_register(1).is_ymm() { VEX256 } else { VEX128 };
            Body(match l.is_mem(0) {
                true => by_vex!(k, K => vecfma::ps2ph::<true, K>),
                false => by_vex!(k, K => vecfma::ps2ph::<false, K>),
            })
        }
        M::Extrq => bit_field(l, false),
        M::Insertq => bit_field(l, true),
        M::Movntss | M::Movntsd => {
            l.op.b = l.reg(1);
            let w = if l.ins.mnemonic() == M::Movntss { 4 } else { 8 };
            Body(by_long!(w, T => crate::exec::vecmov::store_low::<T, crate::exec::operand::Me>))
        }
        _ => match crypto(l) {
            Missing => fused(l),
            choice => choice,
        },
    }
}

macro_rules! sha {
    ($l:expr, $O:ident) => {{
        let (mem, _) = fill($l);
        Body(if mem { crypto::sha::<crypto::$O, true> as OpFn } else { crypto::sha::<crypto::$O, false> })
    }};
}

fn crypto(l: &mut Lower<'_>) -> Choice {
    use Mnemonic as M;
    match l.ins.mnemonic() {
        M::Aesenc | M::Vaesenc => v2!(l, crypto::Aesenc),
        M::Aesenclast | M::Vaesenclast => v2!(l, crypto::Aesenclast),
        M::Aesdec | M::Vaesdec => v2!(l, crypto::Aesdec),
        M::Aesdeclast | M::Vaesdeclast => v2!(l, crypto::Aesdeclast),
        M::Aesimc | M::Vaesimc => v2_portable!(l, crypto::Aesimc),
        M::Aeskeygenassist | M::Vaeskeygenassist => v2_portable!(l, crypto::Aeskeygenassist),
        M::Pclmulqdq | M::Vpclmulqdq => v2!(l, crypto::Pclmulqdq),
        M::Sha1nexte => sha!(l, Sha1nexte),
        M::Sha1msg1 => sha!(l, Sha1msg1),
        M::Sha1msg2 => sha!(l, Sha1msg2),
        M::Sha1rnds4 => sha!(l, Sha1rnds4),
        M::Sha256msg1 => sha!(l, Sha256msg1),
        M::Sha256msg2 => sha!(l, Sha256msg2),
        M::Sha256rnds2 => {
            l.op.a = l.reg(0);
            let mem = l.is_mem(1);
            if !mem {
                l.op.base = l.reg(1);
            }
            Body(if mem { crypto::sha256rnds2::<true> as OpFn } else { crypto::sha256rnds2::<false> })
        }
        _ => Missing,
    }
}
