//! Sockets of the guest.

/// All sockets.
#[derive(Debug, Clone, Default)]
pub struct Net {}
