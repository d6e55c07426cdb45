//! Trace context: which trace a record belongs to, as [W3C Trace Context] and the messages that
//! carry it say.
//!
//! It is read strictly: a header that is not in its form is none, and never a reason to refuse a record.
//!
//! [W3C Trace Context]: https://www.w3.org/TR/trace-context/

use super::id::hash64;

/// Names of the headers, in the case that every protocol can carry.
pub const TRACEPARENT: &str = "traceparent";
pub const TRACESTATE: &str = "tracestate";

/// What `traceparent` says: the trace, the span that led to the record, and whether it is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    pub trace: [u8; 16],
    pub span: [u8; 8],
    pub flags: u8,
}

impl TraceParent {
    /// The form of version 00; of a later version, the part of it that version 00 knows.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (known, rest) = text.split_at_checked(LENGTH)?;
        let mut fields = known.split(|byte| *byte == b'-');
        let version = hex::<1>(fields.next()?)?[0];
        let (trace, span) = (hex(fields.next()?)?, hex(fields.next()?)?);
        let flags = hex::<1>(fields.next()?)?[0];
        let is_whole = match version {
            0xff => return None,
            0 => rest.is_empty(),
            _ => matches!(rest, [] | [b'-', ..]) && rest.len() <= LENGTH_MAX - LENGTH,
        };
        let is_stated = trace != [0; 16] && span != [0; 8];
        let known_flags = if version == 0 { SAMPLED | RANDOM } else { SAMPLED };
        (is_whole && is_stated && fields.next().is_none()).then_some(Self {
            trace,
            span,
            flags: flags & known_flags,
        })
    }

    /// Whether whoever began the trace has it recorded.
    #[must_use]
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The same trace, from `span` on.
    #[must_use]
    pub const fn from(self, span: [u8; 8]) -> Self {
        Self { span, ..self }
    }

    /// The header's value.
    #[must_use]
    pub fn text(&self) -> [u8; LENGTH] {
        let mut text = [b'-'; LENGTH];
        let bytes = [0].into_iter().chain(self.trace).chain(self.span).chain([self.flags]);
        for (byte, at) in bytes.zip(PLACES) {
            if let Some([high, low]) = text.get_mut(at..at + 2) {
                (*high, *low) = (digit(byte >> 4), digit(byte & 0xf));
            }
        }
        text
    }
}

/// The id of the span under which `reader` works on the record at `position` of a trace: drawn from
/// what it is about, so that the same work done again has the same id.
#[must_use]
pub fn span_id(parent: TraceParent, reader: &str, topic: &str, partition: i32, offset: i64) -> [u8; 8] {
    let at = [&partition.to_be_bytes()[..], &offset.to_be_bytes()].concat();
    let parts = [&parent.trace[..], &parent.span, reader.as_bytes(), topic.as_bytes(), &at];
    // Zero is no id.
    hash64("ward.span", &parts).max(1).to_be_bytes()
}

/// Whether this is a value of `tracestate` that is worth carrying on.
#[must_use]
pub fn is_state(text: &[u8]) -> bool {
    let members = || {
        let members = text.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        members.filter(|member| !member.is_empty()).map(|member| {
            let key = member.iter().position(|byte| *byte == b'=').unwrap_or(member.len());
            (member.get(..key).unwrap_or_default(), member.get(key + 1..).unwrap_or_default())
        })
    };
    let is_key = |key: &[u8]| {
        key.len() <= STATE_PART_MAX
            && key.first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            && key
                .iter()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/@".contains(byte))
    };
    let is_value = |value: &[u8]| {
        (1..=STATE_PART_MAX).contains(&value.len())
            && value.iter().all(|byte| matches!(byte, b' '..=b'~') && !b",=".contains(byte))
    };
    text.len() <= STATE_BYTES_MAX
        && (1..=STATE_MEMBERS_MAX).contains(&members().count())
        && members().all(|(key, value)| is_key(key) && is_value(value))
        && members().enumerate().all(|(at, (key, _))| members().take(at).all(|(other, _)| other != key))
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_chunks::<2>().0) {
        let [high, low] = pair.map(|digit| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        });
        *byte = high? << 4 | low?;
    }
    Some(bytes)
}

const fn digit(of: u8) -> u8 {
    if of < 10 { b'0' + of } else { b'a' + of - 10 }
}

/// Where the two digits of each byte stand.
const PLACES: [usize; 26] =
    [0, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31, 33, 36, 38, 40, 42, 44, 46, 48, 50, 53];
const LENGTH: usize = 55;
/// Of a later version: a bound, since nobody knows what may follow.
const LENGTH_MAX: usize = 256;
const SAMPLED: u8 = 1;
/// Level 2: the trace id is random. It is not ours to judge, and carried on.
const RANDOM: u8 = 2;
/// What everybody is asked to carry; more is not carried in part.
const STATE_BYTES_MAX: usize = 512;
const STATE_MEMBERS_MAX: usize = 32;
const STATE_PART_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        let read = TraceParent::parse(text.as_bytes());
        let written = read.map(|read| String::from_utf8(read.text().to_vec()).unwrap());
        assert_eq!(written.as_deref(), expected, "{text}");
    }

    #[test]
    fn a_traceparent_is_read_as_the_specification_says() {
        check(GIVEN, Some(GIVEN));
        let flags = |flags: &str| GIVEN.replace("-01", &format!("-{flags}"));
        check(&flags("00"), Some(&flags("00")));
        check(&flags("03"), Some(&flags("03")));
        check(&flags("ff"), Some(&flags("03")));
        for (what, replaced) in [("4bf9", "4BF9"), ("4bf9", "4bg9"), ("-01", "-1"), ("-01", "-01 ")] {
            check(&GIVEN.replace(what, replaced), None);
        }
        check(&GIVEN.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)), None);
        check(&GIVEN.replace("00f067aa0ba902b7", &"0".repeat(16)), None);
        check(&GIVEN.replace("4736-00f0", "47360-0f0"), None);
        check(&format!("{GIVEN}-"), None);
        check("", None);
        for cut in 0..GIVEN.len() {
            check(GIVEN.get(..cut).unwrap(), None);
        }
    }

    #[test]
    fn of_a_later_version_the_known_part_counts() {
        let later = GIVEN.replace("00-4bf9", "cc-4bf9");
        check(&later, Some(GIVEN));
        check(&format!("{later}-what-comes"), Some(GIVEN));
        check(&format!("{later}.what"), None);
        check(&format!("{later}-{}", "x".repeat(LENGTH_MAX)), None);
        check(&later.replace("cc-", "ff-"), None);
        check(&later.replace("-01", "-03"), Some(GIVEN));
    }

    #[track_caller]
    fn check_state(text: &str, expected: bool) {
        assert_eq!(is_state(text.as_bytes()), expected, "{text}");
    }

    #[test]
    fn a_tracestate_is_carried_within_the_limits_only() {
        check_state("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true);
        check_state("rojo=1 , tenant@congo=2,,\t9=x", true);
        check_state("", false);
        check_state(" , ,", false);
        check_state("rojo", false);
        check_state("rojo=", false);
        check_state("=1", false);
        check_state("Rojo=1", false);
        check_state("rojo=1,rojo=2", false);
        check_state("rojo=1=2", false);
        check_state("rojo=\u{e9}", false);
        check_state("rojo=a\nb", false);
        let members = |count: usize| (0..count).map(|n| format!("k{n}=v")).collect::<Vec<_>>().join(",");
        check_state(&members(32), true);
        check_state(&members(33), false);
        check_state(&format!("k={}", "v".repeat(256)), true);
        check_state(&format!("k={}", "v".repeat(257)), false);
        check_state(&format!("a={0},b={0},c={0}", "v".repeat(200)), false);
    }

    #[test]
    fn the_same_work_has_the_same_span_and_other_work_another() {
        let parent = TraceParent::parse(GIVEN.as_bytes()).unwrap();
        let of = |reader, topic, partition, offset| span_id(parent, reader, topic, partition, offset);
        let one = of("g", "t", 0, 1);
        assert_eq!(one, of("g", "t", 0, 1));
        for other in [of("h", "t", 0, 1), of("g", "u", 0, 1), of("g", "t", 1, 1), of("g", "t", 0, 2)] {
            assert_ne!(one, other);
        }
        assert_ne!(one, span_id(parent.from(one), "g", "t", 0, 1));
    }
}
