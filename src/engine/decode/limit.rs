//! The limits of an event. What an attacker chooses freely (user agent, fingerprints, resource) is
//! cut, never refused: nobody may choose to go unscored by sending something long. What an
//! identity system chooses is refused beyond its limit: cut ids would be other ids.

use std::time::Duration;

/// One record. Kafka's own default limit, so that what a broker takes, the engine reads.
pub const EVENT_BYTES_MAX: usize = 1 << 20;
/// Ids and handles: event, session, token, challenge, evaluation, the vendor's own.
pub const ID_BYTES_MAX: usize = 256;
/// Names: source, app, context, groups, parts of a place, a key's label.
pub const NAME_BYTES_MAX: usize = 256;
/// User agent, resource, device and TLS fingerprint: longer ones are cut at this.
pub const FREE_BYTES_MAX: usize = 1024;
pub const GROUPS_MAX: usize = 64;
/// Addresses of `ip_chain`; a forwarded header of a sane proxy has three.
pub const CHAIN_MAX: usize = 32;
pub const FACTORS_MAX: usize = 32;
/// Keyboard, mouse and touch events together, of one batch.
pub const POINTS_MAX: usize = 2_000;
/// Times within a batch: a page's age or milliseconds since 1970, with room.
pub const T_MS_MAX: f64 = 1e13;
/// Coordinates on a screen.
pub const PIXELS_MAX: f64 = 1e6;
/// Pressure and size of a touch; 0 to 1 in most browsers, raw sensor units in some.
pub const TOUCH_MAX: f64 = 1e6;
pub const BUTTON_MAX: f64 = 255.0;
/// A minute: nothing that answers is farther.
pub const RTT_MS_MAX: f64 = 60_000.0;
/// Half the earth's circumference.
pub const RADIUS_KM_MAX: f64 = 20_040.0;
/// How far after its record's own time an event may lie: clocks of identity systems disagree.
pub const FUTURE_MAX: Duration = Duration::from_secs(5 * 60);
/// How far before its record's own time an event may lie, unless configured otherwise.
pub const AGE_MAX: Duration = Duration::from_secs(30 * 86_400);

/// What vendors send for "nobody", lower case. `[identity] placeholders` takes their place.
pub const PLACEHOLDERS: &[&str] = &[
    "null",
    "(null)",
    "nil",
    "none",
    "undefined",
    "unknown",
    "anonymous",
    "n/a",
    "nan",
    "-",
    "--",
    "[object object]",
    "00000000-0000-0000-0000-000000000000",
];
