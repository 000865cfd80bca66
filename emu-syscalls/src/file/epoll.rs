//! epoll(7) instances.
use crate::file::{FileId, FileOps};
use crate::kernel::Kernel;

/// An epoll instance as an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpollFile;

impl FileOps for EpollFile {
    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        "anon_inode:[eventpoll]".to_owned()
    }
}

/// Something happened to an item that an epoll instance watches.
pub fn notify(k: &mut Kernel, epoll: FileId, item: u32) {
    let _ = (k, epoll, item);
}
