//! The table of socket options whose value is a number: socket(7), ip(7), ipv6(7), tcp(7), udp(7).
//!
//! An option is a row here: its level and name, which sockets have it, which values it takes, and what
//! it is from the start. Options that are more than a number are in [`super::sockopt`].

use alloc::vec::Vec;
use core::net::IpAddr;

use bizarro_record::Nanos;

/// Which sockets have an option.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// All.
    All,
    /// Those of `AF_INET` and `AF_INET6`.
    Inet,
    /// Those of `AF_INET6`.
    Inet6,
    Tcp,
    Udp,
}

/// Which values setsockopt(2) takes.
#[derive(Clone, Copy)]
pub(super) enum Rule {
    /// Kept as 0 or 1.
    Flag,
    /// Any number.
    Any,
    /// From, to; `EINVAL` otherwise.
    Range(i32, i32),
    /// From, to; `EPERM` otherwise.
    Unprivileged(i32, i32),
    /// Like `Range`; -1 restores the default.
    RangeOrDefault(i32, i32),
    /// Doubled, at least the first, at most the second (SO_SNDBUF, SO_RCVBUF).
    Doubled(i32, i32),
    /// A negative number is taken for the largest (SO_RCVLOWAT).
    LowWater,
    /// Rounded up as seconds that become retransmissions (TCP_DEFER_ACCEPT).
    Retransmissions,
    /// May be read only; setsockopt(2) says `ENOPROTOOPT`.
    ReadOnly,
    /// Needs a capability that the guest has not: only the value that it already has may be set.
    Privileged,
}

/// A row of the table.
pub(super) struct Row {
    pub(super) opt: Opt,
    pub(super) level: i32,
    pub(super) name: i32,
    pub(super) who: Who,
    pub(super) rule: Rule,
    pub(super) default: i32,
}

macro_rules! options {
    ($($opt:ident $level:ident $name:expr, $who:ident $rule:expr, $default:expr;)*) => {
        /// An option with a number for its value.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(super) enum Opt { $($opt,)* }

        /// The options, in the order of [`Opt`].
        pub(super) const TABLE: &[Row] = &[$(
            Row {
                opt: Opt::$opt,
                level: libc::$level,
                name: { use libc::*; $name },
                who: Who::$who,
                rule: { use Rule::*; $rule },
                default: $default,
            },
        )*];
    };
}

/// `net.core.wmem_max` and `net.core.rmem_max`, doubled as the sockets double what they are given.
const BUFFER_MAX: i32 = 2 * 212_992;

options! {
    Debug SOL_SOCKET SO_DEBUG, All Flag, 0;
    ReuseAddr SOL_SOCKET SO_REUSEADDR, All Flag, 0;
    ReusePort SOL_SOCKET SO_REUSEPORT, All Flag, 0;
    DontRoute SOL_SOCKET SO_DONTROUTE, All Flag, 0;
    Broadcast SOL_SOCKET SO_BROADCAST, All Flag, 0;
    SndBuf SOL_SOCKET SO_SNDBUF, All Doubled(4608, BUFFER_MAX), 212_992;
    RcvBuf SOL_SOCKET SO_RCVBUF, All Doubled(2304, BUFFER_MAX), 212_992;
    KeepAlive SOL_SOCKET SO_KEEPALIVE, All Flag, 0;
    OobInline SOL_SOCKET SO_OOBINLINE, All Flag, 0;
    NoCheck SOL_SOCKET SO_NO_CHECK, All Flag, 0;
    Priority SOL_SOCKET SO_PRIORITY, All Unprivileged(0, 6), 0;
    PassCred SOL_SOCKET SO_PASSCRED, All Flag, 0;
    PassSec SOL_SOCKET SO_PASSSEC, All Flag, 0;
    RcvLowat SOL_SOCKET SO_RCVLOWAT, All LowWater, 1;
    SndLowat SOL_SOCKET SO_SNDLOWAT, All ReadOnly, 1;
    Timestamp SOL_SOCKET SO_TIMESTAMP, All Flag, 0;
    TimestampNs SOL_SOCKET SO_TIMESTAMPNS, All Flag, 0;
    Mark SOL_SOCKET SO_MARK, All Privileged, 0;
    RxqOvfl SOL_SOCKET SO_RXQ_OVFL, All Flag, 0;
    BusyPoll SOL_SOCKET SO_BUSY_POLL, All Privileged, 0;
    PeekOff SOL_SOCKET SO_PEEK_OFF, All ReadOnly, -1;
    MaxPacingRate SOL_SOCKET SO_MAX_PACING_RATE, All Any, -1;
    IncomingCpu SOL_SOCKET SO_INCOMING_CPU, All Any, -1;
    Tos IPPROTO_IP IP_TOS, Inet Any, 0;
    Ttl IPPROTO_IP IP_TTL, Inet RangeOrDefault(1, 255), 64;
    PktInfo IPPROTO_IP IP_PKTINFO, Inet Flag, 0;
    RecvTos IPPROTO_IP IP_RECVTOS, Inet Flag, 0;
    RecvTtl IPPROTO_IP IP_RECVTTL, Inet Flag, 0;
    MtuDiscover IPPROTO_IP IP_MTU_DISCOVER, Inet Range(0, 5), 1;
    RecvErr IPPROTO_IP IP_RECVERR, Inet Flag, 0;
    FreeBind IPPROTO_IP IP_FREEBIND, Inet Flag, 0;
    Transparent IPPROTO_IP IP_TRANSPARENT, Inet Privileged, 0;
    OrigDst IPPROTO_IP IP_ORIGDSTADDR, Inet Flag, 0;
    NoPort IPPROTO_IP IP_BIND_ADDRESS_NO_PORT, Inet Flag, 0;
    MulticastTtl IPPROTO_IP IP_MULTICAST_TTL, Inet RangeOrDefault(0, 255), 1;
    MulticastLoop IPPROTO_IP IP_MULTICAST_LOOP, Inet Flag, 1;
    MulticastAll IPPROTO_IP IP_MULTICAST_ALL, Inet Flag, 1;
    V6Only IPPROTO_IPV6 IPV6_V6ONLY, Inet6 Flag, 0;
    Hops IPPROTO_IPV6 IPV6_UNICAST_HOPS, Inet6 RangeOrDefault(0, 255), 64;
    MulticastHops IPPROTO_IPV6 IPV6_MULTICAST_HOPS, Inet6 RangeOrDefault(0, 255), 1;
    MulticastIf6 IPPROTO_IPV6 IPV6_MULTICAST_IF, Inet6 Range(0, 2), 0;
    MulticastLoop6 IPPROTO_IPV6 IPV6_MULTICAST_LOOP, Inet6 Flag, 1;
    MtuDiscover6 IPPROTO_IPV6 IPV6_MTU_DISCOVER, Inet6 Range(0, 5), 1;
    RecvErr6 IPPROTO_IPV6 IPV6_RECVERR, Inet6 Flag, 0;
    RecvPktInfo6 IPPROTO_IPV6 IPV6_RECVPKTINFO, Inet6 Flag, 0;
    RecvHopLimit IPPROTO_IPV6 IPV6_RECVHOPLIMIT, Inet6 Flag, 0;
    RecvTclass IPPROTO_IPV6 IPV6_RECVTCLASS, Inet6 Flag, 0;
    Tclass IPPROTO_IPV6 IPV6_TCLASS, Inet6 RangeOrDefault(0, 255), 0;
    DontFrag IPPROTO_IPV6 IPV6_DONTFRAG, Inet6 Flag, 0;
    FreeBind6 IPPROTO_IPV6 IPV6_FREEBIND, Inet6 Flag, 0;
    AddrPreferences IPPROTO_IPV6 IPV6_ADDR_PREFERENCES, Inet6 Any, 0;
    NoDelay IPPROTO_TCP TCP_NODELAY, Tcp Flag, 0;
    MaxSeg IPPROTO_TCP TCP_MAXSEG, Tcp Range(88, 32767), 0;
    Cork IPPROTO_TCP TCP_CORK, Tcp Flag, 0;
    KeepIdle IPPROTO_TCP TCP_KEEPIDLE, Tcp Range(1, 32767), 7200;
    KeepIntvl IPPROTO_TCP TCP_KEEPINTVL, Tcp Range(1, 32767), 75;
    KeepCnt IPPROTO_TCP TCP_KEEPCNT, Tcp Range(1, 127), 9;
    SynCnt IPPROTO_TCP TCP_SYNCNT, Tcp Range(1, 127), 0;
    Linger2 IPPROTO_TCP TCP_LINGER2, Tcp Any, 60;
    DeferAccept IPPROTO_TCP TCP_DEFER_ACCEPT, Tcp Retransmissions, 0;
    WindowClamp IPPROTO_TCP TCP_WINDOW_CLAMP, Tcp Any, 0;
    QuickAck IPPROTO_TCP TCP_QUICKACK, Tcp Flag, 1;
    UserTimeout IPPROTO_TCP TCP_USER_TIMEOUT, Tcp Range(0, i32::MAX), 0;
    FastOpen IPPROTO_TCP TCP_FASTOPEN, Tcp Range(0, i32::MAX), 0;
    NotSentLowat IPPROTO_TCP TCP_NOTSENT_LOWAT, Tcp Any, 0;
    UdpCork IPPROTO_UDP UDP_CORK, Udp Flag, 0;
}

/// The options of one socket.
#[derive(Clone)]
pub(super) struct Options {
    values: [i32; TABLE.len()],
    /// Bit `opt`: the guest has set it.
    set: u128,
    /// SO_LINGER in seconds, while it is on.
    pub(super) linger: Option<u32>,
    /// The seconds of the last SO_LINGER that was on.
    pub(super) linger_seconds: u32,
    /// SO_RCVTIMEO.
    pub(super) receive_timeout: Option<Nanos>,
    /// SO_SNDTIMEO.
    pub(super) send_timeout: Option<Nanos>,
    /// Multicast groups that were joined.
    pub(super) groups: Vec<IpAddr>,
}

impl Options {
    pub(super) fn new() -> Options {
        let mut values = [0; TABLE.len()];
        for (value, row) in values.iter_mut().zip(TABLE) {
            *value = row.default;
        }
        Options {
            values,
            set: 0,
            linger: None,
            linger_seconds: 0,
            receive_timeout: None,
            send_timeout: None,
            groups: Vec::new(),
        }
    }

    #[inline]
    pub(super) fn get(&self, opt: Opt) -> i32 {
        self.values[opt as usize]
    }

    pub(super) fn set(&mut self, opt: Opt, value: i32) {
        self.values[opt as usize] = value;
        self.set |= 1 << opt as u32;
    }

    /// Whether the guest has set it, to whatever value.
    #[inline]
    pub(super) fn is_set(&self, opt: Opt) -> bool {
        self.set & 1 << opt as u32 != 0
    }
}

/// The row of an option, if there is such a number.
pub(super) fn find(level: i32, name: i32) -> Option<&'static Row> {
    TABLE.iter().find(|row| row.level == level && row.name == name)
}
