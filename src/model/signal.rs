//! Signals: what a detector can say, and what it found.

use super::evidence::Evidence;

words! {
    /// Every signal of the contract. A name here without a detector in `engine/signals` is one
    /// that a later version brings; a policy may already name it.
    Signal {
        UnusualLocation = "unusual_location",
        ImpossibleTravel = "impossible_travel",
        NewNetwork = "new_network",
        AnonymousNetwork = "anonymous_network",
        NewDevice = "new_device",
        SessionMismatch = "session_mismatch",
        TokenReuse = "token_reuse",
        SharedDevice = "shared_device",
        UnusualTime = "unusual_time",
        DormantAccount = "dormant_account",
        AnomalousBehavior = "anomalous_behavior",
        FailedBurst = "failed_burst",
        ChallengeFatigue = "challenge_fatigue",
        PasswordSpray = "password_spray",
        CredentialStuffing = "credential_stuffing",
        CredentialChange = "credential_change",
        RareAccess = "rare_access",
        ServiceIdentity = "service_identity",
        Reported = "reported",
    }
}

impl Signal {
    pub const COUNT: usize = Self::ALL.len();

    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

words! {
    /// Why a detector could not speak.
    Why {
        /// The user has too little history for this detector.
        NoBaseline = "no_baseline",
        /// The event's address resolves to no place.
        NoPlace = "no_place",
        /// There is no trusted fix to compare with.
        NoFix = "no_fix",
        /// The event names no address.
        NoAddress = "no_address",
        /// No table knows the address.
        NoNetwork = "no_network",
        /// The event names no device.
        NoDevice = "no_device",
        /// The event names no session, or one that was not seen to start.
        NoSession = "no_session",
        /// No behaviour was seen for this session or device.
        NoBehavior = "no_behavior",
        /// The event names no app.
        NoApp = "no_app",
    }
}

/// What a detector says of one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Does not apply to this type of event.
    NotApplicable,
    /// Looked, and nothing is unusual.
    Quiet,
    /// Applies, and could not look.
    Unknown(Why),
    Found {
        severity: Severity,
        centibans: Centibans,
        evidence: Evidence,
    },
}

/// 0..=1000. From 500 up a signal counts its points; what softens lowers severity, never points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Severity(u16);

impl Severity {
    pub const COUNTS: Self = Self(500);
    /// What a finding is lowered to when everything around it is usual.
    pub const SOFTENED: Self = Self(400);
    pub const FULL: Self = Self(1000);

    #[must_use]
    pub fn new(severity: u32) -> Self {
        Self(u16::try_from(severity.min(1000)).unwrap_or(1000))
    }

    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }
}

/// Weight of evidence in hundredths of a ban: 100 = ten times likelier under attack. -1000..=1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Centibans(i16);

impl Centibans {
    #[must_use]
    pub fn new(centibans: i32) -> Self {
        Self(i16::try_from(centibans.clamp(-1000, 1000)).unwrap_or(0))
    }

    #[must_use]
    pub const fn value(self) -> i16 {
        self.0
    }
}
