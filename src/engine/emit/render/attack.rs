//! What a signal speaks of, in the words of MITRE ATT&CK (Enterprise).

/// A technique: its id and name, and those of the sub-technique where one is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Technique {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) sub: Option<(&'static str, &'static str)>,
}

/// `None` where a signal names no technique: an hour or a silence is unusual and nothing more.
pub(super) fn technique(signal: &str) -> Option<Technique> {
    let (id, name, sub) = match signal {
        "unusual_location" | "impossible_travel" | "new_network" | "new_device" | "reported"
        | "service_identity" => ("T1078", "Valid Accounts", None),
        "anonymous_network" => ("T1090", "Proxy", None),
        "failed_burst" => ("T1110", "Brute Force", None),
        "password_spray" => ("T1110", "Brute Force", Some(("T1110.003", "Password Spraying"))),
        "credential_stuffing" => ("T1110", "Brute Force", Some(("T1110.004", "Credential Stuffing"))),
        "challenge_fatigue" => ("T1621", "Multi-Factor Authentication Request Generation", None),
        "session_mismatch" => {
            ("T1550", "Use Alternate Authentication Material", Some(("T1550.004", "Web Session Cookie")))
        }
        "token_reuse" => (
            "T1550",
            "Use Alternate Authentication Material",
            Some(("T1550.001", "Application Access Token")),
        ),
        "credential_change" => ("T1098", "Account Manipulation", None),
        _ => return None,
    };
    Some(Technique { id, name, sub })
}
