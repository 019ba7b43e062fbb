//! Calls that diallers bring in, and chats: the gateway's side, with the voice's reports played by the test.

use super::{KEY, Placed};
use calls::chat::pool::MOST;
use calls::id::CallId;
use calls::voice::{EndedBy, Kind, SIGNATURE_HEADER, TIMESTAMP_HEADER, VoiceEvent, sign_launcher};
use functions::{Answer, Platform as _, SendError};
use http::{Request, Response};
use serde_json::{Value, json};
use tests::driver::Driver;
use tests::memory::Memory;

pub(super) const BOT: &str = "/ws/demo-bot";
const CHAT: &str =
    "/api/v1/voicing/ws/platform/api/chatbot?assistant_id=019addcc-b878-7b10-85f1-49f21342f947";

fn upgrade(path: &str) -> Request<Vec<u8>> {
    let request = Request::get(path)
        .header("x-api-key", KEY)
        .header("upgrade", "websocket");
    request.body(Vec::new()).unwrap()
}

/// Opens a socket: the call whose voice it is handed to, or the refusal.
pub(super) fn open(memory: &Memory, path: &str) -> Result<CallId, Box<Response<Vec<u8>>>> {
    match tests::finish(functions::answer(memory, upgrade(path))) {
        Answer::Media { call, .. } => Ok(call),
        Answer::Reply(reply) => Err(Box::new(reply)),
    }
}

fn opened(path: &str) -> Placed {
    let memory = Memory::demo();
    open(&memory, path).expect("the socket is opened");
    Placed {
        memory,
        answer: Response::new(Vec::new()),
    }
}

impl Placed {
    fn connected(&self) {
        let Value::Object(variables) = json!({
            "callerId": "+919876543210", "did": "+911234567890", "callDirection": "incoming",
            "streamId": "s-1", "customer_name": "Rahul",
        }) else {
            unreachable!()
        };
        let at = self.now();
        self.tell(VoiceEvent::Connected { at, variables });
    }

    fn streams(&self) {
        let (at, call_sid) = (self.now(), "s-1".to_owned());
        self.tell(VoiceEvent::MediaStarted { at, call_sid });
    }

    #[track_caller]
    fn tell(&self, event: VoiceEvent) {
        assert_eq!(self.report(vec![event]).status(), 204);
    }

    fn read(&self, path: &str) -> (u16, Value) {
        let request = Request::get(path)
            .header("x-api-key", KEY)
            .body(Vec::new())
            .unwrap();
        let answer = self.memory.put_to(request);
        let body = serde_json::from_slice(answer.body()).unwrap();
        (answer.status().as_u16(), body)
    }
}

#[test]
fn a_dialler_brings_a_call_in() {
    let placed = opened(BOT);
    assert_eq!(tests::finish(placed.memory.seats_taken("demo")), Ok(1));
    let order = placed.memory.started.borrow()[0].clone();
    assert_eq!(order.kind, Kind::Dialler);
    // The texts go out as templates, since the dialler names its variables later.
    assert!(
        order
            .greeting
            .starts_with("Hello {{customer_name | there}}")
    );
    let call = placed.call();
    assert_eq!(
        (&call["status"], &call["direction"], &call["provider_sid"]),
        (&json!("ringing"), &json!("inbound"), &Value::Null)
    );
    assert_eq!(call["telephony_configuration_id"], Value::Null);
    placed.connected();
    placed.memory.pass_s(2);
    placed.streams();
    let call = placed.call();
    assert_eq!(
        (&call["from"], &call["to"]),
        (&json!("+919876543210"), &json!("+911234567890"))
    );
    assert_eq!(call["status"], "in_progress");
    assert_eq!(call["variables"]["customer_name"], "Rahul");
    let greeting = call["greeting"].as_str().unwrap();
    assert!(
        greeting.starts_with("Hello Rahul, this is the clinic."),
        "{greeting}"
    );
    placed.memory.pass_s(7);
    placed.voice_ended(EndedBy::Contact, "contact_hung_up");
    placed.ends("completed", "contact_hung_up");
    let call = placed.call();
    assert_eq!(
        (&call["duration_s"], &call["ended_by"]),
        (&json!(7.0), &json!("contact"))
    );
    assert_eq!(call["transcript"][0]["text"], "Hello");
    let id = placed.id();
    let (status, details) = placed.read(&format!("/api/v1/campaigns/get-call-details/{id}"));
    assert_eq!((status, &details["status"]), (200, &json!("completed")));
    let (status, run) = placed.read(&format!("/api/v1/runs/{}", id.run()));
    assert_eq!((status, &run["is_completed"]), (200, &json!(true)));
    assert!(placed.memory.twilio.asked.borrow().is_empty());
    assert_eq!(listed(&placed.memory), 1);
}

/// Who calls in is the contact, the same as when called, and the list finds the call by that number as by the one called.
#[test]
fn who_calls_in_is_found_by_number() {
    let placed = opened(BOT);
    let found = |filter: &str| {
        let (status, list) = placed.read(&format!("/v1/calls?{filter}"));
        assert_eq!(status, 200, "{list}");
        list["data"].as_array().unwrap().len()
    };
    assert_eq!(found("number=%2B919876543210"), 0);
    placed.connected();
    assert_eq!(found("number=%2B919876543210"), 1);
    assert_eq!(found("to=%2B911234567890"), 1);
    for other in ["number=%2B911234567890", "to=%2B919876543210"] {
        assert_eq!(found(other), 0, "{other}");
    }
    let (_, status) = placed.read(&format!("/api/outbound/{}/status", placed.id()));
    assert_eq!(status["contactId"].as_str().unwrap().len(), 36);
    let body = r#"{"agent_id": "reminder", "to": "+919876543210"}"#;
    let request = Request::post("/v1/calls").header("x-api-key", KEY);
    let answer = placed.memory.put_to(request.body(body.into()).unwrap());
    let called: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(called["contact"]["id"], status["contactId"]);
    assert_eq!(found("number=%2B919876543210"), 2);
}

/// An agent's CRM is asked about a call that comes in once its dialler has told who calls; whatever it answers, the
/// call goes on.
#[test]
fn a_crm_is_asked_who_calls() {
    let crm = "https://crm.example.com/customers/%2B919876543210";
    let agent = json!({
        "type": "agent", "id": "asks", "organization": "demo", "owner": "founder", "bot_id": "asks-bot",
        "pre_fetch": { "url": "https://crm.example.com/customers/{{call.callerId}}", "timeout_seconds": 3 },
        "published": { "greeting": "Hello {{crm.name | you}}." },
    });
    for (answer, greeting) in [
        (
            Ok(Response::new(br#"{"name":"Bela"}"#.to_vec())),
            "Hello Bela.",
        ),
        (Err(SendError::Unclear("slow".to_owned())), "Hello you."),
    ] {
        let memory = Memory::demo();
        super::crm::import(&memory, &agent);
        memory.outside.will_answer(crm, answer);
        open(&memory, "/ws/asks-bot").expect("a call");
        assert!(memory.outside.seen.borrow().is_empty());
        let placed = Placed {
            memory,
            answer: Response::new(Vec::new()),
        };
        assert_eq!(placed.memory.started.borrow()[0].crm_s, 5);
        let tell = || {
            let variables = [("callerId".to_owned(), json!("+919876543210"))];
            let variables = variables.into_iter().collect();
            let at = placed.now();
            let answer = placed.report(vec![VoiceEvent::Connected { at, variables }]);
            assert_eq!(answer.status(), 200);
            serde_json::from_slice::<Value>(answer.body()).unwrap()["crm"].clone()
        };
        let said = tell();
        assert!(said.is_object(), "{said}");
        assert_eq!(tell(), said, "told twice, it is answered the same");
        assert_eq!(
            placed.memory.outside.seen.borrow().len(),
            1,
            "and asked once"
        );
        assert_eq!(placed.call()["greeting"], greeting);
    }
}

fn listed(memory: &Memory) -> usize {
    memory.series.borrow().values().map(Vec::len).sum()
}

/// How the voice says a dialler's call ended, before or after it was answered, and what the call comes to.
#[test]
fn every_end_of_a_diallers_call() {
    let endings = [
        (true, EndedBy::Agent, "agent_ended", "completed"),
        (true, EndedBy::Agent, "transferred", "completed"),
        (true, EndedBy::Timeout, "silence", "completed"),
        (true, EndedBy::Error, "socket_broke", "failed"),
        (false, EndedBy::Contact, "contact_hung_up", "canceled"),
        (false, EndedBy::Error, "no_connected_frame", "failed"),
    ];
    for (answered, by, reason, outcome) in endings {
        let placed = opened(BOT);
        if answered {
            placed.connected();
            placed.streams();
        }
        placed.voice_ended(by, reason);
        placed.ends(outcome, reason);
        assert_eq!(placed.call()["ended_by"], json!(by));
    }
    let killed = opened(BOT);
    killed.streams();
    let (at, cause) = (killed.now(), "killed".to_owned());
    killed.tell(VoiceEvent::Lost { at, cause });
    killed.ends("failed", "voice_lost");
}

#[test]
fn a_call_is_hung_up_for_its_organization() {
    let placed = opened(BOT);
    placed.streams();
    let path = format!("/v1/calls/{}/hangup", placed.id());
    let request = Request::post(path).header("x-api-key", KEY);
    let answer = placed.memory.put_to(request.body(Vec::new()).unwrap());
    assert_eq!(answer.status(), 202);
    placed.ends("completed", "hangup_requested");
    // The voice's last word only adds the transcript.
    placed.voice_ended(EndedBy::Gateway, "stopped");
    placed.ends("completed", "hangup_requested");
    assert_eq!(placed.call()["transcript"][0]["text"], "Hello");
    assert!(placed.memory.twilio.hung_up.borrow().is_empty());
}

/// Nothing more is heard of a call, from some point on: its deadline ends it.
#[test]
fn silence_ends_a_call() {
    let unanswered = opened(BOT);
    unanswered.pass(99);
    assert_eq!(unanswered.call()["status"], "ringing");
    unanswered.pass(20);
    unanswered.ends("lost", "its voice was not heard of again");
    let answered = opened(BOT);
    answered.streams();
    answered.pass(170);
    assert_eq!(answered.call()["status"], "in_progress");
    answered.pass(30);
    answered.ends("lost", "its voice was not heard of again");
}

#[test]
fn no_seat_and_no_voice_are_refusals() {
    let memory = Memory::demo();
    let mut calls = Vec::new();
    let full = loop {
        match open(&memory, BOT) {
            Ok(call) => calls.push(call),
            Err(refusal) => break refusal,
        }
    };
    assert_eq!(calls.len(), 10);
    refused(
        &full,
        503,
        "no_capacity",
        "No healthy fleet server available",
    );
    assert_eq!(memory.running.borrow().len(), 10);

    let memory = Memory::demo();
    memory.voiceless.set(true);
    for (path, text) in [
        (BOT, "No healthy fleet server available"),
        (CHAT, "No voice could be started"),
    ] {
        let refusal = open(&memory, path).expect_err("no voice, no socket");
        refused(&refusal, 503, "no_voice", text);
    }
    assert_eq!(tests::finish(memory.seats_taken("demo")), Ok(0));
}

#[track_caller]
fn refused(answer: &Response<Vec<u8>>, status: u16, code: &str, text: &str) {
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["x-error-code"], code);
    let body: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(body, json!({ "detail": text }));
}

/// A host that cannot upgrade names the launcher, and opens nothing before that asks in its turn.
#[test]
fn the_launcher_asks_first() {
    let memory = Memory::new(true);
    memory.import_demo();
    for (path, internal) in [
        (BOT, "/internal/ws/demo-bot".to_owned()),
        (
            CHAT,
            CHAT.replace("/api/v1/voicing/ws/platform/api/chatbot", "/internal/chat"),
        ),
    ] {
        let there = open(&memory, path).expect_err("it cannot upgrade");
        assert_eq!(there.status(), 307);
        let location = format!("//launcher.example{path}");
        assert_eq!(there.headers()["location"], location.as_str());
        assert!(memory.calls.borrow().is_empty());

        let ask = |key: &str, signed: bool| {
            let (at, signing) = (
                memory.now().unix_s(),
                if signed { Memory::LAUNCHER_KEY } else { "" },
            );
            let path = internal.split('?').next().unwrap();
            let request = Request::post(&internal)
                .header(TIMESTAMP_HEADER, at.to_string())
                .header(
                    SIGNATURE_HEADER,
                    sign_launcher(signing, at, "POST", path, b""),
                )
                .header("x-api-key", key);
            memory.put_to(request.body(Vec::new()).unwrap())
        };
        assert_eq!(ask(KEY, false).status(), 403);
        assert_eq!(ask("nobody's", true).status(), 401);
        assert!(memory.calls.borrow().is_empty());
        let answer = ask(KEY, true);
        assert_eq!(answer.status(), 200);
        let said: Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(said["call"], memory.started.borrow()[0].call.as_str());
        memory.calls.borrow_mut().clear();
        memory.started.borrow_mut().clear();
    }
}

#[test]
fn a_chat_is_no_call() {
    let placed = opened(CHAT);
    let order = placed.memory.started.borrow()[0].clone();
    assert_eq!(order.kind, Kind::Chat);
    assert!(
        order
            .greeting
            .starts_with("Hello there, this is the clinic.")
    );
    assert_eq!(tests::finish(placed.memory.seats_taken("demo")), Ok(0));
    assert_eq!(listed(&placed.memory), 0);
    let stored = format!("{:?}", placed.memory.calls.borrow());
    assert!(!stored.contains("clinic"), "the agent's texts are stored");
    let (status, _) = placed.read(&format!("/v1/calls/{}", placed.id()));
    assert_eq!(status, 404);
    placed.streams();
    let ended = VoiceEvent::Ended {
        at: placed.now(),
        by: EndedBy::Contact,
        reason: "closed".to_owned(),
        transcript: Vec::new(),
    };
    placed.tell(ended);
    placed.holds_nothing();
    placed.pass(5);
    assert!(placed.memory.wakes.borrow().is_empty());
}

#[test]
fn variables_of_a_chat_come_in_the_query() {
    let placed = opened(&format!(
        "{CHAT}&input_variables=%7B%22customer_name%22:%22Jane%22%7D"
    ));
    let greeting = placed.memory.started.borrow()[0].greeting.clone();
    assert!(greeting.starts_with("Hello Jane, this is the clinic."));
}

/// The pool of chats: full, and free again when one is closed, its voice dies, or nothing more is heard of any.
#[test]
fn so_many_chats_and_no_more() {
    let memory = Memory::demo();
    for _ in 0..MOST {
        open(&memory, CHAT).expect("a chat is free");
    }
    let full = open(&memory, CHAT).expect_err("no chat is free");
    let text = format!("No more than {MOST} chats may be open at once; close one or try again");
    refused(&full, 503, "no_chat_capacity", &text);
    assert_eq!(memory.running.borrow().len(), MOST);
    // Calls are not touched by it.
    let call = open(&memory, BOT).expect("seats are free");
    memory.running.borrow_mut().remove(&call);

    let of = |placed: &Placed, event: VoiceEvent| placed.tell(event);
    let placed = Placed {
        memory,
        answer: Response::new(Vec::new()),
    };
    let (at, cause) = (placed.now(), "killed".to_owned());
    of(&placed, VoiceEvent::Lost { at, cause });
    open(&placed.memory, CHAT).expect("the dead one's chat is free");
    open(&placed.memory, CHAT).expect_err("no other is");
    placed.pass(120);
    assert!(placed.memory.running.borrow().is_empty());
    for _ in 0..MOST {
        open(&placed.memory, CHAT).expect("all are free again");
    }
}

/// The host dies after any number of steps of opening a socket: what was stored by then comes to its end.
#[test]
fn the_host_dies_while_opening() {
    for path in [BOT, CHAT] {
        for survives in 0..8 {
            let memory = Memory::demo();
            memory.fail_after(survives);
            let answer = open(&memory, path);
            memory.heal();
            let placed = Placed {
                memory,
                answer: Response::new(Vec::new()),
            };
            placed.pass(120);
            placed.holds_nothing();
            assert!(placed.memory.wakes.borrow().is_empty(), "{path} {survives}");
            if answer.is_ok() {
                assert!(survives > 2, "{path}: opened with a store that is down");
            }
            // A chat whose record was never stored holds its place until its lease is over.
            placed.memory.pass_s(1_300);
            for _ in 0..MOST {
                open(&placed.memory, CHAT).expect("every chat is free");
            }
        }
    }
}
