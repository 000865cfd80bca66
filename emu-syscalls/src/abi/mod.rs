//! Guest-visible numbers and layouts: errno, flags, structures. No behaviour.

pub mod errno;
pub mod termios;
pub mod uts;
