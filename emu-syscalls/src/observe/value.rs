//! Decoded arguments as values, and the text strace(1) gives them.
//!
//! Key types: [`Value`], [`Style`]. A value holds what was read from the guest; how it is printed is the printer's choice.
//!
//! **Invariant**: a value is data of its own: it refers to nothing in the machine.

use std::fmt::Write as _;

/// A decoded argument or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A signed number.
    Int(i64),
    /// An unsigned number.
    Uint(u64),
    /// A number in hexadecimal; zero is `0`.
    Hex(u64),
    /// A number in octal with a leading zero, at least three digits.
    Oct(u64),
    /// An address; zero is `NULL`.
    Addr(u64),
    /// A descriptor and what it is open on, if that was asked for.
    Fd(i32, Option<FdPath>),
    /// `AT_FDCWD`, and the working directory if that was asked for.
    Cwd(Option<Vec<u8>>),
    /// Bytes in quotes.
    Str(Bytes),
    /// A number with a name.
    Named {
        /// The number.
        value: u64,
        /// Its names as strace prints them.
        text: String,
    },
    /// A number told in decimal that has a shorter form.
    Scaled {
        /// The number.
        value: u64,
        /// Its shorter form.
        text: String,
    },
    /// `{a=.., b=..}`
    Struct(Vec<Field>),
    /// `[.., ..]`
    Array {
        /// The elements.
        items: Vec<Value>,
        /// There are more, not shown.
        more: bool,
    },
    /// A set of signals or of bits: `~[..]` if it is shorter to tell what is not in it.
    Set {
        /// The names.
        names: Vec<String>,
        /// Whether the names are those that are not in it.
        inverted: bool,
    },
    /// What was there before and what is there now: `a => b`.
    Change(Box<Value>, Box<Value>),
    /// A value with a comment: `v /* .. */`.
    Note(Box<Value>, String),
    /// A named argument: `name=v`.
    Label(&'static str, Box<Value>),
    /// Continues the argument before it, without a comma: ` => v`.
    Suffix(Box<Value>),
    /// Text as it stands.
    Text(String),
    /// Printed only with or only without `-v`.
    Either {
        /// With `-v`.
        verbose: Box<Value>,
        /// Without.
        brief: Box<Value>,
    },
}

/// What a descriptor is open on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FdPath {
    /// As /proc/PID/fd shows it.
    pub path: Vec<u8>,
    /// The file is gone from its directory.
    pub deleted: bool,
    /// Details with `-yy`: socket addresses, device numbers.
    pub detail: Option<String>,
}

/// A string or buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// The bytes that were read.
    pub data: Vec<u8>,
    /// There are more than the limit lets through.
    pub more: bool,
    /// How it is printed.
    pub kind: Quote,
}

/// How bytes are quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quote {
    /// Text with octal escapes.
    Text,
    /// A path: not shortened.
    Path,
    /// Always hexadecimal escapes.
    Hex,
}

/// A member of a structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// Its name; empty for a member that stands alone.
    pub name: &'static str,
    /// Its value.
    pub value: Value,
    /// Shown only with `-v`.
    pub verbose: bool,
}

/// A member that is always shown.
#[must_use]
pub fn field(name: &'static str, value: Value) -> Field {
    Field { name, value, verbose: false }
}

/// A member that only `-v` shows.
#[must_use]
pub fn verbose(name: &'static str, value: Value) -> Field {
    Field { name, value, verbose: true }
}

impl Value {
    /// Text as it stands.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Value {
        Value::Text(text.into())
    }
    /// `NULL`.
    #[must_use]
    pub fn null() -> Value {
        Value::Addr(0)
    }
    /// An array with all its elements.
    #[must_use]
    pub fn array(items: Vec<Value>) -> Value {
        Value::Array { items, more: false }
    }
    /// As text in a style.
    #[must_use]
    pub fn to_text(&self, style: &Style) -> String {
        let mut out = String::new();
        self.write(&mut out, style);
        out
    }

    /// Appends the text.
    pub fn write(&self, out: &mut String, style: &Style) {
        match self {
            Value::Int(n) => push(out, format_args!("{n}")),
            Value::Uint(n) => push(out, format_args!("{n}")),
            Value::Hex(0) => out.push('0'),
            Value::Hex(n) => push(out, format_args!("{n:#x}")),
            Value::Oct(n) => push(out, format_args!("{}", octal(*n))),
            Value::Addr(0) => out.push_str("NULL"),
            Value::Addr(n) => push(out, format_args!("{n:#x}")),
            Value::Fd(fd, path) => write_fd(out, *fd, path.as_ref(), style),
            Value::Cwd(path) => {
                match style.names {
                    NameStyle::Raw => out.push_str("-100"),
                    NameStyle::Both => out.push_str("-100 /* AT_FDCWD */"),
                    NameStyle::Names => out.push_str("AT_FDCWD"),
                }
                if let Some(path) = path.as_ref().filter(|_| style.paths) {
                    out.push('<');
                    escape(out, path, style.strings, true);
                    out.push('>');
                }
            }
            Value::Str(bytes) => out.push_str(&quote(bytes, style)),
            Value::Named { value, text } => match style.names {
                NameStyle::Names => out.push_str(text),
                NameStyle::Raw => Value::Hex(*value).write(out, style),
                NameStyle::Both if text.contains("/*") || *text == Value::Hex(*value).to_text(style) => {
                    out.push_str(text);
                }
                NameStyle::Both => {
                    Value::Hex(*value).write(out, style);
                    push(out, format_args!(" /* {text} */"));
                }
            },
            Value::Scaled { value, text } => match style.names {
                NameStyle::Names => out.push_str(text),
                NameStyle::Raw => push(out, format_args!("{value}")),
                NameStyle::Both => push(out, format_args!("{value} /* {text} */")),
            },
            Value::Struct(fields) => write_struct(out, fields, style),
            Value::Array { items, more } => {
                out.push('[');
                write_list(out, items, style);
                if *more {
                    out.push_str(if items.is_empty() { "..." } else { ", ..." });
                }
                out.push(']');
            }
            Value::Set { names, inverted } => {
                push(out, format_args!("{}[{}]", if *inverted { "~" } else { "" }, names.join(" ")));
            }
            Value::Change(before, after) => {
                before.write(out, style);
                out.push_str(" => ");
                after.write(out, style);
            }
            Value::Note(value, note) => {
                value.write(out, style);
                push(out, format_args!(" /* {note} */"));
            }
            Value::Label(name, value) => {
                push(out, format_args!("{name}="));
                value.write(out, style);
            }
            Value::Suffix(value) => {
                out.push_str(" => ");
                value.write(out, style);
            }
            Value::Text(text) => out.push_str(text),
            Value::Either { verbose, brief } => {
                if style.verbose {
                    verbose.write(out, style);
                } else {
                    brief.write(out, style);
                }
            }
        }
    }
}

/// Appends values with commas between them; a [`Value::Suffix`] takes none.
pub fn write_list(out: &mut String, values: &[Value], style: &Style) {
    for (i, value) in values.iter().enumerate() {
        if i > 0 && !matches!(value, Value::Suffix(_)) {
            out.push_str(", ");
        }
        value.write(out, style);
    }
}

fn push(out: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String does not fail.
    let _ = out.write_fmt(args);
}

/// A number in octal, as modes are printed: at least three digits, zero first.
#[must_use]
pub fn octal(n: u64) -> String {
    if n < 0o100 { format!("{n:03o}") } else { format!("0{n:o}") }
}

fn write_struct(out: &mut String, fields: &[Field], style: &Style) {
    out.push('{');
    let mut first = true;
    let mut hidden = false;
    for member in fields {
        if member.verbose && !style.verbose {
            hidden = true;
            continue;
        }
        if !first && !matches!(member.value, Value::Suffix(_)) {
            out.push_str(", ");
        }
        first = false;
        if !member.name.is_empty() {
            push(out, format_args!("{}=", member.name));
        }
        member.value.write(out, style);
    }
    if hidden {
        out.push_str(if first { "..." } else { ", ..." });
    }
    out.push('}');
}

fn write_fd(out: &mut String, fd: i32, path: Option<&FdPath>, style: &Style) {
    push(out, format_args!("{fd}"));
    let Some(path) = path else { return };
    let told = |detail: &&String| match detail.starts_with('<') {
        true => style.details.devices,
        false if path.path.starts_with(b"anon_inode:") => style.details.pidfds,
        false => style.details.sockets,
    };
    let detail = path.detail.as_ref().filter(told);
    if detail.is_none() && !style.paths {
        return;
    }
    out.push('<');
    match detail {
        Some(detail) if !detail.starts_with('<') => out.push_str(detail),
        detail => {
            let mut text = String::new();
            escape(&mut text, &path.path, style.strings, true);
            out.push_str(&text);
            if let Some(detail) = detail {
                out.push_str(detail);
            }
        }
    }
    out.push('>');
    if path.deleted {
        out.push_str("(deleted)");
    }
}

/// How strings are escaped (`-x`, `-xx`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Escapes {
    /// Octal.
    #[default]
    Octal,
    /// Hexadecimal if there is anything that cannot be printed.
    Hex,
    /// Everything in hexadecimal.
    AllHex,
    /// Octal for most, hexadecimal for bytes that cannot be printed (`--strings-in-hex=non-ascii-chars`).
    HexChars,
}

/// How numbers with names are printed (`-X`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NameStyle {
    /// `O_RDWR`
    #[default]
    Names,
    /// `0x2`
    Raw,
    /// `0x2 /* O_RDWR */`
    Both,
}

/// How values are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Style {
    /// `-v`
    pub verbose: bool,
    /// `-x`, `-xx`
    pub strings: Escapes,
    /// `-X`
    pub names: NameStyle,
    /// `-s`
    pub limit: usize,
    /// `-y`
    pub paths: bool,
    /// `-yy`
    pub details: FdDetails,
    /// Structures are told as what they hold; otherwise as addresses (`-e verbose=`).
    pub structures: bool,
}

/// Which details of descriptors are told (`--decode-fds=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FdDetails {
    /// Protocols and addresses of sockets.
    pub sockets: bool,
    /// Numbers of devices.
    pub devices: bool,
    /// Processes of pidfds.
    pub pidfds: bool,
}

impl FdDetails {
    /// Whether any is told.
    #[must_use]
    pub fn any(self) -> bool {
        self.sockets || self.devices || self.pidfds
    }
}

impl Default for Style {
    fn default() -> Self {
        Style {
            verbose: false,
            strings: Escapes::Octal,
            names: NameStyle::Names,
            limit: 32,
            paths: false,
            details: FdDetails::default(),
            structures: true,
        }
    }
}

/// Bytes in quotes, with `...` behind them if there are more.
#[must_use]
pub fn quote(bytes: &Bytes, style: &Style) -> String {
    let cut = bytes.kind != Quote::Path && bytes.data.len() > style.limit;
    let shown = if cut { &bytes.data[..style.limit] } else { &bytes.data };
    let mut out = String::from("\"");
    let escapes = if bytes.kind == Quote::Hex { Escapes::AllHex } else { style.strings };
    escape(&mut out, shown, escapes, false);
    out.push('"');
    if cut || bytes.more {
        out.push_str("...");
    }
    out
}

fn printable(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte)
}

fn is_space(byte: u8) -> bool {
    (9..=13).contains(&byte)
}

/// Appends bytes with strace's escapes. In a path of a descriptor `<` and `>` are escaped too.
fn escape(out: &mut String, data: &[u8], escapes: Escapes, in_angles: bool) {
    let hex = match escapes {
        Escapes::Octal | Escapes::HexChars => false,
        Escapes::Hex => data.iter().any(|byte| !printable(*byte) && !is_space(*byte)),
        Escapes::AllHex => true,
    };
    for (i, byte) in data.iter().enumerate() {
        if hex {
            push(out, format_args!("\\x{byte:02x}"));
            continue;
        }
        match byte {
            b'<' | b'>' if in_angles => push(out, format_args!("\\{byte:o}")),
            b'"' | b'\\' => {
                out.push('\\');
                out.push(char::from(*byte));
            }
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0b => out.push_str("\\v"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            byte if printable(*byte) => out.push(char::from(*byte)),
            byte if escapes == Escapes::HexChars => push(out, format_args!("\\x{byte:02x}")),
            byte => {
                let digit_follows = data.get(i + 1).is_some_and(u8::is_ascii_digit);
                if digit_follows {
                    push(out, format_args!("\\{byte:03o}"));
                } else {
                    push(out, format_args!("\\{byte:o}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(data: &[u8], style: &Style) -> String {
        quote(&Bytes { data: data.to_vec(), more: false, kind: Quote::Text }, style)
    }

    #[test]
    fn strings_are_escaped_as_strace_does() {
        let style = Style::default();
        assert_eq!(text(b"a\n\"\\\x01\x019", &style), r#""a\n\"\\\1\0019""#);
        assert_eq!(text(&[b'x'; 40], &style), format!("\"{}\"...", "x".repeat(32)));
        let hex = Style { strings: Escapes::Hex, ..Style::default() };
        assert_eq!(text(b"a\n", &hex), r#""a\n""#);
        assert_eq!(text(b"a\x01", &hex), r#""\x61\x01""#);
    }

    #[test]
    fn modes_have_three_digits() {
        assert_eq!(octal(0), "000");
        assert_eq!(octal(0o22), "022");
        assert_eq!(octal(0o1777), "01777");
    }
}
