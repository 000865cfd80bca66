//! Contexts of asynchronous input and output: what a process has submitted, and the events it has not taken yet.
//!
//! **Invariant**: a context belongs to an address space, is named by a page in it and is not inherited by `fork`.

use emu_core::persist;

use crate::file::FileId;

/// A context (`struct kioctx`).
#[derive(Debug, Clone, Default)]
pub struct AioContext {
    /// Requests that may be under way or not yet taken.
    pub max: u32,
    /// Completed requests.
    pub events: persist::Vector<AioEvent>,
    /// Polls that wait.
    pub polls: persist::Vector<AioPoll>,
}

impl AioContext {
    /// Whether no other request can be taken.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.events.len() + self.polls.len() >= usize::try_from(self.max).unwrap_or(usize::MAX)
    }
}

/// A completed request (`struct io_event`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AioEvent {
    /// The submitter's word.
    pub data: u64,
    /// Address of the request.
    pub iocb: u64,
    /// Bytes moved, or a negative errno.
    pub result: i64,
}

impl AioEvent {
    /// As the guest sees it.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&self.data.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.iocb.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.result.to_le_bytes());
        bytes
    }
}

/// A poll that waits for its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AioPoll {
    /// The submitter's word.
    pub data: u64,
    /// Address of the request.
    pub iocb: u64,
    /// The file, held.
    pub file: FileId,
    /// `POLL*` bits it waits for.
    pub events: u32,
    /// The counter that is told, held.
    pub eventfd: Option<FileId>,
}
