//! Where a user is at home: at the network and on the device that the user was learned with.

use super::Core;
use crate::model::observation::Keys;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AtHome {
    /// An event that names no address is in no strange network.
    pub network: bool,
    /// An event that names no device is on no strange one.
    pub device: bool,
}

impl AtHome {
    #[must_use]
    pub fn of(core: &Core, keys: &Keys) -> Self {
        let habits = core.baseline();
        Self {
            network: keys.prefix.is_none_or(|key| habits.networks.prefix(key).is_some()),
            device: keys.device.is_none_or(|key| habits.devices.find(key).is_some()),
        }
    }
}
