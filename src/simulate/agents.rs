//! User agents as browsers really send them: the version moves with the date.

use crate::model::{Browser, Os};

/// A browser on a system, and how many days behind its releases it updates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agent {
    pub(super) os: Os,
    pub(super) browser: Browser,
    pub(super) lag_days: u8,
}

impl Agent {
    pub(super) fn is_phone(self) -> bool {
        matches!(self.os, Os::Android | Os::Ios)
    }

    /// What it sends on `day` (days since 1970-01-01).
    pub(super) fn text(self, day: i32) -> String {
        let Release { chrome, firefox, safari, safari_minor } = Release::on(day - i32::from(self.lag_days));
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        match (self.os, self.browser) {
            (Os::Other, _) => "python-requests/2.32.3".to_owned(),
            (Os::Ios, Browser::Chrome) => format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS {safari}_{safari_minor} like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) CriOS/{chrome}.0.0.0 Mobile/15E148 Safari/604.1"
            ),
            (Os::Ios, _) => format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS {safari}_{safari_minor} like Mac OS X) AppleWebKit/605.1.15 \
                 (KHTML, like Gecko) Version/{safari}.{safari_minor} Mobile/15E148 Safari/604.1"
            ),
            (Os::Android, Browser::Firefox) => {
                format!(
                    "Mozilla/5.0 (Android 15; Mobile; rv:{firefox}.0) Gecko/{firefox}.0 Firefox/{firefox}.0"
                )
            }
            (Os::Android, Browser::Samsung) => format!(
                "Mozilla/5.0 (Linux; Android 10; K) {webkit} SamsungBrowser/27.0 Chrome/{chrome}.0.0.0 \
                 Mobile Safari/537.36"
            ),
            (Os::Android, _) => {
                format!(
                    "Mozilla/5.0 (Linux; Android 10; K) {webkit} Chrome/{chrome}.0.0.0 Mobile Safari/537.36"
                )
            }
            (os, Browser::Firefox) => {
                let system = match os {
                    Os::Windows => "Windows NT 10.0; Win64; x64",
                    Os::MacOs => "Macintosh; Intel Mac OS X 10.15",
                    _ => "X11; Linux x86_64",
                };
                format!("Mozilla/5.0 ({system}; rv:{firefox}.0) Gecko/20100101 Firefox/{firefox}.0")
            }
            (_, Browser::Safari) => format!(
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                 Version/{safari}.{safari_minor} Safari/605.1.15"
            ),
            (os, browser) => {
                let system = match os {
                    Os::MacOs => "Macintosh; Intel Mac OS X 10_15_7",
                    Os::Linux => "X11; Linux x86_64",
                    Os::ChromeOs => "X11; CrOS x86_64 14541.0.0",
                    _ => "Windows NT 10.0; Win64; x64",
                };
                let edge =
                    if browser == Browser::Edge { format!(" Edg/{chrome}.0.0.0") } else { String::new() };
                format!("Mozilla/5.0 ({system}) {webkit} Chrome/{chrome}.0.0.0 Safari/537.36{edge}")
            }
        }
    }
}

/// Major versions of a day: a new Chrome and Firefox every four weeks, a new Safari a year.
struct Release {
    chrome: i32,
    firefox: i32,
    safari: i32,
    safari_minor: i32,
}

impl Release {
    fn on(day: i32) -> Self {
        let days = (day - CHROME_131).max(0);
        Self {
            chrome: 131 + days / 28,
            firefox: 132 + days / 28,
            safari: 18 + days / 365,
            safari_minor: 1 + days % 365 / 60,
        }
    }
}

/// 2024-11-12.
const CHROME_131: i32 = 20_039;

/// Desktops and phones of a work force, with their shares.
pub(super) const LAPTOPS: &[(u32, Os, Browser)] = &[
    (34, Os::Windows, Browser::Chrome),
    (24, Os::Windows, Browser::Edge),
    (5, Os::Windows, Browser::Firefox),
    (16, Os::MacOs, Browser::Chrome),
    (11, Os::MacOs, Browser::Safari),
    (2, Os::MacOs, Browser::Firefox),
    (3, Os::Linux, Browser::Chrome),
    (3, Os::Linux, Browser::Firefox),
    (2, Os::ChromeOs, Browser::Chrome),
];
pub(super) const PHONES: &[(u32, Os, Browser)] = &[
    (48, Os::Ios, Browser::Safari),
    (7, Os::Ios, Browser::Chrome),
    (33, Os::Android, Browser::Chrome),
    (10, Os::Android, Browser::Samsung),
    (2, Os::Android, Browser::Firefox),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(os: Os, browser: Browser, day: i32, expected: &str) {
        let text = Agent { os, browser, lag_days: 0 }.text(day);
        assert!(text.contains(expected), "{text}");
    }

    #[test]
    fn versions_move_with_the_date() {
        check(Os::Windows, Browser::Chrome, 20_040, "Chrome/131.0.0.0 Safari");
        check(Os::Windows, Browser::Edge, 20_040 + 56, "Edg/133.0.0.0");
        check(Os::Ios, Browser::Safari, 20_040, "iPhone OS 18_1");
        check(Os::MacOs, Browser::Safari, 20_040 + 400, "Version/19.1 Safari");
        check(Os::Linux, Browser::Firefox, 0, "X11; Linux x86_64; rv:132.0");
    }
}
