//! What an attempt came to, and when the next is made.

use crate::time::Time;
use http::HeaderMap;

/// Seconds from one attempt to the next: eight attempts over a little more than a day.
const PAUSES_S: [u64; 7] = [5, 300, 1_800, 7_200, 18_000, 36_000, 36_000];
/// The longest wait a receiver may ask for with `Retry-After`, in seconds.
const LONGEST_S: u64 = 86_400;

/// What a receiver's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Delivered,
    /// To be tried again, no sooner than the receiver asked for.
    Again {
        no_sooner_s: u64,
    },
    /// Never to be tried again.
    Refused,
    /// The receiver wants no more reports at all.
    Gone,
}

/// Reads an answer. A redirect is not followed: it could lead anywhere.
pub fn verdict(status: u16, headers: &HeaderMap, now: Time) -> Verdict {
    match status {
        200..=299 => Verdict::Delivered,
        410 => Verdict::Gone,
        408 | 425 | 429 | 500..=599 => Verdict::Again {
            no_sooner_s: retry_after_s(headers, now).unwrap_or(0).min(LONGEST_S),
        },
        _ => Verdict::Refused,
    }
}

/// `Retry-After` in its two forms: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after_s(headers: &HeaderMap, now: Time) -> Option<u64> {
    let text = headers.get("retry-after")?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let date = text.strip_suffix("GMT")?;
    let at = Time::parse_rfc2822(&format!("{date}+0000"))?;
    Some(at.0.saturating_sub(now.0).div_ceil(1000))
}

/// When to try again after `tries` attempts in a row have failed; `None` when that was the last. Up to a tenth is added
/// to the pause, so that what failed together does not come again together; by the delivery's id, so that a test can
/// tell.
pub fn next(id: &str, tries: u32, no_sooner_s: u64, now: Time) -> Option<Time> {
    let index = usize::try_from(tries.checked_sub(1)?).ok()?;
    let pause_ms = PAUSES_S.get(index)? * 1000;
    let spread = id.bytes().fold(u64::from(tries), |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte))
    });
    let at = Time(now.0 + pause_ms + pause_ms * (spread % 100) / 1000);
    Some(at.max(now.plus_s(no_sooner_s)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, retry_after: Option<&str>) -> Verdict {
        let mut headers = HeaderMap::new();
        if let Some(value) = retry_after {
            headers.insert("retry-after", value.parse().unwrap());
        }
        // 2026-11-20T09:30:00Z
        verdict(status, &headers, Time(1_795_167_000_000))
    }

    #[test]
    fn answers_mean() {
        let again = |no_sooner_s| Verdict::Again { no_sooner_s };
        for (status, retry_after, means) in [
            (200, None, Verdict::Delivered),
            (204, Some("9"), Verdict::Delivered),
            (299, None, Verdict::Delivered),
            (301, None, Verdict::Refused),
            (307, None, Verdict::Refused),
            (400, None, Verdict::Refused),
            (401, None, Verdict::Refused),
            (404, Some("5"), Verdict::Refused),
            (408, None, again(0)),
            (410, None, Verdict::Gone),
            (425, None, again(0)),
            (429, Some("120"), again(120)),
            (429, Some("99999999"), again(86_400)),
            (429, Some("soon"), again(0)),
            (429, Some("-5"), again(0)),
            (500, None, again(0)),
            (503, Some("Fri, 20 Nov 2026 09:31:00 GMT"), again(60)),
            (503, Some("Fri, 20 Nov 2026 09:29:00 GMT"), again(0)),
            (599, None, again(0)),
            (600, None, Verdict::Refused),
        ] {
            assert_eq!(read(status, retry_after), means, "{status} {retry_after:?}");
        }
    }

    #[test]
    fn pauses_grow_and_end() {
        let now = Time(1_795_167_000_000);
        for (index, pause_s) in PAUSES_S.into_iter().enumerate() {
            let at = next("msg_1", index as u32 + 1, 0, now).unwrap();
            let least = now.plus_s(pause_s);
            assert!(at >= least && at.0 < least.0 + pause_s * 100, "{index}");
        }
        assert_eq!(next("msg_1", 8, 0, now), None);
        assert_eq!(next("msg_1", 1, 3_600, now), Some(now.plus_s(3_600)));
    }

    #[test]
    fn what_failed_together_comes_apart() {
        let at = |id: &str| next(id, 2, 0, Time(0)).unwrap();
        assert_ne!(at("msg_1"), at("msg_2"));
    }
}
