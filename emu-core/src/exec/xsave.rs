//! FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV.
//!
//! Neighbour: [`crate::cpu::xsave`] has the images. XCR0 is x87, SSE, AVX.
//!
//! **Invariant**: an image is checked whole before anything of it is taken or written.

use super::memory::canonical;
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::xsave::{self, FXSAVE_SIZE, XFEATURES, XSAVE_SIZE, YMM_OFFSET};
use crate::cpu::{Cpu, Exception, Vector, X87, reg};
use crate::mem::Access;

/// What XSAVEC sets in XCOMP_BV.
const COMPACT: u64 = 1 << 63;
/// In the immediate: the form whose pointers of the x87 unit have 32 bits.
pub(crate) const NARROW: u64 = 1;
/// Offset of XSTATE_BV.
const HEADER: u64 = 512;

fn cpu_of(ctx: &Ctx) -> Cpu {
    let mut cpu = Cpu::new(ctx.model);
    ctx.store_cpu(&mut cpu);
    cpu
}

fn take_state(ctx: &mut Ctx, cpu: &Cpu) {
    ctx.mxcsr = cpu.mxcsr;
    ctx.x87 = cpu.x87;
    ctx.ymm = cpu.ymm;
}

/// XGETBV: XCR0, and with 1 the components that are in use. `#GP` for another register.
pub(crate) fn xgetbv(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let v = match ctx.regs[reg::RCX] as u32 {
        0 => XFEATURES,
        1 => in_use(ctx),
        _ => return ctx.raise(op, Exception::gp()),
    };
    ctx.regs[reg::RAX] = v;
    ctx.regs[reg::RDX] = 0;
    op.next(ctx, env)
}

fn misaligned(ctx: &mut Ctx, op: OpRef) -> Flow {
    let vector = if ctx.alignment_checked() && ctx.ea(&op) & 3 != 0 {
        Vector::AlignmentCheck
    } else {
        Vector::GeneralProtection
    };
    ctx.raise(op, Exception::new(vector))
}

/// Looks at the last byte of a legacy image, as the processor does first.
fn last_byte(ctx: &mut Ctx, env: &mut Env<'_>, addr: u64, access: Access) -> bool {
    let end = addr.wrapping_add(FXSAVE_SIZE as u64 - 1);
    ctx.host(env, if canonical(addr) { end } else { addr }, access).is_some()
}

/// FXSAVE. `#GP` if misaligned; bytes 416 to 511 stay as they are.
pub(crate) fn fxsave(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    if addr & 15 != 0 && canonical(addr) {
        return misaligned(ctx, op);
    }
    let mut image = xsave::fxsave(&cpu_of(ctx));
    if op.imm == NARROW {
        xsave::narrow(&mut image, &ctx.x87);
    }
    if !last_byte(ctx, env, addr, Access::Write) || !ctx.store_bytes(env, addr, &image[..416]) {
        return ctx.fail(op);
    }
    op.next(ctx, env)
}

/// FXRSTOR. `#GP` if misaligned or a reserved bit of MXCSR is set.
pub(crate) fn fxrstor(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    let mut image = [0u8; FXSAVE_SIZE];
    if addr & 15 != 0 && canonical(addr) {
        return misaligned(ctx, op);
    }
    if !last_byte(ctx, env, addr, Access::Read) || !ctx.load_bytes(env, addr, &mut image) {
        return ctx.fail(op);
    }
    let mut cpu = cpu_of(ctx);
    if xsave::fxrstor(&mut cpu, &image).is_err() {
        return ctx.raise(op, Exception::gp());
    }
    if op.imm == NARROW {
        xsave::split(&mut cpu.x87);
    }
    take_state(ctx, &cpu);
    op.next(ctx, env)
}

/// The components that are not in their initial state.
fn in_use(ctx: &Ctx) -> u64 {
    // The last instruction alone does not count.
    let x87 = X87 { opcode: 0, ip: 0, dp: 0, code: 0, data: 0, ..ctx.x87 } != X87::default();
    let sse = ctx.ymm.iter().any(|y| y[0] | y[1] != 0);
    let avx = ctx.ymm.iter().any(|y| y[2] | y[3] != 0);
    u64::from(x87) | u64::from(sse) << 1 | u64::from(avx) << 2
}

fn requested(ctx: &Ctx) -> u64 {
    (ctx.regs[reg::RAX] & 0xffff_ffff | ctx.regs[reg::RDX] << 32) & XFEATURES
}

/// XSAVE (0), XSAVEOPT (1), XSAVEC (2): the components of edx:eax. `#GP` if not aligned to 64 bytes.
pub(crate) fn save<const KIND: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    if addr & 63 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    let asked = requested(ctx);
    let used = in_use(ctx);
    let size = if asked & 4 != 0 { XSAVE_SIZE } else { YMM_OFFSET };
    if !ctx.ends(env, addr, 1, size as u64, Access::Write) || !ctx.writable(env, addr, size as u64) {
        return ctx.fail(op);
    }
    let mut image = xsave::xsave(&cpu_of(ctx));
    if op.imm == NARROW {
        xsave::narrow(&mut image, &ctx.x87);
    }
    let write = if KIND == 0 { asked } else { asked & used };
    let mut header = [0u8; 16];
    if KIND == 2 {
        let mxcsr = u64::from(ctx.mxcsr != 0x1f80) << 1;
        header[..8].copy_from_slice(&(asked & (used | mxcsr)).to_le_bytes());
        header[8..].copy_from_slice(&(asked | COMPACT).to_le_bytes());
    } else {
        let Some(old) = ctx.load::<u64>(env, addr.wrapping_add(HEADER)) else { return ctx.fail(op) };
        header[..8].copy_from_slice(&(old & !asked | asked & used).to_le_bytes());
    }
    let mxcsr = if KIND == 2 { header[0] & 2 != 0 } else { asked & 6 != 0 };
    let header = &header[..if KIND == 2 { 16 } else { 8 }];
    let parts: [(bool, usize, &[u8]); 6] = [
        (write & 1 != 0, 0, &image[..24]),
        (write & 1 != 0, 32, &image[32..160]),
        (mxcsr, 24, &image[24..32]),
        (write & 2 != 0, 160, &image[160..416]),
        (true, HEADER as usize, header),
        (write & 4 != 0, YMM_OFFSET, &image[YMM_OFFSET..]),
    ];
    for (wanted, at, bytes) in parts {
        if wanted && !ctx.store_bytes(env, addr.wrapping_add(at as u64), bytes) {
            return ctx.fail(op);
        }
    }
    op.next(ctx, env)
}

/// XRSTOR of the components of edx:eax. `#GP` if not aligned to 64 bytes or the header asks for what there is not.
pub(crate) fn restore(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let addr = ctx.ea(&op);
    if addr & 63 != 0 {
        return ctx.raise(op, Exception::gp());
    }
    let asked = requested(ctx);
    let mut image = [0u8; XSAVE_SIZE];
    // In the order of AMD's processors: the first byte, the header and what it says, the end of the extended component.
    let at = |offset: usize| addr.wrapping_add(offset as u64);
    if ctx.host(env, addr, Access::Read).is_none()
        || ctx.host(env, addr.wrapping_add(HEADER), Access::Read).is_none()
        || !ctx.load_bytes(env, addr, &mut image[..YMM_OFFSET])
    {
        return ctx.fail(op);
    }
    let mut word = [0u8; 8];
    word.copy_from_slice(&image[512..520]);
    let used = u64::from_le_bytes(word);
    word.copy_from_slice(&image[520..528]);
    let layout = u64::from_le_bytes(word);
    let compact = layout & COMPACT != 0;
    let known =
        if compact { layout & !COMPACT & !XFEATURES == 0 && used & !layout == 0 } else { layout == 0 };
    if !known || used & !XFEATURES != 0 {
        return ctx.raise(op, Exception::gp());
    }
    let extended = asked & 4 != 0 && (!compact || used & 4 != 0);
    if extended
        && (ctx.host(env, at(XSAVE_SIZE - 1), Access::Read).is_none()
            || !ctx.load_bytes(env, at(YMM_OFFSET), &mut image[YMM_OFFSET..]))
    {
        return ctx.fail(op);
    }
    if compact {
        if image[528..576].iter().any(|byte| *byte != 0) {
            return ctx.raise(op, Exception::gp());
        }
        // The same places as in the standard format, since there is one extended component; but MXCSR belongs to SSE.
        image[520..528].fill(0);
        if used & 2 == 0 {
            let initial = if asked & 2 != 0 { 0x1f80 } else { ctx.mxcsr };
            image[24..28].copy_from_slice(&initial.to_le_bytes());
        } else if asked & 2 == 0 {
            image[24..28].copy_from_slice(&ctx.mxcsr.to_le_bytes());
        }
    }
    let mut cpu = cpu_of(ctx);
    if xsave::xrstor(&mut cpu, &image, asked).is_err() {
        return ctx.raise(op, Exception::gp());
    }
    if op.imm == NARROW && asked & used & 1 != 0 {
        xsave::split(&mut cpu.x87);
    }
    take_state(ctx, &cpu);
    op.next(ctx, env)
}
