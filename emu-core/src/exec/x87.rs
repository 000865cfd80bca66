//! The x87 unit: stack, loads, stores, arithmetic, comparison, control.
//!
//! Operations name their source by [`Form`]; memory is read before the stack changes. Neighbour: [`crate::fp::x87`]
//! computes.
//!
//! **Invariant**: an unmasked exception sets ES; the next waiting instruction then raises `#MF`. A stack fault or an
//! unmasked exception found before computing leaves the stack as it is.

use std::cmp::Ordering;

use super::flags::{CF, PF, ZF};
use super::operand::Int;
use super::{Ctx, Env, Flow, OpRef};
use crate::cpu::{Exception, F80, Vector};
use crate::fp::sse::Quiet;
use crate::fp::x87::{self, C0, C1, C2, C3, DEFAULT_NAN, Outcome, Quotient};
use crate::fp::x87_convert::{self as convert, Constant};
use crate::fp::{self, Control, Relation, Round, x87_fast as fast, x87_transcendental as functions};

/// Stack fault.
const SF: u16 = 0x40;
/// Error summary and busy.
const ES: u16 = 0x8080;

/// Where a source is, in bits 8 to 15 of the immediate.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Form {
    /// st(b)
    St,
    /// 32-bit float in memory.
    M32,
    /// 64-bit float.
    M64,
    /// 80-bit float.
    M80,
    /// 16-bit integer.
    I16,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
    /// 18 decimal digits.
    Bcd,
}

const FORMS: [Form; 8] =
    [Form::St, Form::M32, Form::M64, Form::M80, Form::I16, Form::I32, Form::I64, Form::Bcd];

fn form(op: OpRef) -> Form {
    FORMS[(op.imm >> 8) as usize & 7]
}

/// Registers to pop afterwards, in bits 16 and 17 of the immediate.
fn pops(op: OpRef) -> u64 {
    op.imm >> 16 & 3
}

/// What is to be done, in the low byte of the immediate.
fn kind(op: OpRef) -> u8 {
    op.imm as u8
}

/// Where the immediate has the opcode that the environment shows; see [`crate::decode::fpu::opcode`].
pub(crate) const OPCODE: u32 = 32;

/// Where the immediate says that the operand is on the stack.
pub(crate) const STACK: u32 = 48;
/// Where the immediate has the slot of the base that the operand's address is shown without.
pub(crate) const BASE: u32 = 56;

impl OpRef {
    /// Goes on behind an operation that the environment names as the last one.
    #[inline(always)]
    fn done(self, ctx: &mut Ctx, env: &mut Env<'_>) -> Flow {
        ctx.x87.opcode = (self.imm >> OPCODE) as u16;
        ctx.x87.code = crate::cpu::SELECTORS[1];
        if form(self) == Form::St {
            // No operand in memory: the displacement has the address of the instruction.
            ctx.x87.ip = self.disp as u64;
        } else {
            ctx.x87.ip = ctx.block().address(&self);
            ctx.x87.dp = ctx.ea(&self).wrapping_sub(ctx.regs[(self.imm >> BASE) as usize & 31]);
            ctx.x87.data = ctx.selectors[if self.imm >> STACK & 1 != 0 { 2 } else { 3 }];
        }
        self.next(ctx, env)
    }
}

impl Ctx {
    fn st(&self, i: u8) -> Option<F80> {
        let r = (self.x87.top + i) & 7;
        (self.x87.in_use >> r & 1 != 0).then(|| self.x87.regs[r as usize])
    }

    fn set_st(&mut self, i: u8, v: F80) {
        let r = (self.x87.top + i) & 7;
        self.x87.regs[r as usize] = v;
        self.x87.in_use |= 1 << r;
    }

    fn pop_x87(&mut self) {
        self.x87.in_use &= !(1 << (self.x87.top & 7));
        self.x87.top = (self.x87.top + 1) & 7;
    }

    fn control(&self) -> Control {
        Control(self.x87.control)
    }

    /// Takes exception flags in; true if a destination may be written.
    fn settle_x87(&mut self, raised: u32, up: bool) -> bool {
        self.x87.status &= !C1;
        if up {
            self.x87.status |= C1;
        }
        self.x87.status |= raised as u16 & 0x3f;
        let bad = self.control().unmasked(raised);
        if bad != 0 {
            self.x87.status |= ES;
        }
        bad & fp::PRE == 0
    }

    /// Stack fault; true if the masked response is to be given.
    fn stack_fault(&mut self, overflow: bool) -> bool {
        let ok = self.settle_x87(fp::IE, overflow);
        self.x87.status |= SF;
        ok
    }

    fn push_x87(&mut self, v: F80) {
        let r = self.x87.top.wrapping_sub(1) & 7;
        if self.x87.in_use >> r & 1 != 0 {
            if self.stack_fault(true) {
                self.x87.top = r;
                self.set_st(0, DEFAULT_NAN);
            }
            return;
        }
        self.x87.status &= !C1;
        self.x87.top = r;
        self.set_st(0, v);
    }

    fn x87_pending(&self) -> bool {
        self.x87.status & 0x80 != 0
    }

    /// Takes in what the short way says.
    #[inline(always)]
    fn note_quick(&mut self, inexact: bool, up: bool) {
        self.x87.status = self.x87.status & !C1 | u16::from(up) << 9 | (u16::from(inexact) * fp::PE as u16);
    }

    fn set_conditions(&mut self, bits: u16) {
        self.x87.status = (self.x87.status & !(C0 | C1 | C2 | C3)) | bits;
    }
}

/// Raises `#MF` if an exception is pending.
macro_rules! wait {
    ($ctx:ident, $op:ident) => {
        if $ctx.x87_pending() {
            return $ctx.raise($op, Exception::new(Vector::X87));
        }
    };
}

pub(crate) mod environment;

fn load_f80(ctx: &mut Ctx, env: &mut Env<'_>, addr: u64) -> Option<F80> {
    if let Some(v) = peek_f80(ctx, addr) {
        return Some(v);
    }
    let mut b = [0u8; 10];
    if !ctx.spans_canonical(addr, 8) || !ctx.aligned_if_asked(addr, 8) || !ctx.load_bytes(env, addr, &mut b) {
        return None;
    }
    let [m @ .., s0, s1] = b;
    Some(F80 { mantissa: u64::from_le_bytes(m), sign_exp: u16::from_le_bytes([s0, s1]) })
}

#[inline(always)]
fn peek_f80(ctx: &Ctx, addr: u64) -> Option<F80> {
    // SAFETY: `readable` vouches for ten bytes.
    ctx.readable(addr, 10).map(|p| unsafe { F80 { mantissa: u64::load(p), sign_exp: u16::load(p.add(8)) } })
}

/// The source operand where that takes no walk and no exception.
#[inline(always)]
fn quick_operand<const FORM: u8>(ctx: &Ctx, op: OpRef) -> Option<F80> {
    match FORMS[FORM as usize] {
        Form::St => ctx.st(op.b),
        Form::M64 => fast::from_f64(ctx.peek::<u64>(ctx.ea(&op))?),
        Form::M32 => fast::from_f32(ctx.peek::<u32>(ctx.ea(&op))?),
        Form::M80 => peek_f80(ctx, ctx.ea(&op)),
        Form::I16 => Some(fast::from_i64(ctx.peek::<u16>(ctx.ea(&op))?.s())),
        Form::I32 => Some(fast::from_i64(ctx.peek::<u32>(ctx.ea(&op))?.s())),
        Form::I64 => Some(fast::from_i64(ctx.peek::<u64>(ctx.ea(&op))?.s())),
        Form::Bcd => None,
    }
}

fn f80_bytes(v: F80) -> [u8; 10] {
    let mut b = [0; 10];
    b[..8].copy_from_slice(&v.mantissa.to_le_bytes());
    b[8..].copy_from_slice(&v.sign_exp.to_le_bytes());
    b
}

/// The source operand: outer `None`: memory fault; inner `None`: empty register.
fn operand(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Option<Option<(F80, u32)>> {
    let addr = ctx.ea(&op);
    Some(Some(match form(op) {
        Form::St => return Some(ctx.st(op.b).map(|v| (v, 0))),
        Form::M32 => convert::from_f32(ctx.load::<u32>(env, addr)?),
        Form::M64 => convert::from_f64(ctx.load::<u64>(env, addr)?),
        Form::M80 => (load_f80(ctx, env, addr)?, 0),
        Form::I16 => (convert::from_i64(ctx.load::<u16>(env, addr)?.s()), 0),
        Form::I32 => (convert::from_i64(ctx.load::<u32>(env, addr)?.s()), 0),
        Form::I64 => (convert::from_i64(ctx.load::<u64>(env, addr)?.s()), 0),
        Form::Bcd => {
            let mut b = [0; 10];
            if !ctx.spans_canonical(addr, 8)
                || !ctx.aligned_if_asked(addr, 8)
                || !ctx.load_bytes(env, addr, &mut b)
            {
                return None;
            }
            (convert::from_bcd(b), 0)
        }
    }))
}

/// FLD, FILD, FBLD, of the form `FORM`.
pub(crate) fn fld<const FORM: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let to = ctx.x87.top.wrapping_sub(1) & 7;
    if !ctx.x87_pending()
        && ctx.x87.in_use >> to & 1 == 0
        && let Some(v) = quick_operand::<FORM>(ctx, op)
    {
        ctx.x87.status &= !C1;
        ctx.x87.top = to;
        ctx.set_st(0, v);
        return op.done(ctx, env);
    }
    fld_slow(ctx, op, env)
}

#[cold]
#[inline(never)]
fn fld_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let Some(v) = operand(ctx, op, env) else { return ctx.fail(op) };
    let room = ctx.x87.in_use >> (ctx.x87.top.wrapping_sub(1) & 7) & 1 == 0;
    match v {
        None => {
            if ctx.stack_fault(false) {
                ctx.x87.top = ctx.x87.top.wrapping_sub(1) & 7;
                ctx.set_st(0, DEFAULT_NAN);
            }
        }
        Some((v, raised)) => {
            // A stack overflow comes before what the value raises; a denormal is loaded in any case.
            if !room || ctx.settle_x87(raised, false) || raised & fp::IE == 0 {
                ctx.push_x87(v);
            }
        }
    }
    op.done(ctx, env)
}

/// FLD1, FLDPI and the like: `imm` is the constant.
pub(crate) fn constant(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let which = match kind(op) {
        0 => Constant::One,
        1 => Constant::Log2Of10,
        2 => Constant::Log2OfE,
        3 => Constant::Pi,
        4 => Constant::Log10Of2,
        5 => Constant::LnOf2,
        _ => Constant::Zero,
    };
    let v = convert::constant(ctx.control(), which);
    ctx.push_x87(v);
    op.done(ctx, env)
}

/// FST, FSTP, FIST, FISTP, FISTTP (bit 0 of the immediate), FBSTP, of the form `FORM`.
pub(crate) fn fst<const FORM: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !ctx.x87_pending()
        && let Some(v) = ctx.st(0)
    {
        let done = match FORMS[FORM as usize] {
            Form::St => {
                ctx.x87.status &= !C1;
                ctx.set_st(op.b, v);
                true
            }
            Form::M80 => {
                let place = ctx.writeable(ctx.ea(&op), 10);
                if let Some(p) = place {
                    // SAFETY: `writeable` vouches for ten bytes.
                    unsafe {
                        u64::store(p, v.mantissa);
                        u16::store(p.add(8), v.sign_exp);
                    }
                    ctx.x87.status &= !C1;
                }
                place.is_some()
            }
            Form::M64 if fast::plain(ctx.control()) => {
                match (ctx.reach::<u64>(ctx.ea(&op)), fast::to_f64(v)) {
                    (Some(place), Some((bits, inexact, up))) => {
                        place.write(bits);
                        ctx.note_quick(inexact, up);
                        true
                    }
                    _ => false,
                }
            }
            _ => false,
        };
        if done {
            if pops(op) != 0 {
                ctx.pop_x87();
            }
            return op.done(ctx, env);
        }
    }
    fst_slow(ctx, op, env)
}

#[cold]
#[inline(never)]
fn fst_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let addr = ctx.ea(&op);
    let cw = if op.imm & 1 != 0 { ctx.control().with_rc(Round::Zero) } else { ctx.control() };
    let v = ctx.st(0);
    let empty = v.is_none();
    let v = v.unwrap_or(DEFAULT_NAN);
    let (bytes, n, raised, up): ([u8; 10], usize, u32, bool) = match form(op) {
        Form::St => {
            if empty && !ctx.stack_fault(false) {
                return op.done(ctx, env);
            }
            if !empty {
                ctx.x87.status &= !C1;
            }
            ctx.set_st(op.b, v);
            if pops(op) != 0 {
                ctx.pop_x87();
            }
            return op.done(ctx, env);
        }
        Form::M32 => {
            let s = convert::to_f32(cw, v);
            (wide(u64::from(s.bits)), 4, s.raised, s.up)
        }
        Form::M64 => {
            let s = convert::to_f64(cw, v);
            (wide(s.bits), 8, s.raised, s.up)
        }
        Form::M80 => (f80_bytes(v), 10, 0, false),
        Form::I16 => {
            let s = convert::to_i16(cw, v);
            (wide(s.bits as u64), 2, s.raised, s.up)
        }
        Form::I32 => {
            let s = convert::to_i32(cw, v);
            (wide(s.bits as u64), 4, s.raised, s.up)
        }
        Form::I64 => {
            let s = convert::to_i64(cw, v);
            (wide(s.bits as u64), 8, s.raised, s.up)
        }
        Form::Bcd => {
            let s = convert::to_bcd(cw, v);
            (s.bits, 10, s.raised, s.up)
        }
    };
    let raised = if empty { fp::IE } else { raised };
    let stop = fp::PRE | fp::OE | fp::UE;
    if ctx.control().unmasked(raised) & stop != 0 {
        let first = n.min(8) as u64;
        if !ctx.spans_canonical(addr, first)
            || !ctx.aligned_if_asked(addr, first)
            || !ctx.writable(env, addr, first)
            || !ctx.writable(env, addr, n as u64)
        {
            return ctx.fail(op);
        }
        ctx.settle_x87(raised, up && !empty);
        if empty {
            ctx.x87.status |= SF;
        }
        return op.done(ctx, env);
    }
    // Ten bytes are written in two parts.
    let first = n.min(8) as u64;
    if !ctx.spans_canonical(addr, first)
        || !ctx.aligned_if_asked(addr, first)
        || n == 10 && !ctx.writable(env, addr, 8)
        || !ctx.store_bytes(env, addr, &bytes[..n])
    {
        return ctx.fail(op);
    }
    ctx.settle_x87(raised, up && !empty);
    if empty {
        ctx.x87.status |= SF;
    }
    if pops(op) != 0 {
        ctx.pop_x87();
    }
    op.done(ctx, env)
}

fn wide(v: u64) -> [u8; 10] {
    let mut b = [0; 10];
    b[..8].copy_from_slice(&v.to_le_bytes());
    b
}

/// What an operation raises whose operand in memory raised `operand` when it was read: an invalid operation or a
/// division by zero hides a denormal; an unmasked denormal keeps the operation from being done.
fn with_operand(cw: Control, raised: u32, operand: u32, up: bool) -> (u32, bool) {
    if raised & (fp::IE | fp::ZE) != 0 && operand & fp::IE == 0 {
        (raised, up)
    } else if cw.unmasked(operand) != 0 {
        (operand, false)
    } else {
        (raised | operand, up)
    }
}

/// FADD, FMUL, FSUB, FSUBR, FDIV, FDIVR: `KIND` and bits 0 to 2 of the immediate, numbered as in the encoding; the
/// destination is st(a).
pub(crate) fn arith<const KIND: u8, const FORM: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !ctx.x87_pending()
        && fast::plain(ctx.control())
        && let Some(d) = ctx.st(op.a)
        && let Some(s) = quick_operand::<FORM>(ctx, op)
    {
        let out = match KIND {
            0 => fast::add(d, s),
            1 => fast::mul(d, s),
            4 => fast::sub(d, s),
            5 => fast::sub(s, d),
            6 => fast::div(d, s),
            _ => fast::div(s, d),
        };
        if let Some(out) = out {
            ctx.note_quick(out.inexact, out.up);
            ctx.set_st(op.a, out.value);
            if pops(op) != 0 {
                ctx.pop_x87();
            }
            return op.done(ctx, env);
        }
    }
    arith_slow(ctx, op, env)
}

#[cold]
#[inline(never)]
fn arith_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let Some(s) = operand(ctx, op, env) else { return ctx.fail(op) };
    let (Some(d), Some((s, raised))) = (ctx.st(op.a), s) else {
        if ctx.stack_fault(false) {
            ctx.set_st(op.a, DEFAULT_NAN);
            if pops(op) != 0 {
                ctx.pop_x87();
            }
        }
        return op.done(ctx, env);
    };
    let cw = ctx.control();
    // Which of two NaNs is the result depends on whether they signal, so the one from memory is taken as it was there.
    let s = if raised & fp::IE != 0 { F80 { mantissa: s.mantissa & !(1 << 62), ..s } } else { s };
    // Beside a NaN a denormal is not looked at.
    let nan = d.sign_exp & 0x7fff == 0x7fff && d.mantissa << 1 != 0;
    let raised = if nan { raised & !fp::DE } else { raised };
    let out = match op.imm & 7 {
        0 => x87::add(cw, d, s),
        1 => x87::mul(cw, d, s),
        4 => x87::sub(cw, d, s),
        5 => x87::sub(cw, s, d),
        6 => x87::div(cw, d, s),
        _ => x87::div(cw, s, d),
    };
    let (raised, up) = with_operand(cw, out.raised, raised, out.up);
    if ctx.settle_x87(raised, up) {
        ctx.set_st(op.a, out.value);
        if pops(op) != 0 {
            ctx.pop_x87();
        }
    }
    op.done(ctx, env)
}

/// FCOM, FUCOM (bit 0 of the immediate), FICOM, FTST (bit 1), FCOMI (bit 2: into rflags), with pops.
pub(crate) fn compare<const FORM: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !ctx.x87_pending()
        && op.imm & 2 == 0
        && let Some(a) = ctx.st(0)
        && let Some(b) = quick_operand::<FORM>(ctx, op)
        && let Some(order) = fast::order(a, b)
    {
        let relation = match order {
            Ordering::Less => Relation::Less,
            Ordering::Equal => Relation::Equal,
            Ordering::Greater => Relation::Greater,
        };
        if op.imm & 4 == 0 {
            ctx.x87.status &= !C1;
        }
        return compared(ctx, op, env, relation, true);
    }
    compare_slow(ctx, op, env)
}

#[cold]
#[inline(never)]
fn compare_slow(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let s = if op.imm & 2 != 0 {
        Some((F80::default(), 0))
    } else {
        let Some(s) = operand(ctx, op, env) else { return ctx.fail(op) };
        s
    };
    let quiet = if op.imm & 1 != 0 { Quiet::Yes } else { Quiet::No };
    if let (Some(a), Some((b, 0))) = (ctx.st(0), s)
        && let Some(order) = fast::order(a, b)
    {
        let relation = match order {
            Ordering::Less => Relation::Less,
            Ordering::Equal => Relation::Equal,
            Ordering::Greater => Relation::Greater,
        };
        ctx.settle_x87(0, op.imm & 4 != 0 && ctx.x87.status & C1 != 0);
        return compared(ctx, op, env, relation, true);
    }
    let (relation, ok) = match (ctx.st(0), s) {
        (Some(a), Some((b, more))) => {
            let (relation, raised) = x87::compare(a, b, quiet);
            // AMD processors keep condition bit 1 where the result goes to rflags.
            let kept = op.imm & 4 != 0 && ctx.x87.status & C1 != 0;
            let (raised, kept) = with_operand(ctx.control(), raised, more, kept);
            (relation, ctx.settle_x87(raised, kept))
        }
        _ => (Relation::Unordered, ctx.stack_fault(false)),
    };
    compared(ctx, op, env, relation, ok)
}

#[inline(always)]
fn compared(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>, relation: Relation, ok: bool) -> Flow {
    if op.imm & 4 != 0 {
        ctx.set_explicit(match relation {
            Relation::Unordered => ZF | PF | CF,
            Relation::Greater => 0,
            Relation::Less => CF,
            Relation::Equal => ZF,
        });
    } else {
        ctx.set_conditions(x87::relation_conditions(relation));
    }
    if ok {
        for _ in 0..pops(op) {
            ctx.pop_x87();
        }
    }
    op.done(ctx, env)
}

/// FCHS, FABS, FSQRT: `KIND` 0, 1, 2.
pub(crate) fn simple<const KIND: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    if !ctx.x87_pending()
        && let Some(a) = ctx.st(0)
    {
        let quick = |value| fast::Quick { value, inexact: false, up: false };
        let out = match KIND {
            0 => Some(quick(F80 { sign_exp: a.sign_exp ^ 0x8000, ..a })),
            1 => Some(quick(F80 { sign_exp: a.sign_exp & 0x7fff, ..a })),
            _ => fast::sqrt(a).filter(|_| fast::plain(ctx.control())),
        };
        if let Some(out) = out {
            ctx.note_quick(out.inexact, out.up);
            ctx.set_st(0, out.value);
            return op.done(ctx, env);
        }
    }
    unary(ctx, op, env)
}

/// One-operand functions on st(0), numbered in the immediate.
pub(crate) fn unary(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    if matches!(kind(op), 5..=8) {
        ctx.x87.status &= !C2;
    }
    let Some(a) = ctx.st(0) else {
        if ctx.stack_fault(false) {
            ctx.set_st(0, DEFAULT_NAN);
            if matches!(kind(op), 7..=9) {
                ctx.x87.top = ctx.x87.top.wrapping_sub(1) & 7;
                ctx.set_st(0, DEFAULT_NAN);
            }
        }
        return op.done(ctx, env);
    };
    let room = ctx.x87.in_use >> (ctx.x87.top.wrapping_sub(1) & 7) & 1 == 0;
    if matches!(kind(op), 7..=9) && !room {
        if ctx.stack_fault(true) {
            ctx.set_st(0, DEFAULT_NAN);
            ctx.x87.top = ctx.x87.top.wrapping_sub(1) & 7;
            ctx.set_st(0, DEFAULT_NAN);
        }
        return op.done(ctx, env);
    }
    let cw = ctx.control();
    let sign = |v: F80, f: u16| F80 { sign_exp: f, ..v };
    let plain = |value| Outcome { value, raised: 0, up: false };
    let mut push = None;
    let out = match kind(op) {
        0 => Some(plain(sign(a, a.sign_exp ^ 0x8000))),
        1 => Some(plain(sign(a, a.sign_exp & 0x7fff))),
        2 => Some(x87::sqrt(cw, a)),
        3 => Some(x87::round_int(cw, a)),
        4 => Some(functions::exp2_minus_1(cw, a)),
        5 => functions::sin(cw, a),
        6 => functions::cos(cw, a),
        7 => functions::sin(cw, a).inspect(|_| push = functions::cos(cw, a)),
        8 => functions::tan(cw, a).inspect(|o| {
            let nan = o.value.sign_exp & 0x7fff == 0x7fff && o.value.mantissa << 1 != 0;
            push = Some(if nan { plain(o.value) } else { plain(convert::constant(cw, Constant::One)) });
        }),
        _ => {
            let (significand, exponent, raised) = x87::extract(cw, a);
            push = Some(plain(significand));
            Some(Outcome { value: exponent, raised, up: false })
        }
    };
    let Some(out) = out else {
        // The angle is too large.
        ctx.x87.status |= C2;
        return op.done(ctx, env);
    };
    let more = push.map_or(0, |p| p.raised);
    if ctx.settle_x87(out.raised | more, out.up) {
        ctx.set_st(0, out.value);
        if let Some(p) = push {
            ctx.x87.top = ctx.x87.top.wrapping_sub(1) & 7;
            ctx.set_st(0, p.value);
        }
    }
    op.done(ctx, env)
}

/// Functions of st(0) and st(1), numbered in the immediate.
pub(crate) fn binary(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    // The result goes to st(1), and st(0) is popped.
    let pop = kind(op) >= 3;
    let dst = u8::from(pop);
    let (Some(a), Some(b)) = (ctx.st(0), ctx.st(1)) else {
        if kind(op) <= 1 {
            ctx.x87.status &= !C2;
        }
        if ctx.stack_fault(false) {
            ctx.set_st(dst, DEFAULT_NAN);
            if pop {
                ctx.pop_x87();
            }
        }
        return op.done(ctx, env);
    };
    let cw = ctx.control();
    let out = match kind(op) {
        0 | 1 => {
            let kind = if kind(op) == 0 { Quotient::Truncated } else { Quotient::Nearest };
            let r = x87::remainder(cw, a, b, kind);
            ctx.x87.status &= !C2;
            if ctx.settle_x87(r.outcome.raised, false) {
                ctx.set_st(0, r.outcome.value);
                let v = r.outcome.value;
                let nan = v.sign_exp & 0x7fff == 0x7fff && v.mantissa << 1 != 0;
                let kept = if nan { ctx.x87.status & (C0 | C3) } else { 0 };
                ctx.set_conditions(r.conditions() | kept);
            }
            return op.done(ctx, env);
        }
        2 => x87::scale(cw, a, b),
        3 => functions::atan2(cw, b, a),
        4 => functions::y_log2_x(cw, b, a),
        _ => functions::y_log2_x_plus_1(cw, b, a),
    };
    if ctx.settle_x87(out.raised, out.up) {
        ctx.set_st(dst, out.value);
        if pop {
            ctx.pop_x87();
        }
    }
    op.done(ctx, env)
}

/// FXCH with st(b).
pub(crate) fn fxch(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let (a, b) = (ctx.st(0), ctx.st(op.b));
    if (a.is_some() && b.is_some()) || ctx.stack_fault(false) {
        if a.is_some() && b.is_some() {
            ctx.x87.status &= !C1;
        }
        ctx.set_st(0, b.unwrap_or(DEFAULT_NAN));
        ctx.set_st(op.b, a.unwrap_or(DEFAULT_NAN));
    }
    op.done(ctx, env)
}

/// FCMOVcc from st(b).
pub(crate) fn fcmov<const CC: u8>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    match (ctx.st(0), ctx.st(op.b)) {
        (Some(_), Some(v)) => {
            if ctx.cond::<CC>() {
                ctx.set_st(0, v);
            }
        }
        _ => {
            if ctx.stack_fault(false) {
                ctx.set_st(0, DEFAULT_NAN);
            }
        }
    }
    op.done(ctx, env)
}

/// FXAM.
pub(crate) fn fxam(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    let bits = match ctx.st(0) {
        Some(v) => x87::examine(v),
        None => {
            let v = ctx.x87.regs[usize::from(ctx.x87.top & 7)];
            C3 | C0 | if v.sign_exp & 0x8000 != 0 { C1 } else { 0 }
        }
    };
    ctx.set_conditions(bits);
    op.done(ctx, env)
}

/// FFREE, FFREEP, FINCSTP, FDECSTP, FNOP, FWAIT, FSTPNCE: 0 to 6 in the immediate.
pub(crate) fn stack(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    wait!(ctx, op);
    match kind(op) {
        0 | 1 => {
            ctx.x87.in_use &= !(1 << ((ctx.x87.top + op.a) & 7));
            ctx.x87.status &= !C1;
            if kind(op) == 1 {
                ctx.pop_x87();
            }
        }
        2 => {
            ctx.x87.top = (ctx.x87.top + 1) & 7;
            ctx.x87.status &= !C1;
        }
        3 => {
            ctx.x87.top = ctx.x87.top.wrapping_sub(1) & 7;
            ctx.x87.status &= !C1;
        }
        6 => {
            // An empty register goes nowhere, and that is no exception.
            if let Some(v) = ctx.st(0) {
                ctx.set_st(op.a, v);
            }
            ctx.x87.status &= !C1;
            ctx.pop_x87();
        }
        // WAIT leaves no trace.
        5 => return op.next(ctx, env),
        _ => {}
    }
    op.done(ctx, env)
}
