//! Handlers of system calls, one file a family, named by the man-2 noun. A handler decodes and checks in Linux's order;
//! the objects in `file/`, `vfs/`, `task/`, `mm/` act.
