//! Time as the simulator writes it: unix milliseconds in its own records, RFC 2822 in Twilio's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `Fri, 20 Nov 2026 12:00:00 +0000`.
pub(crate) fn rfc2822(ms: u64) -> String {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(ms);
    at.format(&Rfc2822).unwrap_or_default()
}

/// `2026-11-20T12:00:00Z`, with the milliseconds.
pub(crate) fn rfc3339(ms: u64) -> String {
    let at = OffsetDateTime::UNIX_EPOCH + Duration::from_millis(ms);
    at.format(&Rfc3339).unwrap_or_default()
}

/// Reads the dates of a list filter: `2026-11-20` or a full `2026-11-20T12:00:00Z`.
pub(crate) fn parse_date(text: &str) -> Option<u64> {
    let full = if text.len() == 10 {
        format!("{text}T00:00:00Z")
    } else {
        text.to_owned()
    };
    let at = OffsetDateTime::parse(&full, &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_dates_like_twilio() {
        let at = parse_date("2026-11-20").unwrap();
        assert_eq!(rfc2822(at), "Fri, 20 Nov 2026 00:00:00 +0000");
        assert_eq!(parse_date("2026-11-20T00:00:01Z"), Some(at + 1000));
        assert_eq!(parse_date("yesterday"), None);
    }
}
