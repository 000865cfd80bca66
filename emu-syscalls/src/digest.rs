//! A digest of the whole machine, by parts, so that two machines can be compared and the first difference named.
//!
//! State is plain data whose debug text shows all of it, in an order that follows from the state; memory has a digest of
//! its own. So a part's digest is that of its text, and what has no part here is not compared.
//!
//! **Invariant**: neither engine nor host nor who watches enters a digest.

use std::fmt::{self, Write};

use xxhash_rust::xxh3::Xxh3;

use crate::kernel::Kernel;

/// Digests of the parts of a machine, by name, in one fixed order.
pub type Parts = Vec<(&'static str, u64)>;

/// Feeds text to a hasher without keeping it.
struct Text(Xxh3);

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

fn of(value: &dyn fmt::Debug) -> u64 {
    let mut text = Text(Xxh3::new());
    // Writing to a hasher cannot fail.
    let _ = write!(text, "{value:?}");
    text.0.digest()
}

/// Digests the named fields in order.
macro_rules! parts {
    ($k:ident: $($field:ident)*) => { vec![$((stringify!($field), of(&$k.$field))),*] };
}

impl Kernel {
    /// Digests of what changes with every instruction: processors, scheduling, time. Cheap.
    #[must_use]
    pub fn quick_digests(&self) -> Parts {
        let k = self;
        parts!(k: retired tasks sched irq time)
    }

    /// Digests of everything.
    #[must_use]
    pub fn digests(&self) -> Parts {
        let k = self;
        let mut parts = parts!(k:
            retired tasks sched irq time config groups waits mms mapped_bytes shm fd_tables fd_kin files fs_contexts sighands
            pipes fifos epolls eventfds timerfds inotifies net ipc ttys log sysctls vfs death syscall_counts pids
            last_ran domainname gaps_seen ns_files uffds pidfds fanotifies landlock keys
        );
        let mut memory = Xxh3::new();
        self.mem.digest(&mut memory);
        parts.push(("mem", memory.digest()));
        parts
    }

    /// One digest of everything.
    #[must_use]
    pub fn digest(&self) -> u128 {
        combine(&self.digests())
    }
}

/// One digest of several.
#[must_use]
pub fn combine(parts: &[(&'static str, u64)]) -> u128 {
    let mut hasher = Xxh3::new();
    for (_, digest) in parts {
        hasher.update(&digest.to_le_bytes());
    }
    hasher.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Config;

    #[test]
    fn every_field_of_the_kernel_is_digested() {
        // Watching and telling are no state of the machine.
        let aside = ["observer", "gaps_new"];
        let source = include_str!("kernel.rs");
        let body = source.split_once("pub struct Kernel {").unwrap().1.split_once("\n}").unwrap().0;
        let digested = Kernel::new(Config::default()).digests();
        let missing: Vec<&str> = body
            .lines()
            .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(':').map(|(name, _)| name))
            .filter(|name| !aside.contains(name) && !digested.iter().any(|(part, _)| part == name))
            .collect();
        assert!(missing.is_empty(), "digest.rs does not know {missing:?}");
    }

    #[test]
    fn a_change_changes_its_part_alone() {
        let a = Kernel::new(Config::default());
        let mut b = a.clone();
        assert_eq!(a.digest(), b.digest());
        b.domainname.push(b'x');
        let differing: Vec<&str> =
            a.digests().iter().zip(b.digests()).filter(|(a, b)| a.1 != b.1).map(|(a, _)| a.0).collect();
        assert_eq!(differing, ["domainname"]);
    }
}
