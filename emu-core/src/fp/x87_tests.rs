//! Every operation of [`super::x87`] and [`super::x87_convert`] against the processor the tests run on.
#![allow(clippy::print_stdout, clippy::type_complexity, reason = "a test that fails says where")]

use super::sse::Quiet;
use super::test_values::Random;
use super::x87::{self, C0, C1, C2, C3, Outcome, Quotient};
use super::x87_convert::{self, Constant};
use super::{Control, PRE, Round};
use crate::cpu::F80;
use core::arch::asm;

const COUNT: u64 = 400_000;

/// What the hardware did: st(0) afterwards, the status word.
pub(super) type Hard = (F80, u16);

macro_rules! op {
    ($name:ident, $ins:literal) => {
        fn $name(cw: Control, a: F80, b: F80) -> Hard {
            let mut out = [0u8; 16];
            let (a, b) = (bytes(a), bytes(b));
            let mut status = 0u16;
            // SAFETY: the x87 unit is initialised before and after; pending exceptions are cleared before a
            // waiting instruction could deliver them.
            unsafe {
                asm!("fninit", "fld tbyte ptr [{b}]", "fld tbyte ptr [{a}]", "fldcw [{cw}]", $ins, "fnstsw [{status}]",
                     "fnclex", "fstp tbyte ptr [{out}]", "fninit",
                     a = in(reg) &raw const a, b = in(reg) &raw const b, cw = in(reg) &raw const cw,
                     status = in(reg) &raw mut status, out = in(reg) &raw mut out,
                     out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                     out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
            }
            (unbytes(out), status)
        }
    };
}
pub(super) use op;
macro_rules! store {
    ($name:ident, $ins:literal) => {
        fn $name(cw: Control, a: F80) -> ([u8; 16], u16) {
            let mut out = [0u8; 16];
            let a = bytes(a);
            let mut status = 0u16;
            // SAFETY: as above.
            unsafe {
                asm!("fninit", "fld tbyte ptr [{a}]", "fldcw [{cw}]", $ins, "fnstsw [{status}]", "fnclex", "fninit",
                     a = in(reg) &raw const a, cw = in(reg) &raw const cw,
                     status = in(reg) &raw mut status, out = in(reg) &raw mut out,
                     out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                     out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _);
            }
            (out, status)
        }
    };
}

pub(super) fn bytes(a: F80) -> [u8; 16] {
    let mut out = [0; 16];
    out[..8].copy_from_slice(&a.mantissa.to_le_bytes());
    out[8..10].copy_from_slice(&a.sign_exp.to_le_bytes());
    out
}
fn word(b: &[u8; 16]) -> u64 {
    u64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]])
}
pub(super) fn unbytes(b: [u8; 16]) -> F80 {
    F80 { mantissa: word(&b), sign_exp: u16::from_le_bytes([b[8], b[9]]) }
}

op!(fadd, "fadd st(0), st(1)");
op!(fsub, "fsub st(0), st(1)");
op!(fmul, "fmul st(0), st(1)");
op!(fdiv, "fdiv st(0), st(1)");
op!(fsqrt, "fsqrt");
op!(frndint, "frndint");
op!(fscale, "fscale");
op!(fprem, "fprem");
op!(fprem1, "fprem1");
op!(fxtract, "fxtract");
op!(fxtract_exponent, "fxtract\nfxch");
op!(fcom, "fcom st(1)");
op!(fucom, "fucom st(1)");
op!(fxam, "fxam");
op!(fldpi, "fldpi");
op!(fldl2t, "fldl2t");
op!(fldl2e, "fldl2e");
op!(fldlg2, "fldlg2");
op!(fldln2, "fldln2");
store!(fst32, "fst dword ptr [{out}]");
store!(fst64, "fst qword ptr [{out}]");
store!(fist16, "fist word ptr [{out}]");
store!(fist32, "fist dword ptr [{out}]");
store!(fistp64, "fistp qword ptr [{out}]");
store!(fisttp32, "fisttp dword ptr [{out}]");
store!(fbstp, "fbstp tbyte ptr [{out}]");
op!(fld32, "fld dword ptr [{a}]");
op!(fld64, "fld qword ptr [{a}]");
op!(fild64, "fild qword ptr [{a}]");
op!(fbld, "fbld tbyte ptr [{a}]");

fn control(r: &mut Random) -> Control {
    let masks = if r.below(2) == 0 { 0x3f } else { r.next() & 0x3f };
    let precision = [3, 3, 3, 0, 2][r.below(5) as usize];
    Control((0x40 | masks | precision << 8 | r.below(4) << 10) as u16)
}

pub(super) fn number(r: &mut Random) -> F80 {
    let bits = r.float(15, 48);
    let exponent = match r.below(4) {
        0 => 16383 + r.below(80) as u16 - 10,
        _ => (bits >> 48) as u16 & 0x7fff,
    };
    let fraction = r.fraction(63);
    let integer_bit = if r.below(16) == 0 { r.below(2) == 0 } else { exponent != 0 };
    F80 {
        mantissa: fraction | u64::from(integer_bit) << 63,
        sign_exp: exponent | ((r.next() & 1) << 15) as u16,
    }
}

fn pair(r: &mut Random) -> (F80, F80) {
    let a = number(r);
    let b = match r.below(8) {
        0 => F80 { mantissa: a.mantissa ^ r.below(4), sign_exp: a.sign_exp ^ ((r.next() & 1) << 15) as u16 },
        1 => F80 { sign_exp: a.sign_exp.wrapping_add(r.below(140) as u16).wrapping_sub(70), ..number(r) },
        _ => number(r),
    };
    (a, b)
}

struct Report {
    name: &'static str,
    bad: u64,
}

impl Report {
    fn check(&mut self, good: bool, text: impl FnOnce() -> String) {
        if !good {
            self.bad += 1;
            if self.bad <= 6 {
                println!("{}: {}", self.name, text());
            }
        }
    }
    fn end(self) -> u64 {
        if self.bad > 0 {
            println!("{}: {} mismatches", self.name, self.bad);
        }
        self.bad
    }
}

fn same(cw: Control, hard: Hard, soft: Outcome) -> bool {
    u32::from(hard.1 & 0x3f) == soft.raised
        && (cw.unmasked(soft.raised) & PRE != 0 || hard.0 == soft.value && (hard.1 & C1 != 0) == soft.up)
}

#[test]
fn arithmetic_is_the_hardware_s() {
    type Two = fn(Control, F80, F80) -> Outcome;
    let cases: [(&str, fn(Control, F80, F80) -> Hard, Two); 8] = [
        ("fadd", fadd, x87::add),
        ("fsub", fsub, x87::sub),
        ("fmul", fmul, x87::mul),
        ("fdiv", fdiv, x87::div),
        ("fsqrt", fsqrt, |cw, a, _| x87::sqrt(cw, a)),
        ("frndint", frndint, |cw, a, _| x87::round_int(cw, a)),
        ("fscale", fscale, x87::scale),
        ("fxtract", fxtract, |cw, a, _| {
            let (value, _, raised) = x87::extract(cw, a);
            Outcome { value, raised, up: false }
        }),
    ];
    let mut r = Random(10);
    let mut bad = 0;
    for (name, hard, soft) in cases {
        let mut report = Report { name, bad: 0 };
        for _ in 0..COUNT {
            let cw = control(&mut r);
            let (a, b) = pair(&mut r);
            let (h, s) = (hard(cw, a, b), soft(cw, a, b));
            report.check(same(cw, h, s), || {
                format!("cw={:x} {a:x?} {b:x?}\n   hardware {h:x?}\n   ours {s:x?}", cw.0)
            });
        }
        bad += report.end();
    }
    let mut report = Report { name: "fxtract exponent", bad: 0 };
    for _ in 0..COUNT {
        let cw = Control(0x37f);
        let (a, _) = pair(&mut r);
        let h = fxtract_exponent(cw, a, a);
        let (_, s, _) = x87::extract(cw, a);
        report.check(h.0 == s, || format!("{a:x?}\n   hardware {h:x?}\n   ours {s:x?}"));
    }
    bad += report.end();
    assert_eq!(bad, 0);
}

#[test]
fn remainders_are_the_hardware_s() {
    let mut r = Random(11);
    let mut bad = 0;
    for (name, quotient) in [("fprem", Quotient::Truncated), ("fprem1", Quotient::Nearest)] {
        let mut report = Report { name, bad: 0 };
        for _ in 0..COUNT {
            let cw = control(&mut r);
            let (a, b) = pair(&mut r);
            let h = if quotient == Quotient::Truncated { fprem(cw, a, b) } else { fprem1(cw, a, b) };
            let s = x87::remainder(cw, a, b, quotient);
            let stopped = cw.unmasked(s.outcome.raised) & PRE != 0;
            let good = u32::from(h.1 & 0x3f) == s.outcome.raised
                && (stopped || h.0 == s.outcome.value && h.1 & (C0 | C1 | C2 | C3) == s.conditions());
            report.check(good, || format!("cw={:x} {a:x?} {b:x?}\n   hardware {h:x?}\n   ours {s:x?}", cw.0));
        }
        bad += report.end();
    }
    assert_eq!(bad, 0);
}

#[test]
fn comparisons_and_classes_are_the_hardware_s() {
    let mut r = Random(12);
    for _ in 0..COUNT {
        let cw = Control(0x37f);
        let (a, b) = pair(&mut r);
        for (h, quiet) in [(fcom(cw, a, b), Quiet::No), (fucom(cw, a, b), Quiet::Yes)] {
            let (relation, raised) = x87::compare(a, b, quiet);
            let status = x87::relation_conditions(relation) | raised as u16;
            assert_eq!(h.1 & 0x473f, status, "{a:x?} {b:x?}");
        }
        assert_eq!(fxam(cw, a, b).1 & 0x4700, x87::examine(a), "{a:x?}");
    }
}

#[test]
fn stores_are_the_hardware_s() {
    type Soft = fn(Control, F80) -> (u64, u32, bool);
    type Store = fn(Control, F80) -> ([u8; 16], u16);
    let cases: [(&str, Store, Soft); 6] = [
        ("fst32", fst32, |cw, a| {
            let s = x87_convert::to_f32(cw, a);
            (u64::from(s.bits), s.raised, s.up)
        }),
        ("fst64", fst64, |cw, a| {
            let s = x87_convert::to_f64(cw, a);
            (s.bits, s.raised, s.up)
        }),
        ("fist16", fist16, |cw, a| {
            let s = x87_convert::to_i16(cw, a);
            (u64::from(s.bits.cast_unsigned()), s.raised, s.up)
        }),
        ("fist32", fist32, |cw, a| {
            let s = x87_convert::to_i32(cw, a);
            (u64::from(s.bits.cast_unsigned()), s.raised, s.up)
        }),
        ("fistp64", fistp64, |cw, a| {
            let s = x87_convert::to_i64(cw, a);
            (s.bits.cast_unsigned(), s.raised, s.up)
        }),
        ("fisttp32", fisttp32, |cw, a| {
            let s = x87_convert::to_i32(cw.with_rc(Round::Zero), a);
            (u64::from(s.bits.cast_unsigned()), s.raised, s.up)
        }),
    ];
    let mut r = Random(13);
    let mut bad = 0;
    for (name, hard, soft) in cases {
        let mut report = Report { name, bad: 0 };
        for _ in 0..COUNT {
            let cw = control(&mut r);
            let mut a = number(&mut r);
            if r.below(2) == 0 {
                // Near the edges of the narrower formats.
                let edge = [16383 - 1022, 16383 + 1023, 16383 - 126, 16383 + 127, 16383 - 1074, 16383 - 149];
                let exponent = edge[r.below(6) as usize] + r.below(8) as u16 - 4;
                a = F80 { mantissa: a.mantissa | 1 << 63, sign_exp: a.sign_exp & 0x8000 | exponent };
            }
            let (h, status) = hard(cw, a);
            let (s, raised, up) = soft(cw, a);
            let withheld = cw.unmasked(raised) & !super::PE != 0;
            let good = u32::from(status & 0x3f) == raised
                && if withheld { word(&h) == 0 } else { word(&h) == s && (status & C1 != 0) == up };
            report.check(good, || {
                format!("cw={:x} {a:x?}\n   hardware {h:x?} {status:x}\n   ours {s:x} {raised:x} {up}", cw.0)
            });
        }
        bad += report.end();
    }
    let mut report = Report { name: "fbstp", bad: 0 };
    for _ in 0..COUNT {
        let cw = control(&mut r);
        let a = number(&mut r);
        let (h, status) = fbstp(cw, a);
        let s = x87_convert::to_bcd(cw, a);
        let withheld = cw.unmasked(s.raised) & PRE != 0;
        let good = u32::from(status & 0x3f) == s.raised
            && if withheld { h[..10] == [0; 10] } else { h[..10] == s.bits && (status & C1 != 0) == s.up };
        report.check(good, || format!("cw={:x} {a:x?}\n   hardware {h:x?} {status:x}\n   ours {s:x?}", cw.0));
    }
    bad += report.end();
    assert_eq!(bad, 0);
}

#[test]
fn loads_and_constants_are_the_hardware_s() {
    let mut r = Random(14);
    let cw = Control(0x37f);
    for _ in 0..COUNT {
        let raw = |mantissa| F80 { mantissa, sign_exp: 0 };
        let single = r.float(8, 23);
        let h = fld32(cw, raw(single), raw(0));
        let s = x87_convert::from_f32(single as u32);
        assert_eq!((h.0, u32::from(h.1 & 0x3f)), s, "{single:x}");
        let double = r.float(11, 52);
        let h = fld64(cw, raw(double), raw(0));
        let s = x87_convert::from_f64(double);
        assert_eq!((h.0, u32::from(h.1 & 0x3f)), s, "{double:x}");
        let integer = r.fraction(64);
        assert_eq!(fild64(cw, raw(integer), raw(0)).0, x87_convert::from_i64(integer.cast_signed()));
        let mut digits = F80 { mantissa: r.next(), sign_exp: r.next() as u16 };
        if r.below(4) != 0 {
            digits.mantissa &= 0x7777_7777_7777_7777;
            digits.sign_exp &= 0x8077;
        }
        let all = bytes(digits);
        let mut ten = [0; 10];
        ten.copy_from_slice(&all[..10]);
        assert_eq!(fbld(cw, digits, raw(0)).0, x87_convert::from_bcd(ten), "{digits:x?}");
    }
    for rc in 0..4 {
        let cw = Control(0x37f | rc << 10);
        for (h, which) in [
            (fldpi(cw, F80::default(), F80::default()), Constant::Pi),
            (fldl2t(cw, F80::default(), F80::default()), Constant::Log2Of10),
            (fldl2e(cw, F80::default(), F80::default()), Constant::Log2OfE),
            (fldlg2(cw, F80::default(), F80::default()), Constant::Log10Of2),
            (fldln2(cw, F80::default(), F80::default()), Constant::LnOf2),
        ] {
            assert_eq!(h.0, x87_convert::constant(cw, which), "{which:?} {rc}");
        }
    }
}
