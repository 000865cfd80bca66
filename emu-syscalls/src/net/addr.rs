//! Socket addresses: `struct sockaddr` of each family.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::Ctx;
use crate::net::Domain;

/// AF_UNSPEC
pub const AF_UNSPEC: u16 = 0;
/// AF_UNIX
pub const AF_UNIX: u16 = 1;
/// AF_INET
pub const AF_INET: u16 = 2;
/// AF_INET6
pub const AF_INET6: u16 = 10;
/// AF_NETLINK
pub const AF_NETLINK: u16 = 16;
/// Bytes of the longest address (`struct sockaddr_storage`).
const MAX_ADDR: usize = 128;

/// Name of a UNIX socket.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnixName {
    /// None.
    Unnamed,
    /// A path, as it was given.
    Path(Vec<u8>),
    /// Without the leading NUL.
    Abstract(Vec<u8>),
}

/// A socket address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// AF_UNIX
    Unix(UnixName),
    /// AF_INET and AF_INET6; v4-mapped addresses are kept as IPv4.
    Ip(IpAddr, u16),
    /// AF_NETLINK: port and groups.
    Netlink(u32, u32),
}

/// What a caller gave: raw bytes.
pub fn read_raw(ctx: &mut Ctx<'_>, addr: Addr, len: i32) -> Result<Vec<u8>, Errno> {
    let len = usize::try_from(len).ok().filter(|len| *len <= MAX_ADDR).ok_or(Errno::EINVAL)?;
    let mut raw = vec![0; len];
    ctx.read_user(addr, &mut raw)?;
    Ok(raw)
}

/// Family of a raw address; `None` if it is too short to have one.
#[must_use]
pub fn family(raw: &[u8]) -> Option<u16> {
    raw.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

/// A raw address for a socket of `domain`. `EINVAL` if it is too short; `wrong_family` for another family.
pub fn parse(domain: Domain, raw: &[u8], wrong_family: Errno) -> Result<Address, Errno> {
    let family = family(raw).ok_or(Errno::EINVAL)?;
    match (domain, family) {
        (Domain::Unix, AF_UNIX) => parse_unix(raw),
        (Domain::Inet, AF_INET) | (Domain::Inet6, AF_INET) => {
            let (port, ip) = (raw.get(2..4), raw.get(4..8));
            let (Some(&[p0, p1]), Some(&[a, b, c, d]), true) = (port, ip, raw.len() >= 16) else {
                return Err(Errno::EINVAL);
            };
            Ok(Address::Ip(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([p0, p1])))
        }
        (Domain::Inet6, AF_INET6) => {
            let ip: [u8; 16] = raw.get(8..24).and_then(|ip| ip.try_into().ok()).ok_or(Errno::EINVAL)?;
            let Some(&[p0, p1]) = raw.get(2..4) else { return Err(Errno::EINVAL) };
            Ok(Address::Ip(IpAddr::from(ip).to_canonical(), u16::from_be_bytes([p0, p1])))
        }
        (Domain::Netlink, AF_NETLINK) => {
            let (Some(pid), Some(groups)) = (
                raw.get(4..8).and_then(|b| b.try_into().ok()),
                raw.get(8..12).and_then(|b| b.try_into().ok()),
            ) else {
                return Err(Errno::EINVAL);
            };
            Ok(Address::Netlink(u32::from_le_bytes(pid), u32::from_le_bytes(groups)))
        }
        _ => Err(wrong_family),
    }
}

fn parse_unix(raw: &[u8]) -> Result<Address, Errno> {
    // sun_path holds 108 bytes; two for the family come before.
    if raw.len() > 110 {
        return Err(Errno::EINVAL);
    }
    let name = raw.get(2..).unwrap_or_default();
    Ok(Address::Unix(match name.first() {
        None => UnixName::Unnamed,
        Some(0) => UnixName::Abstract(name[1..].to_vec()),
        Some(_) => {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            UnixName::Path(name[..end].to_vec())
        }
    }))
}

/// The bytes a socket of `domain` shows for an address; `None` is the unnamed or unspecified one.
#[must_use]
pub fn format(domain: Domain, address: Option<&Address>) -> Vec<u8> {
    let mut out = Vec::new();
    match domain {
        Domain::Unix => {
            out.extend_from_slice(&AF_UNIX.to_le_bytes());
            match address {
                Some(Address::Unix(UnixName::Path(path))) => {
                    out.extend_from_slice(path);
                    out.push(0);
                }
                Some(Address::Unix(UnixName::Abstract(name))) => {
                    out.push(0);
                    out.extend_from_slice(name);
                }
                _ => {}
            }
        }
        Domain::Inet => {
            let (ip, port) = match address {
                Some(Address::Ip(IpAddr::V4(ip), port)) => (*ip, *port),
                _ => (Ipv4Addr::UNSPECIFIED, 0),
            };
            out.extend_from_slice(&AF_INET.to_le_bytes());
            out.extend_from_slice(&port.to_be_bytes());
            out.extend_from_slice(&ip.octets());
            out.resize(16, 0);
        }
        Domain::Inet6 => {
            let (ip, port) = match address {
                Some(Address::Ip(IpAddr::V6(ip), port)) => (*ip, *port),
                Some(Address::Ip(IpAddr::V4(ip), port)) => (ip.to_ipv6_mapped(), *port),
                _ => (Ipv6Addr::UNSPECIFIED, 0),
            };
            out.extend_from_slice(&AF_INET6.to_le_bytes());
            out.extend_from_slice(&port.to_be_bytes());
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&ip.octets());
            out.resize(28, 0);
        }
        Domain::Netlink => {
            let (pid, groups) = match address {
                Some(Address::Netlink(pid, groups)) => (*pid, *groups),
                _ => (0, 0),
            };
            out.extend_from_slice(&AF_NETLINK.to_le_bytes());
            out.extend_from_slice(&[0; 2]);
            out.extend_from_slice(&pid.to_le_bytes());
            out.extend_from_slice(&groups.to_le_bytes());
        }
    }
    out
}

/// Writes an address the way accept(2) and its kin do: as much as the caller's buffer holds, then the true length.
pub fn write(ctx: &mut Ctx<'_>, raw: &[u8], addr: Addr, addrlen: Addr) -> Result<(), Errno> {
    let room = ctx.read_u32(addrlen)?.cast_signed();
    let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
    ctx.write_user(addr, &raw[..raw.len().min(room)])?;
    ctx.write_u32(addrlen, u32::try_from(raw.len()).unwrap_or(0))
}
