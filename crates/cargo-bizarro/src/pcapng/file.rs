//! Blocks of a pcapng file (draft-ietf-opsawg-pcapng), in little-endian order.

use std::net::IpAddr;

use bizarro_record::Nanos;

/// Section Header Block, and what in it tells the order of bytes.
const SECTION: u32 = 0x0A0D_0D0A;
const ORDER: u32 = 0x1A2B_3C4D;
/// Interface Description Block.
const INTERFACE: u32 = 1;
/// Name Resolution Block.
const NAMES: u32 = 4;
/// Enhanced Packet Block.
const PACKET: u32 = 6;

const LINKTYPE_ETHERNET: u16 = 1;

/// Options of blocks.
const OPT_COMMENT: u16 = 1;
const SHB_USERAPPL: u16 = 4;
const IF_NAME: u16 = 2;
const IF_TSRESOL: u16 = 9;
/// Times are in units of 10^-9 seconds.
const NANOSECONDS: u8 = 9;

/// Records of a Name Resolution Block.
const NRB_IPV4: u16 = 1;
const NRB_IPV6: u16 = 2;

/// A file in the making, of one section with one interface: the simulated network.
pub(super) struct File {
    bytes: Vec<u8>,
}

impl File {
    /// Without packets. `about` says what it is of.
    pub(super) fn new(about: &str) -> File {
        let mut file = File { bytes: Vec::new() };
        let mut section = Vec::new();
        section.extend(ORDER.to_le_bytes());
        // Version 1.0; the section's length is not told.
        section.extend([1, 0, 0, 0]);
        section.extend((-1_i64).to_le_bytes());
        option(&mut section, OPT_COMMENT, about.as_bytes());
        option(&mut section, SHB_USERAPPL, b"Bizarro");
        end_options(&mut section);
        file.block(SECTION, &section);
        let mut interface = Vec::new();
        interface.extend(LINKTYPE_ETHERNET.to_le_bytes());
        // Two bytes of nothing, and packets of any length.
        interface.extend([0; 2 + 4]);
        option(&mut interface, IF_NAME, b"simulated network");
        option(&mut interface, IF_TSRESOL, &[NANOSECONDS]);
        end_options(&mut interface);
        file.block(INTERFACE, &interface);
        file
    }

    /// What addresses are called.
    pub(super) fn names(&mut self, names: &[(IpAddr, &str)]) {
        let mut body = Vec::new();
        for (ip, name) in names {
            let (kind, mut record) = match ip {
                IpAddr::V4(ip) => (NRB_IPV4, ip.octets().to_vec()),
                IpAddr::V6(ip) => (NRB_IPV6, ip.octets().to_vec()),
            };
            record.extend(name.as_bytes());
            record.push(0);
            option(&mut body, kind, &record);
        }
        // The end of records is written as that of options.
        end_options(&mut body);
        self.block(NAMES, &body);
    }

    /// A packet that left at `at`.
    pub(super) fn packet(&mut self, at: Nanos, bytes: &[u8], lost: bool) {
        let length = bytes.len() as u32;
        let mut body = Vec::with_capacity(bytes.len() + 64);
        body.extend(0_u32.to_le_bytes());
        body.extend(((at.0 >> 32) as u32).to_le_bytes());
        body.extend((at.0 as u32).to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(length.to_le_bytes());
        body.extend(bytes);
        pad(&mut body);
        if lost {
            option(&mut body, OPT_COMMENT, b"lost on the way");
            end_options(&mut body);
        }
        self.block(PACKET, &body);
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The length of a block stands at both of its ends.
    fn block(&mut self, kind: u32, body: &[u8]) {
        let length = (body.len() as u32 + 12).to_le_bytes();
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.extend(length);
    }
}

/// A value with its kind and length, which is cut where it could not be told.
fn option(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    body.extend(kind.to_le_bytes());
    body.extend((value.len() as u16).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Everything begins at a multiple of four bytes.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
