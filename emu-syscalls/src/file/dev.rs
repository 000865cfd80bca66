//! Character devices: what opening a device node gives, by device number.

use crate::abi::errno::Errno;
use crate::ctx::{Ctx, Stop};
use crate::file::File;

/// Encodes a device number as Linux's `makedev`.
#[must_use]
pub fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
}

/// The nodes that /dev holds at start: name below /dev, device number, mode. A list for the vfs to populate from.
#[must_use]
pub fn nodes() -> Vec<(&'static str, u64, u32)> {
    Vec::new()
}

/// Opens the character device `rdev` with O_* flags. `ENXIO` if there is no such device.
pub fn open(ctx: &mut Ctx<'_>, rdev: u64, flags: u32) -> Result<File, Stop> {
    let _ = (ctx, rdev, flags);
    Err(Errno::ENXIO.into())
}
