//! Arguments and environment of a program: copying them from the caller, bounding them, and what scripts put before them.
//!
//! **Invariant**: the strings of a program never take more than [`limit`] bytes, pointers included.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::Ctx;

/// Longest single string with its NUL (MAX_ARG_STRLEN).
pub const STRING_MAX: usize = 131_072;
/// What is allowed whatever the limit of the stack is (ARG_MAX).
const ARG_MAX: u64 = 131_072;
/// Three quarters of the usual stack (`_STK_LIM / 4 * 3`).
const STACK_SHARE: u64 = 6 << 20;

/// Bytes that arguments and environment may take with a stack limit of so many bytes (Linux: `bprm_stack_limits`).
#[must_use]
pub fn limit(stack: u64) -> u64 {
    (stack / 4).clamp(ARG_MAX, STACK_SHARE)
}

/// Arguments and environment.
#[derive(Debug, Clone, Default)]
pub struct Strings {
    /// Arguments.
    pub argv: Vec<Vec<u8>>,
    /// Environment.
    pub envp: Vec<Vec<u8>>,
    /// The interpreter of the script, once there is one.
    pub interpreter: Option<Vec<u8>>,
    /// Bytes used, of [`Strings::limit`].
    used: u64,
    limit: u64,
}

impl Strings {
    /// No strings yet but the file's name. `E2BIG`
    pub fn new(filename: &[u8], limit: u64) -> Result<Self, Errno> {
        let mut strings = Strings { limit, ..Strings::default() };
        strings.charge(filename.len())?;
        Ok(strings)
    }

    /// Takes room for a string of `len` bytes without its NUL, and its pointer.
    fn charge(&mut self, len: usize) -> Result<(), Errno> {
        let len = u64::try_from(len).map_err(|_| Errno::E2BIG)?;
        self.used += len + 1 + 8;
        if self.used > self.limit { Err(Errno::E2BIG) } else { Ok(()) }
    }

    /// Adds an argument. `E2BIG`
    pub fn push_arg(&mut self, arg: Vec<u8>) -> Result<(), Errno> {
        self.charge(arg.len())?;
        self.argv.push(arg);
        Ok(())
    }

    /// Adds a variable. `E2BIG`
    pub fn push_env(&mut self, variable: Vec<u8>) -> Result<(), Errno> {
        self.charge(variable.len())?;
        self.envp.push(variable);
        Ok(())
    }

    /// What a script does: its interpreter, the argument and its own name take the place of the first argument.
    pub fn interpose(
        &mut self,
        interpreter: &[u8],
        argument: Option<&[u8]>,
        script: &[u8],
    ) -> Result<(), Errno> {
        let before: Vec<Vec<u8>> =
            [Some(interpreter), argument, Some(script)].into_iter().flatten().map(<[u8]>::to_vec).collect();
        for arg in &before {
            self.charge(arg.len())?;
        }
        self.argv.splice(..self.argv.len().min(1), before);
        Ok(())
    }
}

/// Copies the strings of `execve` from the caller. `EFAULT`, `E2BIG`.
pub fn copy(
    ctx: &mut Ctx<'_>,
    filename: &[u8],
    argv: Addr,
    envp: Addr,
    limit: u64,
) -> Result<Strings, Errno> {
    let mut strings = Strings::new(filename, limit)?;
    let mut at = envp;
    while let Some(variable) = string_at(ctx, at)? {
        strings.push_env(variable)?;
        at = at.at(8);
    }
    at = argv;
    while let Some(arg) = string_at(ctx, at)? {
        strings.push_arg(arg)?;
        at = at.at(8);
    }
    if strings.argv.is_empty() {
        // Linux since 5.18: a program never sees an empty argument list.
        strings.push_arg(Vec::new())?;
    }
    Ok(strings)
}

/// The string whose pointer lies at `at`; `None` for the null pointer at the end, or for no list at all.
fn string_at(ctx: &mut Ctx<'_>, at: Addr) -> Result<Option<Vec<u8>>, Errno> {
    if at.0 < 8 {
        return Ok(None);
    }
    match ctx.read_u64(at)? {
        0 => Ok(None),
        string => ctx.read_cstr(Addr(string), STRING_MAX, Errno::E2BIG).map(Some),
    }
}

/// Interpreter and argument of a script's first line (fs/binfmt_script.c). `ENOEXEC`
pub fn script(head: &[u8]) -> Result<(Vec<u8>, Option<Vec<u8>>), Errno> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let text = head.get(2..).unwrap_or_default();
    let text = match text.iter().position(|byte| *byte == b'\n') {
        Some(end) => &text[..end],
        None => {
            // Without an end of line in what was read, the interpreter's name must have ended at least.
            let start = text.iter().position(|byte| !blank(byte)).ok_or(Errno::ENOEXEC)?;
            let ends = text[start..].iter().any(|byte| blank(byte) || *byte == 0);
            if !ends && head.len() >= super::HEAD {
                return Err(Errno::ENOEXEC);
            }
            text
        }
    };
    let text = match text.iter().position(|byte| *byte == 0) {
        Some(end) => &text[..end],
        None => text,
    };
    let text = text.trim_ascii_end();
    let start = text.iter().position(|byte| !blank(byte)).ok_or(Errno::ENOEXEC)?;
    let text = &text[start..];
    let end = text.iter().position(blank).unwrap_or(text.len());
    let rest = &text[end..];
    let argument = rest.iter().position(|byte| !blank(byte)).map(|at| rest[at..].to_vec());
    Ok((text[..end].to_vec(), argument))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_line_gives_interpreter_and_one_argument() {
        assert_eq!(script(b"#!/bin/sh\n"), Ok((b"/bin/sh".to_vec(), None)));
        let (name, argument) = script(b"#! /usr/bin/env  perl -w \nrest").unwrap();
        assert_eq!((name, argument), (b"/usr/bin/env".to_vec(), Some(b"perl -w".to_vec())));
        assert_eq!(script(b"#! \n/bin/sh"), Err(Errno::ENOEXEC));
    }

    #[test]
    fn a_script_takes_the_place_of_the_first_argument() {
        let mut strings = Strings::new(b"s", 1000).unwrap();
        strings.push_arg(b"zero".to_vec()).unwrap();
        strings.push_arg(b"one".to_vec()).unwrap();
        strings.interpose(b"/bin/sh", Some(b"-e"), b"./s").unwrap();
        assert_eq!(strings.argv, [&b"/bin/sh"[..], b"-e", b"./s", b"one"]);
    }
}
