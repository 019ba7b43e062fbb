//! A dialler's calls against a line made of numbers: time moves only when a test says so.

use super::*;
use crate::config::WhenMissing;
use crate::media::{Input, Output};
use crate::voice::{Kind, Limits, ReportTo, StartOrder};

const T0: u64 = 1_795_167_000_000;

/// The dialler and the speech engine in one: every line lasts one second.
struct Line {
    session: Session,
    now: u64,
    spoken: Vec<String>,
    sent: Vec<Value>,
    events: Vec<VoiceEvent>,
    heard: Vec<u8>,
    closed: Option<Close>,
}

fn order() -> StartOrder {
    StartOrder {
        version: 2,
        kind: Kind::Dialler,
        call: "00000000-0000-8000-8000-000000000001".to_owned(),
        engine: "offline".to_owned(),
        disclosure: None,
        greeting: "Hello {{call.name}} of {{call.callerId}}, {{call.gone}}".to_owned(),
        prompt: String::new(),
        agenda: None,
        script: Vec::new(),
        goodbye: "Goodbye {{call.name}}".to_owned(),
        opted_out: "You will not be called again".to_owned(),
        keys: Default::default(),
        transfer_to: None,
        when_missing: WhenMissing::AsDialect,
        timezone: String::new(),
        crm_s: 0,
        limits: Limits {
            call_s: 60,
            silence_s: 8,
            connect_s: 15,
        },
        report: ReportTo {
            url: String::new(),
            key: String::new(),
        },
    }
}

fn connected() -> Value {
    json!({"event": "connected", "callerId": "+919876543210", "did": "+911234567890",
           "callDirection": "incoming", "streamId": "s-1", "name": "Rahul", "nested": {"a": 1}, "paid": true})
}

fn start() -> Value {
    json!({"event": "start", "streamId": "s-2", "mediaFormat": {"encoding": "LINEAR", "sampleRate": 8000, "channels": 1}})
}

impl Line {
    fn new(order: StartOrder) -> Line {
        let mut line = Line {
            session: Session::new(order, Time(T0)),
            now: T0,
            spoken: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
            heard: Vec::new(),
            closed: None,
        };
        line.drain();
        line
    }

    fn opened(order: StartOrder) -> Line {
        let mut line = Line::new(order);
        line.give(Input::Opened);
        line
    }

    fn answered(order: StartOrder) -> Line {
        let mut line = Line::opened(order);
        for frame in [connected(), start(), json!({"event": "answer"})] {
            line.says(&frame);
        }
        line
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle(input, Time(self.now));
        self.drain();
    }

    fn says(&mut self, frame: &Value) {
        self.give(Input::Text(&frame.to_string()));
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.output() {
            match output {
                Output::Synthesize { words, text } => {
                    self.spoken.push(text);
                    let audio = vec![0x55; 8000];
                    let now = Time(self.now);
                    self.session.handle(Input::Speech { words, audio }, now);
                }
                Output::Send(text) => self.sent.push(serde_json::from_str(&text).unwrap()),
                Output::Hear(audio) => self.heard.extend(audio),
                Output::Report(event) => self.events.push(event),
                Output::Close(close) => {
                    assert_eq!(self.closed.replace(close), None);
                }
            }
        }
    }

    fn wait(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until && self.closed.is_none() {
            self.now += 20;
            self.give(Input::Tick);
        }
    }

    /// The events of the control frames that were sent.
    fn controls(&self) -> Vec<&str> {
        let events = self
            .sent
            .iter()
            .map(|frame| frame["event"].as_str().unwrap());
        events.filter(|event| *event != "reverse-media").collect()
    }

    #[track_caller]
    fn ended(&self, by: EndedBy, reason: &str, code: u16) {
        let ended: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                VoiceEvent::Ended { by, reason, .. } => Some((*by, reason.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(ended, [(by, reason)]);
        assert_eq!(self.closed.map(|close| close.code), Some(code));
        assert_eq!(self.session.deadline(), None);
    }
}

#[test]
fn the_agent_greets_once_the_call_is_answered() {
    let mut line = Line::opened(order());
    assert!(line.spoken.is_empty());
    line.says(&connected());
    assert_eq!(
        line.spoken,
        [
            "Hello Rahul of +919876543210, {{call.gone}}",
            "Goodbye Rahul"
        ]
    );
    line.says(&start());
    line.says(&json!({"event": "media", "payload": "AAAA"}));
    assert!(line.sent.is_empty() && line.heard.is_empty());
    line.says(&json!({"event": "answer"}));
    let told = line.events.iter().find_map(|event| match event {
        VoiceEvent::Connected { variables, .. } => Some(Value::Object(variables.clone())),
        _ => None,
    });
    assert_eq!(
        told.unwrap(),
        json!({"callerId": "+919876543210", "did": "+911234567890", "callDirection": "incoming",
               "streamId": "s-1", "name": "Rahul", "nested": "{\"a\":1}", "paid": "true"})
    );
    assert!(line.events.iter().any(
        |event| matches!(event, VoiceEvent::MediaStarted { call_sid, .. } if call_sid == "s-1")
    ));
    line.wait(2_000);
    let mut first = line.sent[0].clone();
    let payload = first["payload"].take();
    assert_eq!(
        STANDARD.decode(payload.as_str().unwrap()).unwrap(),
        g711::to_linear(&[0x55; 160])
    );
    assert_eq!(
        first,
        json!({"event": "reverse-media", "chunk": 1, "did": "+911234567890", "payload": null,
               "timestamp": "2026-11-20 09:30:00", "streamId": "s-1", "callerId": "+919876543210",
               "chunk_durn_ms": 20, "callDirection": "incoming", "encoding": "LINEAR", "RevMediaQ": 0,
               "source": "ai"})
    );
    let chunks: Vec<_> = line
        .sent
        .iter()
        .map(|frame| frame["chunk"].as_u64())
        .collect();
    let whole: Vec<_> = (1..=50).map(Some).collect();
    assert_eq!(chunks, whole, "one second of greeting");
    let ahead = line
        .sent
        .iter()
        .filter_map(|frame| frame["RevMediaQ"].as_u64());
    assert!(ahead.max() <= Some(25), "little is queued at the dialler");
}

#[test]
fn the_contact_is_heard_and_interrupts() {
    let mut line = Line::answered(order());
    line.wait(200);
    let pcm = STANDARD.encode([0u8, 0, 0xe8, 0x03]);
    line.says(&json!({"event": "media", "payload": pcm}));
    assert_eq!(line.heard, [0xff, 0xce]);
    line.give(Input::ContactSpeaks);
    assert_eq!(line.controls(), ["reverse-media-stop"]);
    let sent = line.sent.len();
    line.wait(400);
    assert_eq!(line.sent.len(), sent, "the rest of the greeting is dropped");
}

#[test]
fn the_agent_says_goodbye_and_hangs_up() {
    let mut line = Line::answered(order());
    line.wait(1_500);
    line.give(Input::ContactSpeaks);
    line.give(Input::ContactPauses);
    line.wait(3_000);
    line.ended(EndedBy::Agent, "agent_ended", 1000);
    assert_eq!(
        line.controls(),
        ["reverse-media-stop", "reverse-hangup-call"]
    );
    assert_eq!(
        *line.sent.last().unwrap(),
        json!({"event": "reverse-hangup-call", "streamId": "s-1", "callerId": "+919876543210",
               "source": "ai", "message": "Call ended by bot"})
    );
}

#[test]
fn the_agent_transfers_after_its_script() {
    let mut line = Line::answered(StartOrder {
        transfer_to: Some("+15005550123".to_owned()),
        ..order()
    });
    line.wait(1_500);
    line.give(Input::ContactSpeaks);
    line.give(Input::ContactPauses);
    line.wait(3_000);
    line.ended(EndedBy::Agent, "transferred", 1000);
    assert_eq!(
        line.controls(),
        ["reverse-media-stop", "reverse-call-transfer"]
    );
    assert_eq!(line.sent.last().unwrap()["transferTo"], "+15005550123");
}

/// What an answered call is given, and how that ends it: by whom, the word, the close code, and whether this side hangs up.
#[test]
fn every_end_of_an_answered_call() {
    use EndedBy::{Contact, Error, Gateway};
    let hang_up = json!({"event": "hangup-call", "disconnectedBy": "customer"}).to_string();
    type Ending<'a> = (Input<'a>, EndedBy, &'a str, u16, bool);
    let endings: [Ending<'_>; 11] = [
        (
            Input::Text(&hang_up),
            Contact,
            "contact_hung_up",
            1000,
            false,
        ),
        (
            Input::Closed { code: Some(1001) },
            Contact,
            "contact_hung_up",
            1000,
            false,
        ),
        (
            Input::Closed { code: None },
            Error,
            "socket_broke",
            1000,
            false,
        ),
        (Input::Stop, Gateway, "stopped", 1000, true),
        (Input::SpeechFailed, Error, "speech_failed", 1000, true),
        (
            Input::Unusable(Unusable::Binary),
            Error,
            "frame_binary",
            1003,
            true,
        ),
        (
            Input::Unusable(Unusable::TooLarge),
            Error,
            "frame_too_large",
            1009,
            true,
        ),
        (Input::Text("hello"), Error, "frame_unreadable", 1007, true),
        (
            Input::Text(r#"{"event":"media"}"#),
            Error,
            "frame_unreadable",
            1007,
            true,
        ),
        (
            Input::Text(r#"{"event":"media","payload":"AA=="}"#),
            Error,
            "audio_unreadable",
            1007,
            true,
        ),
        (
            Input::Text(r#"{"event":"answer"}"#),
            Error,
            "frames_out_of_order",
            1002,
            true,
        ),
    ];
    for (input, by, reason, code, hangs_up) in endings {
        let mut line = Line::answered(order());
        line.wait(100);
        line.give(input);
        line.ended(by, reason, code);
        let last_two = ["reverse-media-stop", "reverse-hangup-call"];
        assert_eq!(line.controls().ends_with(&last_two), hangs_up, "{reason}");
        let stop = line.closed.unwrap();
        assert!(stop.reason.len() <= 123);
    }
}

/// Frames of a handshake, and what becomes of the call.
#[test]
fn every_wrong_handshake() {
    let answer = json!({"event": "answer"});
    let media = json!({"event": "media", "payload": "AAAA"});
    let format = |format: Value| json!({"event": "start", "mediaFormat": format});
    let mulaw = format(json!({"encoding": "MULAW"}));
    let wide = format(json!({"encoding": "LINEAR", "sampleRate": 16000}));
    let stereo = format(json!({"channels": 2}));
    let nonsense = format(json!("LINEAR"));
    let wrong: [(&[Value], &str, u16); 9] = [
        (&[start()], "frames_out_of_order", 1002),
        (std::slice::from_ref(&answer), "frames_out_of_order", 1002),
        (&[media], "frames_out_of_order", 1002),
        (&[connected(), answer.clone()], "frames_out_of_order", 1002),
        (&[connected(), connected()], "frames_out_of_order", 1002),
        (&[connected(), mulaw], "media_format_unknown", 1003),
        (&[connected(), wide], "media_format_unknown", 1003),
        (&[connected(), stereo], "media_format_unknown", 1003),
        (&[connected(), nonsense], "frame_unreadable", 1007),
    ];
    for (frames, reason, code) in wrong {
        let mut line = Line::opened(order());
        for frame in frames {
            line.says(frame);
        }
        line.ended(EndedBy::Error, reason, code);
        assert_eq!(
            line.controls(),
            ["reverse-media-stop", "reverse-hangup-call"]
        );
    }
}

#[test]
fn a_dialler_that_says_nothing_is_not_waited_for() {
    let mut unopened = Line::new(order());
    unopened.wait(20_000);
    assert!(
        matches!(unopened.events.last(), Some(VoiceEvent::Lost { cause, .. }) if cause == "no media socket came in time")
    );
    let mut silent = Line::opened(order());
    silent.wait(9_980);
    assert_eq!(silent.closed, None);
    silent.wait(20);
    silent.ended(EndedBy::Error, "no_connected_frame", 1008);
    let mut ringing = Line::opened(order());
    ringing.says(&connected());
    ringing.says(&start());
    ringing.wait(59_980);
    assert_eq!(ringing.closed, None);
    ringing.wait(20);
    ringing.ended(EndedBy::Error, "no_answer_frame", 1008);
}

#[test]
fn an_agent_may_insist_on_its_variables() {
    let mut line = Line::opened(StartOrder {
        when_missing: WhenMissing::Refuse,
        ..order()
    });
    line.says(&connected());
    line.ended(EndedBy::Error, "variables_missing", 1008);
    assert!(line.spoken.is_empty());
}

#[test]
fn values_do_not_make_texts_without_end() {
    let mut line = Line::opened(StartOrder {
        prompt: "{{call.long}}".repeat(50),
        ..order()
    });
    line.says(&json!({"event": "connected", "long": "x".repeat(10_000)}));
    line.ended(EndedBy::Error, "texts_too_long", 1008);
    assert!(line.spoken.is_empty());
}

/// The CRM is waited for, also past the answer, and done without if it takes too long.
#[test]
fn the_crm_is_asked_first() {
    let asking = || StartOrder {
        greeting: "Hello {{crm.name | you}}".to_owned(),
        crm_s: 5,
        ..order()
    };
    let mut line = Line::answered(asking());
    line.wait(2_000);
    line.give(Input::ContactSpeaks);
    line.give(Input::ContactPauses);
    line.wait(1_000);
    assert!(line.spoken.is_empty() && line.sent.is_empty());
    let crm = [("name".to_owned(), json!("Rahul"))];
    line.give(Input::Crm(crm.into_iter().collect()));
    assert_eq!(line.spoken[0], "Hello Rahul");
    assert_eq!(line.sent[0]["event"], "reverse-media");

    let mut late = Line::answered(asking());
    late.wait(4_980);
    assert!(late.spoken.is_empty());
    late.wait(20);
    assert_eq!(late.spoken[0], "Hello you");
    let said = late.spoken.len();
    late.give(Input::Crm(Map::new()));
    assert_eq!(
        late.spoken.len(),
        said,
        "what comes too late changes nothing"
    );
}

#[test]
fn what_is_not_named_is_taken_from_where_it_is() {
    let mut line = Line::opened(order());
    line.says(&json!({"event": "connected", "callerId": 919876543210u64}));
    line.says(&json!({"event": "ping"}));
    line.says(&json!({"event": "start", "streamId": "s-2"}));
    line.says(&json!({"event": "answer"}));
    line.wait(200);
    assert_eq!(line.sent[0]["streamId"], "s-2");
    assert_eq!(line.sent[0]["callerId"], "919876543210");
    assert_eq!(line.sent[0]["did"], "");
}
