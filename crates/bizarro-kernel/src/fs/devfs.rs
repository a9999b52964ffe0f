//! The character devices of /dev that programs count on: what reading and writing them does.

use crate::errno::Errno;

/// A character device, null(4), full(4), random(4), tty(4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// /dev/null
    Null,
    /// /dev/zero
    Zero,
    /// /dev/full
    Full,
    /// /dev/random
    Random,
    /// /dev/urandom
    Urandom,
    /// /dev/tty; no process of a world has a terminal, so it cannot be opened.
    Tty,
}

impl Device {
    /// All devices, with their names in /dev.
    pub const ALL: [(Device, &'static str); 6] = [
        (Device::Null, "null"),
        (Device::Zero, "zero"),
        (Device::Full, "full"),
        (Device::Random, "random"),
        (Device::Urandom, "urandom"),
        (Device::Tty, "tty"),
    ];

    /// Major and minor number, as Linux's `devices.txt` lists them.
    pub const fn number(self) -> (u32, u32) {
        match self {
            Device::Null => (1, 3),
            Device::Zero => (1, 5),
            Device::Full => (1, 7),
            Device::Random => (1, 8),
            Device::Urandom => (1, 9),
            Device::Tty => (5, 0),
        }
    }

    /// The device with these numbers, for mknod(2).
    pub fn from_number(number: (u32, u32)) -> Option<Device> {
        Device::ALL.iter().map(|(device, _)| *device).find(|device| device.number() == number)
    }

    /// Whether it can be opened: `ENXIO` for /dev/tty.
    pub const fn open(self) -> Result<(), Errno> {
        match self {
            Device::Tty => Err(Errno::ENXIO),
            _ => Ok(()),
        }
    }

    /// Reads into `into` and gives how many bytes there were; `random` supplies random bits.
    pub fn read(self, into: &mut [u8], random: &mut dyn FnMut() -> u64) -> Result<usize, Errno> {
        match self {
            Device::Null => return Ok(0),
            Device::Zero | Device::Full => into.fill(0),
            Device::Random | Device::Urandom => {
                for part in into.chunks_mut(8) {
                    let bits = random().to_le_bytes();
                    part.copy_from_slice(&bits[..part.len()]);
                }
            }
            Device::Tty => return Err(Errno::EIO),
        }
        Ok(into.len())
    }

    /// Writes `length` bytes, whatever they are, and gives how many were taken.
    pub fn write(self, length: usize) -> Result<usize, Errno> {
        match self {
            Device::Full => Err(Errno::ENOSPC),
            Device::Tty => Err(Errno::EIO),
            _ => Ok(length),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_give_and_take_what_their_man_pages_say() {
        let mut random = || 0x0807_0605_0403_0201;
        let mut into = [9; 3];
        assert_eq!(Device::Null.read(&mut into, &mut random), Ok(0));
        assert_eq!(Device::Urandom.read(&mut into, &mut random), Ok(3));
        assert_eq!(into, [1, 2, 3]);
        assert_eq!(Device::Zero.read(&mut into, &mut random), Ok(3));
        assert_eq!(into, [0; 3]);
        assert_eq!(Device::Null.write(5), Ok(5));
        assert_eq!(Device::Full.write(5), Err(Errno::ENOSPC));
        assert_eq!(Device::Tty.open(), Err(Errno::ENXIO));
    }

    #[test]
    fn numbers_lead_back_to_their_devices() {
        for (device, _) in Device::ALL {
            assert_eq!(Device::from_number(device.number()), Some(device));
        }
        assert_eq!(Device::from_number((8, 0)), None);
    }
}
