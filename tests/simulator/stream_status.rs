//! The callback that a `<Stream>` names for itself: started, stopped, error.

use crate::call::{Call, Leg};
use crate::callbacks::post_aside;
use crate::clock::{now_ms, rfc3339};
use crate::order::Hook;
use crate::twilio::Twilio;
use crate::twiml::StreamTo;
use crate::verbs::absolute;
use std::sync::Arc;

/// The stream's own callback, when the TwiML names one.
pub(crate) struct StreamStatus {
    twilio: Arc<Twilio>,
    call: Arc<Call>,
    hook: Option<Hook>,
    name: String,
    stream_sid: String,
}

impl StreamStatus {
    pub(crate) fn new(leg: &Leg<'_>, to: &StreamTo, base: Option<&str>, stream_sid: &str) -> Self {
        let url = to.status.as_deref().and_then(|url| absolute(base, url));
        Self {
            twilio: leg.twilio.clone(),
            call: leg.call.clone(),
            hook: url.map(|url| Hook {
                url,
                get: to.status_get,
            }),
            name: to.name.clone().unwrap_or_else(|| stream_sid.to_owned()),
            stream_sid: stream_sid.to_owned(),
        }
    }

    pub(crate) fn tell(&self, event: &str, error: Option<&str>) {
        let Some(hook) = self.hook.clone() else {
            return;
        };
        let mut fields = vec![
            ("AccountSid", self.call.account.sid.clone()),
            ("CallSid", self.call.sid.clone()),
            ("StreamSid", self.stream_sid.clone()),
            ("StreamName", self.name.clone()),
            ("StreamEvent", event.to_owned()),
            ("Timestamp", rfc3339(now_ms())),
        ];
        if let Some(error) = error {
            fields.push(("StreamError", error.to_owned()));
        }
        let fields = fields
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        post_aside(&self.twilio, &self.call, hook, "stream", event, fields);
    }
}
