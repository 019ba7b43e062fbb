//! Diallers and chats on a running stack, with a real WebSocket client: conversations, refusals, and every way to end.
//! `cargo verify` starts the stack and sets `GATEWAY` and `VOICES`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calls::chat::pool::MOST;
use http::Request;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tests::driver::{Driver, Http};
use tests::placed::said;
use tests::socket::{Refused, Socket};
use tests::voices;

const KEY: (&str, &str) = ("x-api-key", "rd_test_demo_rest_4f1c2a9e7b3d5860");
const ADMIN: &str = "Bearer rd_admin_demo_6b1f0c8d2e4a5937";
const CHAT: &str =
    "/api/v1/voicing/ws/platform/api/chatbot?assistant_id=019addcc-0000-7000-8000-00000000c4a7";
const AGENTS: &str = r#"
{"type":"agent","id":"sockets","organization":"demo","owner":"founder","name":"Sockets","bot_id":"sockets-bot","assistant_id":"019addcc-0000-7000-8000-00000000c4a7","published":{"greeting":"Hello {{call.name | you}}.","answers":["Thank you."],"goodbye":"Goodbye.","call_s":60}}
{"type":"agent","id":"sockets-transfer","organization":"demo","owner":"founder","name":"Transfers","bot_id":"sockets-transfer","published":{"greeting":"Hello.","goodbye":"One moment.","transfer_to":"+15005550123","call_s":60}}
{"type":"organization","id":"sockets-small","seats":1}
{"type":"agent","id":"sockets-small","organization":"sockets-small","owner":"somebody","name":"One seat","bot_id":"sockets-small","published":{"greeting":"Hello.","call_s":60}}
{"type":"key","organization":"sockets-small","key":"rd_test_sockets_small_5e1f0b7c9d2a"}
"#;

/// One test at a time, so that every voice and seat seen is its own.
fn alone() -> (Http, MutexGuard<'static, ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let http = Http::from_env();
    mine();
    let import = Request::post("/v1/admin/import")
        .header("authorization", ADMIN)
        .header("content-type", "application/x-ndjson")
        .body(AGENTS.trim().as_bytes().to_vec());
    let answer = http.put_to(import.expect("a request"));
    let said = String::from_utf8_lossy(answer.body()).into_owned();
    assert_eq!(answer.status(), 200, "{said}");
    (http, guard)
}

/// The voices of these tests: those that were not there when the first began.
fn mine() -> BTreeSet<String> {
    static BEFORE: OnceLock<BTreeSet<String>> = OnceLock::new();
    let running = voices::running();
    let before = BEFORE.get_or_init(|| running.clone());
    running.difference(before).cloned().collect()
}

/// Asks again until `found` says something.
#[track_caller]
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{what}");
        std::thread::sleep(Duration::from_millis(150));
    }
}

fn get(http: &Http, path: &str) -> Value {
    let request = Request::get(path).header(KEY.0, KEY.1).body(Vec::new());
    let answer = http.put_to(request.expect("a request"));
    serde_json::from_slice(answer.body()).expect("JSON")
}

/// A dialler's end of a call, which plays to the agent what its customer says.
struct Dialler {
    socket: Socket,
    /// What this call is told from others by.
    name: String,
    frames: Vec<Value>,
    /// When audio last came, and how much there was in all.
    audio_at: Instant,
    audio: usize,
}

impl Dialler {
    fn open(http: &Http, bot: &str) -> Result<Dialler, Refused> {
        Dialler::open_with(http, &format!("/ws/{bot}"), &[KEY])
    }

    fn open_with(http: &Http, path: &str, headers: &[(&str, &str)]) -> Result<Dialler, Refused> {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
        Ok(Dialler {
            socket: Socket::open(&http.gateway, path, headers)?,
            name: format!("n{}", since.unwrap_or_default().as_nanos()),
            frames: Vec::new(),
            audio_at: Instant::now(),
            audio: 0,
        })
    }

    fn shake_hands(&mut self) {
        let format = json!({"encoding": "LINEAR", "sampleRate": 8000, "channels": 1});
        for frame in [
            json!({"event": "connected", "callerId": "+919876543210", "did": "+911234567890",
                   "callDirection": "incoming", "streamId": "s-1", "name": self.name}),
            json!({"event": "start", "streamId": "s-1", "mediaFormat": format}),
            json!({"event": "answer"}),
        ] {
            self.socket.says(&frame);
        }
    }

    fn look(&mut self) {
        let Some(frame) = self.socket.look() else {
            return;
        };
        if frame["event"] == "reverse-media" {
            let payload = frame["payload"].as_str().expect("audio");
            self.audio += STANDARD.decode(payload).expect("base64").len();
            self.audio_at = Instant::now();
        }
        self.frames.push(frame);
    }

    /// Until the agent's voice is heard.
    fn greeted(&mut self) {
        self.pass("greeting", |dialler| dialler.audio > 0);
    }

    #[track_caller]
    fn pass(&mut self, what: &str, done: impl Fn(&Dialler) -> bool) {
        let begun = Instant::now();
        while !done(self) {
            self.look();
            assert!(
                self.socket.closed.is_none() && begun.elapsed() < Duration::from_secs(40),
                "no {what}; closed: {:?}",
                self.socket.closed
            );
        }
    }

    /// Plays what a person says (linear PCM), in real time.
    fn say(&mut self, pcm: &[u8]) {
        let mut at = Instant::now();
        for frame in pcm.chunks(320) {
            let payload = STANDARD.encode(frame);
            self.socket
                .says(&json!({"event": "media", "payload": payload}));
            at += Duration::from_millis(20);
            while Instant::now() < at && self.socket.closed.is_none() {
                self.look();
            }
        }
    }

    /// Says the same again whenever the agent is silent, until it ends the call.
    fn converse(&mut self) -> u16 {
        let speech = speech();
        let begun = Instant::now();
        let mut spoke_at = Instant::now();
        while self.socket.closed.is_none() {
            let silence = Duration::from_millis(1_500);
            match self.audio_at.elapsed() > silence && spoke_at.elapsed() > silence {
                true => {
                    self.say(&speech);
                    spoke_at = Instant::now();
                }
                false => self.say(&[0; 320]),
            }
            let patience = Duration::from_secs(50);
            assert!(begun.elapsed() < patience, "the agent does not end");
        }
        self.socket.closed.expect("it is closed")
    }

    /// The control frames that came.
    fn controls(&self) -> Vec<&str> {
        let events = self.frames.iter();
        let events = events.map(|frame| frame["event"].as_str().expect("an event"));
        events.filter(|event| *event != "reverse-media").collect()
    }

    /// The call as the organization reads it, once `done` holds.
    fn call(&self, http: &Http, what: &str, done: impl Fn(&Value) -> bool) -> Value {
        until(&format!("the call is not {what}"), || {
            let list = get(http, "/v1/calls?limit=20");
            let calls = list["data"].as_array().expect("a list");
            let mine = calls.iter().find(|call| {
                call["from"] == "+919876543210" && call["variables"]["name"] == self.name.as_str()
            })?;
            let id = mine["id"].as_str().expect("an id");
            Some(get(http, &format!("/v1/calls/{id}"))).filter(|call| done(call))
        })
    }

    #[track_caller]
    fn ends(&self, http: &Http, outcome: &str, reason: &str) -> Value {
        let call = self.call(http, "ended", |call| call["status"] == "ended");
        assert_eq!(
            (&call["outcome"], &call["end_reason"]),
            (&json!(outcome), &json!(reason)),
            "{call:#}"
        );
        call
    }
}

/// What the simulated person says, as linear PCM.
fn speech() -> Vec<u8> {
    let wav = include_bytes!("simulator/speech/turn-1.wav");
    let linear = |code: &u8| {
        let code = i32::from(!*code);
        let magnitude = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84;
        let sample = if code & 0x80 == 0 {
            magnitude
        } else {
            -magnitude
        };
        (sample as i16).to_le_bytes()
    };
    // Behind 58 bytes of head it is µ-law at 8 kHz.
    wav[58..].iter().flat_map(linear).collect()
}

/// A client of WebSockets reads no more than the head of a refusal; bodies are in the contract cases.
#[track_caller]
fn refused<T>(opened: Result<T, Refused>, status: u16, code: &str) {
    let answer = opened.err().expect("it is refused");
    assert_eq!(answer.status(), status);
    assert_eq!(answer.headers()["x-error-code"], code);
}

/// Whether one side of a socket hears at once that the other's connection broke off. The Workers runtime on one machine
/// does not pass that on: a chat's idle limit and a call's silence limit end what is left.
fn tells_of_broken_connections() -> bool {
    std::env::var("HOST").is_ok_and(|host| host == "spin")
}

fn nothing_is_held(http: &Http) {
    until("a seat is held", || {
        (get(http, "/health/fleet")["fleet_calls"] == 0).then_some(())
    });
    until("a voice goes on", || mine().is_empty().then_some(()));
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_dialler_converses() {
    let (http, _alone) = alone();
    let path = format!("/ws/sockets-bot?api_key={}", KEY.1);
    let mut dialler = Dialler::open_with(&http, &path, &[]).expect("a call");
    dialler.shake_hands();
    assert_eq!(dialler.converse(), 1000);
    let controls = dialler.controls();
    let ending = ["reverse-media-stop", "reverse-hangup-call"];
    assert!(controls.ends_with(&ending), "{controls:?}");
    assert!(dialler.audio > 16_000, "a second of speech at least");
    let call = dialler.ends(&http, "completed", "agent_ended");
    assert_eq!(
        (&call["direction"], &call["to"]),
        (&json!("inbound"), &json!("+911234567890"))
    );
    assert_eq!(call["greeting"], format!("Hello {}.", dialler.name));
    assert!(
        said(&call, "agent").contains(&"Goodbye.".to_owned()),
        "{call:#}"
    );
    assert!(said(&call, "contact").len() >= 2, "{call:#}");
    let id = call["id"].as_str().expect("an id");
    let details = get(
        &http,
        &format!("/api/v1/campaigns/get-call-details?call_id={id}"),
    );
    assert_eq!(details["status"], "completed");
    nothing_is_held(&http);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn an_agent_transfers() {
    let (http, _alone) = alone();
    let mut dialler = Dialler::open(&http, "sockets-transfer").expect("a call");
    dialler.shake_hands();
    assert_eq!(dialler.converse(), 1000);
    let last = dialler.frames.last().expect("frames");
    assert_eq!(
        (&last["event"], &last["transferTo"]),
        (&json!("reverse-call-transfer"), &json!("+15005550123"))
    );
    dialler.ends(&http, "completed", "transferred");
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_other_end() {
    let (http, _alone) = alone();
    // The customer hangs up.
    let mut dialler = Dialler::open(&http, "sockets-bot").expect("a call");
    dialler.shake_hands();
    dialler.greeted();
    dialler
        .socket
        .says(&json!({"event": "hangup-call", "disconnectedBy": "customer"}));
    assert_eq!(dialler.socket.rest().1, 1000);
    let call = dialler.ends(&http, "completed", "contact_hung_up");
    assert_eq!(call["ended_by"], "contact");

    // Its organization ends the call.
    let mut dialler = Dialler::open(&http, "sockets-bot").expect("a call");
    dialler.shake_hands();
    dialler.greeted();
    let live = dialler.call(&http, "live", |call| call["status"] == "in_progress");
    let id = live["id"].as_str().expect("an id");
    let request = Request::post(format!("/v1/calls/{id}/hangup")).header(KEY.0, KEY.1);
    let answer = http.put_to(request.body(Vec::new()).expect("a request"));
    assert_eq!(answer.status(), 202);
    let (frames, code) = dialler.socket.rest();
    dialler.frames.extend(frames);
    let controls = dialler.controls();
    let ending = ["reverse-media-stop", "reverse-hangup-call"];
    assert!(controls.ends_with(&ending), "{controls:?}");
    assert_eq!(code, 1000);
    dialler.ends(&http, "completed", "hangup_requested");

    // The dialler does not keep to the protocol.
    let mut dialler = Dialler::open(&http, "sockets-bot").expect("a call");
    dialler.shake_hands();
    dialler.socket.says(&json!({"event": "answer"}));
    assert_eq!(dialler.socket.rest().1, 1002);
    dialler.ends(&http, "failed", "frames_out_of_order");

    // Its voice dies.
    nothing_is_held(&http);
    let mut dialler = Dialler::open(&http, "sockets-bot").expect("a call");
    dialler.shake_hands();
    dialler.greeted();
    let running = mine();
    assert_eq!(running.len(), 1, "one call, one voice: {running:?}");
    voices::kill(running.first().expect("a voice"));
    if tells_of_broken_connections() {
        let (_, code) = dialler.socket.rest();
        assert_ne!(code, 1000, "nobody said goodbye");
    }
    dialler.ends(&http, "failed", "voice_lost");
    nothing_is_held(&http);
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn a_dialler_is_refused() {
    let (http, _alone) = alone();
    let open = |path: &str, headers: &[(&str, &str)]| Socket::open(&http.gateway, path, headers);
    refused(open("/ws/sockets-bot", &[]), 401, "no_api_key");
    refused(
        open("/ws/sockets-bot?api_key=nobody", &[]),
        401,
        "invalid_api_key",
    );
    refused(open("/ws/nobody", &[KEY]), 404, "agent_not_found");
    refused(open("/ws/night-bot", &[KEY]), 503, "outside_active_hours");

    let small = [("authorization", "Bearer rd_test_sockets_small_5e1f0b7c9d2a")];
    let mut first = until("no seat is free", || {
        Dialler::open_with(&http, "/ws/sockets-small", &small).ok()
    });
    first.shake_hands();
    first.greeted();
    refused(open("/ws/sockets-small", &small), 503, "no_capacity");
    first.socket.says(&json!({"event": "hangup-call"}));
    assert_eq!(first.socket.rest().1, 1000);
    let mut second = until("the seat is not free again", || {
        Dialler::open_with(&http, "/ws/sockets-small", &small).ok()
    });
    second.socket.says(&json!({"event": "hangup-call"}));
    assert_eq!(second.socket.rest().1, 1000);
    nothing_is_held(&http);
}

fn chat(http: &Http) -> Result<Socket, Refused> {
    Socket::open(&http.gateway, CHAT, &[KEY])
}

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn chats() {
    let (http, _alone) = alone();
    let nobody = CHAT.replace("c4a7", "ffff");
    let no_key = Socket::open(&http.gateway, CHAT, &[]);
    refused(no_key, 401, "no_api_key");
    let unknown = Socket::open(&http.gateway, &nobody, &[KEY]);
    refused(unknown, 404, "agent_not_found");

    let mut talk = chat(&http).expect("a chat");
    let says = |text: &'static str| move |frame: &Value| frame["text"] == text;
    talk.wait_for("greeting", says("Hello you."));
    assert_eq!(
        get(&http, "/health/fleet")["fleet_calls"],
        0,
        "a chat takes no seat"
    );
    talk.send(tungstenite::Message::text("Hi"));
    talk.wait_for("answer", says("Thank you."));
    talk.says(&json!({"type": "message", "text": "And now?"}));
    let (frames, code) = talk.rest();
    assert_eq!((&frames[0]["text"], code), (&json!("Goodbye."), 1000));
    assert_eq!(frames[1], json!({"type": "end", "reason": "agent_ended"}));

    // The pool fills, and what ends is free again: at once also where a connection just breaks off, if the host tells.
    let mut open: Vec<Socket> = (0..MOST)
        .map(|_| until("no chat is free", || chat(&http).ok()))
        .collect();
    refused(chat(&http), 503, "no_chat_capacity");
    for talk in &mut open {
        talk.wait_for("greeting", says("Hello you."));
    }
    let ended = match tells_of_broken_connections() {
        true => 1,
        false => MOST,
    };
    for talk in open.iter_mut().take(ended) {
        talk.says(&json!({"type": "end"}));
        assert_eq!(talk.rest().1, 1000);
    }
    drop(open);
    let mut last = until("no chat is free again", || chat(&http).ok());
    last.says(&json!({"type": "end"}));
    assert_eq!(last.rest().1, 1000);
    nothing_is_held(&http);
}
