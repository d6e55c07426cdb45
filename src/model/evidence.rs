//! Evidence: what a detector compared, in numbers. Words are made of it at the edge (`engine/emit`).

use super::place::Country;
use super::words::{Browser, NetworkClass, Os};

/// What was compared, both sides. One variant a detector; integers with a unit in the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    Location {
        places: u16,
        nearest_km: u32,
        spread_km: u32,
        country: Option<Country>,
        country_seen: bool,
        radius_km: u16,
    },
    Travel {
        distance_km: u32,
        elapsed_s: u64,
        least_kmh: u32,
        radii_km: u32,
    },
    Network {
        networks: u16,
        asn: Option<u32>,
        asn_seen: bool,
        country_seen: bool,
    },
    Anonymous {
        class: NetworkClass,
        asn: Option<u32>,
    },
    Device {
        devices: u16,
        browser: Option<Browser>,
        os: Option<Os>,
        browser_seen: bool,
        os_seen: bool,
        network_seen: bool,
    },
    Session {
        device: bool,
        browser: Option<(Browser, Browser)>,
        os: Option<(Os, Os)>,
        age_s: u64,
    },
    Hour {
        share_permille: u16,
        minute_of_day: u16,
        weekend: bool,
        logins: u32,
        usual_minute: u16,
    },
    Behavior {
        batches: u32,
        learned: u32,
        deviation_centi: u32,
        features: u16,
    },
    FailedBurst {
        failures_centi: u32,
        threshold_centi: u32,
        half_life_s: u32,
    },
    Fatigue {
        refused: u16,
        within_s: u32,
        threshold: u16,
    },
    Reported {
        since_s: u64,
        by_device: bool,
        by_session: bool,
    },
}
