//! A call placed in memory, seen from Twilio's and the container's side: their callbacks and reports, and how it stands.

use calls::id::CallId;
use calls::secret::Secret;
use calls::time::Time;
use calls::twilio::signature;
use calls::voice::{EndedBy, Line, Report, SIGNATURE_HEADER, Speaker, VoiceEvent, sign_report};
use functions::Platform;
use http::{Request, Response};
use serde_json::Value;
use std::collections::BTreeMap;
use tests::driver::Driver;
use tests::memory::Memory;

pub(super) const KEY: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
pub(super) const TRIGGER: &str = "/api/v1/public/agent/5f0c3a52-6d1e-4c7b-9a38-2b7e41d0c9aa";
pub(super) const ACCOUNT: &str = "AC00000000000000000000000000000041";
pub(super) const TOKEN: &str = "41414141414141414141414141414141";

/// A call placed in memory, seen from Twilio's and the container's side.
pub(super) struct Placed {
    pub(super) memory: Memory,
    pub(super) answer: Response<Vec<u8>>,
}

pub(super) fn place(to: &str) -> Placed {
    place_in(Memory::demo(), to)
}

pub(super) fn place_in(memory: Memory, to: &str) -> Placed {
    let answer = memory.put_to(trigger(to));
    Placed { memory, answer }
}

pub(super) fn trigger(to: &str) -> Request<Vec<u8>> {
    Request::post(TRIGGER)
        .header("x-api-key", KEY)
        .body(format!(r#"{{"phone_number":"{to}"}}"#).into_bytes())
        .unwrap()
}

impl Placed {
    pub(super) fn id(&self) -> CallId {
        *self
            .memory
            .calls
            .borrow()
            .keys()
            .next()
            .expect("a call was stored")
    }

    pub(super) fn sid(&self) -> String {
        self.memory.twilio.placed.borrow()[0].0.clone()
    }

    /// What Twilio was given for this call.
    pub(super) fn form(&self) -> BTreeMap<String, String> {
        self.memory.twilio.placed.borrow()[0].1.clone()
    }

    pub(super) fn path(&self, field: &str) -> String {
        let url = self.form()[field].clone();
        let url = url.split('#').next().unwrap().to_owned();
        url.strip_prefix("https://gw.example").unwrap().to_owned()
    }

    /// A callback as Twilio would send it, signed with `token`.
    pub(super) fn callback(
        &self,
        field: &str,
        fields: &[(&str, &str)],
        token: &str,
    ) -> Response<Vec<u8>> {
        let sid = self.sid();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("AccountSid", ACCOUNT);
        if !fields.iter().any(|(name, _)| *name == "CallSid") {
            form.append_pair("CallSid", &sid);
        }
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        let body = form.finish().into_bytes();
        let path = self.path(field);
        let signed = signature::sign(
            &Secret::new(token),
            &format!("https://gw.example{path}"),
            &body,
        );
        let request = Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("x-twilio-signature", signed)
            .body(body)
            .unwrap();
        self.memory.put_to(request)
    }

    pub(super) fn status(&self, word: &str) {
        let answer = self.callback(
            "StatusCallback",
            &[("CallStatus", word), ("CallDuration", "12")],
            TOKEN,
        );
        assert_eq!(answer.status(), 204, "{word}");
    }

    pub(super) fn report(&self, events: Vec<VoiceEvent>) -> Response<Vec<u8>> {
        let order = self.memory.started.borrow()[0].clone();
        let report = Report {
            version: 1,
            call: order.call.clone(),
            events,
        };
        let body = serde_json::to_vec(&report).unwrap();
        let path = order
            .report
            .url
            .strip_prefix("https://gw.example")
            .unwrap()
            .to_owned();
        let request = Request::post(path)
            .header(SIGNATURE_HEADER, sign_report(&order.report.key, &body))
            .body(body)
            .unwrap();
        self.memory.put_to(request)
    }

    pub(super) fn now(&self) -> Time {
        self.memory.now()
    }

    pub(super) fn media_started(&self) {
        let events = vec![
            VoiceEvent::MediaStarted {
                at: self.now(),
                call_sid: self.sid(),
            },
            VoiceEvent::FirstAudio { at: self.now() },
        ];
        assert_eq!(self.report(events).status(), 204);
    }

    pub(super) fn voice_ended(&self, by: EndedBy, reason: &str) {
        let line = Line {
            speaker: Speaker::Agent,
            text: "Hello".to_owned(),
            at: self.now(),
        };
        let ended = VoiceEvent::Ended {
            at: self.now(),
            by,
            reason: reason.to_owned(),
            transcript: vec![line],
        };
        assert_eq!(self.report(vec![ended]).status(), 204);
    }

    pub(super) fn call(&self) -> Value {
        let request = Request::get(format!("/v1/calls/{}", self.id()))
            .header("x-api-key", KEY)
            .body(Vec::new())
            .unwrap();
        serde_json::from_slice(self.memory.put_to(request).body()).unwrap()
    }

    /// Lets time pass in steps, waking what is due, until the call has ended or `seconds` are over.
    pub(super) fn pass(&self, seconds: u64) {
        for _ in 0..seconds {
            self.memory.pass_s(1);
            self.memory.wake_due();
        }
    }

    #[track_caller]
    pub(super) fn ends(&self, outcome: &str, reason: &str) {
        let call = self.call();
        assert_eq!(call["status"], "ended", "{call:#}");
        assert_eq!(
            (call["outcome"].as_str(), call["end_reason"].as_str()),
            (Some(outcome), Some(reason)),
            "{call:#}"
        );
        self.holds_nothing();
    }

    #[track_caller]
    pub(super) fn holds_nothing(&self) {
        assert_eq!(
            tests::finish(self.memory.seats_taken("demo")),
            Ok(0),
            "a seat is held"
        );
        assert!(self.memory.running.borrow().is_empty(), "a container runs");
    }
}

pub(super) fn answered() -> Placed {
    answered_in(place("+15005550006"))
}

/// The phone is picked up, and the voice heard.
pub(super) fn answered_in(placed: Placed) -> Placed {
    placed.status("initiated");
    placed.memory.pass_s(1);
    placed.status("ringing");
    placed.memory.pass_s(2);
    placed.status("in-progress");
    let twiml = placed.callback("Url", &[("CallStatus", "in-progress")], TOKEN);
    assert!(
        String::from_utf8_lossy(twiml.body()).contains(r#"<Stream url="wss://gw.example/media/"#)
    );
    placed.media_started();
    placed
}
