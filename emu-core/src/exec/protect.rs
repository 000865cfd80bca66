//! Segments and far transfers as a 64-bit program on Linux meets them.
//!
//! The descriptors are Linux's: 23h 32-bit code, 2Bh data, 33h 64-bit code, 7Bh the processor number. SGDT, SIDT,
//! SLDT, STR and SMSW give what Linux answers where the processor keeps the true values from programs (UMIP).
//!
//! **Invariant**: cs and ss hold what Linux sets for a 64-bit program; the way to 32-bit code is reported as missing,
//! never gone by halves.

use super::memory::canonical;
use super::operand::{Dst, Int, Src};
use super::{Ctx, Env, FS, Flow, GS, OpRef, flags, system};
use crate::cpu::{Exception, RFlags, Vector, reg};

const RSP: u8 = reg::RSP as u8;
/// Selector of 64-bit code.
const USER_CODE: u64 = 0x33;
/// Selector of the stack.
const USER_DATA: u64 = 0x2b;

/// Access rights (as LAR gives them) and limit of a descriptor that a program may name.
fn descriptor(selector: u64, cpu: u32) -> Option<(u64, u64)> {
    match selector & 0xfffc {
        0x20 => Some((0x00cf_fb00, 0xffff_ffff)),
        0x28 => Some((0x00cf_f300, 0xffff_ffff)),
        0x30 => Some((0x00af_fb00, 0xffff_ffff)),
        0x78 => Some((0x0040_f500, u64::from(cpu))),
        _ => None,
    }
}

fn set_zf(ctx: &mut Ctx, on: bool) {
    let rest = ctx.status() & !flags::ZF;
    ctx.set_explicit(rest | (u64::from(on) * flags::ZF));
}

/// LAR, and with `LIMIT` LSL. ZF: the selector names something visible; the other flags stay.
pub(crate) fn lar<T: Int, S: Src, const LIMIT: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = S::peek::<u16>(ctx, &op) else { return S::miss::<u16>(ctx, op, env) };
    let found = descriptor(s.u(), ctx.tsc_aux);
    if let Some((rights, limit)) = found {
        T::put(ctx, op.a, T::of(if LIMIT { limit } else { rights }));
    }
    set_zf(ctx, found.is_some());
    op.next(ctx, env)
}

/// VERR, and with `WRITE` VERW. ZF: the segment may be read (written).
pub(crate) fn verify<S: Src, const WRITE: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = S::peek::<u16>(ctx, &op) else { return S::miss::<u16>(ctx, op, env) };
    let ok = descriptor(s.u(), 0).is_some() && (!WRITE || s & 0xfffc == 0x28);
    set_zf(ctx, ok);
    op.next(ctx, env)
}

/// SLDT, STR, SMSW: the value is `imm`, `T` what Linux writes of it.
pub(crate) fn store_word<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = T::of(op.imm);
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    D::write(ctx, &op, at, v);
    op.next(ctx, env)
}

/// The same to the low half of a register: the emulation keeps the upper one.
pub(crate) fn store_low(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let old = ctx.r(op.a);
    ctx.w(op.a, old & !0xffff_ffff | op.imm);
    op.next(ctx, env)
}

/// SGDT, SIDT: limit 0, base `imm`.
pub(crate) fn store_table(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let mut image = [0u8; 10];
    image[2..].copy_from_slice(&op.imm.to_le_bytes());
    if !ctx.store_bytes(env, addr, &image) {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

fn selector_fault(selector: u64) -> Exception {
    Exception { vector: Vector::GeneralProtection, error_code: selector as u32 & 0xfffc, address: 0 }
}

/// Segment registers by the number of their encoding.
mod seg {
    pub(super) const SS: u8 = 2;
    pub(super) const FS: u8 = 4;
    pub(super) const GS: u8 = 5;
}

/// A load of segment register `which`. An invalid selector is `#GP`. All bases are 0, that of no segment too.
fn load_selector(ctx: &mut Ctx, which: u8, selector: u16) -> Result<(), Exception> {
    let valid = selector & 0xfffc == 0 || descriptor(u64::from(selector), 0).is_some();
    match which {
        seg::SS if u64::from(selector) == USER_DATA => {}
        seg::SS => return Err(selector_fault(u64::from(selector))),
        _ if !valid => return Err(selector_fault(u64::from(selector))),
        seg::FS => ctx.w(FS, 0),
        seg::GS => ctx.w(GS, 0),
        _ => {}
    }
    ctx.selectors[usize::from(which) % 6] = selector;
    Ok(())
}

/// MOV from the segment register of number `imm`.
pub(crate) fn mov_from_seg<T: Int, D: Dst>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(at) = D::reach::<T>(ctx, &op) else { return D::miss_write::<T>(ctx, op, env) };
    let v = ctx.selectors[op.imm as usize % 6];
    D::write(ctx, &op, at, T::of(u64::from(v)));
    op.next(ctx, env)
}

/// PUSH FS, PUSH GS of width `T`: number `imm`.
pub(crate) fn push_seg<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(T::BYTES);
    let v = ctx.selectors[op.imm as usize % 6];
    if !ctx.store(env, sp, T::of(u64::from(v))) {
        return ctx.fail_stack(op);
    }
    ctx.w(RSP, sp);
    op.next(ctx, env)
}

/// LSS, LFS, LGS: an offset of width `T` into register `a`, the selector behind it into number `imm`.
pub(crate) fn load_far<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(offset) = ctx.load::<T>(env, addr) else { return ctx.fail(op) };
    let Some(s) = ctx.load::<u16>(env, addr.wrapping_add(T::BYTES)) else { return ctx.fail(op) };
    if let Err(e) = load_selector(ctx, op.imm as u8, s) {
        return ctx.raise(op, e);
    }
    T::put(ctx, op.a, offset);
    op.next(ctx, env)
}

/// MOV to the segment register of number `a`.
pub(crate) fn mov_to_seg<S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = S::peek::<u16>(ctx, &op) else { return S::miss::<u16>(ctx, op, env) };
    match load_selector(ctx, op.a, s) {
        Ok(()) => {
            ctx.shadow = op.a == seg::SS;
            op.next(ctx, env)
        }
        Err(e) => ctx.raise(op, e),
    }
}

/// POP FS, POP GS of width `T`.
pub(crate) fn pop_seg<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(v) = ctx.load::<T>(env, sp) else { return ctx.fail_stack(op) };
    match load_selector(ctx, op.a, v.u() as u16) {
        Ok(()) => {
            ctx.w(RSP, sp.wrapping_add(T::BYTES));
            op.next(ctx, env)
        }
        Err(e) => ctx.raise(op, e),
    }
}

/// Goes to `selector:to` after `done` has been made. A return asks for the level in the selector, others take any.
fn far(
    ctx: &mut Ctx,
    op: OpRef,
    env: &mut Env<'_>,
    selector: u64,
    to: u64,
    returns: Returns,
    done: impl FnOnce(&mut Ctx),
) -> Flow {
    let level = if returns == Returns::No { selector | 3 } else { selector };
    match level & 0xffff {
        USER_CODE if canonical(to) => {
            done(ctx);
            ctx.rip = to;
            ctx.link = std::ptr::null();
            Flow::STOP
        }
        USER_CODE => ctx.raise(op, Exception::gp()),
        // 32-bit code.
        0x23 => system::missing(ctx, op, env),
        _ => ctx.raise(op, selector_fault(selector)),
    }
}

/// Whether a far transfer is a return.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Returns {
    No,
    Yes,
}

/// RETF of width `T`; `a` holds how much of the immediate it pops besides (`b` low, `scale` high byte).
pub(crate) fn retf<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(cs) = ctx.load::<T>(env, sp.wrapping_add(T::BYTES)) else { return ctx.fail_stack(op) };
    let Some(to) = ctx.load::<T>(env, sp) else { return ctx.fail_stack(op) };
    let more = u64::from(op.a) | u64::from(op.b) << 8;
    // Another level looks like a change of stacks, until it is refused.
    let stack = sp.wrapping_add(3 * T::BYTES).wrapping_add(more);
    if cs.u() & 3 != 3 && ctx.load::<T>(env, stack).is_none() {
        return ctx.fail_stack(op);
    }
    far(ctx, op, env, cs.u(), to.u(), Returns::Yes, |ctx| {
        ctx.w(RSP, sp.wrapping_add(2 * T::BYTES).wrapping_add(more))
    })
}

/// JMP far and CALL far (`CALL`) through memory, offset of width `T`.
pub(crate) fn far_indirect<T: Int, const CALL: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let Some(to) = ctx.load::<T>(env, addr) else { return ctx.fail(op) };
    let Some(cs) = ctx.load::<u16>(env, addr.wrapping_add(T::BYTES)) else { return ctx.fail(op) };
    let sp = ctx.r(RSP).wrapping_sub(2 * T::BYTES);
    if CALL && cs.u() | 3 == USER_CODE && canonical(to.u()) {
        let back = ctx.block().end;
        let above = sp.wrapping_add(T::BYTES);
        if !ctx.store(env, above, T::of(USER_CODE)) || !ctx.store(env, sp, T::of(back)) {
            return ctx.fail_stack(op);
        }
    }
    far(ctx, op, env, cs.u(), to.u(), Returns::No, |ctx| {
        if CALL {
            ctx.w(RSP, sp);
        }
    })
}

/// IRET of width `T`: rip, cs, rflags, rsp, ss from the stack. IOPL and IF stay.
pub(crate) fn iret<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let mut frame = [0u64; 5];
    for i in [2, 1, 0, 4, 3] {
        let Some(v) = ctx.load::<T>(env, sp.wrapping_add(i as u64 * T::BYTES)) else {
            return ctx.fail_stack(op);
        };
        frame[i] = v.u();
    }
    let [to, cs, rflags, rsp, ss] = frame;
    if cs & 0xffff == USER_CODE && ss & 0xffff != USER_DATA && canonical(to) {
        return ctx.raise(op, selector_fault(ss));
    }
    far(ctx, op, env, cs, to, Returns::Yes, |ctx| {
        let may =
            RFlags::STATUS | RFlags::TF | RFlags::DF | RFlags::NT | RFlags::AC | RFlags::ID | RFlags::RF;
        let may = may.bits() & if T::BYTES == 2 { 0xffff } else { u64::MAX };
        let old = ctx.rflags();
        let had_ac = ctx.alignment_checked();
        ctx.set_rflags(old & !may | rflags & may & !RFlags::RF.bits());
        if ctx.alignment_checked() != had_ac {
            ctx.flush_tlb();
        }
        ctx.w(RSP, rsp);
    })
}
