//! Times: structures and the comments that say which date a number of seconds is.

use super::{Decoder, i32_of, u32_of, u64_of};
use crate::observe::value::{Value, field};

/// Year, month, day of a number of days since 1970 (proleptic Gregorian calendar).
fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let day = (doy - (153 * mp + 2) / 5 + 1) as u32;
    let month = (if mp < 10 { mp + 3 } else { mp - 9 }) as u32;
    (yoe + era * 400 + i64::from(month <= 2), month, day)
}

/// A time of day in UTC as `2026-11-23T18:53:53+0000`, with a fraction of `digits` digits unless it is zero. `None` for a
/// time that is not told: zero, or out of reason.
#[must_use]
pub fn timestamp(seconds: i64, fraction: u64, digits: usize) -> Option<String> {
    if seconds == 0 && fraction == 0 || seconds.unsigned_abs() > 67_767_976_233_532_799 {
        return None;
    }
    let (year, month, day) = civil(seconds.div_euclid(86_400));
    let rest = seconds.rem_euclid(86_400);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:0digits$}") };
    Some(format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}{fraction}+0000",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    ))
}

/// `{tv_sec=.., tv_nsec=..}` from 16 bytes.
pub(super) fn timespec(b: &[u8]) -> Value {
    Value::Struct(vec![
        field("tv_sec", Value::Int(u64_of(b, 0).cast_signed())),
        field("tv_nsec", Value::Uint(u64_of(b, 8))),
    ])
}

/// `{tv_sec=.., tv_usec=..}` from 16 bytes.
pub(super) fn timeval(b: &[u8]) -> Value {
    Value::Struct(vec![
        field("tv_sec", Value::Int(u64_of(b, 0).cast_signed())),
        field("tv_usec", Value::Uint(u64_of(b, 8))),
    ])
}

fn dated(value: Value, b: &[u8], digits: usize) -> Value {
    let (seconds, fraction) = (u64_of(b, 0).cast_signed(), u64_of(b, 8));
    let max = 10u64.pow(u32::try_from(digits).unwrap_or(9));
    match timestamp(seconds, fraction, digits) {
        Some(text) if fraction < max => Value::Note(Box::new(value), text),
        _ => value,
    }
}

impl Decoder<'_> {
    pub(super) fn timespec(&mut self, addr: u64) -> Option<Value> {
        self.bytes(addr, 16).map(|b| timespec(&b))
    }
    pub(super) fn timeval(&mut self, addr: u64) -> Option<Value> {
        self.bytes(addr, 16).map(|b| timeval(&b))
    }
    /// Two `timeval` of utimes(2).
    pub(super) fn timevals(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 32)?;
        Some(Value::array(b.chunks(16).map(|part| dated(timeval(part), part, 6)).collect()))
    }
    /// Two `timespec` of utimensat(2).
    pub(super) fn timespecs(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 32)?;
        let one = |part: &[u8]| match u64_of(part, 8) {
            0x3fff_ffff => Value::text("UTIME_NOW"),
            0x3fff_fffe => Value::text("UTIME_OMIT"),
            _ => dated(timespec(part), part, 9),
        };
        Some(Value::array(b.chunks(16).map(one).collect()))
    }
    pub(super) fn itimer(&mut self, addr: u64, one: fn(&[u8]) -> Value) -> Option<Value> {
        let b = self.bytes(addr, 32)?;
        Some(Value::Struct(vec![field("it_interval", one(&b[..16])), field("it_value", one(&b[16..]))]))
    }
    pub(super) fn timezone(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 8)?;
        Some(Value::Struct(vec![
            field("tz_minuteswest", Value::Int(i32_of(&b, 0))),
            field("tz_dsttime", Value::Int(i32_of(&b, 4))),
        ]))
    }
    pub(super) fn utimbuf(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 16)?;
        Some(Value::Struct(vec![
            field("actime", seconds(u64_of(&b, 0))),
            field("modtime", seconds(u64_of(&b, 8))),
        ]))
    }
    pub(super) fn tms(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 32)?;
        let names = ["tms_utime", "tms_stime", "tms_cutime", "tms_cstime"];
        let fields = names.iter().zip(b.chunks(8)).map(|(name, part)| field(name, ticks(u64_of(part, 0))));
        Some(Value::Struct(fields.collect()))
    }
    pub(super) fn rusage(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 144)?;
        let mut fields = vec![field("ru_utime", timeval(&b)), field("ru_stime", timeval(&b[16..]))];
        let names = [
            "ru_maxrss",
            "ru_ixrss",
            "ru_idrss",
            "ru_isrss",
            "ru_minflt",
            "ru_majflt",
            "ru_nswap",
            "ru_inblock",
            "ru_oublock",
            "ru_msgsnd",
            "ru_msgrcv",
            "ru_nsignals",
            "ru_nvcsw",
            "ru_nivcsw",
        ];
        for (name, part) in names.into_iter().zip(b[32..].chunks(8)) {
            fields.push(crate::observe::value::verbose(name, Value::Uint(u64_of(part, 0))));
        }
        Some(Value::Struct(fields))
    }
    pub(super) fn timex(&mut self, addr: u64) -> Option<Value> {
        use crate::observe::names::misc::{ADJ, STA};
        let b = self.bytes(addr, 208)?;
        let long = |at: usize| Value::Int(u64_of(&b, at).cast_signed());
        let mut fields = vec![
            field("modes", super::named(&ADJ, u64::from(u32_of(&b, 0)))),
            field("offset", long(8)),
            field("freq", long(16)),
            field("maxerror", long(24)),
            field("esterror", long(32)),
            field("status", super::named(&STA, u64::from(u32_of(&b, 40)))),
            field("constant", long(48)),
            field("precision", long(56)),
            field("tolerance", long(64)),
            field("time", timeval(&b[72..])),
            field("tick", long(88)),
            field("ppsfreq", long(96)),
            field("jitter", long(104)),
            field("shift", Value::Int(i32_of(&b, 112))),
        ];
        for (name, at) in
            [("stabil", 120), ("jitcnt", 128), ("calcnt", 136), ("errcnt", 144), ("stbcnt", 152)]
        {
            fields.push(field(name, long(at)));
        }
        fields.push(field("tai", Value::Int(i32_of(&b, 160))));
        Some(Value::Struct(fields))
    }
}

/// Seconds since 1970 with their date.
pub(super) fn seconds(value: u64) -> Value {
    let number = Value::Int(value.cast_signed());
    match timestamp(value.cast_signed(), 0, 0) {
        Some(text) => Value::Note(Box::new(number), text),
        None => number,
    }
}

/// Clock ticks, a hundredth of a second each.
pub(super) fn ticks(value: u64) -> Value {
    if value == 0 {
        return Value::Int(0);
    }
    let number = value.cast_signed();
    let (sign, size) = if number < 0 { ("-", number.unsigned_abs()) } else { ("", value) };
    Value::Note(Box::new(Value::Int(number)), format!("{sign}{}.{:02} s", size / 100, size % 100))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_in_utc() {
        assert_eq!(timestamp(0, 0, 0), None);
        assert_eq!(timestamp(1_795_460_033, 0, 0).as_deref(), Some("2026-11-23T18:53:53+0000"));
        assert_eq!(timestamp(600, 7, 9).as_deref(), Some("1970-01-01T00:10:00.000000007+0000"));
        assert_eq!(timestamp(-1, 0, 0).as_deref(), Some("1969-12-31T23:59:59+0000"));
    }
}
