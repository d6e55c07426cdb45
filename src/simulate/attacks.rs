//! The attacks, and every number that describes them. Written before the detectors were tuned, and
//! changed only when an attack is unlike what is seen in the field, never because one slips through.
//!
//! Whoever is attacked, when and how is decided per user from the seed; `campaign` plays it.

use std::ops::RangeInclusive;

macro_rules! attacks {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// What happens to an account.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Attack { $($(#[$doc])* $variant),+ }

        impl Attack {
            /// Every kind there is.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),+];

            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

attacks! {
    /// The password is used from another country, on a device never seen, with nothing but the password.
    StolenPasswordAbroad = "stolen_password_abroad",
    /// The same, from a home connection in the victim's own town.
    SameCity = "same_city",
    /// A live session goes on from another device, browser and address.
    SessionTheft = "session_theft",
    /// The password is known; prompts are sent until one is approved.
    MfaFatigue = "mfa_fatigue",
    /// Somebody with password and codes keeps the victim's hours and browser, and takes more each day.
    SlowTakeover = "slow_takeover",
    /// The user, on the own device and at the usual place, at night, in apps never used before.
    Insider = "insider",
    /// A few passwords that somebody always has are tried on half of a company.
    PasswordSpray = "password_spray",
    /// Names and passwords that another site has lost are tried once each; many of the names are nobody's.
    CredentialStuffing = "credential_stuffing",
}

impl Attack {
    /// Those that are on one user: what `all` means. A raid is on many at once, and asked for by its name, so
    /// that what was made without them is made again byte for byte.
    pub const ALL: &'static [Self] = &[
        Self::StolenPasswordAbroad,
        Self::SameCity,
        Self::SessionTheft,
        Self::MfaFatigue,
        Self::SlowTakeover,
        Self::Insider,
    ];

    #[must_use]
    pub const fn is_raid(self) -> bool {
        matches!(self, Self::PasswordSpray | Self::CredentialStuffing)
    }
}

/// One user in this many is attacked by somebody who means just them, once in every [`SEASON_DAYS`]; kinds take turns.
pub const ONE_USER_IN: u32 = 8;
pub const SEASON_DAYS: u32 = 60;
/// No attack before this day: the baselines of a new system are nobody's yardstick. A run too short
/// for that has its attacks in its second half.
pub const FIRST_DAY: u32 = 20;

/// What a thief does once inside: accesses, and the minutes over which they spread.
pub const LOOT_ACCESSES: RangeInclusive<u32> = 2..=5;
pub const LOOT_MINUTES: RangeInclusive<u32> = 4..=40;
/// A thief who types or pastes by hand sends behaviour, too; a script sends none.
pub const THIEF_SENDS_BEHAVIOR_PERMILLE: u32 = 300;

/// [`Attack::StolenPasswordAbroad`].
pub mod abroad {
    use super::RangeInclusive;
    /// Another country, and at least this far from home.
    pub const DISTANCE_KM_MIN: u32 = 1_000;
    pub const FAILED_TRIES: RangeInclusive<u32> = 0..=2;
    /// Same operating system and browser as the victim's, by chance or by intent.
    pub const COPIES_BROWSER_PERMILLE: u32 = 350;
    /// Out of a data centre rather than a home connection, where the tables know one abroad.
    pub const FROM_HOSTING_PERMILLE: u32 = 250;
}

/// [`Attack::SameCity`].
pub mod same_city {
    use super::RangeInclusive;
    pub const FAILED_TRIES: RangeInclusive<u32> = 0..=3;
    pub const COPIES_BROWSER_PERMILLE: u32 = 350;
    /// In the victim's waking hours; otherwise at any time.
    pub const WAKING_HOURS_PERMILLE: u32 = 700;
}

/// [`Attack::SessionTheft`].
pub mod theft {
    use super::RangeInclusive;
    /// After the victim's login.
    pub const MINUTES_AFTER_LOGIN: RangeInclusive<u32> = 5..=50;
    /// From another country; otherwise from the victim's own.
    pub const ABROAD_PERMILLE: u32 = 600;
    /// The cookie is replayed in the browser it was taken from (stealers sell the user agent along).
    pub const COPIES_BROWSER_PERMILLE: u32 = 300;
    /// How long the victim goes on before the session ends under both.
    pub const VICTIM_MINUTES_LEFT: RangeInclusive<u32> = 1..=10;
}

/// [`Attack::MfaFatigue`].
pub mod fatigue {
    use super::RangeInclusive;
    pub const PROMPTS_REFUSED: RangeInclusive<u32> = 6..=14;
    pub const SECONDS_BETWEEN_PROMPTS: RangeInclusive<u32> = 20..=75;
    /// The rest are left to expire.
    pub const DENIED_PERMILLE: u32 = 550;
    pub const ABROAD_PERMILLE: u32 = 500;
    pub const COPIES_BROWSER_PERMILLE: u32 = 350;
    pub const FAILED_TRIES: RangeInclusive<u32> = 0..=1;
    /// At night, when a tired person presses "yes": local hours.
    pub const NIGHT_PERMILLE: u32 = 400;
}

/// [`Attack::SlowTakeover`].
pub mod slow {
    /// Days from the first login to the last.
    pub const DAYS: u32 = 10;
    /// Logins on the days of the first, second and last third.
    pub const LOGINS_BY_THIRD: [u32; 3] = [1, 2, 3];
    /// Days of the first two thirds on which nothing is done at all.
    pub const IDLE_PERMILLE: u32 = 300;
    /// Within this many minutes of one of the victim's own logins.
    pub const HOURS_KEPT_MINUTES: u32 = 50;
    /// From the last third on, apps that the victim never opens.
    pub const RARE_APP_PERMILLE: u32 = 600;
}

/// [`Attack::Insider`].
pub mod insider {
    use super::RangeInclusive;
    pub const NIGHTS: u32 = 3;
    /// Within this many days.
    pub const DAYS: u32 = 8;
    /// Hours after the middle of the victim's free time (for a day worker: 01:30 local).
    pub const MINUTES_AROUND_MID_REST: u32 = 90;
    pub const RARE_ACCESSES: RangeInclusive<u32> = 4..=9;
    pub const ADMIN_PERMILLE: u32 = 400;
}

/// [`Attack::PasswordSpray`], once in [`SEASON_DAYS`].
pub mod spray {
    use super::RangeInclusive;
    pub const TRIED_PERMILLE: u32 = 500;
    /// Passwords, one a round: fewer than lock an account.
    pub const ROUNDS: RangeInclusive<u32> = 2..=4;
    pub const MINUTES_A_ROUND: RangeInclusive<u32> = 20..=60;
    pub const MINUTES_BETWEEN_ROUNDS: RangeInclusive<u32> = 30..=120;
    /// Of those who are tried, who have one of the passwords.
    pub const WEAK_PERMILLE: u32 = 20;
    /// Machines from which it comes.
    pub const EXITS: RangeInclusive<u32> = 1..=3;
}

/// [`Attack::CredentialStuffing`], once in [`SEASON_DAYS`].
pub mod stuffing {
    use super::RangeInclusive;
    /// Of the company's people, whose names are among those that were lost elsewhere.
    pub const TRIED_PERMILLE: u32 = 300;
    /// Names that are nobody's here, for each thousand users of the run.
    pub const NOBODIES_PERMILLE: u32 = 300;
    pub const MINUTES: u32 = 90;
    /// Of those who are tried, whose password is the same here.
    pub const REUSED_PERMILLE: u32 = 40;
    pub const EXITS: RangeInclusive<u32> = 1..=4;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_contract() {
        let names: Vec<_> = Attack::KNOWN.iter().map(|attack| attack.name()).collect();
        assert_eq!(
            names,
            [
                "stolen_password_abroad",
                "same_city",
                "session_theft",
                "mfa_fatigue",
                "slow_takeover",
                "insider",
                "password_spray",
                "credential_stuffing"
            ]
        );
        let single: Vec<_> = Attack::KNOWN.iter().copied().filter(|attack| !attack.is_raid()).collect();
        assert_eq!(single, Attack::ALL);
        assert_eq!(Attack::parse("insider"), Some(Attack::Insider));
        assert_eq!(Attack::parse("Insider"), None);
    }
}
