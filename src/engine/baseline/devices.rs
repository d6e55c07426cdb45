//! Devices: fingerprints that a user was seen with, and what browser they run.

use super::codec::{Error, Reader, Writer};
use super::decay::Remains;
use super::few::Few;
use super::habits::{count_day, grow, read_day, read_weight, write_day};
use crate::model::{Browser, DeviceKind, Os};

pub const DEVICES_MAX: usize = 8;

/// Browser, system and kind of device, as the user agent states them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Client {
    pub browser: Option<Browser>,
    pub os: Option<Os>,
    pub kind: Option<DeviceKind>,
}

impl Client {
    /// 12 bits, four each; 0 is none.
    #[must_use]
    pub fn code(self) -> u16 {
        let code = |code: Option<u8>| code.map_or(0, |code| u16::from(code) + 1);
        code(self.browser.map(Browser::code))
            | code(self.os.map(Os::code)) << 4
            | code(self.kind.map(DeviceKind::code)) << 8
    }

    pub fn from_code(code: u16) -> Result<Self, Error> {
        fn word<T>(code: u16, word: impl Fn(u8) -> Option<T>) -> Result<Option<T>, Error> {
            match u8::try_from(code & 15).unwrap_or(0) {
                0 => Ok(None),
                code => word(code - 1).map(Some).ok_or(Error::Range("client")),
            }
        }
        if code >> 12 != 0 {
            return Err(Error::Range("client"));
        }
        Ok(Self {
            browser: word(code, Browser::from_code)?,
            os: word(code >> 4, Os::from_code)?,
            kind: word(code >> 8, DeviceKind::from_code)?,
        })
    }
}

/// A learned device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// [`crate::model::observation::Keys::device`].
    pub key: u64,
    /// As last seen.
    pub client: Client,
    pub weight: u32,
    /// Distinct days on which it was learned, at most 255.
    pub days: u8,
    pub last_day: i32,
}

/// The devices of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Devices(Few<Device, DEVICES_MAX>);

impl Devices {
    pub fn iter(&self) -> std::slice::Iter<'_, Device> {
        self.0.iter()
    }

    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Device> {
        self.0.get(index)
    }

    #[must_use]
    pub fn position(&self, key: u64) -> Option<usize> {
        self.iter().position(|device| device.key == key)
    }

    #[must_use]
    pub fn find(&self, key: u64) -> Option<&Device> {
        self.iter().find(|device| device.key == key)
    }

    #[must_use]
    pub fn knows_browser(&self, browser: Browser) -> bool {
        self.iter().any(|device| device.client.browser == Some(browser))
    }

    #[must_use]
    pub fn knows_os(&self, os: Os) -> bool {
        self.iter().any(|device| device.client.os == Some(os))
    }

    pub(super) fn learn(&mut self, key: u64, client: Client, weight: u32, day: i32) {
        if let Some(device) = self.0.iter_mut().find(|device| device.key == key) {
            grow(&mut device.weight, weight);
            if client != Client::default() {
                device.client = client;
            }
            count_day(&mut device.days, &mut device.last_day, day);
        } else {
            let device = Device { key, client, weight, days: 1, last_day: day };
            self.0.push_over(device, |device| (device.weight, device.last_day));
        }
    }

    pub(super) fn decay(&mut self, remains: Remains) {
        self.0.retain_mut(|device| {
            device.weight = remains.of(device.weight);
            device.weight > 0
        });
    }

    pub(super) fn write(&self, to: &mut Writer<'_>, day: i32) {
        to.size(self.len());
        for device in self.iter() {
            to.key64(device.key);
            to.uint(device.client.code().into());
            to.uint(device.weight.into());
            to.byte(device.days);
            write_day(to, day, device.last_day);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>, day: i32) -> Result<Self, Error> {
        let mut devices = Few::default();
        for _ in 0..from.size(DEVICES_MAX, "devices")? {
            devices.push(Device {
                key: from.key64()?,
                client: Client::from_code(from.number("client")?)?,
                weight: read_weight(from)?,
                days: from.byte()?,
                last_day: read_day(from, day)?,
            });
        }
        Ok(Self(devices))
    }
}
