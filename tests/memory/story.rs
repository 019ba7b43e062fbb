//! What becomes of a call in memory: the callbacks Twilio would send, and the reports of the call's voice.

use super::Memory;
use crate::driver::Driver;
use calls::id::CallId;
use calls::secret::Secret;
use calls::twilio::signature;
use calls::voice::{EndedBy, Line, Report, SIGNATURE_HEADER, Speaker, VoiceEvent, sign_report};
use functions::Platform as _;
use http::Request;
use serde_json::Value;

/// How long after its end a call's reports have been sent, in seconds.
const REPORTED_S: usize = 3;

impl Memory {
    /// Tells the story of a call up to this outcome of our own API, or up to its conversation.
    pub(crate) fn tell(&self, call: &str, word: &str) -> Result<(), String> {
        let story = Story::of(self, call).ok_or("the call was not dialled")?;
        story.status("initiated");
        match word {
            "failed" => story.ends(
                "failed",
                &[("SipResponseCode", "404"), ("ErrorCode", "13224")],
            ),
            "busy" => {
                story.status("ringing");
                story.ends("busy", &[("SipResponseCode", "486")]);
            }
            "no_answer" => {
                story.status("ringing");
                story.ends("no-answer", &[("SipResponseCode", "487")]);
            }
            "in_progress" => story.answered(),
            "completed" | "voicemail" => {
                story.answered();
                if word == "voicemail" {
                    let machine = [("AnsweredBy", "machine_start")];
                    story.callback("AsyncAmdStatusCallback", &machine);
                }
                story.voice_ended();
                story.ends("completed", &[("SipResponseCode", "200")]);
            }
            other => return Err(format!("no call becomes {other}")),
        }
        for _ in 0..REPORTED_S {
            self.pass_s(1);
            self.wake_due();
        }
        Ok(())
    }

    /// Has everybody hang up on whatever is live.
    pub(crate) fn end_all(&self) {
        let over = |(name, _): &(String, String)| name == "ended";
        let calls: Vec<String> = self
            .calls
            .borrow()
            .iter()
            .filter(|(_, facts)| !facts.events.iter().any(over))
            .map(|(id, _)| id.to_string())
            .collect();
        for story in calls.iter().filter_map(|call| Story::of(self, call)) {
            if story.was_answered() {
                story.voice_ended();
                story.ends("completed", &[]);
            } else {
                story.status("initiated");
                let hung_up = self.twilio.hung_up.borrow().contains(&story.sid);
                story.ends(if hung_up { "canceled" } else { "busy" }, &[]);
            }
        }
    }
}

struct Story<'a> {
    memory: &'a Memory,
    call: String,
    sid: String,
    form: std::collections::BTreeMap<String, String>,
}

impl<'a> Story<'a> {
    /// Of a call that Twilio placed: its token is in the address Twilio was given.
    fn of(memory: &'a Memory, call: &str) -> Option<Story<'a>> {
        let placed = memory.twilio.placed.borrow();
        let (sid, form) = placed.iter().find(|(_, form)| form["Url"].contains(call))?;
        Some(Story {
            memory,
            call: call.to_owned(),
            sid: sid.clone(),
            form: form.clone(),
        })
    }

    fn was_answered(&self) -> bool {
        let calls = self.memory.calls.borrow();
        let facts = CallId::parse(&self.call).and_then(|id| calls.get(&id));
        let mut events = facts.iter().flat_map(|facts| &facts.events);
        events.any(|(name, _)| name == "provider-in-progress")
    }

    fn account(&self) -> String {
        let calls = self.memory.calls.borrow();
        let facts = CallId::parse(&self.call).and_then(|id| calls.get(&id));
        let record = facts.map(|facts| facts.record.as_str()).unwrap_or_default();
        let record: Value = serde_json::from_str(record).unwrap_or_default();
        let account = &record["telephony"]["account_sid"];
        account.as_str().unwrap_or_default().to_owned()
    }

    fn callback(&self, field: &str, fields: &[(&str, &str)]) {
        let account = self.account();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("AccountSid", &account);
        form.append_pair("CallSid", &self.sid);
        form.extend_pairs(fields);
        let body = form.finish().into_bytes();
        let url = self.form[field].split('#').next().unwrap_or_default();
        // The demo organization's accounts have their last two digits, sixteen times, for a token.
        let token = account[account.len() - 2..].repeat(16);
        let signed = signature::sign(&Secret::new(&token), url, &body);
        let request = Request::post(path(url))
            .header("x-twilio-signature", signed)
            .body(body);
        self.put(request, field);
    }

    fn status(&self, word: &str) {
        self.callback("StatusCallback", &[("CallStatus", word)]);
    }

    fn ends(&self, word: &str, more: &[(&str, &str)]) {
        let told = [("CallStatus", word), ("CallDuration", "0")];
        self.callback("StatusCallback", &[&told, more].concat());
    }

    fn report(&self, events: Vec<VoiceEvent>) {
        let started = self.memory.started.borrow();
        let order = started.iter().find(|order| order.call == self.call);
        let order = order.expect("the voice was started").clone();
        drop(started);
        let report = Report {
            version: 1,
            call: order.call,
            events,
        };
        let body = serde_json::to_vec(&report).expect("JSON");
        let request = Request::post(path(&order.report.url))
            .header(SIGNATURE_HEADER, sign_report(&order.report.key, &body))
            .body(body);
        self.put(request, "report");
    }

    fn answered(&self) {
        self.status("ringing");
        self.status("in-progress");
        self.callback("Url", &[("CallStatus", "in-progress")]);
        let (at, call_sid) = (self.memory.now(), self.sid.clone());
        self.report(vec![
            VoiceEvent::MediaStarted { at, call_sid },
            VoiceEvent::FirstAudio { at },
        ]);
    }

    fn voice_ended(&self) {
        let at = self.memory.now();
        let line = Line {
            speaker: Speaker::Agent,
            text: "Hello".to_owned(),
            at,
        };
        self.report(vec![VoiceEvent::Ended {
            at,
            by: EndedBy::Contact,
            reason: "contact_hung_up".to_owned(),
            transcript: vec![line],
        }]);
    }

    fn put(&self, request: http::Result<Request<Vec<u8>>>, what: &str) {
        let answer = self.memory.put_to(request.expect("a request"));
        assert!(answer.status().is_success(), "{what}: {}", answer.status());
    }
}

fn path(url: &str) -> String {
    url.splitn(4, '/')
        .nth(3)
        .map(|path| format!("/{path}"))
        .unwrap_or_default()
}
