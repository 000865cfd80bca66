//! /proc/net (that is /proc/PID/net): tables of the network, in the formats of net/ipv4 and net/core.

use crate::kernel::Kernel;
use crate::net::diag::{inet_table, unix_table};
use crate::net::{Domain, inet};

/// Names below net, and what they hold.
/// Makes the contents of a file.
type Contents = fn(&Kernel) -> String;

pub(crate) const FILES: &[(&str, Contents)] = &[
    ("net/dev", |_| {
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo \
         colls carrier compressed\n    lo:       0       0    0    0    0     0          0         0        0       \
         0    0    0    0     0       0          0\n"
            .to_owned()
    }),
    ("net/tcp", |k| tcp_header() + &inet_table(k, Domain::Inet, Some(inet::TCP))),
    ("net/tcp6", |k| tcp6_header() + &inet_table(k, Domain::Inet6, Some(inet::TCP))),
    ("net/udp", |k| udp_header() + &inet_table(k, Domain::Inet, Some(inet::UDP))),
    ("net/udp6", |k| udp6_header() + &inet_table(k, Domain::Inet6, Some(inet::UDP))),
    ("net/udplite", |k| udp_header() + &inet_table(k, Domain::Inet, Some(inet::UDPLITE))),
    ("net/udplite6", |k| udp6_header() + &inet_table(k, Domain::Inet6, Some(inet::UDPLITE))),
    ("net/raw", |k| udp_header() + &inet_table(k, Domain::Inet, None)),
    ("net/raw6", |k| udp6_header() + &inet_table(k, Domain::Inet6, None)),
    ("net/unix", |k| "Num       RefCount Protocol Flags    Type St Inode Path\n".to_owned() + &unix_table(k)),
    ("net/route", |_| {
        let head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
        format!("{head:<127}\n")
    }),
    ("net/ipv6_route", |_| String::new()),
    ("net/if_inet6", |k| {
        let line = "00000000000000000000000000000001 01 80 10 80       lo\n";
        if k.net.lo_up { line.to_owned() } else { String::new() }
    }),
    ("net/arp", |_| {
        "IP address       HW type     Flags       HW address            Mask     Device\n".to_owned()
    }),
    ("net/netstat", |_| {
        "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops\n\
         TcpExt: 0 0 0 0 0\nIpExt: InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts\nIpExt: 0 0 0 0\n"
            .to_owned()
    }),
    ("net/snmp", |_| snmp()),
    ("net/snmp6", |_| "Ip6InReceives                   \t0\n".to_owned()),
    ("net/sockstat", |_| {
        "sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\nUDPLITE: inuse 0\n\
         RAW: inuse 0\nFRAG: inuse 0 memory 0\n"
            .to_owned()
    }),
    ("net/sockstat6", |_| {
        "TCP6: inuse 0\nUDP6: inuse 0\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n".to_owned()
    }),
    ("net/packet", |_| "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n".to_owned()),
    ("net/netlink", |_| {
        "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
            .to_owned()
    }),
    ("net/protocols", |_| {
        "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n"
            .to_owned()
    }),
    ("net/wireless", |_| {
        "Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE\n \
         face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
            .to_owned()
    }),
    ("net/dev_mcast", |_| String::new()),
    ("net/igmp", |_| "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n".to_owned()),
    ("net/softnet_stat", |_| format!("{}\n", vec!["00000000"; 13].join(" "))),
    ("net/fib_trie", |_| String::new()),
];

fn pad(text: &str, width: usize) -> String {
    format!("{text:<width$}\n")
}

fn tcp_header() -> String {
    pad(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        149,
    )
}
fn tcp6_header() -> String {
    "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
     tm->when retrnsmt   uid  timeout inode\n"
        .to_owned()
}
fn udp_header() -> String {
    pad(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref \
         pointer drops",
        127,
    )
}
fn udp6_header() -> String {
    "  sl  local_address                         remote_address                        st tx_queue rx_queue tr \
     tm->when retrnsmt   uid  timeout inode ref pointer drops\n"
        .to_owned()
}

fn snmp() -> String {
    let zeros = |n: usize| vec!["0"; n].join(" ");
    format!(
        "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards \
         InDelivers OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs \
         FragFails FragCreates\nIp: 2 64 {}\n\
         Icmp: InMsgs InErrors InCsumErrors InDestUnreachs\nIcmp: {}\n\
         Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab \
         InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\nTcp: 1 200 120000 -1 {}\n\
         Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti \
         MemErrors\nUdp: {}\n",
        zeros(17),
        zeros(4),
        zeros(11),
        zeros(9)
    )
}
