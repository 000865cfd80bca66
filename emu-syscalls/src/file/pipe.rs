//! Pipes and FIFOs.
use crate::arena::id;
use crate::file::{FileId, FileOps};
use crate::kernel::Kernel;

id! {
    /// A pipe.
    PipeId;
}

/// A pipe: bytes between its ends.
#[derive(Debug, Clone, Default)]
pub struct Pipe {}

/// One end of a pipe as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PipeEnd {
    /// Which pipe.
    pub pipe: PipeId,
}

impl FileOps for PipeEnd {
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        format!("pipe:[{}]", self.pipe.0)
    }
}
