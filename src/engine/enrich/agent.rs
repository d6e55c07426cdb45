//! User agents: browser, operating system and kind of device, as far as a text can be trusted.
//!
//! Our own table of tools comes first: a parser of browsers takes `HeadlessChrome` for Chrome and
//! knows no `python-requests`. What remains goes to woothee. Silent (`None`) without a user agent;
//! a text that nobody knows is `Other`, which is still a thing a user can be seen with again.

use woothee::parser::Parser;

use crate::engine::memory::Memory;
use crate::model::{Browser, DeviceKind, Os};

/// What a user agent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agent {
    pub browser: Browser,
    pub os: Os,
    pub device: DeviceKind,
}

/// Parses one user agent: about a microsecond. [`Agents`] remembers.
#[must_use]
pub fn parse(text: &str) -> Agent {
    if let Some(browser) = tool(text) {
        return Agent { browser, os: os_of_tool(text), device: DeviceKind::Tool };
    }
    let Some(seen) = Parser::new().parse(text) else {
        return Agent { browser: Browser::Other, os: os_of_tool(text), device: DeviceKind::Other };
    };
    let os = os(seen.os);
    Agent {
        browser: browser(text, seen.name, seen.category),
        os,
        device: device(text, seen.category, seen.os),
    }
}

fn browser(text: &str, name: &str, category: &str) -> Browser {
    match name {
        // Chrome inside an Android app says so only here.
        "Chrome" if text.contains("; wv)") => Browser::WebView,
        "Chrome" => Browser::Chrome,
        "Edge" => Browser::Edge,
        "Firefox" => Browser::Firefox,
        "Safari" => Browser::Safari,
        "Opera" => Browser::Opera,
        "SamsungBrowser" => Browser::Samsung,
        "Internet Explorer" => Browser::InternetExplorer,
        "Webview" => Browser::WebView,
        "HTTP Library" => Browser::Tool,
        _ if category == "crawler" => Browser::Tool,
        _ => Browser::Other,
    }
}

fn os(name: &str) -> Os {
    match name {
        "Windows Phone OS" => Os::Other,
        name if name.starts_with("Windows") => Os::Windows,
        "Mac OSX" => Os::MacOs,
        "Linux" => Os::Linux,
        "Android" => Os::Android,
        "iPhone" | "iPad" | "iPod" | "iOS" => Os::Ios,
        "ChromeOS" => Os::ChromeOs,
        _ => Os::Other,
    }
}

fn device(text: &str, category: &str, os: &str) -> DeviceKind {
    match category {
        "pc" => DeviceKind::Desktop,
        "smartphone" if os == "iPad" || os == "Android" && !text.contains("Mobile") => DeviceKind::Tablet,
        "smartphone" | "mobilephone" => DeviceKind::Mobile,
        "crawler" | "misc" => DeviceKind::Tool,
        _ => DeviceKind::Other,
    }
}

fn tool(text: &str) -> Option<Browser> {
    let holds = |needle: &&str| find_ignoring_case(text, needle);
    if HEADLESS.iter().any(holds) {
        return Some(Browser::Headless);
    }
    let starts = |needle: &&str| starts_ignoring_case(text.as_bytes(), needle);
    (TOOLS.iter().any(starts) || AGENTS.iter().any(holds)).then_some(Browser::Tool)
}

/// Tools state their system in passing, if at all.
fn os_of_tool(text: &str) -> Os {
    const SYSTEMS: &[(&str, Os)] = &[
        ("android", Os::Android),
        ("iphone", Os::Ios),
        ("ipad", Os::Ios),
        ("windows", Os::Windows),
        ("win32", Os::Windows),
        ("macintosh", Os::MacOs),
        ("mac os", Os::MacOs),
        ("macos", Os::MacOs),
        ("darwin", Os::MacOs),
        ("linux", Os::Linux),
    ];
    SYSTEMS.iter().find(|(word, _)| find_ignoring_case(text, word)).map_or(Os::Other, |(_, os)| *os)
}

fn starts_ignoring_case(text: &[u8], lower: &str) -> bool {
    text.get(..lower.len()).is_some_and(|start| start.eq_ignore_ascii_case(lower.as_bytes()))
}

fn find_ignoring_case(text: &str, lower: &str) -> bool {
    let text = text.as_bytes();
    let Some(first) = lower.bytes().next() else { return true };
    (0..text.len()).any(|at| {
        text.get(at).is_some_and(|byte| byte.eq_ignore_ascii_case(&first))
            && text.get(at..).is_some_and(|rest| starts_ignoring_case(rest, lower))
    })
}

/// Browsers that nobody looks at.
const HEADLESS: &[&str] = &[
    "headless",
    "puppeteer",
    "playwright",
    "selenium",
    "phantomjs",
    "electron-fetch",
    "webdriver",
    "cypress/",
];

/// Libraries and command-line tools: their name leads.
const TOOLS: &[&str] = &[
    "curl/",
    "wget/",
    "python-requests",
    "python-urllib",
    "python-httpx",
    "python/",
    "aiohttp",
    "httpx",
    "go-http-client",
    "okhttp",
    "postmanruntime",
    "insomnia/",
    "httpie/",
    "java/",
    "java-http-client",
    "apache-httpclient",
    "jakarta commons-httpclient",
    "axios/",
    "node-fetch",
    "node/",
    "undici",
    "got ",
    "got/",
    "superagent",
    "node-superagent",
    "ruby",
    "faraday",
    "rest-client",
    "guzzlehttp",
    "php/",
    "symfony httpclient",
    "libwww-perl",
    "lwp::",
    "reqwest",
    "hyper/",
    "ureq/",
    "dart/",
    "restsharp",
    "dotnet",
    "microsoft.data",
    "azure-sdk",
    "aws-sdk",
    "aws-cli",
    "boto3",
    "terraform",
    "hashicorp",
    "vault/",
    "kubectl",
    "mozilla/5.0 (windows nt; windows nt 10.0; en-us) windowspowershell",
    "powershell",
    "winhttp",
    "wininet",
    "scrapy",
    "masscan",
    "zgrab",
    "nmap",
    "sqlmap",
    "hydra",
    "ldap",
    "rclone",
    "git/",
];

/// Agents of identity systems, and others whose name stands somewhere inside.
const AGENTS: &[&str] = &[
    "okta ad agent",
    "okta ldap agent",
    "okta-ad-agent",
    "okta-ldap-agent",
    "okta radius",
    "okta-sdk",
    "okta iwa",
    "okta rsa",
    "auth0-",
    "keycloak-admin",
    "msal.",
    "powershell/",
    "bav2ropc",
    "cbainprod",
    "python-requests",
];

/// [`parse`] with a memory: a parse costs more than the rest of enrichment.
#[derive(Debug, Default)]
pub struct Agents(Memory<Agent, PLACES>);

impl Agents {
    pub fn parse(&mut self, text: &str) -> Agent {
        self.0.get_or(text.as_bytes(), || parse(text))
    }
}

/// Twice as many texts: a MiB at most.
const PLACES: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, browser: Browser, os: Os, device: DeviceKind) {
        let expected = Agent { browser, os, device };
        assert_eq!(parse(text), expected, "{text}");
        let mut agents = Agents::default();
        assert_eq!((agents.parse(text), agents.parse(text)), (expected, expected), "{text}, remembered");
    }

    #[test]
    fn browsers_on_desktops() {
        use {Browser as B, DeviceKind::Desktop, Os as O};
        let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        check(mac, B::Chrome, O::MacOs, Desktop);
        let edge = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0";
        check(edge, B::Edge, O::Windows, Desktop);
        check(
            "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            B::Firefox,
            O::Linux,
            Desktop,
        );
        let safari = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15";
        check(safari, B::Safari, O::MacOs, Desktop);
        let cros = "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        check(cros, B::Chrome, O::ChromeOs, Desktop);
        let opera = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0";
        check(opera, B::Opera, O::Windows, Desktop);
    }

    #[test]
    fn phones_and_tablets() {
        use {Browser as B, DeviceKind as D, Os as O};
        let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1";
        check(iphone, B::Safari, O::Ios, D::Mobile);
        let ipad = "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1";
        check(ipad, B::Safari, O::Ios, D::Tablet);
        let pixel = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Mobile Safari/537.36";
        check(pixel, B::Chrome, O::Android, D::Mobile);
        let tab = "Mozilla/5.0 (Linux; Android 14; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36";
        check(tab, B::Chrome, O::Android, D::Tablet);
        let samsung = "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36";
        check(samsung, B::Samsung, O::Android, D::Mobile);
        let webview = "Mozilla/5.0 (Linux; Android 14; SM-S921B; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/122.0.0.0 Mobile Safari/537.36";
        check(webview, B::WebView, O::Android, D::Mobile);
    }

    #[test]
    fn tools_are_no_browsers() {
        use {Browser as B, DeviceKind::Tool, Os as O};
        check("curl/8.9.1", B::Tool, O::Other, Tool);
        check("python-requests/2.32.3", B::Tool, O::Other, Tool);
        check("Go-http-client/2.0", B::Tool, O::Other, Tool);
        check("okhttp/4.12.0", B::Tool, O::Other, Tool);
        check("PostmanRuntime/7.42.0", B::Tool, O::Other, Tool);
        check("Python/3.12 aiohttp/3.10.5", B::Tool, O::Other, Tool);
        check("axios/1.7.7", B::Tool, O::Other, Tool);
        check("Java/17.0.2", B::Tool, O::Other, Tool);
        check("Okta AD Agent/3.18.0 (Windows Server 2019; .NET 4.6.2)", B::Tool, O::Windows, Tool);
        let headless = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/131.0.0.0 Safari/537.36";
        check(headless, B::Headless, O::Linux, Tool);
    }

    #[test]
    fn unknown_texts_are_other() {
        check("something else", Browser::Other, Os::Other, DeviceKind::Other);
        check("\u{0}\u{ffff}é", Browser::Other, Os::Other, DeviceKind::Other);
    }

    #[test]
    fn remembers_more_than_it_has_room_for() {
        let mut agents = Agents::default();
        for round in 0..3 {
            for version in 0..3 * PLACES {
                let text = format!("curl/{version}");
                assert_eq!(agents.parse(&text), parse("curl/8"), "{text} in round {round}");
            }
        }
        assert!(agents.0.len() <= 2 * PLACES && agents.0.len() > PLACES);
    }

    proptest::proptest! {
        #[test]
        fn no_text_stops_it(text in "\\PC{0,200}", words in proptest::collection::vec("(Mozilla/5.0|\\(|\\)|;|Android|Windows|NT |Version/|KDDI-|DoCoMo/|Opera|Safari|like Mac OS X|; CPU|iPhone|Mobile|Firefox/|rv:|[0-9.]{0,4}|é)", 0..12)) {
            for text in [text, words.concat(), words.join(" ")] {
                proptest::prop_assert_eq!(Agents::default().parse(&text), parse(&text));
            }
        }
    }
}
