//! The conversation against a telephone made of numbers: time moves only when a test says so.

use super::*;
use crate::config::WhenMissing;
use crate::voice::{EndedBy, Limits, OptOut, ReportTo, Speaker};
use serde_json::{Value, json};

const T0: u64 = 1_795_167_000_000;

/// Twilio and the speech engine in one: every line lasts one second, marks come back when it is over.
struct Phone {
    session: Session,
    now: u64,
    /// When Twilio's buffer runs dry.
    plays_until: u64,
    marks: Vec<(u64, String)>,
    sent: Vec<Value>,
    events: Vec<VoiceEvent>,
    heard: usize,
    closed: bool,
}

fn order() -> StartOrder {
    StartOrder {
        version: 1,
        kind: Kind::Phone,
        transfer_to: None,
        when_missing: WhenMissing::AsDialect,
        timezone: String::new(),
        crm_s: 0,
        call: "00000000-0000-8000-8000-000000000001".to_owned(),
        engine: "offline".to_owned(),
        disclosure: None,
        greeting: "Good morning to you all".to_owned(),
        prompt: String::new(),
        agenda: None,
        script: vec!["First answer".to_owned(), "Second answer".to_owned()],
        goodbye: "Goodbye".to_owned(),
        opted_out: "You will not be called again".to_owned(),
        keys: [("1", "You pressed one"), ("8", "opt_out"), ("9", "hangup")]
            .map(|(key, text)| (key.to_owned(), text.to_owned()))
            .into(),
        limits: Limits {
            call_s: 60,
            silence_s: 8,
            connect_s: 30,
        },
        report: ReportTo {
            url: "http://127.0.0.1/internal/report/t".to_owned(),
            key: "k".to_owned(),
        },
    }
}

impl Phone {
    fn new(order: StartOrder) -> Phone {
        let mut phone = Phone {
            session: Session::new(order, Time(T0)),
            now: T0,
            plays_until: 0,
            marks: Vec::new(),
            sent: Vec::new(),
            events: Vec::new(),
            heard: 0,
            closed: false,
        };
        phone.drain();
        phone
    }

    /// A phone whose media has started.
    fn answered(order: StartOrder) -> Phone {
        let mut phone = Phone::new(order);
        phone.twilio(json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}));
        phone.twilio(
            json!({"event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
            "accountSid": "AC1", "callSid": "CA1", "streamSid": "MZ1", "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": {}}}),
        );
        phone
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle(input, Time(self.now));
        self.drain();
    }

    fn twilio(&mut self, message: Value) {
        self.give(Input::Text(&message.to_string()));
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.output() {
            match output {
                Output::Synthesize { words, .. } => {
                    let audio = vec![0x55; 8000];
                    let now = Time(self.now);
                    self.session.handle(Input::Speech { words, audio }, now);
                }
                Output::Send(text) => self.play(serde_json::from_str(&text).unwrap()),
                Output::Hear(audio) => self.heard += audio.len(),
                Output::Report(event) => self.events.push(event),
                Output::Close(_) => self.closed = true,
            }
        }
    }

    fn play(&mut self, message: Value) {
        match message["event"].as_str().unwrap() {
            "media" => {
                let base64 = message["media"]["payload"].as_str().unwrap().len() as u64;
                self.plays_until = self.plays_until.max(self.now) + base64 * 3 / 4 / 8;
            }
            "mark" => {
                let name = message["mark"]["name"].as_str().unwrap().to_owned();
                self.marks.push((self.plays_until.max(self.now), name));
            }
            _ => {
                self.plays_until = self.now;
                self.marks.iter_mut().for_each(|mark| mark.0 = self.now);
            }
        }
        self.sent.push(message);
    }

    /// Lets time pass, in steps of 20 ms, with the contact's line open.
    fn wait(&mut self, ms: u64) {
        let until = self.now + ms;
        while self.now < until && !self.closed {
            self.now += 20;
            self.twilio(
                json!({"event": "media", "media": {"track": "inbound", "payload": "////"}}),
            );
            self.pass();
        }
    }

    /// What time alone brings: marks and deadlines.
    fn pass(&mut self) {
        let (reached, waiting) = std::mem::take(&mut self.marks)
            .into_iter()
            .partition(|(at, _)| *at <= self.now);
        self.marks = waiting;
        for (_, name) in reached {
            self.twilio(json!({"event": "mark", "mark": {"name": name}}));
        }
        if self.session.deadline().is_some_and(|at| at.0 <= self.now) {
            self.give(Input::Tick);
        }
    }

    fn speak(&mut self, ms: u64) {
        self.give(Input::ContactSpeaks);
        self.wait(ms);
        self.give(Input::ContactPauses);
    }

    fn lines(&self) -> Vec<String> {
        let line = |event: &VoiceEvent| match event {
            VoiceEvent::Line { line, .. } => Some(match line.speaker {
                Speaker::Agent => format!("agent: {}", line.text),
                Speaker::Contact => format!("contact: {}", line.text),
            }),
            _ => None,
        };
        self.events.iter().filter_map(line).collect()
    }

    fn count(&self, event: &str) -> usize {
        self.sent.iter().filter(|m| m["event"] == event).count()
    }

    /// Who ended the call, why, and after how many milliseconds.
    fn end(&self) -> (EndedBy, &str, u64) {
        match self.events.last() {
            Some(VoiceEvent::Ended { at, by, reason, .. }) => (*by, reason, at.0 - T0),
            other => panic!("not ended but {other:?}"),
        }
    }
}

#[test]
fn a_whole_conversation() {
    let mut phone = Phone::answered(order());
    assert!(phone.count("media") > 0, "the greeting begins at once");
    phone.wait(1500);
    for _ in 0..3 {
        phone.speak(1200);
        phone.wait(700 + 1500);
    }
    assert_eq!(
        phone.lines(),
        [
            "agent: Good morning to you all",
            "contact: (speech, 1.2 s)",
            "agent: First answer",
            "contact: (speech, 1.2 s)",
            "agent: Second answer",
            "contact: (speech, 1.2 s)",
            "agent: Goodbye",
        ]
    );
    let (by, reason, _) = phone.end();
    assert_eq!((by, reason), (EndedBy::Agent, "agent_ended"));
    assert!(phone.closed && phone.session.is_over() && phone.session.deadline().is_none());
    assert!(phone.heard > 0);
    let Some(VoiceEvent::Ended { transcript, .. }) = phone.events.last() else {
        unreachable!()
    };
    assert_eq!(transcript.len(), 7);
    assert_eq!(phone.count("clear"), 0);
}

#[test]
fn says_nothing_before_start() {
    let mut phone = Phone::new(order());
    assert_eq!(phone.events, [VoiceEvent::Ready { at: Time(T0) }]);
    phone.twilio(json!({"event": "connected"}));
    phone.now += 5000;
    phone.pass();
    assert!(phone.sent.is_empty());
}

#[test]
fn audio_is_paced() {
    let mut phone = Phone::answered(order());
    assert_eq!(phone.count("media"), 4, "400 ms ahead");
    phone.wait(200);
    assert_eq!(phone.count("media"), 6);
    phone.wait(600);
    assert_eq!((phone.count("media"), phone.count("mark")), (10, 1));
}

#[test]
fn the_disclosure_comes_first_and_is_not_interrupted() {
    let disclosure = Some("This is a machine".to_owned());
    let mut phone = Phone::answered(StartOrder {
        disclosure,
        ..order()
    });
    phone.speak(600);
    phone.wait(2500);
    assert_eq!(phone.count("clear"), 0);
    assert_eq!(
        phone.lines(),
        [
            "agent: This is a machine",
            "contact: (speech, 0.6 s)",
            "agent: Good morning to you all"
        ]
    );
}

#[test]
fn barge_in_clears_and_keeps_what_was_heard() {
    let mut phone = Phone::answered(order());
    phone.wait(600);
    phone.speak(800);
    assert_eq!(phone.count("clear"), 1);
    phone.wait(700);
    assert_eq!(
        phone.lines(),
        ["agent: Good morning—", "contact: (speech, 0.8 s)"]
    );
    phone.wait(1500);
    assert_eq!(phone.lines()[2], "agent: First answer");
}

#[test]
fn a_turn_survives_short_pauses() {
    let mut phone = Phone::answered(order());
    phone.wait(1500);
    phone.speak(400);
    phone.wait(480);
    phone.speak(400);
    phone.wait(800);
    assert_eq!(phone.lines()[1], "contact: (speech, 1.3 s)");
}

#[test]
fn a_turn_ends_when_audio_stops_coming() {
    let mut phone = Phone::answered(order());
    phone.wait(1500);
    phone.give(Input::ContactSpeaks);
    phone.wait(400);
    for _ in 0..70 {
        phone.now += 20;
        phone.pass();
    }
    assert_eq!(phone.lines()[1], "contact: (speech, 0.9 s)");
}

#[test]
fn keys_are_answered() {
    let mut phone = Phone::answered(order());
    phone.wait(300);
    phone.twilio(json!({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "1"}}));
    phone.wait(1500);
    phone.twilio(json!({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}}));
    phone.twilio(json!({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "9"}}));
    phone.wait(1500);
    assert_eq!(
        phone.lines(),
        [
            "agent: Good—",
            "contact: [dtmf 1]",
            "agent: You pressed one",
            "contact: [dtmf 5]",
            "contact: [dtmf 9]",
            "agent: Goodbye"
        ]
    );
    let (by, reason, _) = phone.end();
    assert_eq!((by, reason), (EndedBy::Agent, "hangup_key"));
}

/// Whoever is interrupted before a word was heard has said nothing.
#[test]
fn a_line_nobody_heard_is_no_line() {
    let mut phone = Phone::answered(order());
    phone.wait(20);
    phone.twilio(json!({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}}));
    phone.wait(20);
    assert_eq!(phone.lines(), ["contact: [dtmf 5]"]);
}

/// What is confirmed has been done: nothing is said before the gateway has it, and without it nothing is confirmed.
#[test]
fn an_opt_out_counts_before_it_is_confirmed() {
    let key = json!({"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "8"}});
    for (answered, last) in [
        (true, "agent: You will not be called again"),
        (false, "agent: Goodbye"),
    ] {
        let mut phone = Phone::answered(order());
        phone.wait(300);
        phone.twilio(key.clone());
        let by = OptOut::Key;
        let reported = |event: &VoiceEvent| matches!(event, VoiceEvent::OptedOut { by: told, .. } if *told == by);
        assert_eq!(
            phone.events.iter().filter(|event| reported(event)).count(),
            1
        );
        phone.wait(4000);
        assert_eq!(phone.lines(), ["agent: Good—", "contact: [dtmf 8]"]);
        if answered {
            phone.session.handle(Input::OptedOut, Time(phone.now));
        }
        phone.wait(4000);
        assert_eq!(phone.lines().last().map(String::as_str), Some(last));
        let (by, reason, _) = phone.end();
        assert_eq!((by, reason), (EndedBy::Agent, "opted_out"));
    }
}

#[test]
fn limits() {
    let cases = [
        (60, 8, EndedBy::Timeout, "silence", 10_000..=10_100),
        (5, 8, EndedBy::Timeout, "max_duration", 4_900..=5_100),
    ];
    for (call_s, silence_s, by, reason, ms) in cases {
        let limits = Limits {
            call_s,
            silence_s,
            connect_s: 30,
        };
        let mut phone = Phone::answered(StartOrder { limits, ..order() });
        phone.wait(60_000);
        let ended = phone.end();
        assert_eq!((ended.0, ended.1), (by, reason));
        assert!(ms.contains(&ended.2), "{reason} after {} ms", ended.2);
        assert_eq!(phone.lines().last().unwrap(), "agent: Goodbye");
    }
}

#[test]
fn ways_to_end() {
    let stop = json!({"event": "stop", "stop": {}}).to_string();
    let cases = [
        (Input::Text(&stop), EndedBy::Contact, "contact_hung_up"),
        (
            Input::Closed { code: Some(1000) },
            EndedBy::Contact,
            "contact_hung_up",
        ),
        (Input::Stop, EndedBy::Gateway, "stopped"),
        (Input::SpeechFailed, EndedBy::Error, "speech_failed"),
    ];
    for (input, by, reason) in cases {
        let mut phone = Phone::answered(order());
        phone.wait(600);
        phone.give(input);
        assert_eq!(phone.end(), (by, reason, 600));
        assert_eq!(phone.lines(), ["agent: Good morning—"]);
        assert!(phone.closed);
        phone.give(Input::Stop);
        phone.give(Input::Tick);
        assert_eq!(phone.end().1, reason, "an end is final");
    }
}

#[test]
fn a_broken_socket_is_a_lost_call_unless_the_gateway_ended_it() {
    let lost = |stopped: bool| {
        let mut phone = Phone::answered(order());
        phone.wait(500);
        phone.give(Input::Closed { code: None });
        assert!(!phone.session.is_over());
        phone.now += 900;
        phone.pass();
        if stopped {
            phone.give(Input::Stop);
        }
        phone.now += 100;
        phone.pass();
        assert!(phone.session.is_over());
        matches!(phone.events.last(), Some(VoiceEvent::Lost { .. }))
    };
    assert!(lost(false));
    assert!(!lost(true));
}

/// The launcher was killed: its sockets broke just before, or a moment later, and nobody asked for an end.
#[test]
fn a_session_without_its_launcher_is_a_lost_call() {
    for broke in [true, false] {
        let mut phone = Phone::answered(order());
        phone.wait(600);
        if broke {
            phone.give(Input::Closed { code: None });
        }
        phone.give(Input::Abandoned);
        assert!(phone.closed && phone.session.is_over());
        assert!(
            matches!(phone.events.last(), Some(VoiceEvent::Lost { cause, .. }) if cause.contains("launcher"))
        );
        assert_eq!(phone.lines(), ["agent: Good morning—"]);
    }
}

#[test]
fn no_media_is_a_lost_call() {
    let mut phone = Phone::new(order());
    phone.now += 29_999;
    phone.pass();
    assert!(!phone.session.is_over());
    phone.now += 1;
    phone.pass();
    assert!(
        matches!(phone.events.last(), Some(VoiceEvent::Lost { cause, .. }) if cause.contains("media"))
    );
}

#[test]
fn a_start_must_name_its_call_and_a_known_format() {
    let start =
        json!({"streamSid": "MZ1", "callSid": "CA1", "mediaFormat": {"encoding": "audio/x-mulaw"}});
    for (field, value, reason) in [
        ("callSid", json!(""), "start_without_call_sid"),
        (
            "mediaFormat",
            json!({"encoding": "audio/opus"}),
            "media_format_unknown",
        ),
    ] {
        let mut start = start.clone();
        start[field] = value;
        let mut phone = Phone::new(order());
        phone.twilio(json!({"event": "start", "start": start}));
        assert_eq!((phone.end().0, phone.end().1), (EndedBy::Error, reason));
        assert!(phone.sent.is_empty());
    }
}

#[test]
fn noise_on_the_socket_is_ignored() {
    let mut phone = Phone::answered(order());
    let before = phone.sent.len();
    for text in [
        "",
        "{",
        "null",
        "[]",
        r#"{"event":"news"}"#,
        r#"{"event":"media"}"#,
        r#"{"event":"media","media":{"payload":"*"}}"#,
        r#"{"event":"mark","mark":{"name":"line-7"}}"#,
    ] {
        phone.give(Input::Text(text));
    }
    assert_eq!((phone.sent.len(), phone.lines().len()), (before, 0));
}

#[test]
fn speech_that_is_late_is_said_when_it_comes() {
    let mut session = Session::new(order(), Time(T0));
    while session.output().is_some() {}
    let start = json!({"event": "start", "start": {"streamSid": "MZ1", "callSid": "CA1"}});
    session.handle(Input::Text(&start.to_string()), Time(T0 + 10));
    assert!(matches!(
        session.output(),
        Some(Output::Report(VoiceEvent::MediaStarted { .. }))
    ));
    assert_eq!(session.output(), None);
    let audio = vec![0x55; 160];
    session.handle(Input::Speech { words: 0, audio }, Time(T0 + 50));
    assert!(matches!(session.output(), Some(Output::Send(_))));
}
