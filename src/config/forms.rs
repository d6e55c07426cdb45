//! What texts of several settings must look like.

use std::time::Duration;

use super::field::Form;

pub(super) const NAME: Form = Form {
    what: "a text that is not empty",
    pattern: "^.+$",
    bytes_max: 4_096,
    is_allowed: |byte| byte != 0,
};
/// It is part of transactional ids and of metrics.
pub(super) const GROUP: Form =
    Form { what: "1 to 200 bytes", pattern: "^.{1,200}$", bytes_max: 200, is_allowed: |byte| byte != 0 };
/// What Kafka takes.
pub(super) const TOPIC: Form = Form {
    what: "a topic's name: letters, digits, `.`, `_` and `-`, at most 249",
    pattern: "^[A-Za-z0-9._-]{1,249}$",
    bytes_max: 249,
    is_allowed: is_plain,
};
pub(super) const ADDRESS: Form = Form {
    what: "an address and a port such as 127.0.0.1:9464, or a port of loopback",
    pattern: r"^([0-9.]+|\[[0-9a-fA-F:.]+\])?:?[0-9]{1,5}$",
    bytes_max: 64,
    is_allowed: |byte| byte.is_ascii_hexdigit() || matches!(byte, b'.' | b':' | b'[' | b']'),
};
pub(super) const URL: Form = Form {
    what: "http:// or https://, a host and perhaps a path",
    pattern: r"^https?://[!-~]+$",
    bytes_max: 2_048,
    is_allowed: |byte| byte.is_ascii_graphic(),
};
/// It stands in group and transactional ids, in logs and in file names of other tools.
pub(super) const INSTANCE: Form = Form {
    what: "1 to 100 letters, digits, `.`, `_` or `-`",
    pattern: "^[A-Za-z0-9._-]{1,100}$",
    bytes_max: 100,
    is_allowed: is_plain,
};

/// It stands in group and transactional ids, in metrics, and as `source` in events.
pub(super) const INPUT: Form = Form {
    what: "a name of 1 to 64 lower-case letters, digits, `.`, `_` or `-`, other than `feedback` and `networks`",
    pattern: "^(?!(feedback|networks)$)[a-z0-9._-]{1,64}$",
    bytes_max: 64,
    is_allowed: |byte| is_plain(byte) && !byte.is_ascii_uppercase(),
};

const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

pub(super) const SECOND: Duration = Duration::from_secs(1);
