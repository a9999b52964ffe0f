//! ioctl(2) on sockets: what is queued, and netdevice(7).

use alloc::format;
use core::net::IpAddr;

use crate::errno::{Errno, Stop, SysResult};
use crate::kernel::Kernel;
use crate::net::{Interface, SockId};
use crate::seams::GuestMemory;

/// The requests of netdevice(7) and sockios(7), from the kernel's linux/sockios.h.
const SIOCATMARK: u64 = 0x8905;
const SIOCGIFNAME: u64 = 0x8910;
const SIOCGIFCONF: u64 = 0x8912;
const SIOCGIFFLAGS: u64 = 0x8913;
const SIOCGIFADDR: u64 = 0x8915;
const SIOCGIFBRDADDR: u64 = 0x8919;
const SIOCGIFNETMASK: u64 = 0x891b;
const SIOCGIFMTU: u64 = 0x8921;
const SIOCGIFHWADDR: u64 = 0x8927;
const SIOCGIFINDEX: u64 = 0x8933;

/// Length of `struct ifreq`: a name of [`NAME`] bytes and a union.
const IFREQ: usize = 40;
const NAME: usize = 16;
/// `ARPHRD_ETHER` and `ARPHRD_LOOPBACK`.
const ETHER: u16 = 1;
const LOOPBACK: u16 = 772;

impl Kernel {
    /// ioctl(2)s that only sockets have.
    pub(crate) fn socket_ioctl(
        &mut self,
        memory: &mut dyn GuestMemory,
        socket: SockId,
        request: u64,
        addr: u64,
    ) -> SysResult {
        match request {
            libc::TIOCOUTQ => {
                let unsent = self.net.unsent(socket)?;
                memory.write_u32(addr, unsent as u32)?;
            }
            SIOCATMARK => {
                let at_mark = self.net.at_mark(socket)?;
                memory.write_u32(addr, u32::from(at_mark))?;
            }
            SIOCGIFCONF => self.list_interfaces(memory, addr)?,
            SIOCGIFNAME => {
                let index = memory.read_u32(addr + NAME as u64)?;
                let found = self.interfaces().find(|interface| interface.index == index);
                memory.write(addr, &name(&found.ok_or(Errno::ENODEV)?))?;
            }
            SIOCGIFFLAGS | SIOCGIFADDR | SIOCGIFBRDADDR | SIOCGIFNETMASK | SIOCGIFMTU
            | SIOCGIFHWADDR | SIOCGIFINDEX => {
                let asked = memory.read_vec(addr, NAME)?;
                let found =
                    self.interfaces().find(|interface| name(interface)[..] == padded(&asked));
                let found = found.ok_or(Errno::ENODEV)?;
                memory.write(addr + NAME as u64, &detail(&found, request)?)?;
            }
            request => return Err(Stop::Unsupported(format!("ioctl {request:#x} on a socket"))),
        }
        Ok(0)
    }

    fn interfaces(&self) -> impl Iterator<Item = Interface> {
        self.net.interfaces(self.host_id().0).into_iter()
    }

    /// SIOCGIFCONF: the interfaces that have an IPv4 address, as many as fit; without a buffer, the room they need.
    fn list_interfaces(&self, memory: &mut dyn GuestMemory, ifconf: u64) -> Result<(), Errno> {
        let room = usize::try_from(memory.read_i32(ifconf)?).map_err(|_| Errno::EINVAL)?;
        let buffer = memory.read_u64(ifconf + 8)?;
        let mut length = 0;
        for interface in self.interfaces() {
            let Ok(address) = detail(&interface, SIOCGIFADDR) else { continue };
            if buffer != 0 {
                if length + IFREQ > room {
                    break;
                }
                let mut entry = [0; IFREQ];
                entry[..NAME].copy_from_slice(&name(&interface));
                entry[NAME..NAME + address.len()].copy_from_slice(&address);
                memory.write(buffer + length as u64, &entry)?;
            }
            length += IFREQ;
        }
        memory.write_i32(ifconf, length as i32)
    }
}

fn name(interface: &Interface) -> [u8; NAME] {
    padded(interface.name.as_bytes())
}

/// A name as `ifr_name` has it: what follows its NUL does not count.
fn padded(name: &[u8]) -> [u8; NAME] {
    let mut whole = [0; NAME];
    for (to, from) in whole[..NAME - 1].iter_mut().zip(name.iter().take_while(|byte| **byte != 0)) {
        *to = *from;
    }
    whole
}

/// What `struct ifreq` has beside the name.
fn detail(interface: &Interface, request: u64) -> Result<[u8; 16], Errno> {
    let mut into = [0; 16];
    match request {
        SIOCGIFFLAGS => into[..2].copy_from_slice(&(interface.flags as u16).to_ne_bytes()),
        SIOCGIFMTU => into[..4].copy_from_slice(&interface.mtu.to_ne_bytes()),
        SIOCGIFINDEX => into[..4].copy_from_slice(&interface.index.to_ne_bytes()),
        SIOCGIFHWADDR => {
            let is_loopback = interface.flags & libc::IFF_LOOPBACK as u32 != 0;
            let kind = if is_loopback { LOOPBACK } else { ETHER };
            into[..2].copy_from_slice(&kind.to_ne_bytes());
            into[2..8].copy_from_slice(&interface.mac);
        }
        _ => {
            let address = interface.addresses.iter().find_map(|(ip, length)| match ip {
                IpAddr::V4(ip) => Some((ip.to_bits(), u32::MAX << (32 - u32::from(*length)))),
                IpAddr::V6(_) => None,
            });
            let (ip, mask) = address.ok_or(Errno::EADDRNOTAVAIL)?;
            let has_broadcast = interface.flags & libc::IFF_BROADCAST as u32 != 0;
            let shown = match request {
                SIOCGIFNETMASK => mask,
                SIOCGIFBRDADDR if has_broadcast => ip | !mask,
                SIOCGIFBRDADDR => 0,
                _ => ip,
            };
            into[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
            into[4..8].copy_from_slice(&shown.to_be_bytes());
        }
    }
    Ok(into)
}
