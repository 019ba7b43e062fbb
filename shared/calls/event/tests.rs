//! The closed list is complete, and events survive storage.

use super::*;
use crate::seats::Limit;
use crate::voice::{OptOut, Speaker};

fn one_of_each() -> Vec<Event> {
    let at = Time(1);
    let text = || "x".to_owned();
    let mut all = vec![
        Event::Dialled { at, sid: text() },
        Event::DialRefused {
            at,
            status: 400,
            code: Some(21_211),
        },
        Event::DialUnknown { at, cause: text() },
        Event::NoSeat {
            at,
            full: Full {
                limit: Limit::Agent,
                taken: 1,
                most: 1,
                retry_after_s: 10,
            },
        },
        Event::Postponed {
            at,
            until: at,
            why: text(),
        },
        Event::GateClosed { at, reason: text() },
        Event::CancelAsked { at },
        Event::Fired { at },
        Event::MessageStarted { at },
        Event::MessageLeft { at },
        Event::NextAttempt {
            at,
            call: text(),
            due: at,
        },
        Event::ChainEnded { at, reason: text() },
        Event::AnsweredBy {
            at,
            answered_by: UNKNOWN.to_owned(),
        },
        Event::TwimlFetched { at, sid: text() },
        Event::AnsweredBy {
            at,
            answered_by: text(),
        },
        Event::Recording {
            at,
            url: text(),
            duration_s: None,
        },
        Event::Arrived { at },
        Event::CrmAsked {
            at,
            fetched: Fetched::default(),
        },
        Event::AudioStarted { at },
        Event::AudioFailed { at, cause: text() },
        Event::Voice(VoiceEvent::Ready { at }),
        Event::Voice(VoiceEvent::Connected {
            at,
            variables: [("callerId".to_owned(), "x".into())].into_iter().collect(),
        }),
        Event::Voice(VoiceEvent::MediaStarted {
            at,
            call_sid: text(),
        }),
        Event::Voice(VoiceEvent::FirstAudio { at }),
        Event::Voice(VoiceEvent::OptedOut {
            at,
            by: OptOut::Key,
        }),
        Event::Voice(VoiceEvent::Ended {
            at,
            by: EndedBy::Agent,
            reason: text(),
            transcript: vec![],
        }),
        Event::Voice(VoiceEvent::Lost { at, cause: text() }),
        Event::HangupAsked {
            at,
            by: EndedBy::Gateway,
        },
        Event::Lost {
            at,
            evidence: text(),
        },
        Event::Ended {
            at,
            outcome: Outcome::Completed,
            reason: text(),
            by: None,
        },
        Event::Analysis {
            at,
            result: Map::new(),
            late: false,
        },
        Event::AnalysisFailed { at, cause: text() },
    ];
    for told in [Told::Callback, Told::Poll] {
        for word in [
            "queued",
            "initiated",
            "ringing",
            "in-progress",
            "completed",
            "busy",
            "failed",
            "no-answer",
            "canceled",
        ] {
            let status = Status::parse(word).unwrap();
            assert_eq!(status.word(), word);
            all.push(Event::Provider {
                at,
                told,
                status,
                sid: text(),
                happened: None,
                duration_s: None,
                sip: None,
                error: None,
            });
        }
    }
    all
}

#[test]
fn the_closed_list_is_complete() {
    let mut names: Vec<String> = one_of_each().iter().map(Event::name).collect();
    names.sort();
    let mut listed = NAMES.to_vec();
    listed.sort();
    assert_eq!(names, listed);
}

#[test]
fn events_survive_storage() {
    let line = Line {
        speaker: Speaker::Agent,
        text: "Hello".to_owned(),
        at: Time(5),
    };
    let line = Event::Voice(VoiceEvent::Line { index: 3, line });
    assert_eq!(line.name(), "line-3");
    for event in one_of_each().into_iter().chain([line]) {
        assert_eq!(Event::read(&event.stored().1), Some(event));
    }
    assert_eq!(
        Event::read(r#"{"v":2,"e":{"fact":"no_seat","at":1}}"#),
        None
    );
}
