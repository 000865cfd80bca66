//! Local time: the rules of /etc/localtime (tzfile(5)), as far as a trace needs them.

/// When local time changed, and by how much it is ahead of UTC since.
#[derive(Debug, Clone, Default)]
pub(super) struct Zone {
    changes: Vec<(i64, i64)>,
    before: i64,
}

impl Zone {
    /// The zone of the host; UTC if it does not say.
    #[expect(clippy::disallowed_methods, reason = "the command line's layer: the host's time zone")]
    pub(super) fn local() -> Self {
        let named = std::env::var("TZ").ok().map(|name| name.trim_start_matches(':').to_owned());
        let path = match named.as_deref() {
            Some("" | "UTC") => return Zone::default(),
            Some(name) if name.starts_with('/') => name.to_owned(),
            Some(name) => format!("/usr/share/zoneinfo/{name}"),
            None => "/etc/localtime".to_owned(),
        };
        std::fs::read(path).ok().and_then(|data| Zone::parse(&data)).unwrap_or_default()
    }

    fn parse(data: &[u8]) -> Option<Self> {
        let count = |block: &[u8], at: usize| -> Option<usize> {
            let bytes = <[u8; 4]>::try_from(block.get(at..at + 4)?).ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        if !data.starts_with(b"TZif") {
            return None;
        }
        let sizes = |block: &[u8]| -> Option<[usize; 6]> {
            let mut sizes = [0; 6];
            for (n, size) in sizes.iter_mut().enumerate() {
                *size = count(block, 20 + 4 * n)?;
            }
            Some(sizes)
        };
        // isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt; the second block has times of eight bytes.
        let [utc, std, leap, times, types, chars] = sizes(data)?;
        let first = 44 + times * 5 + types * 6 + chars + leap * 8 + std + utc;
        let block = data.get(first..)?;
        let [_, _, _, times, types, _] = sizes(block)?;
        let body = block.get(44..)?;
        let offset = |kind: usize| -> Option<i64> {
            let at = times * 9 + kind * 6;
            let bytes = <[u8; 4]>::try_from(body.get(at..at + 4)?).ok()?;
            Some(i64::from(i32::from_be_bytes(bytes)))
        };
        let mut changes = Vec::new();
        for n in 0..times {
            let at = <[u8; 8]>::try_from(body.get(n * 8..n * 8 + 8)?).ok()?;
            let kind = usize::from(*body.get(times * 8 + n)?);
            changes.push((i64::from_be_bytes(at), offset(kind)?));
        }
        let before = if types > 0 { offset(0)? } else { 0 };
        Some(Zone { changes, before })
    }

    /// Seconds since 1970 in local time.
    pub(super) fn local_seconds(&self, seconds: u64) -> u64 {
        let now = i64::try_from(seconds).unwrap_or(0);
        let last = self.changes.iter().rev().find(|(at, _)| *at <= now);
        let ahead = last.map_or(self.before, |(_, ahead)| *ahead);
        seconds.saturating_add_signed(ahead)
    }
}
