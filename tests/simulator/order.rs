//! A create request read and checked the way Twilio checks it.

use crate::record::Fields;
use crate::refusal::{Refusal, bad_request};
use reqwest::Url;

/// What a create request asks for.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub to: String,
    pub from: String,
    pub twiml: Twiml,
    pub fallback: Option<Hook>,
    pub status: Option<Hook>,
    /// Of initiated, ringing, answered, completed.
    pub status_events: Vec<String>,
    /// Events given in a form Twilio does not understand.
    pub wrong_events: Vec<String>,
    /// How long to let it ring, in seconds.
    pub timeout_s: u64,
    pub time_limit_s: Option<u64>,
    pub detection: Option<Detection>,
    pub recording: Option<Recording>,
}

/// Where a document comes from.
#[derive(Clone, Debug)]
pub(crate) enum Twiml {
    Inline(String),
    Fetched(Hook),
}

/// A URL to request, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hook {
    pub url: String,
    pub get: bool,
}

/// Answering-machine detection.
#[derive(Clone, Debug)]
pub(crate) struct Detection {
    pub wait_for_end: bool,
    /// With a callback detection runs beside the TwiML, without one before it.
    pub beside: Option<Hook>,
}

#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub dual: bool,
    pub callback: Option<Hook>,
    pub events: String,
}

const EVENTS: [&str; 4] = ["initiated", "ringing", "answered", "completed"];

impl Order {
    pub(crate) fn parse(fields: &Fields) -> Result<Self, Refusal> {
        let value = |name: &str| value(fields, name);
        let to = value("To").ok_or_else(|| bad_request(21201, "No 'To' number is specified"))?;
        let from =
            value("From").ok_or_else(|| bad_request(21213, "No 'From' number is specified"))?;
        let to = phone(to)
            .ok_or_else(|| bad_request(21211, format!("Invalid 'To' Phone Number: {to}")))?;
        let from = phone(from).ok_or_else(|| {
            bad_request(21212, format!("Invalid From Number (caller ID): {from}"))
        })?;
        let hook = |name: &str, code| hook(fields, name, code);
        let twiml = match (hook("Url", 21205)?, value("Twiml")) {
            (Some(hook), _) => Twiml::Fetched(hook),
            (None, Some(inline)) if inline.chars().count() > 4000 => {
                return Err(bad_request(20001, "Twiml must not exceed 4000 characters"));
            }
            (None, Some(inline)) => Twiml::Inline(inline.to_owned()),
            (None, None) => return Err(bad_request(21205, "Url parameter is required.")),
        };
        let (status_events, wrong_events): (Vec<_>, Vec<_>) = values(fields, "StatusCallbackEvent")
            .map(str::to_owned)
            .partition(|event| EVENTS.contains(&event.as_str()));
        Ok(Self {
            to,
            from,
            twiml,
            fallback: hook("FallbackUrl", 21205)?,
            status: hook("StatusCallback", 21609)?,
            status_events: if status_events.is_empty() {
                vec!["completed".to_owned()]
            } else {
                status_events
            },
            wrong_events,
            timeout_s: number(fields, "Timeout")?.unwrap_or(60).min(600),
            time_limit_s: number(fields, "TimeLimit")?,
            detection: detection(fields)?,
            recording: recording(fields)?,
        })
    }
}

fn detection(fields: &Fields) -> Result<Option<Detection>, Refusal> {
    let wait_for_end = match value(fields, "MachineDetection") {
        None => return Ok(None),
        Some("Enable") => false,
        Some("DetectMessageEnd") => true,
        Some(other) => {
            return Err(bad_request(
                20001,
                format!("Invalid MachineDetection: {other}"),
            ));
        }
    };
    // SendDigits turns detection off.
    if value(fields, "SendDigits").is_some() {
        return Ok(None);
    }
    let beside = if value(fields, "AsyncAmd") == Some("true") {
        let missing = || bad_request(21262, "AsyncAmdStatusCallback is required with AsyncAmd");
        Some(hook(fields, "AsyncAmdStatusCallback", 21262)?.ok_or_else(missing)?)
    } else {
        None
    };
    Ok(Some(Detection {
        wait_for_end,
        beside,
    }))
}

fn recording(fields: &Fields) -> Result<Option<Recording>, Refusal> {
    if value(fields, "Record") != Some("true") {
        return Ok(None);
    }
    Ok(Some(Recording {
        dual: value(fields, "RecordingChannels") == Some("dual"),
        callback: hook(fields, "RecordingStatusCallback", 13256)?,
        events: value(fields, "RecordingStatusCallbackEvent")
            .unwrap_or("completed")
            .to_owned(),
    }))
}

/// A document source named by `Url` or `Twiml` in a change of a live call.
pub(crate) fn replacement(fields: &Fields) -> Result<Option<Twiml>, Refusal> {
    Ok(match hook(fields, "Url", 21205)? {
        Some(hook) => Some(Twiml::Fetched(hook)),
        None => value(fields, "Twiml").map(|inline| Twiml::Inline(inline.to_owned())),
    })
}

/// The first value of a field, unless empty.
pub(crate) fn value<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    values(fields, name).next()
}

fn values<'a>(fields: &'a Fields, name: &str) -> impl Iterator<Item = &'a str> {
    fields
        .iter()
        .filter(move |(key, value)| key == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

fn number(fields: &Fields, name: &str) -> Result<Option<u64>, Refusal> {
    value(fields, name)
        .map(|text| text.parse())
        .transpose()
        .map_err(|_| bad_request(20001, format!("{name} must be a number")))
}

/// `<name>` and its method. The method's parameter is `Method` for `Url`, `FallbackMethod` for `FallbackUrl`.
fn hook(fields: &Fields, name: &str, code: u32) -> Result<Option<Hook>, Refusal> {
    let Some(url) = value(fields, name) else {
        return Ok(None);
    };
    let host = Url::parse(url)
        .ok()
        .filter(|parsed| matches!(parsed.scheme(), "http" | "https"))
        .and_then(|parsed| parsed.host_str().map(str::to_owned));
    if url.chars().count() > 4000 || host.is_none_or(|host| host.contains('_')) {
        return Err(bad_request(
            code,
            format!("{name} is not a valid URL: {url}"),
        ));
    }
    let method = match name {
        "Url" => "Method".to_owned(),
        "FallbackUrl" => "FallbackMethod".to_owned(),
        other => format!("{other}Method"),
    };
    Ok(Some(Hook {
        url: url.to_owned(),
        get: value(fields, &method).is_some_and(|method| method.eq_ignore_ascii_case("GET")),
    }))
}

/// Twilio forgives a missing plus and the usual separators.
fn phone(text: &str) -> Option<String> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ' ' | '-' | '(' | ')' | '.'))
        .collect();
    let digits = digits.strip_prefix('+').unwrap_or(&digits);
    let well_formed = (8..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    well_formed.then(|| format!("+{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn names_what_is_missing_or_wrong() {
        let (to, from, url) = (
            ("To", "+15005550006"),
            ("From", "+15005550100"),
            ("Url", "https://h/t"),
        );
        for (given, code) in [
            (vec![from, url], 21201),
            (vec![to, url], 21213),
            (vec![to, from], 21205),
            (vec![("To", "12"), from, url], 21211),
            (vec![to, ("From", "alice"), url], 21212),
            (vec![to, from, ("Url", "/relative")], 21205),
            (vec![to, from, ("Url", "https://a_b.example/")], 21205),
            (vec![to, from, url, ("StatusCallback", "nowhere")], 21609),
            (
                vec![
                    to,
                    from,
                    url,
                    ("MachineDetection", "Enable"),
                    ("AsyncAmd", "true"),
                ],
                21262,
            ),
        ] {
            assert_eq!(
                Order::parse(&fields(&given)).unwrap_err().code,
                code,
                "{given:?}"
            );
        }
    }

    #[test]
    fn events_are_repeated_and_default_to_completed() {
        let base = [
            ("To", "+15005550006"),
            ("From", "+15005550100"),
            ("Twiml", "<Response/>"),
        ];
        assert_eq!(
            Order::parse(&fields(&base)).unwrap().status_events,
            ["completed"]
        );
        let mut given = base.to_vec();
        given.extend([
            ("StatusCallbackEvent", "initiated"),
            ("StatusCallbackEvent", "answered"),
        ]);
        let order = Order::parse(&fields(&given)).unwrap();
        assert_eq!(order.status_events, ["initiated", "answered"]);
        let mut joined = base.to_vec();
        joined.push(("StatusCallbackEvent", "initiated ringing"));
        let order = Order::parse(&fields(&joined)).unwrap();
        assert_eq!(order.status_events, ["completed"]);
        assert_eq!(order.wrong_events, ["initiated ringing"]);
    }
}
