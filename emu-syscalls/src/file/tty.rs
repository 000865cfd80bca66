//! Terminals: line discipline, pseudo-terminals, and the host's own terminal.
use crate::arena::id;
use crate::file::{FileId, FileOps};
use crate::kernel::Kernel;

id! {
    /// A terminal.
    TtyId;
}

/// A terminal as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TtyFile {
    /// Which.
    pub tty: TtyId,
}

impl FileOps for TtyFile {
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        format!("/dev/pts/{}", self.tty.0)
    }
}

/// Host streams that terminals want to hear of.
pub fn host_interest(k: &Kernel) -> Vec<(crate::seam::Stream, crate::seam::Direction)> {
    let _ = k;
    Vec::new()
}

/// The host's terminal has input.
pub fn host_readable(k: &mut Kernel, host: &mut dyn crate::seam::Host, stream: crate::seam::Stream) {
    let _ = (k, host, stream);
}

/// The host's terminal changed its size.
pub fn host_resized(k: &mut Kernel, host: &mut dyn crate::seam::Host) {
    let _ = (k, host);
}
