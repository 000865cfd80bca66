//! `-c`: counts, times and errors of each call.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::options::{Column, Options};

/// What is known of one call.
#[derive(Debug, Clone, Default)]
struct Count {
    calls: u64,
    errors: u64,
    total_ns: u64,
    min_ns: Option<u64>,
    max_ns: u64,
}

/// Counts by number.
#[derive(Debug, Clone, Default)]
pub(super) struct Summary {
    counts: BTreeMap<u64, Count>,
}

impl Summary {
    pub(super) fn add(&mut self, nr: u64, failed: bool, took_ns: u64) {
        let count = self.counts.entry(nr).or_default();
        count.calls += 1;
        count.errors += u64::from(failed);
        count.total_ns += took_ns;
        count.min_ns = Some(count.min_ns.map_or(took_ns, |min| min.min(took_ns)));
        count.max_ns = count.max_ns.max(took_ns);
    }

    /// The table that strace prints.
    pub(super) fn text(&self, options: &Options) -> String {
        let mut rows: Vec<(u64, &Count)> = self.counts.iter().map(|(nr, count)| (*nr, count)).collect();
        let average = |count: &Count| count.total_ns / count.calls.max(1);
        match options.sort {
            Column::TotalTime | Column::TimePercent => {
                rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.total_ns / 1000))
            }
            Column::MinTime => rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.min_ns)),
            Column::MaxTime => rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.max_ns)),
            Column::AvgTime => rows.sort_by_key(|(_, c)| std::cmp::Reverse(average(c))),
            Column::Calls => rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.calls)),
            Column::Errors => rows.sort_by_key(|(_, c)| std::cmp::Reverse(c.errors)),
            Column::Name => rows.sort_by_key(|(nr, _)| name(*nr)),
            Column::Nothing => {}
        }
        let total: u64 = rows.iter().map(|(_, c)| c.total_ns).sum();
        let calls: u64 = rows.iter().map(|(_, c)| c.calls).sum();
        let errors: u64 = rows.iter().map(|(_, c)| c.errors).sum();
        let mut out = String::new();
        let cells = |out: &mut String, cell: &dyn Fn(Column) -> String| {
            let line: Vec<String> =
                options.columns.iter().map(|column| pad(*column, &cell(*column), options)).collect();
            let _ = writeln!(out, "{}", line.join(" "));
        };
        cells(&mut out, &|column| title(column).to_owned());
        let rule = |column: Column| "-".repeat(width(column));
        cells(&mut out, &rule);
        for (nr, count) in &rows {
            cells(&mut out, &|column| match column {
                Column::TimePercent => format!("{:.2}", percent(count.total_ns, total)),
                Column::TotalTime => seconds(count.total_ns),
                Column::MinTime => seconds(count.min_ns.unwrap_or(0)),
                Column::MaxTime => seconds(count.max_ns),
                Column::AvgTime => (average(count) / 1000).to_string(),
                Column::Calls => count.calls.to_string(),
                Column::Errors if count.errors == 0 => String::new(),
                Column::Errors => count.errors.to_string(),
                Column::Name | Column::Nothing => name(*nr),
            });
        }
        cells(&mut out, &rule);
        cells(&mut out, &|column| match column {
            Column::TimePercent => "100.00".to_owned(),
            Column::TotalTime => seconds(total),
            Column::MinTime => seconds(rows.iter().filter_map(|(_, c)| c.min_ns).min().unwrap_or(0)),
            Column::MaxTime => seconds(rows.iter().map(|(_, c)| c.max_ns).max().unwrap_or(0)),
            Column::AvgTime => (total / calls.max(1) / 1000).to_string(),
            Column::Calls => calls.to_string(),
            Column::Errors if errors == 0 => String::new(),
            Column::Errors => errors.to_string(),
            Column::Name | Column::Nothing => "total".to_owned(),
        });
        out
    }
}

/// The name of a call, as strace has it for numbers without one.
pub(super) fn name(nr: u64) -> String {
    emu_syscalls::table::row(nr).map_or_else(|| format!("syscall_{nr:#x}"), |row| row.name.to_owned())
}

fn seconds(ns: u64) -> String {
    format!("{}.{:06}", ns / 1_000_000_000, ns / 1000 % 1_000_000)
}

#[expect(clippy::cast_precision_loss, reason = "a percentage is rounded to two digits")]
fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 }
}

fn title(column: Column) -> &'static str {
    match column {
        Column::TimePercent => "% time",
        Column::TotalTime => "seconds",
        Column::MinTime => "shortest",
        Column::MaxTime => "longest",
        Column::AvgTime => "usecs/call",
        Column::Calls => "calls",
        Column::Errors => "errors",
        Column::Name | Column::Nothing => "syscall",
    }
}

fn width(column: Column) -> usize {
    match column {
        Column::TimePercent => 6,
        Column::TotalTime | Column::MinTime | Column::MaxTime | Column::AvgTime => 11,
        Column::Calls | Column::Errors => 9,
        Column::Name | Column::Nothing => 16,
    }
}

fn pad(column: Column, text: &str, options: &Options) -> String {
    let last = options.columns.last() == Some(&column);
    match column {
        Column::Name | Column::Nothing if last => text.to_owned(),
        Column::Name | Column::Nothing => format!("{text:16}"),
        _ => format!("{text:>width$}", width = width(column)),
    }
}
