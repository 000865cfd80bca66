//! Widths and operand forms: what makes one body serve all encodings.
//!
//! Key traits: [`Int`] (a width), [`Src`] (an operand that is read), [`Dst`] (an operand that may be written).

use super::memory::{Place, Reach};
use super::{Ctx, Env, Flow, Op, OpRef};
use crate::mem::Access;

/// An operand width.
pub(crate) trait Int: Copy + Eq + Ord + 'static {
    /// Bytes.
    const BYTES: u64;
    /// Bits.
    const BITS: u32 = Self::BYTES as u32 * 8;
    /// Left shift to bit 63.
    const SH: u32 = 64 - Self::BITS;
    /// Low bits of `v`.
    fn of(v: u64) -> Self;
    /// Zero-extended.
    fn u(self) -> u64;
    /// Sign-extended.
    fn s(self) -> i64;
    /// Reads a register.
    fn get(ctx: &Ctx, i: u8) -> Self;
    /// Writes a register (32 bits zero-extend).
    fn put(ctx: &mut Ctx, i: u8, v: Self);
    /// Reads little-endian bytes.
    ///
    /// # Safety
    /// `p` is readable for the width.
    unsafe fn load(p: *const u8) -> Self;
    /// Writes little-endian bytes.
    ///
    /// # Safety
    /// `p` is writable for the width.
    unsafe fn store(p: *mut u8, v: Self);
    /// Most significant bit.
    #[inline(always)]
    fn msb(self) -> bool {
        self.s() < 0
    }
}

macro_rules! int_common {
    ($t:ty, $i:ty) => {
        const BYTES: u64 = size_of::<$t>() as u64;
        #[inline(always)]
        fn of(v: u64) -> Self {
            v as $t
        }
        #[inline(always)]
        fn u(self) -> u64 {
            self as u64
        }
        #[inline(always)]
        fn s(self) -> i64 {
            self as $i as i64
        }
        #[inline(always)]
        unsafe fn load(p: *const u8) -> Self {
            // SAFETY: the caller's promise.
            <$t>::from_le(unsafe { p.cast::<$t>().read_unaligned() })
        }
        #[inline(always)]
        unsafe fn store(p: *mut u8, v: Self) {
            // SAFETY: the caller's promise.
            unsafe { p.cast::<$t>().write_unaligned(v.to_le()) }
        }
    };
}

/// Host offset of the byte `i` of the register slots.
#[inline(always)]
const fn byte_slot(i: u8) -> usize {
    if cfg!(target_endian = "big") { i as usize ^ 7 } else { i as usize }
}

impl Int for u8 {
    int_common!(u8, i8);
    #[inline(always)]
    fn get(ctx: &Ctx, i: u8) -> Self {
        // SAFETY: a byte offset is a u8 and the slots are 256 bytes.
        unsafe { ctx.regs.as_ptr().cast::<u8>().add(byte_slot(i)).read() }
    }
    #[inline(always)]
    fn put(ctx: &mut Ctx, i: u8, v: Self) {
        // SAFETY: a byte offset is a u8 and the slots are 256 bytes.
        unsafe { ctx.regs.as_mut_ptr().cast::<u8>().add(byte_slot(i)).write(v) }
    }
}

impl Int for u16 {
    int_common!(u16, i16);
    #[inline(always)]
    fn get(ctx: &Ctx, i: u8) -> Self {
        ctx.r(i) as u16
    }
    #[inline(always)]
    fn put(ctx: &mut Ctx, i: u8, v: Self) {
        let old = ctx.r(i);
        ctx.w(i, (old & !0xffff) | u64::from(v));
    }
}

impl Int for u32 {
    int_common!(u32, i32);
    #[inline(always)]
    fn get(ctx: &Ctx, i: u8) -> Self {
        ctx.r(i) as u32
    }
    #[inline(always)]
    fn put(ctx: &mut Ctx, i: u8, v: Self) {
        ctx.w(i, u64::from(v));
    }
}

impl Int for u64 {
    int_common!(u64, i64);
    #[inline(always)]
    fn get(ctx: &Ctx, i: u8) -> Self {
        ctx.r(i)
    }
    #[inline(always)]
    fn put(ctx: &mut Ctx, i: u8, v: Self) {
        ctx.w(i, v);
    }
}

/// Register `op.a`.
pub(crate) struct Ra;
/// Register `op.b`.
pub(crate) struct Rb;
/// Immediate.
pub(crate) struct Im;
/// Memory.
pub(crate) struct Me;

/// Memory at the base register and displacement; `index` is absent or means something else.
pub(crate) struct AtBase;

/// An operand that is read. `None`: it faulted, [`Ctx::stop`] says how.
pub(crate) trait Src {
    /// Reads it.
    fn get<T: Int>(ctx: &mut Ctx, op: &Op, env: &mut Env<'_>) -> Option<T>;
    /// Reads it if that takes no walk; nothing happens otherwise.
    fn peek<T: Int>(ctx: &Ctx, op: &Op) -> Option<T>;
    /// What a body whose [`Src::peek`] gave nothing ends in, having changed nothing: see [`Ctx::miss`].
    #[inline(always)]
    fn miss<T: Int>(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
        ctx.fail(op)
    }
}

/// An operand that is read and written.
pub(crate) trait Dst: Src {
    /// What is kept between the check and the write.
    type At: Copy;
    /// Where it is, if that takes no walk; nothing happens otherwise.
    fn reach<T: Int>(ctx: &Ctx, op: &Op) -> Option<Self::At>;
    /// What a body whose [`Dst::reach`] gave nothing ends in, having changed nothing: see [`Ctx::miss`].
    #[inline(always)]
    fn miss_write<T: Int>(ctx: &mut Ctx, op: OpRef, _: &mut Env<'_>) -> Flow {
        ctx.fail(op)
    }
    /// Reads it.
    fn read<T: Int>(ctx: &mut Ctx, op: &Op, at: Self::At) -> T;
    /// Writes it. Cannot fail.
    fn write<T: Int>(ctx: &mut Ctx, op: &Op, at: Self::At, v: T);
}

impl Src for Ra {
    #[inline(always)]
    fn get<T: Int>(ctx: &mut Ctx, op: &Op, _: &mut Env<'_>) -> Option<T> {
        Some(T::get(ctx, op.a))
    }
    #[inline(always)]
    fn peek<T: Int>(ctx: &Ctx, op: &Op) -> Option<T> {
        Some(T::get(ctx, op.a))
    }
}

impl Src for Rb {
    #[inline(always)]
    fn get<T: Int>(ctx: &mut Ctx, op: &Op, _: &mut Env<'_>) -> Option<T> {
        Some(T::get(ctx, op.b))
    }
    #[inline(always)]
    fn peek<T: Int>(ctx: &Ctx, op: &Op) -> Option<T> {
        Some(T::get(ctx, op.b))
    }
}

impl Src for Im {
    #[inline(always)]
    fn get<T: Int>(_: &mut Ctx, op: &Op, _: &mut Env<'_>) -> Option<T> {
        Some(T::of(op.imm))
    }
    #[inline(always)]
    fn peek<T: Int>(_: &Ctx, op: &Op) -> Option<T> {
        Some(T::of(op.imm))
    }
}

impl Src for Me {
    #[inline(always)]
    fn get<T: Int>(ctx: &mut Ctx, op: &Op, env: &mut Env<'_>) -> Option<T> {
        let addr = ctx.ea(op);
        ctx.load(env, addr)
    }
    #[inline(always)]
    fn peek<T: Int>(ctx: &Ctx, op: &Op) -> Option<T> {
        ctx.peek(ctx.ea(op))
    }
    #[inline(always)]
    fn miss<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
        ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Read))
    }
}

impl Src for AtBase {
    #[inline(always)]
    fn get<T: Int>(ctx: &mut Ctx, op: &Op, env: &mut Env<'_>) -> Option<T> {
        let addr = ctx.r(op.base).wrapping_add(op.disp as u64);
        ctx.load(env, addr)
    }
    #[inline(always)]
    fn peek<T: Int>(ctx: &Ctx, op: &Op) -> Option<T> {
        ctx.peek(ctx.r(op.base).wrapping_add(op.disp as u64))
    }
    #[inline(always)]
    fn miss<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
        ctx.miss(op, env, &Reach::base(T::BYTES, Access::Read))
    }
}

impl Dst for Ra {
    type At = ();
    #[inline(always)]
    fn reach<T: Int>(_: &Ctx, _: &Op) -> Option<()> {
        Some(())
    }
    #[inline(always)]
    fn read<T: Int>(ctx: &mut Ctx, op: &Op, (): ()) -> T {
        T::get(ctx, op.a)
    }
    #[inline(always)]
    fn write<T: Int>(ctx: &mut Ctx, op: &Op, (): (), v: T) {
        T::put(ctx, op.a, v);
    }
}

impl Dst for Me {
    type At = Place;
    #[inline(always)]
    fn reach<T: Int>(ctx: &Ctx, op: &Op) -> Option<Place> {
        ctx.reach::<T>(ctx.ea(op))
    }
    #[inline(always)]
    fn miss_write<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
        ctx.miss(op, env, &Reach::whole(T::BYTES, Access::Write))
    }
    #[inline(always)]
    fn read<T: Int>(_: &mut Ctx, _: &Op, at: Place) -> T {
        at.read()
    }
    #[inline(always)]
    fn write<T: Int>(_: &mut Ctx, _: &Op, at: Place, v: T) {
        at.write(v);
    }
}

impl Dst for AtBase {
    type At = Place;
    #[inline(always)]
    fn reach<T: Int>(ctx: &Ctx, op: &Op) -> Option<Place> {
        ctx.reach::<T>(ctx.r(op.base).wrapping_add(op.disp as u64))
    }
    #[inline(always)]
    fn miss_write<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
        ctx.miss(op, env, &Reach::base(T::BYTES, Access::Write))
    }
    #[inline(always)]
    fn read<T: Int>(_: &mut Ctx, _: &Op, at: Place) -> T {
        at.read()
    }
    #[inline(always)]
    fn write<T: Int>(_: &mut Ctx, _: &Op, at: Place, v: T) {
        at.write(v);
    }
}
