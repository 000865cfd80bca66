//! What emu prints about itself: the table of system calls, the manual page.

use std::io::{self, Write};

use anyhow::Result;
use clap::CommandFactory;
use emu_syscalls::table::{ROWS, Row, Support};

/// A reader that closed its end early (`emu syscalls | head`) is no failure.
fn quiet_pipe(result: io::Result<()>) -> Result<u8> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        other => other.map(|()| 0).map_err(Into::into),
    }
}

fn support(row: &Row) -> (&'static str, &'static str) {
    match row.support {
        Support::Full => ("full", ""),
        Support::Partial(note) => ("partial", note),
        Support::Missing(note) => ("missing", note),
    }
}

/// Prints every row of the table, as text or JSON.
pub(crate) fn syscalls(json: bool) -> Result<u8> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    if json {
        let rows: Vec<serde_json::Value> = ROWS
            .iter()
            .map(|row| {
                let (level, note) = support(row);
                let args: Vec<serde_json::Value> = row
                    .args
                    .iter()
                    .map(|arg| serde_json::json!({ "name": arg.name, "type": format!("{:?}", arg.kind) }))
                    .collect();
                serde_json::json!({
                    "number": row.nr, "name": row.name, "class": format!("{:?}", row.class).to_lowercase(),
                    "arguments": args, "support": level, "note": note,
                })
            })
            .collect();
        return quiet_pipe((|| {
            serde_json::to_writer_pretty(&mut out, &rows)?;
            writeln!(out)?;
            out.flush()
        })());
    }
    quiet_pipe((|| {
        for row in ROWS {
            let (level, note) = support(row);
            let line = format!("{:>3}  {:<24} {:<8} {note}", row.nr, row.name, level);
            writeln!(out, "{}", line.trim_end())?;
        }
        out.flush()
    })())
}

/// Prints the manual page.
pub(crate) fn man() -> Result<u8> {
    let mut page = Vec::new();
    clap_mangen::Man::new(crate::args::Cli::command()).render(&mut page)?;
    quiet_pipe(io::stdout().write_all(&page))
}

/// Prints text to standard output.
pub(crate) fn print(text: &str) -> Result<u8> {
    quiet_pipe(io::stdout().lock().write_all(text.as_bytes()))
}
