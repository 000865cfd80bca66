//! Every operation of [`super::sse`] and [`super::fast`] against the processor the tests run on.

use super::sse::{self, F32, F64, Negate, Quiet};
use super::test_values::Random;
use super::{Mxcsr, Relation, Round, fast};
use core::arch::asm;

const COUNT: u64 = 400_000;

macro_rules! op2 {
    ($name:ident, $ins:expr) => {
        fn $name(env: Mxcsr, a: u64, b: u64) -> (u64, u32) {
            let (mut result, mut mx) = (a, env.0);
            let saved = 0x1f80u32;
            // SAFETY: the block changes MXCSR and puts the default back; all exceptions are masked.
            unsafe {
                asm!("movq xmm0, {a}", "movq xmm1, {b}", "ldmxcsr [{mx}]", $ins, "stmxcsr [{mx}]",
                     "ldmxcsr [{saved}]", "movq {a}, xmm0",
                     a = inout(reg) result, b = in(reg) b, mx = in(reg) &raw mut mx, saved = in(reg) &raw const saved,
                     out("xmm0") _, out("xmm1") _);
            }
            (result, mx & 0x3f)
        }
    };
}
macro_rules! int_op {
    ($name:ident, $ins:expr) => {
        fn $name(env: Mxcsr, a: u64) -> (u64, u32) {
            let (mut result, mut mx) = (a, env.0);
            let saved = 0x1f80u32;
            // SAFETY: as above.
            unsafe {
                asm!("movq xmm0, rax", "ldmxcsr [{mx}]", $ins, "stmxcsr [{mx}]", "ldmxcsr [{saved}]",
                     inout("rax") result, mx = in(reg) &raw mut mx, saved = in(reg) &raw const saved,
                     out("xmm0") _, out("xmm1") _);
            }
            (result, mx & 0x3f)
        }
    };
}
macro_rules! fma_op {
    ($name:ident, $ins:expr) => {
        fn $name(env: Mxcsr, a: u64, b: u64, c: u64) -> (u64, u32) {
            let (mut result, mut mx) = (a, env.0);
            let saved = 0x1f80u32;
            // SAFETY: as above; the caller has checked that the processor has FMA.
            unsafe {
                asm!("movq xmm0, {a}", "movq xmm1, {b}", "movq xmm2, {c}", "ldmxcsr [{mx}]", $ins,
                     "stmxcsr [{mx}]", "ldmxcsr [{saved}]", "movq {a}, xmm0",
                     a = inout(reg) result, b = in(reg) b, c = in(reg) c, mx = in(reg) &raw mut mx,
                     saved = in(reg) &raw const saved, out("xmm0") _, out("xmm1") _, out("xmm2") _);
            }
            (result, mx & 0x3f)
        }
    };
}

op2!(addss, "addss xmm0, xmm1");
op2!(subss, "subss xmm0, xmm1");
op2!(mulss, "mulss xmm0, xmm1");
op2!(divss, "divss xmm0, xmm1");
op2!(minss, "minss xmm0, xmm1");
op2!(maxss, "maxss xmm0, xmm1");
op2!(sqrtss, "sqrtss xmm0, xmm0");
op2!(cvtss2sd, "cvtss2sd xmm0, xmm0");
op2!(addsd, "addsd xmm0, xmm1");
op2!(subsd, "subsd xmm0, xmm1");
op2!(mulsd, "mulsd xmm0, xmm1");
op2!(divsd, "divsd xmm0, xmm1");
op2!(minsd, "minsd xmm0, xmm1");
op2!(maxsd, "maxsd xmm0, xmm1");
op2!(sqrtsd, "sqrtsd xmm0, xmm0");
op2!(cvtsd2ss, "cvtsd2ss xmm0, xmm0");
op2!(roundsd, "roundsd xmm0, xmm0, 4");
op2!(roundss, "roundss xmm0, xmm0, 4");
op2!(vcvtph2ps, "vcvtph2ps xmm0, xmm0");
op2!(vcvtps2ph, "vcvtps2ph xmm0, xmm0, 4");
int_op!(cvttsd2si, "cvttsd2si rax, xmm0");
int_op!(cvtsd2si, "cvtsd2si rax, xmm0");
int_op!(cvtsd2si32, "cvtsd2si eax, xmm0");
int_op!(cvttsd2si32, "cvttsd2si eax, xmm0");
int_op!(cvttss2si, "cvttss2si rax, xmm0");
int_op!(cvtss2si32, "cvtss2si eax, xmm0");
int_op!(cvtsi2sd, "cvtsi2sd xmm0, rax\nmovq rax, xmm0");
int_op!(cvtsi2ss, "cvtsi2ss xmm0, rax\nmovd eax, xmm0");
fma_op!(vfmadd231sd, "vfmadd231sd xmm0, xmm1, xmm2");
fma_op!(vfmadd213sd, "vfmadd213sd xmm0, xmm1, xmm2");
fma_op!(vfmadd132sd, "vfmadd132sd xmm0, xmm1, xmm2");
fma_op!(vfnmsub213ss, "vfnmsub213ss xmm0, xmm1, xmm2");
fma_op!(vfmsub213sd, "vfmsub213sd xmm0, xmm1, xmm2");

fn env(r: &mut Random) -> Mxcsr {
    // Often the plain environment, with and without sticky flags.
    let sticky = if r.below(2) == 0 { 0 } else { r.next() as u32 & 0x3f };
    let modes = if r.below(2) == 0 { 0 } else { r.next() as u32 & 0xe040 };
    Mxcsr(0x1f80 | modes | sticky)
}

struct Case {
    name: &'static str,
    hard: fn(Mxcsr, u64, u64) -> (u64, u32),
    soft: fn(Mxcsr, u64, u64) -> (u64, u32),
    single: bool,
    keep: u64,
}

#[test]
fn two_operand_arithmetic_is_the_hardware_s() {
    const S: u64 = 0xffff_ffff;
    let cases = [
        Case { name: "addss", hard: addss, soft: sse::add::<F32>, single: true, keep: S },
        Case { name: "subss", hard: subss, soft: sse::sub::<F32>, single: true, keep: S },
        Case { name: "mulss", hard: mulss, soft: sse::mul::<F32>, single: true, keep: S },
        Case { name: "divss", hard: divss, soft: sse::div::<F32>, single: true, keep: S },
        Case { name: "minss", hard: minss, soft: sse::min::<F32>, single: true, keep: S },
        Case { name: "maxss", hard: maxss, soft: sse::max::<F32>, single: true, keep: S },
        Case { name: "sqrtss", hard: sqrtss, soft: |e, a, _| sse::sqrt::<F32>(e, a), single: true, keep: S },
        Case {
            name: "cvtss2sd",
            hard: cvtss2sd,
            soft: |e, a, _| sse::convert::<F32, F64>(e, a),
            single: true,
            keep: u64::MAX,
        },
        Case {
            name: "roundss",
            hard: roundss,
            soft: |e, a, _| sse::round_int::<F32>(e, a, e.rc()),
            single: true,
            keep: S,
        },
        Case {
            name: "vcvtps2ph",
            hard: vcvtps2ph,
            soft: |e, a, _| sse::f32_to_f16(e, a, e.rc()),
            single: true,
            keep: 0xffff,
        },
        Case { name: "addsd", hard: addsd, soft: sse::add::<F64>, single: false, keep: u64::MAX },
        Case { name: "subsd", hard: subsd, soft: sse::sub::<F64>, single: false, keep: u64::MAX },
        Case { name: "mulsd", hard: mulsd, soft: sse::mul::<F64>, single: false, keep: u64::MAX },
        Case { name: "divsd", hard: divsd, soft: sse::div::<F64>, single: false, keep: u64::MAX },
        Case { name: "minsd", hard: minsd, soft: sse::min::<F64>, single: false, keep: u64::MAX },
        Case { name: "maxsd", hard: maxsd, soft: sse::max::<F64>, single: false, keep: u64::MAX },
        Case {
            name: "sqrtsd",
            hard: sqrtsd,
            soft: |e, a, _| sse::sqrt::<F64>(e, a),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "cvtsd2ss",
            hard: cvtsd2ss,
            soft: |e, a, _| sse::convert::<F64, F32>(e, a),
            single: false,
            keep: S,
        },
        Case {
            name: "roundsd",
            hard: roundsd,
            soft: |e, a, _| sse::round_int::<F64>(e, a, e.rc()),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "fast addsd",
            hard: addsd,
            soft: |e, a, b| fast::f64::add(e, a, b),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "fast subsd",
            hard: subsd,
            soft: |e, a, b| fast::f64::sub(e, a, b),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "fast mulsd",
            hard: mulsd,
            soft: |e, a, b| fast::f64::mul(e, a, b),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "fast divsd",
            hard: divsd,
            soft: |e, a, b| fast::f64::div(e, a, b),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "fast sqrtsd",
            hard: sqrtsd,
            soft: |e, a, _| fast::f64::sqrt(e, a),
            single: false,
            keep: u64::MAX,
        },
        Case {
            name: "fast addss",
            hard: addss,
            soft: |e, a, b| wide(fast::f32::add(e, a as u32, b as u32)),
            single: true,
            keep: S,
        },
        Case {
            name: "fast subss",
            hard: subss,
            soft: |e, a, b| wide(fast::f32::sub(e, a as u32, b as u32)),
            single: true,
            keep: S,
        },
        Case {
            name: "fast mulss",
            hard: mulss,
            soft: |e, a, b| wide(fast::f32::mul(e, a as u32, b as u32)),
            single: true,
            keep: S,
        },
        Case {
            name: "fast divss",
            hard: divss,
            soft: |e, a, b| wide(fast::f32::div(e, a as u32, b as u32)),
            single: true,
            keep: S,
        },
        Case {
            name: "fast sqrtss",
            hard: sqrtss,
            soft: |e, a, _| wide(fast::f32::sqrt(e, a as u32)),
            single: true,
            keep: S,
        },
        Case {
            name: "fast cvtss2sd",
            hard: cvtss2sd,
            soft: |e, a, _| fast::f32_to_f64(e, a as u32),
            single: true,
            keep: u64::MAX,
        },
        Case {
            name: "fast cvtsd2ss",
            hard: cvtsd2ss,
            soft: |e, a, _| wide(fast::f64_to_f32(e, a)),
            single: false,
            keep: S,
        },
    ];
    let mut r = Random(1);
    let mut bad = 0;
    for case in &cases {
        let mut here = 0;
        for _ in 0..COUNT {
            let env = env(&mut r);
            let number = |r: &mut Random| if case.single { r.float(8, 23) } else { r.float(11, 52) };
            let a = number(&mut r);
            let b = match r.below(6) {
                0 => a ^ r.below(8),
                1 => a ^ 1 << if case.single { 31 } else { 63 } ^ r.below(4),
                _ => number(&mut r),
            };
            let (hard, hard_flags) = (case.hard)(env, a, b);
            let (soft, raised) = (case.soft)(env, a, b);
            if hard & case.keep != soft & case.keep || hard_flags != (raised | env.0 & 0x3f) {
                here += 1;
                if here <= 4 {
                    println!(
                        "{} mx={:x} {a:x} {b:x}: hardware {:x} {hard_flags:x}, ours {:x} {raised:x}",
                        case.name,
                        env.0,
                        hard & case.keep,
                        soft & case.keep
                    );
                }
            }
        }
        if here > 0 {
            println!("{}: {here} of {COUNT}", case.name);
        }
        bad += here;
    }
    assert_eq!(bad, 0);
}

fn wide(outcome: (u32, u32)) -> (u64, u32) {
    (u64::from(outcome.0), outcome.1)
}

#[test]
fn conversions_to_and_from_integers_are_the_hardware_s() {
    type One = fn(Mxcsr, u64) -> (u64, u32);
    let cases: [(&str, One, One, u32); 8] = [
        ("cvttsd2si", cvttsd2si, |e, a| sse::to_i64::<F64>(e, a, Round::Zero), 64),
        ("cvtsd2si", cvtsd2si, |e, a| sse::to_i64::<F64>(e, a, e.rc()), 64),
        ("cvtsd2si32", cvtsd2si32, |e, a| sse::to_i32::<F64>(e, a, e.rc()), 64),
        (
            "cvttsd2si32",
            cvttsd2si32,
            |e, a| {
                let (v, f) = fast::f64_to_i32_truncated(e, a);
                (u64::from(v.cast_unsigned()), f)
            },
            64,
        ),
        (
            "fast cvttsd2si",
            cvttsd2si,
            |e, a| {
                let (v, f) = fast::f64_to_i64_truncated(e, a);
                (v.cast_unsigned(), f)
            },
            64,
        ),
        ("cvttss2si", cvttss2si, |e, a| sse::to_i64::<F32>(e, a & 0xffff_ffff, Round::Zero), 32),
        ("cvtss2si32", cvtss2si32, |e, a| sse::to_i32::<F32>(e, a & 0xffff_ffff, e.rc()), 32),
        (
            "vcvtph2ps",
            |e, a| {
                let (v, f) = vcvtph2ps(e, a & 0xffff, 0);
                (v & 0xffff_ffff, f)
            },
            |e, a| sse::f16_to_f32(e, a & 0xffff),
            16,
        ),
    ];
    let mut r = Random(2);
    for (name, hard, soft, width) in cases {
        for _ in 0..COUNT {
            let env = env(&mut r);
            let a = match width {
                64 => r.float(11, 52),
                32 => r.float(8, 23),
                _ => r.next(),
            };
            let (h, hf) = hard(env, a);
            let (s, sf) = soft(env, a);
            assert_eq!((h, hf), (s, sf | env.0 & 0x3f), "{name} mx={:x} {a:x}", env.0);
        }
    }
    for _ in 0..COUNT {
        let env = env(&mut r);
        let v = r.fraction(64) >> r.below(64);
        let v = if r.below(2) == 0 { v } else { v.wrapping_neg() };
        for (hard, soft) in [
            (cvtsi2sd(env, v), sse::from_i64::<F64>(env, v.cast_signed())),
            (cvtsi2sd(env, v), fast::i64_to_f64(env, v.cast_signed())),
            (cvtsi2ss(env, v), sse::from_i64::<F32>(env, v.cast_signed())),
            (cvtsi2ss(env, v), wide(fast::i64_to_f32(env, v.cast_signed()))),
        ] {
            assert_eq!(hard, (soft.0, soft.1 | env.0 & 0x3f), "mx={:x} {v:x}", env.0);
        }
    }
}

#[test]
fn fused_multiply_add_is_the_hardware_s() {
    if !std::arch::is_x86_feature_detected!("fma") {
        return;
    }
    type Three = fn(Mxcsr, u64, u64, u64) -> (u64, u32);
    const ADD: Negate = Negate { product: false, addend: false };
    const SUB: Negate = Negate { product: false, addend: true };
    const NSUB: Negate = Negate { product: true, addend: true };
    let cases: [(&str, Three, Three, bool); 5] = [
        ("231sd", vfmadd231sd, |e, a, b, c| fast::f64::fma(e, b, c, a, ADD), false),
        ("213sd", vfmadd213sd, |e, a, b, c| sse::fma::<F64>(e, b, a, c, ADD), false),
        ("132sd", vfmadd132sd, |e, a, b, c| sse::fma::<F64>(e, a, c, b, ADD), false),
        (
            "n213ss",
            vfnmsub213ss,
            |e, a, b, c| wide(fast::f32::fma(e, b as u32, a as u32, c as u32, NSUB)),
            true,
        ),
        ("s213sd", vfmsub213sd, |e, a, b, c| sse::fma::<F64>(e, b, a, c, SUB), false),
    ];
    let mut r = Random(3);
    let mut bad = 0;
    for (name, hard, soft, single) in cases {
        for _ in 0..COUNT {
            let env = env(&mut r);
            let mut number = || if single { r.float(8, 23) } else { r.float(11, 52) };
            let (a, b, c) = (number(), number(), number());
            let (h, hf) = hard(env, a, b, c);
            let (s, sf) = soft(env, a, b, c);
            let keep = if single { 0xffff_ffff } else { u64::MAX };
            if (h & keep, hf) != (s & keep, sf | env.0 & 0x3f) {
                bad += 1;
                if bad < 20 {
                    println!(
                        "{name} mx={:x} {a:x} {b:x} {c:x}: hardware {h:x} {hf:x}, ours {s:x} {sf:x}",
                        env.0
                    );
                }
            }
        }
    }
    assert_eq!(bad, 0);
}

#[test]
fn comparisons_are_the_hardware_s() {
    let mut r = Random(4);
    for _ in 0..COUNT {
        let env = env(&mut r);
        let a = r.float(11, 52);
        let b = if r.below(3) == 0 { a ^ (r.next() & 1 << 63) } else { r.float(11, 52) };
        for quiet in [Quiet::Yes, Quiet::No] {
            let (mut flags, mut mx, saved) = (0u64, env.0, 0x1f80u32);
            // SAFETY: as above.
            unsafe {
                if quiet == Quiet::Yes {
                    asm!("movq xmm0, {a}", "movq xmm1, {b}", "ldmxcsr [{mx}]", "ucomisd xmm0, xmm1", "stmxcsr [{mx}]",
                         "ldmxcsr [{saved}]", "pushfq", "pop {f}", a = in(reg) a, b = in(reg) b, f = inout(reg) flags,
                         mx = in(reg) &raw mut mx, saved = in(reg) &raw const saved, out("xmm0") _, out("xmm1") _);
                } else {
                    asm!("movq xmm0, {a}", "movq xmm1, {b}", "ldmxcsr [{mx}]", "comisd xmm0, xmm1", "stmxcsr [{mx}]",
                         "ldmxcsr [{saved}]", "pushfq", "pop {f}", a = in(reg) a, b = in(reg) b, f = inout(reg) flags,
                         mx = in(reg) &raw mut mx, saved = in(reg) &raw const saved, out("xmm0") _, out("xmm1") _);
                }
            }
            let hard = match flags & 0x45 {
                0 => Relation::Greater,
                1 => Relation::Less,
                0x40 => Relation::Equal,
                _ => Relation::Unordered,
            };
            for (soft, raised) in
                [sse::compare::<F64>(env, a, b, quiet), fast::f64::compare(env, a, b, quiet)]
            {
                assert_eq!((hard, mx & 0x3f), (soft, raised | env.0 & 0x3f), "{a:x} {b:x} mx={:x}", env.0);
            }
        }
        macro_rules! predicates {
            ($($p:literal)*) => {$(
                let (h, hf) = {
                    op2!(cmp, concat!("vcmpsd xmm0, xmm0, xmm1, ", $p));
                    cmp(env, a, b)
                };
                let (s, sf) = sse::compare_predicate::<F64>(env, a, b, $p);
                assert_eq!((h != 0, hf), (s, sf | env.0 & 0x3f), "predicate {} {a:x} {b:x} mx={:x}", $p, env.0);
            )*};
        }
        predicates!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31);
    }
}
