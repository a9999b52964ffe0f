//! Names: getaddrinfo(3), getnameinfo(3), and std on top of them.

use std::ffi::{CStr, CString};
use std::net::{SocketAddr, ToSocketAddrs};
use std::ptr::{null, null_mut};

use libc::{
    AF_INET, AF_INET6, AF_UNSPEC, AI_CANONNAME, AI_NUMERICHOST, AI_NUMERICSERV, AI_PASSIVE,
    NI_NUMERICHOST, NI_NUMERICSERV, SOCK_DGRAM, SOCK_STREAM, addrinfo, c_int,
};

use crate::Transcript;
use crate::c::Addr;

tests![Resolver:
    resolver_localhost,
    resolver_numeric_hosts,
    resolver_services,
    resolver_passive,
    resolver_unknown_names,
    resolver_bad_arguments,
    resolver_canonical_name,
    resolver_numeric_names_of_addresses,
    resolver_std_to_socket_addrs,
    resolver_files_are_there,
];

fn error_name(code: c_int) -> String {
    match code {
        0 => "0".to_owned(),
        libc::EAI_NONAME => "EAI_NONAME".to_owned(),
        libc::EAI_AGAIN => "EAI_AGAIN".to_owned(),
        libc::EAI_FAIL => "EAI_FAIL".to_owned(),
        libc::EAI_NODATA => "EAI_NODATA".to_owned(),
        libc::EAI_FAMILY => "EAI_FAMILY".to_owned(),
        libc::EAI_SOCKTYPE => "EAI_SOCKTYPE".to_owned(),
        libc::EAI_SERVICE => "EAI_SERVICE".to_owned(),
        libc::EAI_BADFLAGS => "EAI_BADFLAGS".to_owned(),
        libc::EAI_OVERFLOW => "EAI_OVERFLOW".to_owned(),
        -9 => "EAI_ADDRFAMILY".to_owned(),
        other => format!("error {other}"),
    }
}

/// What to ask; `kind` as SOCK_STREAM.
struct Question {
    host: Option<&'static str>,
    service: Option<&'static str>,
    family: c_int,
    kind: c_int,
    flags: c_int,
}

const STREAMS: Question =
    Question { host: None, service: None, family: AF_UNSPEC, kind: SOCK_STREAM, flags: 0 };

/// The answers as `address type`, and the canonical name if there is one.
fn ask(question: &Question) -> (c_int, Vec<(SocketAddr, c_int)>, Option<String>) {
    let text = |part: Option<&str>| part.map(|part| CString::new(part).expect("no NUL"));
    let (host, service) = (text(question.host), text(question.service));
    let pointer = |part: &Option<CString>| part.as_ref().map_or(null(), |part| part.as_ptr());
    // SAFETY: a hint of zeroes asks for anything; the list is read before it
    // is freed, and each address has the length that the entry says.
    unsafe {
        let mut hints: addrinfo = std::mem::zeroed();
        hints.ai_family = question.family;
        hints.ai_socktype = question.kind;
        hints.ai_flags = question.flags;
        let mut list = null_mut();
        let code = libc::getaddrinfo(pointer(&host), pointer(&service), &hints, &mut list);
        if code != 0 {
            return (code, Vec::new(), None);
        }
        let (mut found, mut canonical) = (Vec::new(), None);
        let mut at = list;
        while !at.is_null() {
            let mut address = Addr::room();
            address
                .as_mut_ptr()
                .cast::<u8>()
                .copy_from((*at).ai_addr.cast(), (*at).ai_addrlen as usize);
            found.push((address.inet(), (*at).ai_socktype));
            if !(*at).ai_canonname.is_null() {
                canonical = Some(CStr::from_ptr((*at).ai_canonname).to_string_lossy().into_owned());
            }
            at = (*at).ai_next;
        }
        libc::freeaddrinfo(list);
        (code, found, canonical)
    }
}

fn show(t: &mut Transcript, what: &str, question: &Question) {
    let (code, found, _) = ask(question);
    let mut found: Vec<String> = found.iter().map(|(address, _)| address.to_string()).collect();
    found.sort();
    found.dedup();
    t.line(format_args!("{what}: {} {}", error_name(code), found.join(" ")).to_string().trim_end());
}

fn resolver_localhost(t: &mut Transcript) {
    let four = Question { host: Some("localhost"), family: AF_INET, ..STREAMS };
    show(t, "localhost over IPv4", &four);
    let (code, found, _) = ask(&Question { host: Some("localhost"), ..STREAMS });
    t.value("localhost", error_name(code));
    t.holds("all are loopback", found.iter().all(|(address, _)| address.ip().is_loopback()));
    t.holds("port 0", found.iter().all(|(address, _)| address.port() == 0));
}

fn resolver_numeric_hosts(t: &mut Transcript) {
    let ask = |t: &mut Transcript, host, family| {
        show(t, host, &Question { host: Some(host), family, flags: AI_NUMERICHOST, ..STREAMS });
    };
    for host in ["127.0.0.1", "10.1.2.3", "127.1", "0x7f000001", "::1", "::ffff:1.2.3.4", "fe80::1"]
    {
        ask(t, host, AF_UNSPEC);
    }
    ask(t, "1.2.3.4.5", AF_UNSPEC);
    ask(t, "256.0.0.1", AF_UNSPEC);
    ask(t, "localhost", AF_UNSPEC);
    ask(t, "127.0.0.1", AF_INET6);
    ask(t, "::1", AF_INET);
}

fn resolver_services(t: &mut Transcript) {
    let show_service = |t: &mut Transcript, service, flags| {
        let question =
            Question { host: Some("127.0.0.1"), service: Some(service), flags, ..STREAMS };
        show(t, service, &question);
    };
    show_service(t, "80", 0);
    show_service(t, "65535", AI_NUMERICSERV);
    show_service(t, "http", AI_NUMERICSERV);
    let both = Question { host: Some("127.0.0.1"), service: Some("53"), kind: 0, ..STREAMS };
    let (code, found, _) = ask(&both);
    t.value("any type", error_name(code));
    t.holds("has streams", found.iter().any(|(_, kind)| *kind == SOCK_STREAM));
    t.holds("has datagrams", found.iter().any(|(_, kind)| *kind == SOCK_DGRAM));
}

fn resolver_passive(t: &mut Transcript) {
    for (name, family) in [("IPv4", AF_INET), ("IPv6", AF_INET6)] {
        let question = Question { service: Some("8080"), family, ..STREAMS };
        show(t, &format!("{name}, no host"), &question);
        let passive = Question { flags: AI_PASSIVE, ..question };
        show(t, &format!("{name}, no host, passive"), &passive);
    }
}

fn resolver_unknown_names(t: &mut Transcript) {
    // RFC 6761: nothing below "invalid" ever exists. Without a name server the
    // answer is EAI_AGAIN, which stands for the same here.
    let question = Question { host: Some("no-such-host.invalid"), ..STREAMS };
    let (code, found, _) = ask(&question);
    let normal = [libc::EAI_NONAME, libc::EAI_AGAIN, libc::EAI_FAIL, libc::EAI_NODATA];
    t.holds("no-such-host.invalid is not found", normal.contains(&code));
    t.value("addresses", found.len());
    let message = ("no-such-host.invalid", 80).to_socket_addrs();
    t.holds("std says so, too", message.is_err());
}

fn resolver_bad_arguments(t: &mut Transcript) {
    show(t, "neither host nor service", &STREAMS);
    let local = || Question { host: Some("127.0.0.1"), ..STREAMS };
    show(t, "family 99", &Question { family: 99, ..local() });
    show(t, "type 99", &Question { kind: 99, ..local() });
    show(t, "unknown flags", &Question { flags: 1 << 20, ..local() });
    show(
        t,
        "AI_CANONNAME without a host",
        &Question { service: Some("80"), flags: AI_CANONNAME, ..STREAMS },
    );
    // SAFETY: the message is a NUL-terminated text of glibc's.
    let message = unsafe { CStr::from_ptr(libc::gai_strerror(libc::EAI_NONAME)) };
    t.bytes("gai_strerror(EAI_NONAME)", message.to_bytes());
}

fn resolver_canonical_name(t: &mut Transcript) {
    let question = Question { host: Some("127.0.0.1"), flags: AI_CANONNAME, ..STREAMS };
    let (code, _, canonical) = ask(&question);
    t.value("of 127.0.0.1", error_name(code));
    t.value("is", canonical.unwrap_or_default());
}

fn resolver_numeric_names_of_addresses(t: &mut Transcript) {
    for address in ["127.0.0.1:80", "[::1]:443", "[::ffff:1.2.3.4]:5", "255.255.255.255:65535"] {
        let address: Addr = address.parse::<SocketAddr>().expect("an address").into();
        let (mut host, mut service) = ([0u8; 64], [0u8; 16]);
        // SAFETY: pointers and lengths are those of our own buffers.
        let code = unsafe {
            libc::getnameinfo(
                address.as_ptr(),
                address.len,
                host.as_mut_ptr().cast(),
                64,
                service.as_mut_ptr().cast(),
                16,
                NI_NUMERICHOST | NI_NUMERICSERV,
            )
        };
        let text = |bytes: &[u8]| {
            CStr::from_bytes_until_nul(bytes).expect("a NUL").to_string_lossy().into_owned()
        };
        t.line(format_args!("{}: {} port {}", error_name(code), text(&host), text(&service)));
        // SAFETY: as above.
        let code = unsafe {
            let room = host.as_mut_ptr().cast();
            let flags = NI_NUMERICHOST;
            libc::getnameinfo(address.as_ptr(), address.len, room, 2, null_mut(), 0, flags)
        };
        t.value("into 2 bytes", error_name(code));
    }
}

fn resolver_std_to_socket_addrs(t: &mut Transcript) {
    let list = |target: &str| {
        target.to_socket_addrs().map(|found| {
            let mut found: Vec<String> = found.map(|address| address.to_string()).collect();
            found.sort();
            found.join(" ")
        })
    };
    for target in ["127.0.0.1:80", "[::1]:80"] {
        t.value(target, list(target).expect("it is numeric"));
    }
    let local: Vec<SocketAddr> = "localhost:80".to_socket_addrs().expect("localhost").collect();
    let four: SocketAddr = "127.0.0.1:80".parse().expect("an address");
    t.holds("localhost:80 has 127.0.0.1:80", local.contains(&four));
    t.io("no port", list("localhost"));
    t.io("port 99999", list("localhost:99999"));
}

fn resolver_files_are_there(t: &mut Transcript) {
    let hosts = std::fs::read_to_string("/etc/hosts").expect("/etc/hosts");
    let names = |line: &str| line.split_whitespace().skip(1).any(|name| name == "localhost");
    t.holds("/etc/hosts names localhost", hosts.lines().any(names));
    t.io("/etc/resolv.conf can be read", std::fs::read("/etc/resolv.conf"));
    t.io("/etc/nsswitch.conf can be read", std::fs::read("/etc/nsswitch.conf"));
}
