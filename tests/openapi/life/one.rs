//! One call's life as it is written down: what its caller, Twilio, its voice and a launcher send.

use super::{ACCOUNT, AUTH, GATEWAY, KEY, READS};
use crate::exchange::{Exchange, Writing};
use calls::secret::Secret;
use calls::time::Time;
use calls::twilio::signature;
use calls::voice::{
    Report, SIGNATURE_HEADER, StartOrder, TIMESTAMP_HEADER, VoiceEvent, sign_launcher, sign_report,
};
use functions::Platform;
use http::Request;
use serde_json::{Value, json};
use std::cell::RefCell;
use tests::driver::Driver;
use tests::memory::Memory;

pub(super) struct Life<'a> {
    pub(super) host: Writing<'a>,
}

impl Life<'_> {
    /// A call placed through AlloMia's API, which fills most of its record.
    pub(super) fn begun(memory: Memory, written: &RefCell<Vec<Exchange>>) -> Life<'_> {
        let body = json!({
            "phoneNumber": "+15005550006", "assistantId": "019addcc-b878-7b10-85f1-49f21342f947",
            "phoneNumberId": "6a1d2c3b-0000-4000-8000-000000000041",
        });
        Life::placed(memory, written, "/api/outbound", &body)
    }

    pub(super) fn placed<'a>(
        memory: Memory,
        written: &'a RefCell<Vec<Exchange>>,
        path: &str,
        body: &Value,
    ) -> Life<'a> {
        let host = Writing {
            memory,
            case: "tests/openapi/life.rs",
            written,
        };
        let life = Life { host };
        life.send("POST", path, &[("x-api-key", KEY)], body.to_string());
        life
    }

    pub(super) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.host
            .put_to(request.body(body.into_bytes()).expect("a request"));
    }

    pub(super) fn order(&self) -> StartOrder {
        self.host.memory.started.borrow()[0].clone()
    }

    pub(super) fn now(&self) -> Time {
        self.host.memory.now()
    }

    pub(super) fn sid(&self) -> String {
        self.host.memory.twilio.placed.borrow()[0].0.clone()
    }

    pub(super) fn path(&self, field: &str) -> String {
        let url = self.host.memory.twilio.placed.borrow()[0].1[field].clone();
        let url = url.split('#').next().unwrap_or_default();
        url.replace(GATEWAY, "")
    }

    /// A callback signed as Twilio would.
    pub(super) fn callback(&self, path: &str, fields: &[(&str, &str)]) {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("AccountSid", ACCOUNT);
        form.append_pair("CallSid", &self.sid());
        form.extend_pairs(fields);
        let body = form.finish();
        let signed = signature::sign(
            &Secret::new(AUTH),
            &format!("{GATEWAY}{path}"),
            body.as_bytes(),
        );
        self.send("POST", path, &[("x-twilio-signature", &signed)], body);
    }

    pub(super) fn report(&self, events: Vec<VoiceEvent>) {
        let report = Report {
            version: 1,
            call: self.order().call,
            events,
        };
        self.report_text(&json!(report).to_string());
    }

    pub(super) fn report_text(&self, body: &str) {
        let order = self.order();
        let path = order.report.url.replace(GATEWAY, "");
        let signed = sign_report(&order.report.key, body.as_bytes());
        self.send(
            "POST",
            &path,
            &[(SIGNATURE_HEADER, &signed)],
            body.to_owned(),
        );
    }

    pub(super) fn media(&self, base: &str) {
        let path = self.path("Url").replace("/twiml/", "/media/");
        let signed = signature::sign(&Secret::new(AUTH), &format!("{base}{path}"), b"");
        let headers = [
            ("x-twilio-signature", signed.as_str()),
            ("upgrade", "websocket"),
        ];
        self.send("GET", &path, &headers, String::new());
        self.send("GET", &path, &[], String::new());
    }

    pub(super) fn launcher_asks(&self, path: &str, body: &Value) {
        let (timestamp, body) = (self.now().unix_s(), body.to_string());
        let signed = sign_launcher(
            Memory::LAUNCHER_KEY,
            timestamp,
            "POST",
            path.split('?').next().unwrap_or_default(),
            body.as_bytes(),
        );
        let timestamp = timestamp.to_string();
        let headers = [
            (TIMESTAMP_HEADER, timestamp.as_str()),
            (SIGNATURE_HEADER, &signed),
        ];
        self.send("POST", path, &headers, body);
    }

    pub(super) fn read(&self) {
        let id = self.order().call;
        for path in READS {
            let path = path.replace("{}", &id);
            self.send("GET", &path, &[("x-api-key", KEY)], String::new());
        }
        let query = format!("/api/v1/campaigns/get-call-details?call_id={id}");
        self.send("GET", &query, &[("x-api-key", KEY)], String::new());
        for list in ["/v1/calls", "/api/v1/campaigns/get-call-details"] {
            self.send("GET", list, &[("x-api-key", KEY)], String::new());
        }
    }

    pub(super) fn hang_up(&self) {
        let path = format!("/v1/calls/{}/hangup", self.order().call);
        self.send("POST", &path, &[("x-api-key", KEY)], String::new());
    }
}
