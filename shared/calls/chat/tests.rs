//! Chats, message by message.

use super::*;
use crate::config::WhenMissing;
use crate::voice::{Kind, Limits, ReportTo};

const T0: Time = Time(1_795_167_000_000);

/// A chat with an agent of two answers, and all it wanted done.
struct Talk {
    chat: Chat,
    now: Time,
    sent: Vec<Value>,
    events: Vec<VoiceEvent>,
    closed: Option<Close>,
}

impl Talk {
    fn new() -> Talk {
        let order = StartOrder {
            version: 2,
            kind: Kind::Chat,
            call: "00000000-0000-8000-8000-000000000001".to_owned(),
            engine: "offline".to_owned(),
            disclosure: Some("I am a machine.".to_owned()),
            greeting: "Hello.".to_owned(),
            prompt: String::new(),
            agenda: None,
            script: vec!["First.".to_owned(), "Second.".to_owned()],
            goodbye: "Bye.".to_owned(),
            opted_out: String::new(),
            keys: [("1", "One."), ("9", "hangup")]
                .map(|(key, text)| (key.to_owned(), text.to_owned()))
                .into(),
            transfer_to: None,
            when_missing: WhenMissing::AsDialect,
            timezone: String::new(),
            crm_s: 0,
            limits: Limits {
                call_s: 60,
                silence_s: 20,
                connect_s: 10,
            },
            report: ReportTo {
                url: String::new(),
                key: String::new(),
            },
        };
        let mut talk = Talk {
            chat: Chat::new(order, T0),
            now: T0,
            sent: Vec::new(),
            events: Vec::new(),
            closed: None,
        };
        talk.drain();
        talk
    }

    fn opened() -> Talk {
        let mut talk = Talk::new();
        talk.give(Input::Opened);
        talk
    }

    fn give(&mut self, input: Input<'_>) {
        self.chat.handle(input, self.now);
        self.drain();
    }

    fn pass_s(&mut self, seconds: u64) {
        self.now = self.now.plus_s(seconds);
        self.give(Input::Tick);
    }

    fn drain(&mut self) {
        while let Some(output) = self.chat.output() {
            match output {
                Output::Send(text) => self.sent.push(serde_json::from_str(&text).unwrap()),
                Output::Report(event) => self.events.push(event),
                Output::Close(close) => {
                    assert_eq!(self.closed.replace(close), None);
                }
            }
        }
    }

    /// What the agent said, and the words it ended with.
    fn said(&self) -> Vec<&str> {
        let words = |frame: &'_ Value| match frame["type"].as_str() {
            Some("message") => "text",
            Some("end") => "reason",
            _ => "type",
        };
        self.sent
            .iter()
            .map(|frame| frame[words(frame)].as_str().unwrap())
            .collect()
    }

    #[track_caller]
    fn ended(&self, by: EndedBy, reason: &str, code: u16) {
        let ended: Vec<_> = self
            .events
            .iter()
            .filter_map(|event| match event {
                VoiceEvent::Ended {
                    by,
                    reason,
                    transcript,
                    ..
                } => {
                    assert!(transcript.is_empty(), "a chat is not kept");
                    Some((*by, reason.as_str()))
                }
                _ => None,
            })
            .collect();
        assert_eq!(ended, [(by, reason)]);
        assert_eq!(self.closed.map(|close| close.code), Some(code));
        assert_eq!(self.chat.deadline(), None);
    }
}

#[test]
fn a_conversation() {
    let mut talk = Talk::opened();
    assert_eq!(talk.said(), ["I am a machine.", "Hello."]);
    talk.give(Input::Text("hi"));
    talk.give(Input::Text(r#"{"type":"message","text":" what? "}"#));
    talk.give(Input::Text("1"));
    talk.give(Input::Text(r#"{"text":"so?"}"#));
    assert_eq!(
        talk.said()[2..],
        ["First.", "Second.", "One.", "Bye.", "agent_ended"]
    );
    talk.ended(EndedBy::Agent, "agent_ended", 1000);
    talk.give(Input::Text("still there?"));
    assert_eq!(talk.said().len(), 7);
}

/// What is given to an open chat, and how that ends it.
#[test]
fn every_end() {
    use EndedBy::{Agent, Contact, Error, Gateway};
    type Ending<'a> = (Input<'a>, EndedBy, &'a str, u16);
    let endings: [Ending<'_>; 6] = [
        (Input::Text("9"), Agent, "hangup_key", 1000),
        (Input::Text(r#"{"type":"end"}"#), Contact, "closed", 1000),
        (Input::Closed, Contact, "closed", 1000),
        (Input::Stop, Gateway, "stopped", 1000),
        (
            Input::Unusable(Unusable::Binary),
            Error,
            "frame_unusable",
            1003,
        ),
        (
            Input::Unusable(Unusable::TooLarge),
            Error,
            "frame_unusable",
            1009,
        ),
    ];
    for (input, by, reason, code) in endings {
        let mut talk = Talk::opened();
        talk.give(input);
        talk.ended(by, reason, code);
    }
}

#[test]
fn limits_end_a_chat() {
    let mut unopened = Talk::new();
    unopened.pass_s(9);
    assert_eq!(unopened.closed, None);
    unopened.pass_s(1);
    unopened.ended(EndedBy::Timeout, "no_socket", 1000);

    let mut idle = Talk::opened();
    idle.pass_s(19);
    idle.give(Input::Text("hm"));
    idle.pass_s(19);
    assert_eq!(idle.closed, None);
    idle.pass_s(1);
    idle.ended(EndedBy::Timeout, "idle", 1000);
    assert_eq!(idle.said().last(), Some(&"idle"));

    let mut long = Talk::opened();
    for _ in 0..5 {
        long.pass_s(11);
        long.give(Input::Text("1"));
    }
    assert_eq!(long.closed, None);
    long.pass_s(5);
    long.ended(EndedBy::Timeout, "max_duration", 1000);
}

#[test]
fn frames_that_say_nothing_are_borne_for_a_while() {
    let mut talk = Talk::opened();
    let silent = [
        "",
        "  ",
        "{}",
        r#"{"text":5}"#,
        r#"{"type":"ping","text":"x"}"#,
    ];
    for text in silent {
        talk.give(Input::Text(text));
    }
    assert_eq!(talk.said()[2..], ["error"; 5]);
    // What is no object is meant as it stands.
    talk.give(Input::Text("[1]"));
    assert_eq!(talk.said().last(), Some(&"First."));
    for _ in 5..10 {
        talk.give(Input::Text("{}"));
    }
    talk.ended(EndedBy::Error, "frames_unreadable", 1008);
}
