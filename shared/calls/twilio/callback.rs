//! What Twilio's callbacks say, as events. The form is read only after its signature was checked.
//! Source: Twilio, "Call resource": status, asynchronous AMD and recording callbacks.

use crate::event::{Event, Status, Told, mailbox_listens};
use crate::time::Time;
use std::collections::BTreeMap;

/// A callback's form.
pub struct Form(BTreeMap<String, String>);

impl Form {
    /// Of a repeated field the first value counts.
    pub fn read(body: &[u8]) -> Form {
        let mut fields = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(body) {
            fields
                .entry(name.into_owned())
                .or_insert_with(|| value.into_owned());
        }
        Form(fields)
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name)?.parse().ok()
    }

    pub fn call_sid(&self) -> Option<&str> {
        self.get("CallSid")
    }

    /// The account the callback is about.
    pub fn account_sid(&self) -> Option<&str> {
        self.get("AccountSid")
    }

    /// The events of a status callback. AnsweredBy may come along on any of them. None for a status nobody knows.
    pub fn status(&self, now: Time) -> Option<Vec<Event>> {
        let status = Status::parse(self.get("CallStatus")?)?;
        let mut events = vec![Event::Provider {
            at: now,
            told: Told::Callback,
            status,
            sid: self.call_sid()?.to_owned(),
            happened: self.get("Timestamp").and_then(Time::parse_rfc2822),
            duration_s: self.number("CallDuration"),
            sip: self.number("SipResponseCode"),
            error: self.number("ErrorCode"),
        }];
        events.extend(self.answered_by(now));
        events.extend(self.recording(now));
        Some(events)
    }

    /// What answered, from whichever callback says so.
    pub fn answered_by(&self, now: Time) -> Option<Event> {
        let answered_by = self.get("AnsweredBy")?.to_owned();
        Some(Event::AnsweredBy {
            at: now,
            answered_by,
        })
    }

    /// Whether this callback says that a mailbox has finished its greeting and listens.
    pub fn mailbox_listens(&self) -> bool {
        self.get("AnsweredBy").is_some_and(mailbox_listens)
    }

    /// A finished recording.
    pub fn recording(&self, now: Time) -> Option<Event> {
        let finished = self
            .get("RecordingStatus")
            .is_none_or(|status| status == "completed");
        let url = self.get("RecordingUrl").filter(|_| finished)?.to_owned();
        Some(Event::Recording {
            at: now,
            url,
            duration_s: self.number("RecordingDuration"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_completed_callback() {
        let form = Form::read(
            b"CallSid=CA1&CallStatus=completed&CallDuration=12&SipResponseCode=200&AnsweredBy=human\
              &Timestamp=Fri%2C%2020%20Nov%202026%2009%3A30%3A00%20%2B0000&ErrorCode=&RecordingUrl=",
        );
        let events = form.status(Time(5)).unwrap();
        assert_eq!(
            events,
            [
                Event::Provider {
                    at: Time(5),
                    told: Told::Callback,
                    status: Status::Completed,
                    sid: "CA1".to_owned(),
                    happened: Some(Time(1_795_167_000_000)),
                    duration_s: Some(12),
                    sip: Some(200),
                    error: None,
                },
                Event::AnsweredBy {
                    at: Time(5),
                    answered_by: "human".to_owned()
                },
            ]
        );
    }

    #[test]
    fn passes_over_what_it_does_not_know() {
        assert_eq!(
            Form::read(b"CallSid=CA1&CallStatus=levitating").status(Time(5)),
            None
        );
        assert_eq!(Form::read(b"CallStatus=ringing").status(Time(5)), None);
        assert_eq!(Form::read(b"\xff\xfe").status(Time(5)), None);
    }
}
