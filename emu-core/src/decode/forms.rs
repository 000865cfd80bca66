//! Macros that pick the instance of a body for a width and for operand kinds.

/// `$e` as a body, with the type `$T` of `$w` bytes.
macro_rules! by_width {
    ($w:expr, $T:ident => $e:expr) => {
        match $w {
            1 => {
                type $T = u8;
                $e as $crate::exec::OpFn
            }
            2 => {
                type $T = u16;
                $e as $crate::exec::OpFn
            }
            4 => {
                type $T = u32;
                $e as $crate::exec::OpFn
            }
            _ => {
                type $T = u64;
                $e as $crate::exec::OpFn
            }
        }
    };
}

/// The same without 8 bits.
macro_rules! by_wide {
    ($w:expr, $T:ident => $e:expr) => {
        match $w {
            2 => {
                type $T = u16;
                $e as $crate::exec::OpFn
            }
            4 => {
                type $T = u32;
                $e as $crate::exec::OpFn
            }
            _ => {
                type $T = u64;
                $e as $crate::exec::OpFn
            }
        }
    };
}

/// 32 or 64 bits.
macro_rules! by_long {
    ($w:expr, $T:ident => $e:expr) => {
        if $w == 4 {
            type $T = u32;
            $e as $crate::exec::OpFn
        } else {
            type $T = u64;
            $e as $crate::exec::OpFn
        }
    };
}

/// The destination `$D`: register `a`, or memory if `$mem`.
macro_rules! by_dst {
    ($mem:expr, $D:ident => $e:expr) => {
        if $mem {
            type $D = $crate::exec::operand::Me;
            $e as $crate::exec::OpFn
        } else {
            type $D = $crate::exec::operand::Ra;
            $e as $crate::exec::OpFn
        }
    };
}

/// The source `$S`: register `b`, or memory if `$mem`.
macro_rules! by_src {
    ($mem:expr, $S:ident => $e:expr) => {
        if $mem {
            type $S = $crate::exec::operand::Me;
            $e as $crate::exec::OpFn
        } else {
            type $S = $crate::exec::operand::Rb;
            $e as $crate::exec::OpFn
        }
    };
}

/// Destination and source of a two-operand instruction `$l`.
macro_rules! by_form {
    ($l:expr, $D:ident, $S:ident => $e:expr) => {
        match ($l.is_mem(0), $l.is_mem(1), $l.is_imm(1)) {
            (true, _, true) => {
                type $D = $crate::exec::operand::Me;
                type $S = $crate::exec::operand::Im;
                $e as $crate::exec::OpFn
            }
            (true, _, _) => {
                type $D = $crate::exec::operand::Me;
                type $S = $crate::exec::operand::Rb;
                $e as $crate::exec::OpFn
            }
            (_, true, _) => {
                type $D = $crate::exec::operand::Ra;
                type $S = $crate::exec::operand::Me;
                $e as $crate::exec::OpFn
            }
            (_, _, true) => {
                type $D = $crate::exec::operand::Ra;
                type $S = $crate::exec::operand::Im;
                $e as $crate::exec::OpFn
            }
            _ => {
                type $D = $crate::exec::operand::Ra;
                type $S = $crate::exec::operand::Rb;
                $e as $crate::exec::OpFn
            }
        }
    };
}

/// As [`by_src`], with memory without an index by itself.
macro_rules! by_src_near {
    ($l:expr, $mem:expr, $S:ident => $e:expr) => {
        if $mem && $l.is_near() {
            type $S = $crate::exec::operand::AtBase;
            $e as $crate::exec::OpFn
        } else {
            by_src!($mem, $S => $e)
        }
    };
}

/// As [`by_form`], with memory without an index by itself.
macro_rules! by_form_near {
    ($l:expr, $D:ident, $S:ident => $e:expr) => {
        match ($l.is_near(), $l.is_mem(0), $l.is_mem(1), $l.is_imm(1)) {
            (true, true, _, true) => {
                type $D = $crate::exec::operand::AtBase;
                type $S = $crate::exec::operand::Im;
                $e as $crate::exec::OpFn
            }
            (true, true, _, _) => {
                type $D = $crate::exec::operand::AtBase;
                type $S = $crate::exec::operand::Rb;
                $e as $crate::exec::OpFn
            }
            (true, _, true, _) => {
                type $D = $crate::exec::operand::Ra;
                type $S = $crate::exec::operand::AtBase;
                $e as $crate::exec::OpFn
            }
            _ => by_form!($l, $D, $S => $e),
        }
    };
}

/// The condition `$C`.
macro_rules! by_cc {
    ($cc:expr, $C:ident => $e:expr) => {
        match $cc {
            0 => {
                const $C: u8 = 0;
                $e as $crate::exec::OpFn
            }
            1 => {
                const $C: u8 = 1;
                $e as $crate::exec::OpFn
            }
            2 => {
                const $C: u8 = 2;
                $e as $crate::exec::OpFn
            }
            3 => {
                const $C: u8 = 3;
                $e as $crate::exec::OpFn
            }
            4 => {
                const $C: u8 = 4;
                $e as $crate::exec::OpFn
            }
            5 => {
                const $C: u8 = 5;
                $e as $crate::exec::OpFn
            }
            6 => {
                const $C: u8 = 6;
                $e as $crate::exec::OpFn
            }
            7 => {
                const $C: u8 = 7;
                $e as $crate::exec::OpFn
            }
            8 => {
                const $C: u8 = 8;
                $e as $crate::exec::OpFn
            }
            9 => {
                const $C: u8 = 9;
                $e as $crate::exec::OpFn
            }
            10 => {
                const $C: u8 = 10;
                $e as $crate::exec::OpFn
            }
            11 => {
                const $C: u8 = 11;
                $e as $crate::exec::OpFn
            }
            12 => {
                const $C: u8 = 12;
                $e as $crate::exec::OpFn
            }
            13 => {
                const $C: u8 = 13;
                $e as $crate::exec::OpFn
            }
            14 => {
                const $C: u8 = 14;
                $e as $crate::exec::OpFn
            }
            _ => {
                const $C: u8 = 15;
                $e as $crate::exec::OpFn
            }
        }
    };
}

pub(super) use {by_cc, by_dst, by_form, by_form_near, by_long, by_src, by_src_near, by_wide, by_width};
