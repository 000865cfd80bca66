//! Attributes of files and file systems, directory entries.

use super::{Decoder, id, named, time, u16_of, u32_of, u64_of};
use crate::observe::names::file as nf;
use crate::observe::value::{Bytes, Quote, Value, field, octal, verbose};

/// File type and permission bits.
pub(super) fn mode(mode: u32) -> Value {
    Value::Named { value: u64::from(mode), text: mode_text(mode) }
}

fn mode_text(mode: u32) -> String {
    let kind = u64::from(mode & 0o170_000);
    let Some(name) = nf::FILE_TYPE.name(kind) else { return octal(u64::from(mode)) };
    let mut text = name.to_owned();
    for (bit, name) in [(0o4000, "S_ISUID"), (0o2000, "S_ISGID"), (0o1000, "S_ISVTX")] {
        if mode & bit != 0 {
            text.push('|');
            text.push_str(name);
        }
    }
    format!("{text}|{}", octal(u64::from(mode & 0o777)))
}

/// Number of a device.
pub(super) fn device(dev: u64) -> Value {
    let major = (dev >> 8 & 0xfff) | (dev >> 32 & 0xffff_f000);
    let minor = (dev & 0xff) | (dev >> 12 & 0xffff_ff00);
    makedev(major, minor)
}

fn makedev(major: u64, minor: u64) -> Value {
    let hex = |n: u64| if n == 0 { "0".to_owned() } else { format!("{n:#x}") };
    Value::text(format!("makedev({}, {})", hex(major), hex(minor)))
}

impl Decoder<'_> {
    pub(super) fn stat(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 144)?;
        let mode_bits = u32_of(&b, 24);
        let is_device = matches!(mode_bits & 0o170_000, 0o020_000 | 0o060_000);
        let uint = |at: usize| Value::Uint(u64_of(&b, at));
        let mut fields = vec![
            verbose("st_dev", device(u64_of(&b, 0))),
            verbose("st_ino", uint(8)),
            field("st_mode", mode(mode_bits)),
            verbose("st_nlink", uint(16)),
            verbose("st_uid", id(u32_of(&b, 28))),
            verbose("st_gid", id(u32_of(&b, 32))),
            verbose("st_blksize", uint(56)),
            verbose("st_blocks", uint(64)),
        ];
        // Without -v the hidden members come last; strace prints `...` at the end only.
        fields.push(if is_device {
            field("st_rdev", device(u64_of(&b, 40)))
        } else {
            field("st_size", Value::Uint(u64_of(&b, 48)))
        });
        for (name, name_ns, at) in [
            ("st_atime", "st_atime_nsec", 72),
            ("st_mtime", "st_mtime_nsec", 88),
            ("st_ctime", "st_ctime_nsec", 104),
        ] {
            let (seconds, ns) = (u64_of(&b, at).cast_signed(), u64_of(&b, at + 8));
            let value = match time::timestamp(seconds, ns, 9) {
                Some(text) => Value::Note(Box::new(Value::Int(seconds)), text),
                None => Value::Int(seconds),
            };
            fields.push(verbose(name, value));
            fields.push(verbose(name_ns, Value::Uint(ns)));
        }
        Some(Value::Struct(fields))
    }

    pub(super) fn statx(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 256)?;
        let mask = u32_of(&b, 0);
        let uint = |at: usize| Value::Uint(u64::from(u32_of(&b, at)));
        let stamp = |at: usize| {
            let (sec, ns) = (u64_of(&b, at).cast_signed(), u64::from(u32_of(&b, at + 8)));
            let value =
                Value::Struct(vec![field("tv_sec", Value::Int(sec)), field("tv_nsec", Value::Uint(ns))]);
            match time::timestamp(sec, ns, 9) {
                Some(text) => Value::Note(Box::new(value), text),
                None => value,
            }
        };
        let mut fields = vec![
            field("stx_mask", named(&nf::STATX_MASK, u64::from(mask))),
            verbose("stx_blksize", uint(4)),
            field("stx_attributes", named(&STATX_ATTR, u64_of(&b, 8))),
            verbose("stx_nlink", uint(16)),
            verbose("stx_uid", id(u32_of(&b, 20))),
            verbose("stx_gid", id(u32_of(&b, 24))),
            field("stx_mode", mode(u32::from(u16_of(&b, 28)))),
            verbose("stx_ino", Value::Uint(u64_of(&b, 32))),
            field("stx_size", Value::Uint(u64_of(&b, 40))),
            verbose("stx_blocks", Value::Uint(u64_of(&b, 48))),
            verbose("stx_attributes_mask", named(&STATX_ATTR, u64_of(&b, 56))),
            verbose("stx_atime", stamp(64)),
        ];
        if mask & 0x800 != 0 {
            fields.push(verbose("stx_btime", stamp(80)));
        }
        fields.push(verbose("stx_ctime", stamp(96)));
        fields.push(verbose("stx_mtime", stamp(112)));
        fields.push(verbose("stx_rdev_major", uint(128)));
        fields.push(verbose("stx_rdev_minor", uint(132)));
        fields.push(verbose("stx_dev_major", uint(136)));
        fields.push(verbose("stx_dev_minor", uint(140)));
        if mask & 0x1000 != 0 {
            fields.push(verbose("stx_mnt_id", Value::Hex(u64_of(&b, 144))));
        }
        Some(Value::Struct(fields))
    }

    pub(super) fn statfs(&mut self, addr: u64) -> Option<Value> {
        let b = self.bytes(addr, 120)?;
        let uint = |at: usize| Value::Uint(u64_of(&b, at));
        let kind = u64_of(&b, 0);
        let kind = match nf::FS_MAGIC.name(kind) {
            Some(name) => Value::text(name),
            None => Value::Hex(kind),
        };
        Some(Value::Struct(vec![
            field("f_type", kind),
            field("f_bsize", uint(8)),
            field("f_blocks", uint(16)),
            field("f_bfree", uint(24)),
            field("f_bavail", uint(32)),
            field("f_files", uint(40)),
            field("f_ffree", uint(48)),
            field(
                "f_fsid",
                Value::Struct(vec![field(
                    "val",
                    Value::array(vec![
                        Value::Hex(u64::from(u32_of(&b, 56))),
                        Value::Hex(u64::from(u32_of(&b, 60))),
                    ]),
                )]),
            ),
            field("f_namelen", uint(64)),
            field("f_frsize", uint(72)),
            field("f_flags", named(&nf::ST_FLAGS, u64_of(&b, 80))),
        ]))
    }

    pub(super) fn dirents(&mut self, addr: u64, wide: bool) -> Option<Value> {
        let len = usize::try_from(self.value()).ok()?;
        let b = self.bytes(addr, len.max(1))?;
        let mut entries = Vec::new();
        let mut at = 0;
        let head = if wide { 19 } else { 18 };
        while at + head <= len {
            let size = usize::from(u16_of(&b, at + 16));
            if size < head || at + size > len {
                break;
            }
            let entry = &b[at..at + size];
            let name = &entry[head..];
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            let name = Value::Str(Bytes { data: name[..end].to_vec(), more: false, kind: Quote::Path });
            let kind = if wide { entry[18] } else { entry[size - 1] };
            let kind = named(&nf::D_TYPE, u64::from(kind));
            let mut fields = vec![
                field("d_ino", Value::Uint(u64_of(entry, 0))),
                field(
                    "d_off",
                    if wide {
                        Value::Int(u64_of(entry, 8).cast_signed())
                    } else {
                        Value::Uint(u64_of(entry, 8))
                    },
                ),
                field("d_reclen", Value::Uint(size as u64)),
            ];
            if wide {
                fields.push(field("d_type", kind));
                fields.push(field("d_name", name));
            } else {
                fields.push(field("d_name", name));
                fields.push(field("d_type", kind));
            }
            entries.push(Value::Struct(fields));
            at += size;
        }
        let note = format!("{} entr{}", entries.len(), if entries.len() == 1 { "y" } else { "ies" });
        Some(Value::Either {
            brief: Box::new(Value::Note(Box::new(Value::Addr(addr)), note)),
            verbose: Box::new(Value::array(entries)),
        })
    }
}

/// Attributes in statx(2).
static STATX_ATTR: crate::observe::names::Names = crate::observe::names::Names::bits(
    "STATX_ATTR_???",
    &[
        (0x4, "STATX_ATTR_COMPRESSED"),
        (0x10, "STATX_ATTR_IMMUTABLE"),
        (0x20, "STATX_ATTR_APPEND"),
        (0x40, "STATX_ATTR_NODUMP"),
        (0x800, "STATX_ATTR_ENCRYPTED"),
        (0x1000, "STATX_ATTR_AUTOMOUNT"),
        (0x2000, "STATX_ATTR_MOUNT_ROOT"),
        (0x10_0000, "STATX_ATTR_VERITY"),
        (0x20_0000, "STATX_ATTR_DAX"),
    ],
);
