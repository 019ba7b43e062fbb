//! Exchanges that no contract case can have: with Twilio, a voice and a launcher that sign, and with stores that fail.

mod failing;
mod one;

use crate::document::Document;
use crate::exchange::Exchange;
use calls::id::CallId;
use calls::secret::{self, Secret};
use calls::token::{Door, Token};
use calls::twilio::signature;
use calls::voice::{EndedBy, Line, SIGNATURE_HEADER, Speaker, VoiceEvent, sign_report};
use failing::{
    callbacks_without_a_store, doubted, refused, unread_agents, voiceless, without_stores,
};
use http::{Request, Response};
use one::Life;
use serde_json::{Value, json};
use std::cell::RefCell;
use tests::driver::Driver;
use tests::memory::Memory;

const KEY: &str = "rd_test_demo_rest_4f1c2a9e7b3d5860";
const DORMANT: &str = "rd_test_dormant_rest_0f0e0d0c0b0a0908";
const ACCOUNT: &str = "AC00000000000000000000000000000041";
const AUTH: &str = "41414141414141414141414141414141";
const GATEWAY: &str = "https://gw.example";
const READS: [&str; 7] = [
    "/v1/calls/{}",
    "/v1/calls/{}/events",
    "/v1/calls/{}/transcript",
    "/v1/calls/{}/explain",
    "/api/v1/runs/{}",
    "/api/v1/campaigns/get-call-details/{}",
    "/api/outbound/{}/status",
];

/// All of them.
pub(crate) fn all(document: &Document) -> Vec<Exchange> {
    let written = RefCell::default();
    conversation(&written, "human");
    conversation(&written, "machine_start");
    dialled_out(&written);
    crm(&written);
    launcher(&written);
    sockets(&written);
    unknown_calls(&written);
    callbacks_without_a_store(&written);
    without_stores(&written, document);
    refused(&written, document);
    doubted(&written, document);
    voiceless(&written, document);
    unread_agents(&written, document);
    full(&written);
    webhooks(&written);
    written.into_inner()
}

/// A whole call, read at every stage.
fn conversation(written: &RefCell<Vec<Exchange>>, answered_by: &str) {
    let life = Life::begun(Memory::demo(), written);
    let status = life.path("StatusCallback");
    life.read();
    life.callback(
        &status,
        &[
            ("CallStatus", "ringing"),
            ("Timestamp", "Sat, 21 Nov 2026 09:00:00 +0000"),
        ],
    );
    life.callback(&status, &[("CallStatus", "in-progress")]);
    life.callback(&life.path("Url"), &[]);
    for what in ["message", "left"] {
        life.callback(&format!("{}/{what}", life.path("Url")), &[]);
    }
    life.media("wss://gw.example");
    let (at, call_sid) = (life.now(), life.sid());
    life.report(vec![
        VoiceEvent::MediaStarted { at, call_sid },
        VoiceEvent::FirstAudio { at },
    ]);
    life.callback(
        &life.path("AsyncAmdStatusCallback"),
        &[("AnsweredBy", answered_by)],
    );
    life.read();
    let line = Line {
        speaker: Speaker::Agent,
        text: "Hello".to_owned(),
        at,
    };
    life.report(vec![VoiceEvent::Ended {
        at,
        by: EndedBy::Contact,
        reason: "contact_hung_up".to_owned(),
        transcript: vec![line],
    }]);
    life.report_text("{}");
    life.callback(
        &status,
        &[
            ("CallStatus", "completed"),
            ("CallDuration", "12"),
            ("SipResponseCode", "200"),
            ("ErrorCode", "0"),
        ],
    );
    let recording = life
        .path("StatusCallback")
        .replace("/status/", "/recording/");
    life.callback(
        &recording,
        &[
            ("RecordingUrl", "https://api.twilio.com/r"),
            ("RecordingDuration", "12"),
        ],
    );
    life.read();
    life.hang_up();
    life.media("wss://gw.example");
}

/// A call through dialout's API, whose end has a result record.
fn dialled_out(written: &RefCell<Vec<Exchange>>) {
    let body = json!({ "bot_id": "demo-bot", "to_number": "+15005550006" });
    let life = Life::placed(Memory::demo(), written, "/api/v1/dialout", &body);
    let at = life.now();
    life.report(vec![VoiceEvent::Ended {
        at,
        by: EndedBy::Contact,
        reason: "contact_hung_up".to_owned(),
        transcript: vec![Line {
            speaker: Speaker::Contact,
            text: "Hello".to_owned(),
            at,
        }],
    }]);
    life.callback(&life.path("StatusCallback"), &[("CallStatus", "completed")]);
    life.read();
}

/// An agent whose CRM is asked before the call.
fn crm(written: &RefCell<Vec<Exchange>>) {
    let life = Life::begun(Memory::demo(), written);
    let agent = json!({
        "type": "agent", "id": "crm-agent", "organization": "demo", "owner": "founder",
        "pre_fetch": { "url": "https://crm.example.com/customers/{{call.callerId}}" },
        "published": { "greeting": "Hello {{crm.name}}.", "goodbye": "Goodbye." },
    });
    let administrator = [("x-api-key", Memory::ADMIN_TOKEN)];
    life.send(
        "POST",
        "/v1/admin/import",
        &administrator,
        agent.to_string(),
    );
    let body = json!({ "agent_id": "crm-agent", "to": "+15005550010" });
    life.send("POST", "/v1/calls", &[("x-api-key", KEY)], body.to_string());
}

/// Every seat is taken.
fn full(written: &RefCell<Vec<Exchange>>) {
    let life = Life::begun(Memory::demo(), written);
    for dry_run in [false, true] {
        for _ in 0..10 {
            let body = json!({ "agent_id": "reminder", "to": "+15005550010", "dry_run": dry_run });
            life.send("POST", "/v1/calls", &[("x-api-key", KEY)], body.to_string());
        }
    }
}

/// A webhook that gets a report, is asked to get it again, and then wants no more.
fn webhooks(written: &RefCell<Vec<Exchange>>) {
    const RECEIVER: &str = "https://example.com/hooks";
    let key = [("x-api-key", KEY)];
    let memory = Memory::demo();
    let asked = json!({ "url": RECEIVER, "events": ["call.ended"] }).to_string();
    let request = Request::post("/v1/webhooks").header("x-api-key", KEY);
    let created = memory.put_to(request.body(asked.into_bytes()).expect("a request"));
    let created: Value = serde_json::from_slice(created.body()).expect("JSON");
    let webhook = created["id"].as_str().expect("an id");
    let answer = Response::builder().status(500).body(b"busy".to_vec());
    memory
        .outside
        .will_answer(RECEIVER, Ok(answer.expect("an answer")));
    let life = Life::begun(memory, written);
    life.callback(&life.path("StatusCallback"), &[("CallStatus", "busy")]);
    while life.host.memory.wake_due() {}
    let call = life.order().call;
    let of_call = format!("/v1/calls/{call}/deliveries");
    let of_webhook = format!("/v1/webhooks/{webhook}/deliveries");
    life.send("GET", &of_call, &key, String::new());
    life.send("GET", &of_webhook, &key, String::new());
    let shown = written.borrow().last().and_then(Exchange::told);
    let shown = shown.expect("JSON");
    let delivery = shown["data"][0]["id"].as_str().expect("a delivery");
    let one = format!("{of_webhook}/{delivery}");
    life.send("GET", &one, &key, String::new());
    let many = json!({ "status": "delivered", "created_before": "2026-11-30", "cursor": null });
    life.send(
        "POST",
        &format!("{of_webhook}/resend"),
        &key,
        many.to_string(),
    );
    // Sent again it is answered 410, which disables the webhook.
    for (status, path) in [
        (410, &one),
        (200, &one),
        (200, &format!("{of_call}/{delivery}")),
    ] {
        let answer = Response::builder().status(status).body(Vec::new());
        let answer = Ok(answer.expect("an answer"));
        life.host.memory.outside.will_answer(RECEIVER, answer);
        life.send("POST", &format!("{path}/resend"), &key, String::new());
        while life.host.memory.wake_due() {}
    }
    life.send(
        "POST",
        &format!("/v1/webhooks/{webhook}/enable"),
        &key,
        String::new(),
    );
    life.send(
        "POST",
        &format!("{of_call}/{delivery}/resend"),
        &key,
        String::new(),
    );
}

/// A host that cannot upgrade, and its launcher.
fn launcher(written: &RefCell<Vec<Exchange>>) {
    let memory = Memory::new(true);
    memory.import_demo();
    let life = Life::begun(memory, written);
    life.media("wss://launcher.example");
    let media = life.path("Url").replace("/twiml/", "/media/");
    let signed = signature::sign(
        &Secret::new(AUTH),
        &format!("wss://launcher.example{media}"),
        b"",
    );
    let asked = json!({ "signature": signed });
    life.launcher_asks(&format!("/internal{media}"), &asked);
    life.launcher_asks("/internal/tick", &json!({}));
    let status = life.path("StatusCallback");
    life.callback(&status, &[("CallStatus", "busy")]);
    life.launcher_asks(&format!("/internal{media}"), &asked);
    life.launcher_asks("/internal/tick", &json!({}));
    let wake = format!("/internal/wake/{}", life.order().call);
    life.launcher_asks(&wake, &json!({ "ticket": "1-1" }));
    life.launcher_asks(&wake, &json!({}));
    life.launcher_asks("/internal/wake/none", &json!({}));
    life.host.memory.unread.set(true);
    life.launcher_asks("/internal/tick", &json!({}));
    life.host.memory.fail_after(0);
    life.launcher_asks(&wake, &json!({ "ticket": "1-1" }));
    life.launcher_asks(&format!("/internal{media}"), &asked);
}

/// A dialler's socket and a chat's, on a host that upgrades and on one that does not.
fn sockets(written: &RefCell<Vec<Exchange>>) {
    let chat = "chatbot?assistant_id=019addcc-b878-7b10-85f1-49f21342f947";
    let chat = format!("/api/v1/voicing/ws/platform/api/{chat}");
    let dialler = format!("/ws/demo-bot?api_key={KEY}");
    let upgrade = [("upgrade", "websocket"), ("x-api-key", KEY)];
    for launcher in [false, true] {
        let memory = Memory::new(launcher);
        memory.import_demo();
        let life = Life::begun(memory, written);
        for path in [&dialler, &chat] {
            for _ in 0..5 {
                life.send("GET", path, &upgrade, String::new());
            }
            life.send("GET", path, &upgrade[1..], String::new());
        }
    }
    let memory = Memory::new(true);
    memory.import_demo();
    let life = Life::begun(memory, written);
    let (_, query) = chat.split_once('?').expect("a query");
    let asked = format!("/internal/chat?{query}&input_variables=%7B%7D&api_key={KEY}");
    // More than may be open at once of either.
    for _ in 0..25 {
        for path in [&format!("/internal{dialler}"), &asked] {
            life.launcher_asks(path, &json!({}));
        }
    }
    for path in [
        "/internal/ws/no-bot",
        "/internal/ws/demo-bot",
        "/internal/chat",
    ] {
        life.launcher_asks(&format!("{path}?api_key={KEY}"), &json!({}));
        life.launcher_asks(path, &json!({}));
    }
    life.launcher_asks(
        &format!("/internal/chat?assistant_id=none&api_key={KEY}"),
        &json!({}),
    );
    life.host.memory.unread.set(true);
    life.launcher_asks(&format!("/internal/ws/demo-bot?api_key={KEY}"), &json!({}));
    life.launcher_asks(&asked, &json!({}));
}

/// Tokens of a call that nobody placed.
fn unknown_calls(written: &RefCell<Vec<Exchange>>) {
    let life = Life::begun(Memory::demo(), written);
    let nobody = CallId::of_run(Memory::SIGNING_KEY.as_bytes(), "demo", 7);
    let token = |door| {
        let token = Token {
            call: nobody,
            organization: "demo".to_owned(),
            expires: life.now().plus_s(60),
        };
        token.show(Memory::SIGNING_KEY.as_bytes(), door)
    };
    let report = token(Door::Report);
    let key = secret::sign(
        Memory::SIGNING_KEY.as_bytes(),
        format!("report key:{nobody}").as_bytes(),
    );
    let body = json!({ "version": 1, "call": nobody.to_string(), "events": [] }).to_string();
    let signed = sign_report(&key, body.as_bytes());
    let path = format!("/internal/report/{report}");
    life.send("POST", &path, &[(SIGNATURE_HEADER, &signed)], body);
    let provider = token(Door::Provider);
    for place in [
        "/twiml",
        "/callbacks/status",
        "/callbacks/amd",
        "/callbacks/recording",
    ] {
        life.callback(&format!("{place}/{provider}"), &[]);
    }
    for what in ["message", "left"] {
        life.callback(&format!("/twiml/{provider}/{what}"), &[]);
    }
    let headers = [("upgrade", "websocket")];
    let media = format!("/media/{provider}");
    life.send("GET", &media, &headers, String::new());
}
