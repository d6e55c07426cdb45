//! Lists of networks: a class, or a network and its class, a line.
//!
//! ```text
//! # egress of the company's own VPN
//! 198.51.100.0/24   vpn
//! 2001:db8::/32     hosting
//! class tor         # holds for the lines below that state none
//! 203.0.113.7
//! ```
//!
//! The longest network that holds an address speaks. Kept as sorted ranges without overlap, so a
//! look-up is one binary search.

use std::net::IpAddr;
use std::path::Path;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::Mistake;
use crate::model::NetworkClass;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct List {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
    /// As written, for the atlas.
    pub nets: Vec<(NetworkClass, IpNet)>,
}

impl List {
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Vec<Mistake>> {
        let mut reading = Reading { path, mistakes: Vec::new(), unsaid: 0, nets: Vec::new(), class: None };
        for (number, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            reading.line(number + 1, line);
            if reading.nets.len() > NETS_MAX {
                reading.mistake(
                    (number + 1, 1),
                    "one network more".into(),
                    "at most 2,000,000 networks",
                    "merge neighbours, or split the list by purpose",
                );
                break;
            }
        }
        reading.finish()
    }

    pub(super) fn look_up(&self, address: IpAddr) -> Option<NetworkClass> {
        match address {
            IpAddr::V4(address) => self.v4.look_up(address.into()),
            IpAddr::V6(address) => self.v6.look_up(address.into()),
        }
    }
}

struct Reading<'p> {
    path: &'p Path,
    mistakes: Vec<Mistake>,
    /// Mistakes beyond those that are listed.
    unsaid: usize,
    /// With the line that says so.
    nets: Vec<(IpNet, NetworkClass, usize)>,
    /// Of the last `class` line.
    class: Option<NetworkClass>,
}

impl Reading<'_> {
    fn mistake(
        &mut self,
        place: (usize, usize),
        found: String,
        expected: &'static str,
        remedy: &'static str,
    ) {
        if self.mistakes.len() < MISTAKES_MAX {
            let place = Some(place);
            self.mistakes.push(Mistake { file: self.path.into(), place, found, expected, remedy });
        } else {
            self.unsaid += 1;
        }
    }

    fn line(&mut self, number: usize, line: &[u8]) {
        let Ok(text) = std::str::from_utf8(line) else {
            return self.mistake(
                (number, 1),
                "bytes that are no UTF-8".into(),
                "text",
                "save the list as UTF-8",
            );
        };
        let text = text.split('#').next().unwrap_or_default();
        let mut words = words(text);
        let Some((column, first)) = words.next() else { return };
        let second = words.next();
        if let Some((column, word)) = words.next() {
            let expected = "a network and its class";
            return self.mistake((number, column), quote(word), expected, "write one network a line");
        }
        if first == "class" {
            let (column, word) = second.unwrap_or((column, ""));
            self.class = self.class_of((number, column), word);
            return;
        }
        let class = match second {
            Some((column, word)) => self.class_of((number, column), word),
            None if self.class.is_some() => self.class,
            None => {
                self.mistake(
                    (number, column),
                    format!("{} without a class", quote(first)),
                    CLASSES,
                    "add the class, or a line `class …` above",
                );
                None
            }
        };
        let net = self.net_of((number, column), first);
        if let (Some(class), Some(net)) = (class, net) {
            self.nets.push((net, class, number));
        }
    }

    fn class_of(&mut self, place: (usize, usize), word: &str) -> Option<NetworkClass> {
        let class = NetworkClass::parse(word).filter(|class| *class != NetworkClass::Other);
        if class.is_none() {
            self.mistake(place, quote(word), CLASSES, "write one of these words");
        }
        class
    }

    fn net_of(&mut self, place: (usize, usize), word: &str) -> Option<IpNet> {
        let expected = "a network such as `198.51.100.0/24` or an address";
        let address = || word.parse::<IpAddr>().ok().map(IpNet::from);
        let net = word.parse::<IpNet>().ok().or_else(address);
        let Some(net) = net else {
            self.mistake(place, quote(word), expected, "correct it");
            return None;
        };
        if net != net.trunc() {
            let found = format!("{}, whose address lies inside the network", quote(word));
            self.mistake(
                place,
                found,
                "the network's first address",
                "write the bits after the prefix as zero",
            );
            return None;
        }
        match unmapped(net) {
            Some(net) => Some(net),
            None => {
                self.mistake(place, quote(word), expected, "write IPv4 networks as IPv4");
                None
            }
        }
    }

    fn finish(mut self) -> Result<List, Vec<Mistake>> {
        self.nets.sort_by_key(|(net, _, line)| (net.network(), net.prefix_len(), *line));
        let nets = std::mem::take(&mut self.nets);
        for pair in nets.windows(2) {
            if let [(net, class, line), (again, other, second)] = pair
                && net == again
                && class != other
            {
                let found = format!("{again} as `{other}`, which line {line} says is `{class}`");
                self.mistake((*second, 1), found, "one class a network", "remove one of the two lines");
            }
        }
        if nets.is_empty() && self.mistakes.is_empty() {
            self.mistake(
                (1, 1),
                "no network at all".into(),
                "a network and its class a line",
                "name a list that has some, or leave it out",
            );
        }
        if self.unsaid > 0 {
            let place = None;
            let found = format!("{} more mistakes", self.unsaid);
            let (expected, remedy) = ("a network and its class a line", "mend these first");
            self.mistakes.push(Mistake { file: self.path.into(), place, found, expected, remedy });
        }
        if !self.mistakes.is_empty() {
            return Err(self.mistakes);
        }
        let v4 = nets.iter().filter_map(|(net, class, _)| match net {
            IpNet::V4(net) => Some((u32::from(net.network()), u32::from(net.broadcast()), *class)),
            IpNet::V6(_) => None,
        });
        let v6 = nets.iter().filter_map(|(net, class, _)| match net {
            IpNet::V4(_) => None,
            IpNet::V6(net) => Some((u128::from(net.network()), u128::from(net.broadcast()), *class)),
        });
        Ok(List {
            v4: Ranges::flatten(v4, |end| end.checked_add(1)),
            v6: Ranges::flatten(v6, |end| end.checked_add(1)),
            nets: nets.iter().map(|(net, class, _)| (*class, *net)).collect(),
        })
    }
}

/// Look-ups unmap addresses first, so a list must, too. A mapped network shorter than /96 spans both.
fn unmapped(net: IpNet) -> Option<IpNet> {
    match net {
        IpNet::V6(v6) if Ipv6Net::new(MAPPED.into(), 96).is_ok_and(|mapped| mapped.contains(&v6)) => {
            let address = v6.network().to_ipv4_mapped()?;
            Ipv4Net::new(address, v6.prefix_len().checked_sub(96)?).ok().map(IpNet::V4)
        }
        net => Some(net),
    }
}

/// Words of a line with their columns, from 1.
fn words(line: &str) -> impl Iterator<Item = (usize, &str)> {
    line.split(|letter: char| letter.is_whitespace() || letter == ',')
        .scan(1, |column, word| {
            let here = *column;
            *column += word.chars().count() + 1;
            Some((here, word))
        })
        .filter(|(_, word)| !word.is_empty())
}

fn quote(word: &str) -> String {
    let short: String = word.chars().filter(|letter| !letter.is_control()).take(60).collect();
    format!("`{short}`")
}

/// Ranges without overlap, by start: each holds up to the next one's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Ranges<T> {
    starts: Vec<T>,
    classes: Vec<Option<NetworkClass>>,
}

impl<T: Copy + Ord> Ranges<T> {
    /// From networks sorted by start, wider ones first. Two networks either nest or do not touch,
    /// so a stack of the open ones is enough.
    fn flatten(nets: impl Iterator<Item = (T, T, NetworkClass)>, after: impl Fn(T) -> Option<T>) -> Self {
        let mut ranges = Self { starts: Vec::new(), classes: Vec::new() };
        let mut open: Vec<(T, NetworkClass)> = Vec::new();
        for (start, end, class) in nets {
            ranges.close(&mut open, Some(start), &after);
            open.push((end, class));
            ranges.push(start, Some(class));
        }
        ranges.close(&mut open, None, &after);
        ranges
    }

    /// Closes what ends before `until`; what is around it speaks again.
    fn close(
        &mut self,
        open: &mut Vec<(T, NetworkClass)>,
        until: Option<T>,
        after: &impl Fn(T) -> Option<T>,
    ) {
        while let Some((end, _)) = open.last().copied()
            && until.is_none_or(|until| end < until)
        {
            open.pop();
            if let Some(next) = after(end) {
                self.push(next, open.last().map(|(_, class)| *class));
            }
        }
    }

    fn push(&mut self, start: T, class: Option<NetworkClass>) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.classes.pop();
        }
        if self.classes.last().copied().flatten() != class || self.starts.is_empty() {
            self.starts.push(start);
            self.classes.push(class);
        }
    }

    fn look_up(&self, address: T) -> Option<NetworkClass> {
        let after = self.starts.partition_point(|start| *start <= address);
        *self.classes.get(after.checked_sub(1)?)?
    }
}

const MAPPED: u128 = 0xffff_0000_0000;
const CLASSES: &str = "a class: tor, vpn, proxy, relay, hosting, carrier or satellite";
const NETS_MAX: usize = 2_000_000;
const MISTAKES_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<List, Vec<String>> {
        let told = |mistakes: Vec<Mistake>| mistakes.iter().map(ToString::to_string).collect();
        List::parse(Path::new("nets"), text.as_bytes()).map_err(told)
    }

    #[track_caller]
    fn check(list: &str, address: &str, expected: Option<NetworkClass>) {
        assert_eq!(parse(list).unwrap().look_up(address.parse().unwrap()), expected);
    }

    #[track_caller]
    fn refuses(list: &str, expected: &[&str]) {
        let mistakes = parse(list).unwrap_err();
        assert_eq!(mistakes.len(), expected.len(), "{mistakes:#?}");
        for (mistake, expected) in mistakes.iter().zip(expected) {
            assert!(mistake.starts_with(expected), "{mistake}");
        }
    }

    const LIST: &str = "# ours\n10.0.0.0/8 vpn\r\n10.1.0.0/16,hosting\n\n10.1.2.0/24\tcarrier # a comment\n\
                        class tor\n10.1.2.3\n2001:db8::/32\n2001:db8:1::/48 proxy\n255.255.255.255 relay\n0.0.0.0/32 satellite\n";

    #[test]
    fn the_longest_speaks() {
        use NetworkClass as N;
        check(LIST, "10.9.9.9", Some(N::Vpn));
        check(LIST, "10.1.9.9", Some(N::Hosting));
        check(LIST, "10.1.2.2", Some(N::Carrier));
        check(LIST, "10.1.2.3", Some(N::Tor));
        check(LIST, "10.1.2.4", Some(N::Carrier));
        check(LIST, "10.1.3.0", Some(N::Hosting));
        check(LIST, "10.2.0.0", Some(N::Vpn));
        check(LIST, "2001:db8::1", Some(N::Tor));
        check(LIST, "2001:db8:1::1", Some(N::Proxy));
    }

    #[test]
    fn beside_the_networks_nothing_speaks() {
        use NetworkClass as N;
        check(LIST, "9.255.255.255", None);
        check(LIST, "11.0.0.0", None);
        check(LIST, "0.0.0.0", Some(N::Satellite));
        check(LIST, "0.0.0.1", None);
        check(LIST, "255.255.255.254", None);
        check(LIST, "255.255.255.255", Some(N::Relay));
        check(LIST, "2001:db9::", None);
        check("0.0.0.0/0 vpn", "1.2.3.4", Some(N::Vpn));
        check("::ffff:1.2.3.0/120 vpn", "1.2.3.4", Some(N::Vpn));
    }

    #[test]
    fn all_mistakes_at_once() {
        refuses(
            "10.0.0.0/8\n10.0.0.1/8 vpn\n  nonsense vpn\n10.0.0.0/8 vpm\n1.2.3.0/24 tor extra\nclass\n1.1.1.0/33 vpn\n",
            &[
                "nets:1:1: found `10.0.0.0/8` without a class; expected a class",
                "nets:2:1: found `10.0.0.1/8`, whose",
                "nets:3:3: found `nonsense`;",
                "nets:4:12: found `vpm`;",
                "nets:5:16: found `extra`",
                "nets:6:1: found ``;",
                "nets:7:1: found `1.1.1.0/33`",
            ],
        );
        refuses(
            "1.1.1.0/24 vpn\n1.1.1.0/24 tor\n",
            &["nets:2:1: found 1.1.1.0/24 as `tor`, which line 1 says is `vpn`"],
        );
        refuses("# nothing\n", &["nets:1:1: found no network at all"]);
    }

    #[test]
    fn mistakes_are_counted_and_not_all_listed() {
        let mistakes = parse(&"x\n".repeat(5000)).unwrap_err();
        assert_eq!(mistakes.len(), 101);
        assert!(mistakes[100].contains("more mistakes"), "{}", mistakes[100]);
    }

    proptest::proptest! {
        #[test]
        fn equals_a_search_of_all(nets in proptest::collection::vec((proptest::num::u32::ANY, 0_u8..=32, 0_u8..7), 0..40), at in proptest::num::u32::ANY, pick in 0_usize..40) {
            let mut seen = std::collections::BTreeMap::new();
            for (address, length, class) in nets {
                // Few bits, so that networks nest.
                let net = Ipv4Net::new((address & 0x0307_0f00).into(), length).unwrap().trunc();
                seen.insert(net, NetworkClass::from_code(class).unwrap());
            }
            let text: String = seen.iter().map(|(net, class)| format!("{net} {class}\n")).collect();
            proptest::prop_assume!(!seen.is_empty());
            let list = parse(&text).unwrap();
            let edge = seen.keys().nth(pick % seen.len()).unwrap();
            for at in [at, at & 0x0307_0f00, edge.network().into(), edge.broadcast().into(), u32::from(edge.broadcast()).wrapping_add(1), u32::from(edge.network()).wrapping_sub(1)] {
                let longest = seen.iter().filter(|(net, _)| net.contains(&std::net::Ipv4Addr::from(at))).max_by_key(|(net, _)| net.prefix_len());
                proptest::prop_assert_eq!(list.look_up(IpAddr::V4(at.into())), longest.map(|(_, class)| *class));
            }
        }
    }
}
