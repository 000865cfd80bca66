//! Multicast groups on loopback: who joined what (ip(7), ipv6(7)).
//!
//! **Invariant**: `lo` is the only interface, and no route leads to a group: a sender names the interface, or is bound to
//! a loopback address, as on a machine with no other network.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::abi::errno::Errno;
use crate::arg::Addr;
use crate::ctx::{Ctx, Stop, SysResult};
use crate::kernel::Kernel;
use crate::net::addr::{AF_INET, AF_INET6};
use crate::net::{Socket, SocketId};

const IP: i32 = 0;
const IPV6: i32 = 41;
/// Groups that one socket may join (/proc/sys/net/ipv4/igmp_max_memberships).
const MAX_GROUPS: usize = 20;

/// Whether an option is about groups or the interface for them.
#[must_use]
pub fn is_option(level: i32, name: i32) -> bool {
    // IP_MULTICAST_IF, ADD_MEMBERSHIP, DROP_MEMBERSHIP; MCAST_JOIN_GROUP, LEAVE_GROUP; IPV6_MULTICAST_IF, JOIN, LEAVE
    matches!((level, name), (IP, 32 | 35 | 36 | 42 | 45) | (IPV6, 17 | 20 | 21 | 42 | 45))
}

fn bytes(ctx: &mut Ctx<'_>, at: Addr, len: usize, least: usize) -> Result<Vec<u8>, Errno> {
    if len < least {
        return Err(Errno::EINVAL);
    }
    let mut raw = vec![0; len.min(136)];
    ctx.read_user(at, &mut raw)?;
    Ok(raw)
}

fn v4(raw: &[u8], at: usize) -> Ipv4Addr {
    Ipv4Addr::new(raw[at], raw[at + 1], raw[at + 2], raw[at + 3])
}

fn number(raw: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([raw[at], raw[at + 1], raw[at + 2], raw[at + 3]])
}

/// Whether an interface is named by an address or a number: `lo`, none, or one that does not exist.
fn names_lo(address: Ipv4Addr, index: u32) -> Result<bool, Errno> {
    match index {
        0 if address.is_unspecified() => Ok(false),
        0 if address.is_loopback() => Ok(true),
        1 => Ok(true),
        _ => Err(Errno::ENODEV),
    }
}

/// `setsockopt(2)` of an option for which [`is_option`] holds.
pub(crate) fn set(
    ctx: &mut Ctx<'_>,
    id: SocketId,
    level: i32,
    name: i32,
    value: Addr,
    len: usize,
) -> SysResult {
    let (group, on_lo) = match (level, name) {
        (IP, 32) => {
            let raw = bytes(ctx, value, len, 4)?;
            let address = if raw.len() >= 8 { v4(&raw, 4) } else { v4(&raw, 0) };
            let index = if raw.len() >= 12 { number(&raw, 8) } else { 0 };
            let on_lo = names_lo(address, index).map_err(|_| Errno::EADDRNOTAVAIL)?;
            let opts = &mut ctx.k.net.get_mut(id)?.opts;
            opts.multicast_lo = on_lo;
            opts.multicast_from = address;
            return Ok(0);
        }
        (IPV6, 17) => {
            let raw = bytes(ctx, value, len, 4)?;
            let index = number(&raw, 0);
            if index > 1 {
                return Err(Errno::ENODEV.into());
            }
            ctx.k.net.get_mut(id)?.opts.multicast_lo = index == 1;
            return Ok(0);
        }
        (IP, 35 | 36) => {
            let raw = bytes(ctx, value, len, 8)?;
            let index = if raw.len() >= 12 { number(&raw, 8) } else { 0 };
            (IpAddr::V4(v4(&raw, 0)), names_lo(v4(&raw, 4), index))
        }
        (IPV6, 20 | 21) => {
            let raw = bytes(ctx, value, len, 20)?;
            let mut ip = [0; 16];
            ip.copy_from_slice(&raw[..16]);
            (IpAddr::from(ip), names_lo(Ipv4Addr::UNSPECIFIED, number(&raw, 16)))
        }
        _ => {
            let raw = bytes(ctx, value, len, 136)?;
            let family = u16::from_le_bytes([raw[8], raw[9]]);
            let ip = match family {
                AF_INET if level == IP => IpAddr::V4(v4(&raw, 12)),
                AF_INET6 if level == IPV6 => {
                    let mut ip = [0; 16];
                    ip.copy_from_slice(&raw[16..32]);
                    IpAddr::from(ip)
                }
                _ => return Err(Errno::EADDRNOTAVAIL.into()),
            };
            (ip, names_lo(Ipv4Addr::UNSPECIFIED, number(&raw, 0)))
        }
    };
    if !group.is_multicast() {
        return Err(Errno::EINVAL.into());
    }
    let joins = matches!(name, 35 | 20 | 42);
    let groups = &ctx.k.net.get(id)?.opts.groups;
    if !joins {
        if !groups.contains(&group) {
            return Err(Errno::EADDRNOTAVAIL.into());
        }
        on_lo?;
        ctx.k.net.get_mut(id)?.opts.groups.remove(&group);
        return Ok(0);
    }
    if !on_lo? {
        // No route leads to the group.
        return Err(Errno::ENODEV.into());
    }
    if groups.contains(&group) {
        return Err(Errno::EADDRINUSE.into());
    }
    if groups.len() >= MAX_GROUPS {
        return Err(Errno::ENOBUFS.into());
    }
    ctx.k.net.get_mut(id)?.opts.groups.insert(group);
    Ok(0)
}

/// The source of what `socket` sends to a group. `ENETUNREACH`.
pub(crate) fn source(socket: &Socket, to: IpAddr, bound: Option<IpAddr>) -> Result<IpAddr, Stop> {
    let from_loopback = bound.is_some_and(|ip| ip.is_loopback());
    if !socket.opts.multicast_lo && !from_loopback {
        return Err(Errno::ENETUNREACH.into());
    }
    let own = bound.filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
    let chosen = Some(socket.opts.multicast_from).filter(|ip| !ip.is_unspecified());
    Ok(match (own, chosen, to) {
        (Some(ip), ..) => ip,
        (None, Some(ip), IpAddr::V4(_)) => ip.into(),
        (None, None, IpAddr::V4(_)) => Ipv4Addr::LOCALHOST.into(),
        (None, _, IpAddr::V6(_)) => Ipv6Addr::LOCALHOST.into(),
    })
}

/// Whether `socket` gets what is sent to `group`: it joined, or wants whatever this machine joined (IP_MULTICAST_ALL).
pub(crate) fn listens(k: &Kernel, socket: &Socket, group: IpAddr) -> bool {
    if socket.opts.groups.contains(&group) {
        return true;
    }
    let all = if group.is_ipv4() { socket.opts.stored(IP, 49) } else { socket.opts.stored(IPV6, 29) };
    all != 0 && k.net.sockets.iter().any(|(_, other)| other.opts.groups.contains(&group))
}
