//! Files as tshark reads them.

use std::io::Write;
use std::process::{Command, Stdio};

use bizarro_record::packet::{Payload, Sign};
use bizarro_record::{Ending, Event, FORMAT, Nanos, Packet, Plan, RunRecord, Stamped, Stats};
use expect_test::expect;

use super::pcapng;

/// Set where tshark has to be there, as in CI.
const NEEDED: &str = "BIZARRO_NEED_TSHARK";

/// What tshark says of a file, with every checksum looked at; `None` where it is not installed, which is said loudly.
fn tshark(file: &[u8], arguments: &[&str]) -> Option<String> {
    let child = Command::new("tshark")
        .args(["-r", "-", "-n", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"])
        .args(["-o", "udp.check_checksum:TRUE", "-o", "tcp.relative_sequence_numbers:TRUE"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        assert!(std::env::var_os(NEEDED).is_none(), "{NEEDED} is set, and there is no tshark");
        // Not by a macro: libtest would keep it to itself.
        let _ = writeln!(std::io::stderr(), "\nSKIPPED: no tshark in PATH\n");
        return None;
    };
    child.stdin.take().unwrap().write_all(file).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "tshark cannot read the file");
    Some(String::from_utf8(output.stdout).unwrap())
}

const LATENCY: u64 = 500_000;

/// A run of packets, each at its microsecond from the host with this number, lost where it says so.
fn record(packets: Vec<(u64, u16, bool, Payload)>) -> RunRecord {
    let ends = ["10.0.0.1:80", "10.0.0.2:40000"].map(|end| end.parse().unwrap());
    record_between(ends, packets)
}

fn record_between(
    ends: [std::net::SocketAddr; 2],
    packets: Vec<(u64, u16, bool, Payload)>,
) -> RunRecord {
    let event = |(micros, host, lost, payload): (u64, u16, bool, Payload)| {
        let at = Nanos::from_micros(micros);
        let (source, destination) = (ends[usize::from(host)], ends[1 - usize::from(host)]);
        let arrives = (!lost).then_some(at + Nanos(LATENCY));
        let packet = Box::new(Packet { source, destination, arrives, payload });
        Stamped { at, host, tid: 0, event: Event::Packet { packet } }
    };
    RunRecord {
        format: FORMAT,
        build: "b".into(),
        test: "shop::order".into(),
        plan: Plan::default(),
        fingerprint: 1,
        ending: Ending::Completed,
        hosts: vec!["shop".into(), "buyer".into()],
        groups: vec!["shop".into(), "buyer".into()],
        exchanges: vec![],
        properties: vec![],
        events: packets.into_iter().map(event).collect(),
        files: vec![],
        deviations: None,
        stats: Stats::default(),
    }
}

fn segment(sign: Sign, offset: u64, data: &[u8]) -> Payload {
    Payload::Segment { sign, offset, data: data.to_vec() }
}

/// A request, and a reply that is lost once and longer than a packet.
fn http() -> RunRecord {
    let request = b"GET /find?a=1 HTTP/1.1\r\nHost: shop\r\n\r\n";
    let mut reply = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n".to_vec();
    reply.extend([b'x'; 3000]);
    let asked = request.len() as u64;
    record(vec![
        (0, 1, false, segment(Sign::Syn, 0, &[])),
        (500, 0, false, segment(Sign::SynAck, 0, &[])),
        (1_000, 1, false, segment(Sign::Ack, 0, &[])),
        (1_001, 1, false, segment(Sign::Data, 0, request)),
        (1_600, 0, true, segment(Sign::Data, 0, &reply)),
        (201_600, 0, false, segment(Sign::Data, 0, &reply)),
        (202_200, 1, false, segment(Sign::Fin, asked, &[])),
        (202_800, 0, false, segment(Sign::Rst, 0, &[])),
    ])
}

#[test]
fn http_is_dissected_and_every_checksum_is_right() {
    let file = pcapng(&http());
    let fields = ["frame.time_epoch", "ip.src", "tcp.seq", "tcp.ack", "tcp.flags.str", "tcp.len"];
    let more = ["http.request.full_uri", "http.response.code", "frame.comment"];
    let wanted = fields.iter().chain(&more).flat_map(|field| ["-e", field]);
    let arguments: Vec<&str> =
        ["-T", "fields", "-E", "separator=|"].into_iter().chain(wanted).collect();
    let Some(seen) = tshark(&file, &arguments) else { return };
    expect![[r#"
        0.000000000|10.0.0.2|0|0|··········S·|0|||
        0.000500000|10.0.0.1|0|1|·······A··S·|0|||
        0.001000000|10.0.0.2|1|1|·······A····|0|||
        0.001001000|10.0.0.2|1|1|·······AP···|38|http://shop/find?a=1||
        0.001501000|10.0.0.1|1|39|·······A····|0|||
        0.001600000|10.0.0.1|1|39|·······AP···|1460|||lost on the way
        0.001600000|10.0.0.1|1461|39|·······AP···|1460|||lost on the way
        0.001600000|10.0.0.1|2921|39|·······AP···|121||200|lost on the way
        0.201600000|10.0.0.1|1|39|·······AP···|1460|||
        0.201600000|10.0.0.1|1461|39|·······AP···|1460|||
        0.201600000|10.0.0.1|2921|39|·······AP···|121|||
        0.202100000|10.0.0.2|39|3042|·······A····|0|||
        0.202200000|10.0.0.2|39|3042|·······A···F|0|||
        0.202700000|10.0.0.1|3042|40|·······A····|0|||
        0.202800000|10.0.0.1|3042|40|·······A·R··|0|||
    "#]]
    .assert_eq(&seen);
    let wrong = "tcp.checksum.status==0 || ip.checksum.status==0 || _ws.malformed";
    assert_eq!(tshark(&file, &["-Y", wrong]).unwrap(), "");
    let repeated = tshark(&file, &["-Y", "tcp.analysis.retransmission"]).unwrap();
    assert_eq!(repeated.lines().count(), 3, "{repeated}");
    let unheard =
        "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment || tcp.analysis.out_of_order";
    assert_eq!(tshark(&file, &["-Y", unheard]).unwrap(), "");
}

#[test]
fn datagrams_and_addresses_of_both_kinds_are_read() {
    let datagram = |data: &[u8]| Payload::Datagram { data: data.to_vec() };
    let packets = || {
        vec![
            (5, 1, false, datagram(b"ping")),
            (600, 0, true, datagram(&[0; 60_000])),
            (700, 0, false, datagram(b"")),
            (800, 1, false, segment(Sign::Syn, 0, &[])),
        ]
    };
    let six = ["[fd00::1]:80", "[fd00::2]:40000"].map(|end| end.parse().unwrap());
    for record in [record(packets()), record_between(six, packets())] {
        let file = pcapng(&record);
        let arguments =
            ["-T", "fields", "-E", "separator=|", "-e", "udp.length", "-e", "frame.comment"];
        let Some(seen) = tshark(&file, &arguments) else { return };
        assert_eq!(seen, "12|\n60008|lost on the way\n8|\n|\n");
        let wrong = "udp.checksum.status==0 || tcp.checksum.status==0 || ip.checksum.status==0 || _ws.malformed";
        assert_eq!(tshark(&file, &["-Y", wrong]).unwrap(), "");
    }
}

#[test]
fn hosts_have_names_and_the_file_says_what_it_is_of() {
    let file = pcapng(&http());
    let text = String::from_utf8_lossy(&file);
    for name in ["shop::order: baseline", "Bizarro", "\u{0}shop\u{0}", "buyer\u{0}"] {
        assert!(text.contains(name) || text.contains(name.trim_start_matches('\u{0}')), "{name}");
    }
    let Some(seen) = tshark(&file, &["-N", "n", "-c", "1"]) else { return };
    assert!(seen.contains("buyer") && seen.contains("shop"), "{seen}");
    assert_eq!(pcapng(&http()), file);
    // Without packets it is a file all the same.
    assert_eq!(tshark(&pcapng(&record(vec![])), &[]).unwrap(), "");
}
