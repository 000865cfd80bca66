//! AES-NI and VAES, PCLMULQDQ, SHA. No flags.
//!
//! **Invariant**: the tables are computed at compile time from the definitions in FIPS 197.

use super::vecint::{V2, VEX128, X, b16, d4, missed, of_b16, of_d4, source};
use super::{Ctx, Env, Flow, OpRef};

const fn double(x: u8) -> u8 {
    x << 1 ^ if x & 0x80 != 0 { 0x1b } else { 0 }
}

const fn product(a: u8, b: u8) -> u8 {
    let (mut a, mut b, mut r) = (a, b, 0);
    while b != 0 {
        if b & 1 != 0 {
            r ^= a;
        }
        a = double(a);
        b >>= 1;
    }
    r
}

const fn sbox() -> [u8; 256] {
    let mut out = [0; 256];
    // p runs through all powers of 3, q through those of its inverse.
    let (mut p, mut q) = (1u8, 1u8);
    loop {
        p = p ^ double(p);
        q ^= q << 1;
        q ^= q << 2;
        q ^= q << 4;
        if q & 0x80 != 0 {
            q ^= 9;
        }
        out[p as usize] =
            q ^ q.rotate_left(1) ^ q.rotate_left(2) ^ q.rotate_left(3) ^ q.rotate_left(4) ^ 0x63;
        if p == 1 {
            break;
        }
    }
    out[0] = 0x63;
    out
}

const fn inverse(table: [u8; 256]) -> [u8; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        out[table[i] as usize] = i as u8;
        i += 1;
    }
    out
}

/// The contribution of a byte to its column: substitution and mixing at once.
const fn columns(table: [u8; 256], by: [u8; 4]) -> [u32; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        let s = table[i];
        out[i] =
            u32::from_le_bytes([product(s, by[0]), product(s, by[1]), product(s, by[2]), product(s, by[3])]);
        i += 1;
    }
    out
}

const fn identity() -> [u8; 256] {
    let mut out = [0; 256];
    let mut i = 0;
    while i < 256 {
        out[i] = i as u8;
        i += 1;
    }
    out
}

static SBOX: [u8; 256] = sbox();
static INVERSE: [u8; 256] = inverse(sbox());
static ENCRYPT: [u32; 256] = columns(sbox(), [2, 1, 1, 3]);
static DECRYPT: [u32; 256] = columns(inverse(sbox()), [14, 9, 13, 11]);
static UNMIX: [u32; 256] = columns(identity(), [14, 9, 13, 11]);

#[inline(always)]
fn xor(a: X, b: X) -> X {
    [a[0] ^ b[0], a[1] ^ b[1]]
}

/// Index of the byte that ShiftRows (`step` 1) or its inverse (`step` 3) brings to row `row` of column `column`.
#[inline(always)]
const fn shifted(row: usize, column: usize, step: usize) -> usize {
    row + 4 * ((column + row * step) & 3)
}

#[inline(never)]
fn mixed(v: X, table: &[u32; 256], step: usize) -> X {
    let s = b16(v);
    of_d4(std::array::from_fn(|c| {
        (0..4).fold(0, |r, row| r ^ table[s[shifted(row, c, step)] as usize].rotate_left(8 * row as u32))
    }))
}

#[inline(never)]
fn unmixed(v: X, table: &[u8; 256], step: usize) -> X {
    let s = b16(v);
    of_b16(std::array::from_fn(|i| table[s[shifted(i & 3, i >> 2, step)] as usize]))
}

fn substitute(v: u32) -> u32 {
    u32::from_le_bytes(v.to_le_bytes().map(|b| SBOX[b as usize]))
}

macro_rules! v2 {
    ($($name:ident = |$a:ident, $b:ident, $imm:ident| $e:expr;)*) => {
        $(
            #[doc = concat!("The operation of ", stringify!($name), ".")]
            pub(crate) struct $name;
            impl V2 for $name {
                #[inline(always)]
                #[allow(unused_variables, reason = "not every operation has an immediate or a first source")]
                fn run($a: X, $b: X, $imm: u8) -> X {
                    $e
                }
            }
        )*
    };
}

v2! {
    Aesenc = |a, b, imm| xor(mixed(a, &ENCRYPT, 1), b);
    Aesenclast = |a, b, imm| xor(unmixed(a, &SBOX, 1), b);
    Aesdec = |a, b, imm| xor(mixed(a, &DECRYPT, 3), b);
    Aesdeclast = |a, b, imm| xor(unmixed(a, &INVERSE, 3), b);
    Aesimc = |a, b, imm| {
        let s = b16(b);
        of_d4(std::array::from_fn(|c| {
            (0..4).fold(0, |r, row| r ^ UNMIX[s[c * 4 + row] as usize].rotate_left(8 * row as u32))
        }))
    };
    Aeskeygenassist = |a, b, imm| {
        let q = d4(b);
        let (x, y) = (substitute(q[1]), substitute(q[3]));
        let constant = u32::from(imm);
        of_d4([x, x.rotate_right(8) ^ constant, y, y.rotate_right(8) ^ constant])
    };
    Pclmulqdq = |a, b, imm| carryless(a[imm as usize & 1], b[(imm >> 4) as usize & 1]);
    Sha1nexte = |a, b, imm| {
        let mut q = d4(b);
        q[3] = q[3].wrapping_add(d4(a)[3].rotate_left(30));
        of_d4(q)
    };
    Sha1msg1 = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        of_d4([p[0] ^ q[2], p[1] ^ q[3], p[2] ^ p[0], p[3] ^ p[1]])
    };
    Sha1msg2 = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        let w16 = (p[3] ^ q[2]).rotate_left(1);
        let w17 = (p[2] ^ q[1]).rotate_left(1);
        let w18 = (p[1] ^ q[0]).rotate_left(1);
        of_d4([(p[0] ^ w16).rotate_left(1), w18, w17, w16])
    };
    Sha1rnds4 = |a, b, imm| {
        let (p, w) = (d4(a), d4(b));
        let k = [0x5a82_7999u32, 0x6ed9_eba1, 0x8f1b_bcdc, 0xca62_c1d6][imm as usize & 3];
        let [mut d, mut c, mut bb, mut aa] = p;
        let mut e = 0u32;
        for i in 0..4 {
            let f = match imm & 3 {
                0 => (bb & c) ^ (!bb & d),
                2 => (bb & c) ^ (bb & d) ^ (c & d),
                _ => bb ^ c ^ d,
            };
            let t = f
                .wrapping_add(aa.rotate_left(5))
                .wrapping_add(w[3 - i])
                .wrapping_add(e)
                .wrapping_add(k);
            e = d;
            d = c;
            c = bb.rotate_left(30);
            bb = aa;
            aa = t;
        }
        of_d4([d, c, bb, aa])
    };
    Sha256msg1 = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        let next = [p[1], p[2], p[3], q[0]];
        of_d4(std::array::from_fn(|i| {
            let w = next[i];
            p[i].wrapping_add(w.rotate_right(7) ^ w.rotate_right(18) ^ w >> 3)
        }))
    };
    Sha256msg2 = |a, b, imm| {
        let (p, q) = (d4(a), d4(b));
        let s = |w: u32| w.rotate_right(17) ^ w.rotate_right(19) ^ w >> 10;
        let w16 = p[0].wrapping_add(s(q[2]));
        let w17 = p[1].wrapping_add(s(q[3]));
        of_d4([w16, w17, p[2].wrapping_add(s(w16)), p[3].wrapping_add(s(w17))])
    };
}

/// Product of polynomials over GF(2), four bits at a time.
#[inline(never)]
fn carryless(a: u64, b: u64) -> X {
    let mut multiples = [0u128; 16];
    for i in 1..16 {
        multiples[i] = multiples[i / 2] << 1 ^ if i & 1 != 0 { u128::from(a) } else { 0 };
    }
    let mut r = 0u128;
    for i in (0..16).rev() {
        r = r << 4 ^ multiples[(b >> (i * 4)) as usize & 15];
    }
    [r as u64, (r >> 64) as u64]
}

/// The other SHA instructions. AMD processors take the source at any alignment.
pub(crate) fn sha<F: V2, const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = source::<MEM, VEX128>(ctx, op) else { return missed::<16, VEX128>(ctx, op, env) };
    let r = F::run(ctx.x(op.b), s, op.imm as u8);
    ctx.set_x(op.a, r);
    op.next(ctx, env)
}

/// SHA256RNDS2: the words and constants stand in xmm0.
pub(crate) fn sha256rnds2<const MEM: bool>(ctx: &mut Ctx, op: OpRef, env: &mut Env<'_>) -> Flow {
    let Some(s) = source::<MEM, VEX128>(ctx, op) else { return missed::<16, VEX128>(ctx, op, env) };
    let (p, q, wk) = (d4(ctx.x(op.a)), d4(s), d4(ctx.x(0)));
    let [mut f, mut e, mut b, mut a] = q;
    let [mut h, mut g, mut d, mut c] = p;
    for w in wk.into_iter().take(2) {
        let s1 = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
        let t = h.wrapping_add(s1).wrapping_add((e & f) ^ (!e & g)).wrapping_add(w);
        let s0 = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
        let u = s0.wrapping_add((a & b) ^ (a & c) ^ (b & c));
        h = g;
        g = f;
        f = e;
        e = d.wrapping_add(t);
        d = c;
        c = b;
        b = a;
        a = t.wrapping_add(u);
    }
    ctx.set_x(op.a, of_d4([f, e, b, a]));
    op.next(ctx, env)
}
