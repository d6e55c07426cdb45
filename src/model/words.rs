//! The closed sets of the contracts, each with its one spelling.
//!
//! The spelling in JSON, in Avro, in a policy and in the docs is the same word. A word that a newer
//! sender writes and this version does not know reads as `other` where the set has one.

/// An enum whose variants are words: `name()`, `parse()`, `ALL`, serde both ways.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every word, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }

            /// Place in [`Self::ALL`], which is also its number in stored state.
            #[must_use]
            pub const fn code(self) -> u8 {
                self as u8
            }

            #[must_use]
            pub fn from_code(code: u8) -> Option<Self> {
                Self::ALL.get(usize::from(code)).copied()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }
    };
}

words! {
    /// What happened. The field `type` of an event.
    EventType {
        Login = "login",
        Challenge = "challenge",
        Session = "session",
        Credential = "credential",
        Access = "access",
        Behavior = "behavior",
        Feedback = "feedback",
    }
}

words! {
    SubjectKind { Person = "person", Service = "service", Agent = "agent", Other = "other" }
}

words! {
    Privilege { None = "none", User = "user", Admin = "admin", Other = "other" }
}

words! {
    /// How a login or an access ended.
    Outcome { Success = "success", Failure = "failure", Blocked = "blocked", Other = "other" }
}

words! {
    FailureReason {
        BadCredentials = "bad_credentials",
        UnknownUser = "unknown_user",
        Locked = "locked",
        FactorFailed = "factor_failed",
        Policy = "policy",
        Other = "other",
    }
}

words! {
    ChallengeOutcome {
        Approved = "approved",
        Denied = "denied",
        Failed = "failed",
        Expired = "expired",
        Reported = "reported",
        Other = "other",
    }
}

words! {
    SessionChange { Start = "start", Refresh = "refresh", Context = "context", End = "end", Other = "other" }
}

words! {
    CredentialChange { Create = "create", Update = "update", Reset = "reset", Revoke = "revoke", Other = "other" }
}

words! {
    Verdict {
        Safe = "safe",
        Compromised = "compromised",
        Dismissed = "dismissed",
        /// Forget the user.
        Erase = "erase",
        Other = "other",
    }
}

words! {
    FeedbackBy { User = "user", Analyst = "analyst", System = "system", Other = "other" }
}

words! {
    /// NIST SP 800-63B authenticator assurance levels.
    Assurance { Aal1 = "aal1", Aal2 = "aal2", Aal3 = "aal3", Other = "other" }
}

words! {
    /// An authentication factor, as events present it and policies require it.
    Factor {
        Password = "password",
        Totp = "totp",
        Push = "push",
        Sms = "sms",
        Email = "email",
        BackupCode = "backup_code",
        WebauthnPlatform = "webauthn_platform",
        WebauthnRoaming = "webauthn_roaming",
        Biometric = "biometric",
        HardwareKey = "hardware_key",
        Federated = "federated",
        Other = "other",
    }
}

words! {
    MouseKind { Move = "move", Down = "down", Up = "up", Scroll = "scroll", Other = "other" }
}

words! {
    TouchPhase { Start = "start", Move = "move", End = "end", Cancel = "cancel", Other = "other" }
}

words! {
    /// Ordered: the strictest rule wins.
    Action { Allow = "allow", Challenge = "challenge", StepUp = "step_up", Deny = "deny", Revoke = "revoke" }
}

words! {
    Level { Low = "low", Medium = "medium", High = "high" }
}

words! {
    Mode { Enforce = "enforce", ReportOnly = "report_only" }
}

words! {
    /// How much the engine knows of a user: nothing, little, or 10 learned logins on 5 days.
    History { None = "none", New = "new", Mature = "mature" }
}

words! {
    /// What became of the observation: learned now, held for an answer, never, or too late.
    Learned { Now = "now", Held = "held", No = "no", Late = "late" }
}

words! {
    PlaceSource { Mmdb = "mmdb", Hint = "hint" }
}

words! {
    /// What an address is, beyond a place. Order is strength: the first that matches is stated.
    NetworkClass {
        Tor = "tor",
        Vpn = "vpn",
        Proxy = "proxy",
        Relay = "relay",
        Hosting = "hosting",
        Carrier = "carrier",
        Satellite = "satellite",
        Other = "other",
    }
}

words! {
    Browser {
        Chrome = "Chrome",
        Edge = "Edge",
        Firefox = "Firefox",
        Safari = "Safari",
        Opera = "Opera",
        Samsung = "Samsung Internet",
        InternetExplorer = "Internet Explorer",
        WebView = "WebView",
        Headless = "Headless",
        Tool = "Tool",
        Other = "Other",
    }
}

words! {
    Os {
        Windows = "Windows",
        MacOs = "macOS",
        Linux = "Linux",
        Android = "Android",
        Ios = "iOS",
        ChromeOs = "ChromeOS",
        Other = "Other",
    }
}

words! {
    DeviceKind { Desktop = "desktop", Mobile = "mobile", Tablet = "tablet", Tool = "tool", Other = "other" }
}

words! {
    /// Why a record was not taken. A closed list: dashboards and runbooks name these.
    Reject {
        Malformed = "malformed",
        MissingField = "missing_field",
        BadValue = "bad_value",
        UnknownType = "unknown_type",
        TooLarge = "too_large",
        TooManyPoints = "too_many_points",
        Future = "future",
        Ancient = "ancient",
        Unkeyed = "unkeyed",
        WrongKey = "wrong_key",
        WrongPartition = "wrong_partition",
        UnknownSchema = "unknown_schema",
        PlaceholderUser = "placeholder_user",
        UnsupportedVersion = "unsupported_version",
        Gap = "gap",
        DetectorPanic = "detector_panic",
    }
}

words! {
    AlertKind { Opened = "opened", Updated = "updated", Closed = "closed", Rescored = "rescored", RiskLevel = "risk_level" }
}

words! {
    RevocationScope { Session = "session", User = "user", TokenFamily = "token_family" }
}

words! {
    RevokedBy { Policy = "policy", Analyst = "analyst", User = "user" }
}

/// A set of factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Factors(u16);

impl Factors {
    pub const NONE: Self = Self(0);

    #[must_use]
    pub const fn of(factor: Factor) -> Self {
        Self(1 << factor.code())
    }

    /// As stored; bits that no factor has are dropped.
    #[must_use]
    pub fn from_bits(bits: u16) -> Self {
        Factor::ALL.iter().filter(|factor| bits & Self::of(**factor).0 != 0).copied().collect()
    }

    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    #[must_use]
    pub const fn has(self, factor: Factor) -> bool {
        self.0 & Self::of(factor).0 != 0
    }

    #[must_use]
    pub const fn with(self, factor: Factor) -> Self {
        Self(self.0 | Self::of(factor).0)
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Factor::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Factor> {
        Factor::ALL.iter().copied().filter(move |factor| self.has(*factor))
    }

    /// What these satisfy of what a policy can require: `webauthn_platform` is a password, a TOTP
    /// and a biometric in one gesture; any second factor stands for `totp`.
    #[must_use]
    pub fn satisfied(self) -> Self {
        self.iter().fold(self, |all, factor| {
            all.union(match factor {
                Factor::Push | Factor::Sms | Factor::Email | Factor::BackupCode => Self::of(Factor::Totp),
                Factor::WebauthnPlatform => {
                    Self::of(Factor::Password).with(Factor::Totp).with(Factor::Biometric)
                }
                Factor::WebauthnRoaming => {
                    Self::of(Factor::Password).with(Factor::Totp).with(Factor::HardwareKey)
                }
                Factor::Federated => Self::of(Factor::Password),
                Factor::Password | Factor::Totp | Factor::Biometric | Factor::HardwareKey | Factor::Other => {
                    Self::NONE
                }
            })
        })
    }
}

impl FromIterator<Factor> for Factors {
    fn from_iter<T: IntoIterator<Item = Factor>>(factors: T) -> Self {
        factors.into_iter().fold(Self::NONE, Self::with)
    }
}

impl serde::Serialize for Factors {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq as _;
        let mut list = serializer.serialize_seq(Some(self.0.count_ones() as usize))?;
        for factor in self.iter() {
            list.serialize_element(&factor)?;
        }
        list.end()
    }
}
