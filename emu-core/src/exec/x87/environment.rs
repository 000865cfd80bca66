//! The x87 unit's control and status words and its environment: set anew, stored, loaded.
//!
//! Neighbour: [`super`] has the instructions that compute.

use super::{ES, f80_bytes, kind};
use crate::cpu::{Exception, F80, Vector, X87};
use crate::exec::operand::Int;
use crate::exec::{Ctx, Env, Flow, OpRef};
use crate::mem::Access;

/// FNINIT, FNCLEX, EMMS, and FNENI, FNDISI, FNSETPM, which only look again at what is masked: 0 to 3 in the
/// immediate.
pub(crate) fn reset(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    match kind(op) {
        0 => {
            let regs = ctx.x87.regs;
            ctx.x87 = X87 { regs, ..Default::default() };
        }
        1 => ctx.x87.status &= !(0x7f | ES),
        3 => update_summary(ctx),
        _ => {
            wait!(ctx, op);
            ctx.x87.in_use = 0;
            ctx.x87.top = 0;
        }
    }
    op.next(ctx, env)
}

fn status_word(ctx: &Ctx) -> u16 {
    (ctx.x87.status & !0x3800) | (u16::from(ctx.x87.top & 7) << 11)
}

/// FNSTSW (0), FNSTCW (1) to memory; FNSTSW ax (2).
pub(crate) fn store_word(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = if op.imm == 1 { ctx.x87.control } else { status_word(ctx) };
    if op.imm == 2 {
        u16::put(ctx, 0, v);
        return op.next(ctx, env);
    }
    let addr = ctx.ea(&op);
    if !ctx.store(env, addr, v) {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// ES and B follow from flags and masks.
fn update_summary(ctx: &mut Ctx) {
    let bad = ctx.control().unmasked(u32::from(ctx.x87.status & 0x3f));
    ctx.x87.status = if bad != 0 { ctx.x87.status | ES } else { ctx.x87.status & !ES };
}

/// FLDCW.
pub(crate) fn fldcw(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let addr = ctx.ea(&op);
    let Some(v) = ctx.load::<u16>(env, addr) else { return ctx.fail(op) };
    ctx.x87.control = (v & 0x1f3f) | 0x40;
    update_summary(ctx);
    op.next(ctx, env)
}

fn tag(ctx: &Ctx, r: usize) -> u16 {
    if ctx.x87.in_use >> r & 1 == 0 {
        return 3;
    }
    let v = ctx.x87.regs[r];
    match (v.sign_exp & 0x7fff, v.mantissa) {
        (0, 0) => 1,
        (0x7fff | 0, _) => 2,
        (_, m) if m >> 63 == 0 => 2,
        _ => 0,
    }
}

/// The environment as 16-bit programs see it: seven words.
fn short_environment(ctx: &Ctx) -> [u8; 14] {
    let mut m = [0; 14];
    let (ip, dp) = (ctx.x87.ip as u16, ctx.x87.dp as u16);
    for (i, v) in [ctx.x87.control, status_word(ctx), tag_word(ctx), ip, ctx.x87.code, dp, ctx.x87.data]
        .into_iter()
        .enumerate()
    {
        m[i * 2..i * 2 + 2].copy_from_slice(&v.to_le_bytes());
    }
    m
}

fn tag_word(ctx: &Ctx) -> u16 {
    (0..8).fold(0, |t, r| t | (tag(ctx, r) << (r * 2)))
}

fn environment(ctx: &Ctx) -> [u8; 28] {
    let mut m = [0; 28];
    let tags = tag_word(ctx);
    for (i, v) in [ctx.x87.control, status_word(ctx), tags].into_iter().enumerate() {
        m[i * 4..i * 4 + 2].copy_from_slice(&v.to_le_bytes());
        m[i * 4 + 2..i * 4 + 4].fill(0xff);
    }
    m[12..16].copy_from_slice(&(ctx.x87.ip as u32).to_le_bytes());
    m[16..18].copy_from_slice(&ctx.x87.code.to_le_bytes());
    m[18..20].copy_from_slice(&ctx.x87.opcode.to_le_bytes());
    m[20..24].copy_from_slice(&(ctx.x87.dp as u32).to_le_bytes());
    m[24..26].copy_from_slice(&ctx.x87.data.to_le_bytes());
    m[26..28].fill(0xff);
    m
}

/// Bytes of the environment, and of it and the registers where they are wanted (bit 0 of the immediate); bit 1: short.
fn sizes(op: OpRef) -> (usize, usize) {
    let environment = if op.imm & 2 != 0 { 14 } else { 28 };
    (environment, environment + if op.imm & 1 != 0 { 80 } else { 0 })
}

/// FNSTENV; FNSAVE (1 in the immediate).
pub(crate) fn save(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let mut m = [0u8; 108];
    let (head, n) = sizes(op);
    let word = if head == 14 { 2 } else { 4 };
    if !ctx.spans_canonical(addr, word)
        || !ctx.aligned_if_asked(addr, word)
        || !ctx.ends(env, addr, word, n as u64, Access::Write)
    {
        return ctx.fail(op);
    }
    if head == 14 {
        m[..14].copy_from_slice(&short_environment(ctx));
    } else {
        m[..28].copy_from_slice(&environment(ctx));
    }
    for i in 0..8u8 {
        let r = ctx.x87.regs[usize::from((ctx.x87.top + i) & 7)];
        let at = head + usize::from(i) * 10;
        m[at..at + 10].copy_from_slice(&f80_bytes(r));
    }
    if !ctx.store_bytes(env, addr, &m[..n]) {
        return ctx.fail(op);
    }
    if op.imm & 1 != 0 {
        let regs = ctx.x87.regs;
        ctx.x87 = X87 { regs, ..Default::default() };
    } else {
        // All exceptions are masked after the environment is stored.
        ctx.x87.control |= 0x3f;
        update_summary(ctx);
    }
    op.next(ctx, env)
}

/// FLDENV; FRSTOR (1 in the immediate).
pub(crate) fn restore(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let addr = ctx.ea(&op);
    let mut m = [0u8; 108];
    let (head, n) = sizes(op);
    let word = if head == 14 { 2 } else { 4 };
    if !ctx.spans_canonical(addr, word)
        || !ctx.aligned_if_asked(addr, word)
        || !ctx.ends(env, addr, word, n as u64, Access::Read)
        || !ctx.load_bytes(env, addr, &mut m[..n])
    {
        return ctx.fail(op);
    }
    if head == 14 {
        // Spread out as in the long form, the registers behind it.
        let short = m;
        m = [0; 108];
        for (from, to) in [(0, 0), (2, 4), (4, 8), (6, 12), (8, 16), (10, 20), (12, 24)] {
            m[to..to + 2].copy_from_slice(&short[from..from + 2]);
        }
        m[28..].copy_from_slice(&short[14..94]);
    }
    let half = |at: usize| u16::from_le_bytes([m[at], m[at + 1]]);
    let word = |at: usize| u32::from_le_bytes([m[at], m[at + 1], m[at + 2], m[at + 3]]);
    let x = &mut ctx.x87;
    x.control = (half(0) & 0x1f3f) | 0x40;
    x.status = half(4) & !0x3800;
    x.top = (half(4) >> 11) as u8 & 7;
    x.in_use = (0..8).fold(0, |t, r| t | (u8::from(half(8) >> (r * 2) & 3 != 3) << r));
    x.ip = u64::from(word(12));
    x.code = half(16);
    x.opcode = half(18) & 0x7ff;
    x.dp = u64::from(word(20));
    x.data = half(24);
    if op.imm & 1 != 0 {
        for i in 0..8 {
            let at = 28 + i * 10;
            let mut b = [0; 8];
            b.copy_from_slice(&m[at..at + 8]);
            x.regs[(usize::from(x.top) + i) & 7] =
                F80 { mantissa: u64::from_le_bytes(b), sign_exp: half(at + 8) };
        }
    }
    update_summary(ctx);
    op.next(ctx, env)
}
