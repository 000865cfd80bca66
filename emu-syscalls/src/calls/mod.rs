//! Handlers of system calls, one file a family, named by the man-2 noun. A handler decodes and checks in Linux's order;
//! the objects in `file/`, `vfs/`, `task/`, `mm/` act.
pub(crate) mod desc;
pub(crate) mod epoll;
pub(crate) mod eventfd;
pub(crate) mod inotify;
pub(crate) mod message;
pub(crate) mod mmap;
pub(crate) mod pidfd;
pub(crate) mod pipe;
pub(crate) mod poll;
pub(crate) mod process_vm;
pub(crate) mod record;
pub(crate) mod select;
pub(crate) mod shm;
pub(crate) mod signalfd;
pub(crate) mod socket;
pub(crate) mod splice;
pub(crate) mod timerfd;
