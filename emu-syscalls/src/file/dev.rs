//! Character devices: what opening a device node gives, by device number, and the memory devices themselves.
//!
//! Neighbours: [`super::tty`] and [`super::pty`] for terminals, [`crate::log`] for the kernel log.

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::file::{File, FileId, FileOps, Ready, flags, jobctl, pty, tty};
use crate::kernel::Kernel;
use crate::mm::map::{MapRequest, MapSource};
use crate::seam::Host;
use crate::task::wait::WaitKey;
use crate::vfs::{Stat, ftype};

/// A device number as the kernel itself writes it (`s_dev` in fdinfo): 12 bits of major, 20 of minor.
#[must_use]
pub fn kernel_dev(dev: u64) -> u64 {
    let major = dev >> 8 & 0xfff;
    let minor = dev & 0xff | dev >> 12 & 0xfff00;
    major << 20 | minor
}

/// Encodes a device number as Linux's `makedev`.
#[must_use]
pub fn makedev(major: u32, minor: u32) -> u64 {
    let (major, minor) = (u64::from(major), u64::from(minor));
    (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & !0xff) << 12) | ((major & !0xfff) << 32)
}

/// Splits a device number.
#[must_use]
pub fn split_dev(rdev: u64) -> (u64, u64) {
    ((rdev >> 8 & 0xfff) | (rdev >> 32 & !0xfff), (rdev & 0xff) | (rdev >> 12 & 0xffff_ff00))
}

/// A device that is not a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DevFile {
    /// /dev/null
    Null,
    /// /dev/zero
    Zero,
    /// /dev/full
    Full,
    /// /dev/random and /dev/urandom
    Random,
    /// /dev/kmsg
    Kmsg,
    /// /dev/userfaultfd
    Userfaultfd,
}

/// The character nodes that /dev holds at start: name below /dev, device number, mode. /dev/pts is a mount of
/// [`crate::vfs::synth::Synth::PtsRoot`].
#[must_use]
pub fn nodes() -> Vec<(&'static str, u64, u32)> {
    vec![
        ("null", makedev(1, 3), 0o666),
        ("zero", makedev(1, 5), 0o666),
        ("full", makedev(1, 7), 0o666),
        ("random", makedev(1, 8), 0o666),
        ("urandom", makedev(1, 9), 0o666),
        ("kmsg", makedev(1, 11), 0o644),
        ("userfaultfd", makedev(10, 126), 0o600),
        ("tty", makedev(5, 0), 0o666),
        ("console", makedev(5, 1), 0o600),
        ("ptmx", makedev(5, 2), 0o666),
    ]
}

/// The symbolic links that /dev holds at start: name, target.
#[must_use]
pub fn links() -> Vec<(&'static str, &'static str)> {
    vec![
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ]
}

/// Opens the character device `rdev` with O_* flags. `ENXIO` if there is no such device.
pub fn open(ctx: &mut Ctx<'_>, rdev: u64, open_flags: u32) -> Result<File, Stop> {
    match split_dev(rdev) {
        (1, 3) => Ok(File::Dev(DevFile::Null)),
        (1, 5) => Ok(File::Dev(DevFile::Zero)),
        (1, 7) => Ok(File::Dev(DevFile::Full)),
        (1, 8 | 9) => Ok(File::Dev(DevFile::Random)),
        (1, 11) => {
            let writes_only = open_flags & flags::O_ACCMODE == flags::O_WRONLY;
            if !writes_only {
                crate::log::check_read(ctx.k, ctx.tid)?;
            }
            Ok(File::Dev(DevFile::Kmsg))
        }
        (10, 126) => Ok(File::Dev(DevFile::Userfaultfd)),
        (5, 0) => {
            let id = ctx.group().tty.ok_or(Errno::ENXIO)?;
            tty::open(ctx, id, open_flags | flags::O_NOCTTY)
        }
        (5, 1) => {
            let id = tty::host_tty(ctx.k, ctx.host).ok_or(Errno::ENODEV)?;
            tty::open(ctx, id, open_flags | flags::O_NOCTTY)
        }
        (5, 2) => pty::open_master(ctx),
        (136..=143, _) => {
            let (major, minor) = split_dev(rdev);
            let index = (major - 136) << 20 | minor;
            let index = u32::try_from(index).map_err(|_| Errno::ENXIO)?;
            let id = pty::by_index(ctx.k, index).ok_or(Errno::EIO)?;
            tty::open(ctx, id, open_flags)
        }
        _ => Err(Errno::ENXIO.into()),
    }
}

const RNDGETENTCNT: u32 = 0x8004_5200;
const RNDADDTOENTCNT: u32 = 0x4004_5201;
const RNDADDENTROPY: u32 = 0x4008_5203;
const RNDZAPENTCNT: u32 = 0x5204;
const RNDCLEARPOOL: u32 = 0x5206;
const RNDRESEEDCRNG: u32 = 0x5207;

impl FileOps for DevFile {
    fn mmap(&self, _ctx: &mut Ctx<'_>, _id: FileId, _request: &MapRequest) -> Result<MapSource, Errno> {
        match self {
            DevFile::Zero => Ok(MapSource::Zeros),
            _ => Err(Errno::ENODEV),
        }
    }
    fn read(&self, ctx: &mut Ctx<'_>, id: FileId, max: usize, _pos: u64) -> Result<Vec<u8>, Stop> {
        let max = max.min(1 << 20);
        match self {
            DevFile::Null => Ok(Vec::new()),
            DevFile::Zero | DevFile::Full => Ok(vec![0; max]),
            DevFile::Random => {
                let mut bytes = vec![0; max];
                ctx.host.entropy(&mut bytes);
                Ok(bytes)
            }
            DevFile::Kmsg => match ctx.k.log.read_record(id, max) {
                Ok(Some(record)) => Ok(record),
                Ok(None) => Err(ctx.block_on(id)),
                Err(errno) => Err(errno.into()),
            },
            DevFile::Userfaultfd => Err(Errno::EINVAL.into()),
        }
    }

    fn write(&self, ctx: &mut Ctx<'_>, _id: FileId, data: &[u8], _pos: u64) -> Result<usize, Stop> {
        match self {
            DevFile::Full => Err(Errno::ENOSPC.into()),
            DevFile::Userfaultfd => Err(Errno::EINVAL.into()),
            DevFile::Kmsg => {
                crate::log::write_kmsg(ctx.k, data)?;
                Ok(data.len())
            }
            DevFile::Null | DevFile::Zero | DevFile::Random => Ok(data.len()),
        }
    }

    fn seekable(&self) -> bool {
        *self != DevFile::Kmsg
    }

    fn ready(&self, k: &mut Kernel, _host: &mut dyn Host, id: FileId) -> Ready {
        let mut ready = Ready::OUT | Ready::WRNORM;
        match self {
            DevFile::Kmsg => ready |= k.log.ready(id),
            _ => ready |= Ready::IN | Ready::RDNORM,
        }
        ready
    }

    fn wait_keys(&self, _k: &Kernel, id: FileId) -> Vec<WaitKey> {
        match self {
            DevFile::Kmsg => vec![crate::log::WAIT],
            _ => vec![WaitKey::File(id)],
        }
    }

    fn ioctl(&self, ctx: &mut Ctx<'_>, _id: FileId, request: u32, arg: Addr) -> SysResult {
        const USERFAULTFD_IOC_NEW: u32 = 0xaa00;
        if *self == DevFile::Userfaultfd && request == USERFAULTFD_IOC_NEW {
            let flags = u32::try_from(arg.0).map_err(|_| Errno::EINVAL)?;
            return crate::file::userfault::make(ctx, flags);
        }
        if *self != DevFile::Random {
            return Err(Errno::ENOTTY.into());
        }
        match request {
            RNDGETENTCNT => {
                ctx.write_u32(arg, 256)?;
                Ok(0)
            }
            RNDADDTOENTCNT | RNDADDENTROPY | RNDZAPENTCNT | RNDCLEARPOOL | RNDRESEEDCRNG => {
                if !jobctl::capable_admin(ctx.k, ctx.tid) {
                    return Err(Errno::EPERM.into());
                }
                if request == RNDADDTOENTCNT || request == RNDADDENTROPY {
                    let bits = ctx.read_u32(arg)?.cast_signed();
                    if bits < 0 {
                        return Err(Errno::EINVAL.into());
                    }
                }
                // The pool is the host's, which never runs dry.
                Ok(0)
            }
            _ => Err(Errno::EINVAL.into()),
        }
    }

    fn stat(&self, _k: &Kernel, id: FileId) -> Stat {
        Stat::anonymous(u64::from(id.0), ftype::S_IFCHR | 0o666)
    }

    fn reopen(&self, _ctx: &mut Ctx<'_>, _id: FileId, _flags: u32) -> Result<File, Stop> {
        Ok(File::Dev(*self))
    }

    fn release(&self, k: &mut Kernel, id: FileId) {
        if *self == DevFile::Kmsg {
            k.log.forget_reader(id);
        }
    }

    fn describe(&self, _k: &Kernel, _id: FileId) -> String {
        let name = match self {
            DevFile::Null => "null",
            DevFile::Zero => "zero",
            DevFile::Full => "full",
            DevFile::Random => "urandom",
            DevFile::Kmsg => "kmsg",
            DevFile::Userfaultfd => "userfaultfd",
        };
        format!("/dev/{name}")
    }
}
