//! Access-control lists (acl(5)): kept as the extended attributes they are set by, and true to the permission bits.
//!
//! **Invariant**: a list that says no more than the bits is not kept; of one that is kept, owner, mask (or group) and others
//! are the bits.

use std::sync::Arc;

use crate::abi::errno::Errno;
use crate::ctx::Ctx;
use crate::task::Creds;
use crate::vfs::perm::in_group;
use crate::vfs::{Inode, InodeId, InodeKind};

/// The attribute that says who may do what.
pub(crate) const ACCESS: &[u8] = b"system.posix_acl_access";
/// The attribute of a directory that files made in it begin with.
pub(crate) const DEFAULT: &[u8] = b"system.posix_acl_default";
const VERSION: u32 = 2;
const HEADER: usize = 4;

const USER_OBJ: u16 = 1;
const USER: u16 = 2;
const GROUP_OBJ: u16 = 4;
const GROUP: u16 = 8;
const MASK: u16 = 16;
const OTHER: u16 = 32;

#[derive(Debug, Clone, Copy)]
struct Entry {
    tag: u16,
    perm: u16,
    id: u32,
}

/// A list, in the order of its tags.
#[derive(Debug, Clone)]
pub(crate) struct Acl(Vec<Entry>);

impl Acl {
    /// Reads an attribute (posix_acl_from_xattr, posix_acl_valid): `None` for a list of nothing. `EOPNOTSUPP` for another
    /// version, `EINVAL`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Acl>, Errno> {
        let (version, rest) = bytes.split_first_chunk::<HEADER>().ok_or(Errno::EINVAL)?;
        if u32::from_le_bytes(*version) != VERSION {
            return Err(Errno::EOPNOTSUPP);
        }
        let (entries, rest) = rest.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(Errno::EINVAL);
        }
        let entries: Vec<Entry> = entries
            .iter()
            .map(|raw| Entry {
                tag: u16::from_le_bytes([raw[0], raw[1]]),
                perm: u16::from_le_bytes([raw[2], raw[3]]),
                id: u32::from_le_bytes([raw[4], raw[5], raw[6], raw[7]]),
            })
            .collect();
        if entries.is_empty() {
            return Ok(None);
        }
        let count = |tag: u16| entries.iter().filter(|entry| entry.tag == tag).count();
        let ordered = entries.is_sorted_by_key(|entry| entry.tag);
        let once = count(USER_OBJ) == 1 && count(GROUP_OBJ) == 1 && count(OTHER) == 1 && count(MASK) <= 1;
        let masked = count(MASK) == 1 || count(USER) + count(GROUP) == 0;
        let sound =
            entries.iter().all(|entry| entry.tag.is_power_of_two() && entry.tag <= OTHER && entry.perm <= 7);
        let named = entries.iter().all(|entry| !matches!(entry.tag, USER | GROUP) || entry.id != u32::MAX);
        if ordered && once && masked && sound && named { Ok(Some(Acl(entries))) } else { Err(Errno::EINVAL) }
    }

    fn bytes(&self) -> Arc<[u8]> {
        let mut bytes = VERSION.to_le_bytes().to_vec();
        for entry in &self.0 {
            bytes.extend_from_slice(&entry.tag.to_le_bytes());
            bytes.extend_from_slice(&entry.perm.to_le_bytes());
            let id = if matches!(entry.tag, USER | GROUP) { entry.id } else { u32::MAX };
            bytes.extend_from_slice(&id.to_le_bytes());
        }
        bytes.into()
    }

    /// Whether it says more than permission bits can.
    fn is_more(&self) -> bool {
        self.0.iter().any(|entry| matches!(entry.tag, USER | GROUP | MASK))
    }

    /// The entry whose bits are those of the group: the mask, if there is one.
    fn group_tag(&self) -> u16 {
        if self.0.iter().any(|entry| entry.tag == MASK) { MASK } else { GROUP_OBJ }
    }

    /// The permission bits it stands for.
    fn mode(&self) -> u32 {
        let group = self.group_tag();
        self.0.iter().fold(0, |mode, entry| match entry.tag {
            USER_OBJ => mode | u32::from(entry.perm) << 6,
            tag if tag == group => mode | u32::from(entry.perm) << 3,
            OTHER => mode | u32::from(entry.perm),
            _ => mode,
        })
    }

    /// Makes the entries that permission bits stand for what `change` makes of them and of the bits.
    fn with_mode(&mut self, mode: u32, change: impl Fn(u16, u16) -> u16) {
        let group = self.group_tag();
        let part = |shift: u32| u16::try_from(mode >> shift & 7).unwrap_or(0);
        for entry in &mut self.0 {
            match entry.tag {
                USER_OBJ => entry.perm = change(entry.perm, part(6)),
                tag if tag == group => entry.perm = change(entry.perm, part(3)),
                OTHER => entry.perm = change(entry.perm, part(0)),
                _ => {}
            }
        }
    }

    /// Whether it lets somebody who does not own the file do `mask` (posix_acl_permission).
    pub(crate) fn grants(&self, creds: &Creds, inode: &Inode, mask: u32) -> bool {
        let wanted = u16::try_from(mask).unwrap_or(u16::MAX);
        let limit = self.0.iter().find(|entry| entry.tag == MASK).map_or(7, |entry| entry.perm);
        let allows = |entry: &Entry| wanted & !(entry.perm & limit) == 0;
        if let Some(user) = self.0.iter().find(|entry| entry.tag == USER && entry.id == creds.uid[3]) {
            return allows(user);
        }
        let mut groups = self.0.iter().filter(|entry| match entry.tag {
            GROUP_OBJ => in_group(creds, inode.gid),
            GROUP => in_group(creds, entry.id),
            _ => false,
        });
        match groups.next() {
            Some(first) => allows(first) || groups.any(allows),
            None => self.0.iter().any(|entry| entry.tag == OTHER && wanted & !entry.perm == 0),
        }
    }
}

fn kept(inode: &Inode, name: &[u8]) -> Option<Acl> {
    if inode.xattrs.is_empty() {
        return None;
    }
    Acl::parse(inode.xattrs.get(name)?).ok()?
}

/// The list of a file that has more than permission bits.
pub(crate) fn access(inode: &Inode) -> Option<Acl> {
    kept(inode, ACCESS)
}

/// What setting or removing (`None`) one of the two lists makes of an inode whose owner asks for it: `EACCES` for a default
/// of what is no directory.
pub(crate) fn set(inode: &mut Inode, name: &[u8], acl: Option<&Acl>) -> Result<(), Errno> {
    if name == DEFAULT {
        return match acl {
            Some(_) if !inode.is_dir() => Err(Errno::EACCES),
            Some(acl) => {
                inode.xattrs.insert(DEFAULT.into(), acl.bytes());
                Ok(())
            }
            None => {
                inode.xattrs.remove(DEFAULT);
                Ok(())
            }
        };
    }
    inode.xattrs.remove(ACCESS);
    if let Some(acl) = acl {
        inode.mode = inode.mode & !0o777 | acl.mode();
        if acl.is_more() {
            inode.xattrs.insert(ACCESS.into(), acl.bytes());
        }
    }
    Ok(())
}

/// The permission bits were changed: the list follows (posix_acl_chmod).
pub(crate) fn follow_mode(inode: &mut Inode) {
    if let Some(mut acl) = access(inode) {
        acl.with_mode(inode.mode, |_, bits| bits);
        inode.xattrs.insert(ACCESS.into(), acl.bytes());
    }
}

/// The attributes that a new file begins with: names and values.
pub(crate) type Lists = Vec<(&'static [u8], Arc<[u8]>)>;

/// Permission bits and lists of what is made in `dir`, for which a program asks for `mode`: the directory's default takes
/// the place of the umask (posix_acl_create).
pub(crate) fn inherit(ctx: &Ctx<'_>, dir: InodeId, kind: &InodeKind, mode: u32) -> (u32, Lists) {
    if matches!(kind, InodeKind::Symlink(_)) {
        return (mode, Lists::new());
    }
    let Some(default) = kept(ctx.k.vfs.inode(dir), DEFAULT) else {
        return (mode & !ctx.umask(), Lists::new());
    };
    let mut own = default.clone();
    own.with_mode(mode, |perm, bits| perm & bits);
    let mut lists = Lists::new();
    if own.is_more() {
        lists.push((ACCESS, own.bytes()));
    }
    if matches!(kind, InodeKind::Dir(_)) {
        lists.push((DEFAULT, default.bytes()));
    }
    (mode & !0o777 | own.mode(), lists)
}
