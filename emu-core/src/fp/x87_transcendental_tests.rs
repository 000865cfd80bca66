//! The functions of [`super::x87_transcendental`] within one unit in the last place of the processor's.
#![allow(clippy::type_complexity, reason = "a table of functions")]

use super::test_values::Random;
use super::x87::{C2, Outcome};
use super::x87_tests::{Hard, bytes, number, unbytes};
use super::x87_transcendental as t;
use super::{Control, PE, UE};
use crate::cpu::F80;
use core::arch::asm;

super::x87_tests::op!(fsin, "fsin");
super::x87_tests::op!(fcos, "fcos");
super::x87_tests::op!(fptan, "fptan\nfxch");
super::x87_tests::op!(fpatan, "fpatan");
super::x87_tests::op!(f2xm1, "f2xm1");
super::x87_tests::op!(fyl2x, "fyl2x");
super::x87_tests::op!(fyl2xp1, "fyl2xp1");

/// Distance in units of the last place; huge if not comparable.
fn distance(a: F80, b: F80) -> u128 {
    let key = |x: F80| u128::from(x.sign_exp & 0x7fff) << 63 | u128::from(x.mantissa & (u64::MAX >> 1));
    if a.sign_exp >> 15 == b.sign_exp >> 15 { key(a).abs_diff(key(b)) } else { key(a) + key(b) }
}

#[test]
fn functions_are_within_one_unit_of_the_hardware_s() {
    type Soft = fn(Control, F80, F80) -> Option<Outcome>;
    let cases: [(&str, fn(Control, F80, F80) -> Hard, Soft); 7] = [
        ("fsin", fsin, |cw, a, _| t::sin(cw, a)),
        ("fcos", fcos, |cw, a, _| t::cos(cw, a)),
        ("fptan", fptan, |cw, a, _| t::tan(cw, a)),
        ("fpatan", fpatan, |cw, a, b| Some(t::atan2(cw, b, a))),
        ("f2xm1", f2xm1, |cw, a, _| Some(t::exp2_minus_1(cw, a))),
        ("fyl2x", fyl2x, |cw, a, b| Some(t::y_log2_x(cw, b, a))),
        ("fyl2xp1", fyl2xp1, |cw, a, b| Some(t::y_log2_x_plus_1(cw, b, a))),
    ];
    let mut r = Random(20);
    let mut bad = 0;
    for (name, hard, soft) in cases {
        let (mut here, mut equal, mut worst) = (0, 0, 0);
        for _ in 0..40_000 {
            let cw = Control(0x37f);
            let (mut a, b) = (number(&mut r), number(&mut r));
            let biased = i32::from(a.sign_exp & 0x7fff) - 16383;
            let outside = match name {
                "f2xm1" => biased >= 0,
                "fyl2xp1" => biased >= -2,
                _ => false,
            };
            if outside {
                a = F80 { sign_exp: a.sign_exp & 0x8000 | (16383 - 3 - r.below(70) as u16), ..a };
            }
            let h = hard(cw, a, b);
            match soft(cw, a, b) {
                None => assert!(h.1 & C2 != 0, "{name} {a:x?}"),
                Some(s) => {
                    let far = distance(h.0, s.value);
                    worst = worst.max(far);
                    equal += u32::from(far == 0);
                    // Some processors call even exact logarithms inexact.
                    let flags = u32::from(h.1 & 0x3f) ^ s.raised;
                    if far > 1 || flags & !(PE | UE) != 0 {
                        here += 1;
                        if here <= 8 {
                            println!("{name} {a:x?} {b:x?}\n   hardware {h:x?}\n   ours {s:x?}");
                        }
                    }
                }
            }
        }
        println!("{name}: {here} of 40000 differ by more than one unit, {equal} by none, worst {worst:x}");
        bad += here;
    }
    assert_eq!(bad, 0);
}
