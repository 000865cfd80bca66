//! Control transfer: JMP, Jcc, CALL, RET, LOOP, JRCXZ, and the ends of blocks that are no branch.

use super::memory::canonical;
use super::operand::{Int, Src};
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, reg};

const RSP: u8 = reg::RSP as u8;

/// End of a block that goes on behind it.
pub(crate) fn fall(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    ctx.follow(op, env)
}

/// JMP, direct.
pub(crate) fn jmp(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    ctx.follow(op, env)
}

/// Jcc. Reads flags.
pub(crate) fn jcc<const CC: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if ctx.cond::<CC>() { ctx.follow(op, env) } else { op.past(ctx, env) }
}

/// JMP, indirect. `#GP` if the target is not canonical.
pub(crate) fn jmp_ind<S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    match S::peek::<u64>(ctx, &op).and_then(|to| ctx.known(to)) {
        Some(block) => ctx.go_on(block, 0, env),
        None => jmp_ind_slow::<S>(ctx, op, env),
    }
}

#[cold]
#[inline(never)]
fn jmp_ind_slow<S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(to) = S::get::<u64>(ctx, &op, env) else { return ctx.fail(op) };
    if !canonical(to) {
        return ctx.raise(op, Exception::gp());
    }
    ctx.jump(env, to)
}

/// CALL, direct; `imm` is the address to return to.
pub(crate) fn call(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8);
    if let Some(at) = ctx.reach::<u64>(sp) {
        at.write(op.imm);
        ctx.w(RSP, sp);
        return ctx.follow(op, env);
    }
    call_slow(ctx, op, env)
}

#[cold]
#[inline(never)]
fn call_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8);
    if !ctx.store(env, sp, op.imm) {
        return ctx.fail(op);
    }
    ctx.w(RSP, sp);
    ctx.follow(op, env)
}

/// CALL, direct, of what comes next in the block.
pub(crate) fn call_on(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8);
    if let Some(at) = ctx.reach::<u64>(sp) {
        at.write(op.imm);
        ctx.w(RSP, sp);
        return op.next(ctx, env);
    }
    call_on_slow(ctx, op, env)
}

#[cold]
#[inline(never)]
fn call_on_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8);
    if !ctx.store(env, sp, op.imm) {
        return ctx.fail(op);
    }
    ctx.w(RSP, sp);
    op.next(ctx, env)
}

/// CALL, indirect; `imm` is the address to return to. `#GP` if the target is not canonical.
pub(crate) fn call_ind<S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(8);
    if let Some(block) = S::peek::<u64>(ctx, &op).and_then(|to| ctx.known(to))
        && let Some(at) = ctx.reach::<u64>(sp)
    {
        at.write(op.imm);
        ctx.w(RSP, sp);
        return ctx.go_on(block, 0, env);
    }
    call_ind_slow::<S>(ctx, op, env)
}

#[cold]
#[inline(never)]
fn call_ind_slow<S: Src>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(to) = S::get::<u64>(ctx, &op, env) else { return ctx.fail(op) };
    let sp = ctx.r(RSP).wrapping_sub(8);
    let back = op.imm;
    if !canonical(to) {
        // The push is checked first.
        let may = ctx.aligned_if_asked(sp, 8) && ctx.writable(env, sp, 8);
        return if may { ctx.raise(op, Exception::gp()) } else { ctx.fail_stack(op) };
    }
    if !ctx.store(env, sp, back) {
        return ctx.fail_stack(op);
    }
    ctx.w(RSP, sp);
    ctx.jump(env, to)
}

/// RET; the immediate is what it pops besides.
pub(crate) fn ret(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    if let Some(block) = ctx.peek::<u64>(sp).and_then(|to| ctx.known(to)) {
        ctx.w(RSP, sp.wrapping_add(8).wrapping_add(op.imm));
        return ctx.go_on(block, 0, env);
    }
    ret_slow(ctx, op, env)
}

/// RET to `disp`, most of the time: the block goes on there. `imm` is what it pops besides.
pub(crate) fn ret_on(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    if ctx.peek::<u64>(sp) == Some(op.disp as u64) {
        ctx.w(RSP, sp.wrapping_add(8).wrapping_add(op.imm));
        return op.next(ctx, env);
    }
    ret_elsewhere(ctx, op, env)
}

#[cold]
#[inline(never)]
fn ret_elsewhere(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(to) = ctx.load::<u64>(env, sp) else { return ctx.fail(op) };
    if !canonical(to) {
        return ctx.raise(op, Exception::gp());
    }
    ctx.w(RSP, sp.wrapping_add(8).wrapping_add(op.imm));
    ctx.remaining += ctx.block().count - i64::from(op.nth) - 1;
    ctx.jump(env, to)
}

#[cold]
#[inline(never)]
fn ret_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(to) = ctx.load::<u64>(env, sp) else { return ctx.fail(op) };
    if !canonical(to) {
        return ctx.raise(op, Exception::gp());
    }
    ctx.w(RSP, sp.wrapping_add(8).wrapping_add(op.imm));
    ctx.jump(env, to)
}

/// CALL to 16 bits of address, which an operand-size prefix makes on AMD's processors.
pub(crate) fn call16(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP).wrapping_sub(2);
    let back = ctx.block().end as u16;
    if !ctx.store(env, sp, back) {
        return ctx.fail(op);
    }
    ctx.w(RSP, sp);
    ctx.follow(op, env)
}

/// JMP and CALL, indirect, to 16 bits of address.
pub(crate) fn ind16<S: Src, const CALL: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(to) = S::get::<u16>(ctx, &op, env) else { return ctx.fail(op) };
    if CALL {
        let sp = ctx.r(RSP).wrapping_sub(2);
        let back = ctx.block().end as u16;
        if !ctx.store(env, sp, back) {
            return ctx.fail_stack(op);
        }
        ctx.w(RSP, sp);
    }
    ctx.jump(env, to.u())
}

/// RET to 16 bits of address; the immediate is what it pops besides.
pub(crate) fn ret16(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let sp = ctx.r(RSP);
    let Some(to) = ctx.load::<u16>(env, sp) else { return ctx.fail(op) };
    ctx.w(RSP, sp.wrapping_add(2).wrapping_add(op.imm));
    ctx.jump(env, to.u())
}

/// LOOP, LOOPE, LOOPNE with a counter of width `T`; `KIND`: 0 plain, 1 while ZF, 2 while not ZF.
pub(crate) fn loop_<T: Int, const KIND: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let n = T::of(T::get(ctx, reg::RCX as u8).u().wrapping_sub(1));
    T::put(ctx, reg::RCX as u8, n);
    let go = n.u() != 0
        && match KIND {
            0 => true,
            1 => ctx.zf(),
            _ => !ctx.zf(),
        };
    if go { ctx.follow(op, env) } else { op.past(ctx, env) }
}

/// JRCXZ, JECXZ.
pub(crate) fn jcxz<T: Int>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if T::get(ctx, reg::RCX as u8).u() == 0 { ctx.follow(op, env) } else { op.past(ctx, env) }
}
