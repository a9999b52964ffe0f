//! Descriptions on their way between processes: SCM_RIGHTS of unix(7).

use crate::kernel::Kernel;
use crate::net::Control;
use crate::object::ObjId;

impl Kernel {
    /// One more holder of what SCM_RIGHTS names: the network, or who peeks at a message.
    pub(crate) fn retain_rights(&mut self, control: &[Control]) {
        for bits in rights_of(control) {
            self.retain(ObjId::from_bits(bits));
        }
    }

    /// One holder less.
    pub(crate) fn release_rights(&mut self, control: &[Control]) {
        for bits in rights_of(control) {
            self.release(ObjId::from_bits(bits));
        }
    }
}

/// The descriptions that control messages carry.
fn rights_of(control: &[Control]) -> impl Iterator<Item = u64> + '_ {
    control.iter().flat_map(|control| match control {
        Control::Rights(rights) => rights.iter().copied(),
        _ => [].iter().copied(),
    })
}
