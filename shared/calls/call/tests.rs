//! The fold over every order and repetition of recorded sequences, and the verdicts they come to.

use super::*;
use crate::seats::Limit;
use crate::voice::Speaker;

fn at(s: u64) -> Time {
    Time(s * 1000)
}

fn provider(s: u64, word: &str) -> Event {
    Event::Provider {
        at: at(s),
        told: Told::Callback,
        status: Status::parse(word).unwrap(),
        sid: "CA1".to_owned(),
        happened: None,
        duration_s: (word == "completed").then_some(12),
        sip: None,
        error: None,
    }
}

/// What Twilio answered when it was asked.
fn polled(s: u64, word: &str) -> Event {
    Event::Provider {
        at: at(s),
        told: Told::Poll,
        status: Status::parse(word).unwrap(),
        sid: "CA1".to_owned(),
        happened: None,
        duration_s: (word == "completed").then_some(7),
        sip: None,
        error: None,
    }
}

fn dialled() -> Event {
    Event::Dialled {
        at: at(1),
        sid: "CA1".to_owned(),
    }
}

fn media_started() -> Event {
    Event::Voice(VoiceEvent::MediaStarted {
        at: at(6),
        call_sid: "CA1".to_owned(),
    })
}

fn voice_ended(by: EndedBy) -> Event {
    let line = Line {
        speaker: Speaker::Agent,
        text: "Hello".to_owned(),
        at: at(7),
    };
    Event::Voice(VoiceEvent::Ended {
        at: at(17),
        by,
        reason: "contact_hung_up".to_owned(),
        transcript: vec![line],
    })
}

fn answered_call() -> Vec<Event> {
    vec![
        dialled(),
        provider(2, "initiated"),
        provider(3, "ringing"),
        provider(5, "in-progress"),
        media_started(),
        voice_ended(EndedBy::Contact),
        provider(18, "completed"),
    ]
}

/// Every order of `items` (Heap's algorithm).
fn permutations(items: &mut Vec<Event>, k: usize, visit: &mut impl FnMut(&[Event])) {
    if k <= 1 {
        return visit(items);
    }
    for i in 0..k {
        permutations(items, k - 1, visit);
        items.swap(if k.is_multiple_of(2) { i } else { 0 }, k - 1);
    }
}

#[test]
fn any_order_and_any_repetition_give_the_same_call() {
    let mut events = answered_call();
    let expected = Call::fold(events.clone());
    let n = events.len();
    let mut seen = 0;
    permutations(&mut events, n, &mut |order| {
        seen += 1;
        let twice = order.iter().chain(order.iter().rev()).cloned();
        assert_eq!(Call::fold(twice), expected);
    });
    assert_eq!(seen, 5040);
}

fn answered_by(s: u64, word: &str) -> Event {
    Event::AnsweredBy {
        at: at(s),
        answered_by: word.to_owned(),
    }
}

/// Sequences of a scheduled call: a dial that broke off and was adopted, a message left on a mailbox, a chain that goes on.
fn later_calls() -> [Vec<Event>; 3] {
    let unknown = Event::DialUnknown {
        at: at(51),
        cause: "broke off".to_owned(),
    };
    let polled = polled(60, "busy");
    let fired = Event::Fired { at: at(1) };
    let ended = Event::Ended {
        at: at(61),
        outcome: Outcome::Busy,
        reason: "busy".to_owned(),
        by: None,
    };
    let next = Event::NextAttempt {
        at: at(62),
        call: "next".to_owned(),
        due: at(90),
    };
    let postponed = Event::Postponed {
        at: at(0),
        until: at(1),
        why: "no_capacity".to_owned(),
    };
    [
        vec![
            postponed,
            fired.clone(),
            unknown,
            provider(55, "ringing"),
            polled,
            provider(70, "completed"),
        ],
        vec![
            fired.clone(),
            dialled(),
            provider(5, "in-progress"),
            answered_by(8, "unknown"),
            answered_by(9, "machine_end_beep"),
            Event::MessageStarted { at: at(10) },
            Event::MessageLeft { at: at(15) },
        ],
        vec![
            fired,
            dialled(),
            provider(4, "busy"),
            ended,
            next,
            Event::CancelAsked { at: at(63) },
            provider(64, "completed"),
        ],
    ]
}

#[test]
fn any_order_of_a_scheduled_calls_facts_gives_the_same_call() {
    for mut events in later_calls() {
        let expected = Call::fold(events.clone());
        let verdict = expected.verdict(at(100));
        let n = events.len();
        permutations(&mut events, n, &mut |order| {
            let call = Call::fold(order.iter().chain(order.iter().rev()).cloned());
            assert_eq!(call, expected);
            assert_eq!(call.verdict(at(100)), verdict);
        });
    }
}

/// Twilio was asked about a conversation that went on, and its answer is not what it tells by itself.
#[test]
fn a_callback_outranks_a_poll_in_any_order() {
    for word in ["canceled", "busy", "no-answer", "failed", "completed"] {
        let told = [
            dialled(),
            polled(12, word),
            media_started(),
            voice_ended(EndedBy::Contact),
            provider(18, "completed"),
        ];
        let contact = (Outcome::Completed, "contact_hung_up");
        permutations(&mut told.to_vec(), told.len(), &mut |order| {
            let call = Call::fold(order.iter().chain(order).cloned());
            let verdict = call.verdict(at(18)).unwrap();
            assert_eq!((verdict.outcome, verdict.reason.as_str()), contact);
            assert_eq!(call.duration_s(at(18)), 12.0);
        });
        let ends = [polled(12, "completed"), provider(18, word)];
        let call = Call::fold(ends);
        assert_eq!(call.provider_end().unwrap().0.word(), word);
    }
    // Of one source, an end without a connection outranks `completed`.
    let ends = [polled(12, "busy"), polled(13, "completed")];
    check(&ends, 13, Some((Outcome::Busy, "busy", None)));
}

#[test]
fn verdicts_on_calls_that_waited() {
    use Outcome::*;
    let [adopted, message, chain] = later_calls();
    // What Twilio tells by itself outranks what it answered when asked.
    let never = Some((Failed, "media_never_started", Some(EndedBy::Error)));
    check(&adopted, 100, never);
    let completed = provider(20, "completed");
    let left = [message, vec![completed.clone()]].concat();
    let agent = Some(EndedBy::Agent);
    check(&left, 100, Some((Voicemail, "message_left", agent)));
    let cut: Vec<Event> = left
        .iter()
        .filter(|event| !matches!(event, Event::MessageLeft { .. }))
        .cloned()
        .collect();
    check(&cut, 100, Some((Voicemail, "message_cut_short", agent)));
    // Cancelling what follows an attempt is no verdict on the attempt.
    check(&chain, 100, Some((Busy, "busy", None)));
    let gateway = Some(EndedBy::Gateway);
    let canceled = [Event::CancelAsked { at: at(1) }];
    check(
        &canceled,
        2,
        Some((Canceled, "canceled_before_dial", gateway)),
    );
    let closed = [Event::GateClosed {
        at: at(1),
        reason: "expired".to_owned(),
    }];
    check(&closed, 2, Some((Refused, "expired", None)));
}

#[test]
fn who_can_tell_what_answered_counts_before_who_cannot() {
    for words in [["unknown", "human"], ["human", "unknown"]] {
        let call = Call::fold(words.map(|word| answered_by(1, word)));
        assert_eq!(call.answered_by(), Some("human"));
    }
    let call = Call::fold([answered_by(1, "unknown")]);
    assert_eq!(call.answered_by(), Some("unknown"));
    assert!(!call.machine());
}

#[test]
fn of_two_tellings_the_earlier_counts() {
    let early = Event::Provider {
        at: at(4),
        told: Told::Callback,
        status: Status::Ringing,
        sid: "CA1".to_owned(),
        happened: None,
        duration_s: None,
        sip: None,
        error: None,
    };
    for order in [
        [provider(9, "ringing"), early.clone()],
        [early.clone(), provider(9, "ringing")],
    ] {
        assert_eq!(Call::fold(order).ringing_at(), Some(at(4)));
    }
}

#[track_caller]
fn check(events: &[Event], now: u64, expected: Option<(Outcome, &str, Option<EndedBy>)>) {
    let verdict = Call::fold(events.to_vec()).verdict(at(now));
    let verdict = verdict
        .as_ref()
        .map(|v| (v.outcome, v.reason.as_str(), v.by));
    assert_eq!(verdict, expected);
}

#[test]
fn verdicts() {
    use Outcome::*;
    let contact = Some((Completed, "contact_hung_up", Some(EndedBy::Contact)));
    check(&answered_call(), 18, contact);
    check(&[dialled(), provider(3, "ringing")], 1000, None);
    check(
        &[dialled(), provider(9, "busy")],
        9,
        Some((Busy, "busy", None)),
    );
    check(
        &[dialled(), provider(9, "no-answer")],
        9,
        Some((NoAnswer, "no_answer", None)),
    );
    check(
        &[dialled(), provider(9, "failed")],
        9,
        Some((Failed, "provider_failed", Some(EndedBy::Error))),
    );
    // Some providers send completed after busy.
    check(
        &[provider(9, "busy"), provider(10, "completed")],
        30,
        Some((Busy, "busy", None)),
    );
    // Twilio's word is in, the container's is waited for.
    let ended = [dialled(), media_started(), provider(18, "completed")];
    check(&ended, 27, None);
    check(
        &ended,
        28,
        Some((Failed, "voice_silent", Some(EndedBy::Error))),
    );
    check(
        &[dialled(), provider(18, "completed")],
        28,
        Some((Failed, "media_never_started", Some(EndedBy::Error))),
    );
    let lost = Event::Voice(VoiceEvent::Lost {
        at: at(8),
        cause: "exit 137".to_owned(),
    });
    check(
        &[media_started(), lost.clone(), provider(9, "completed")],
        9,
        Some((Failed, "voice_lost", Some(EndedBy::Error))),
    );
    // The container's word alone is not the end of a phone call.
    check(
        &[dialled(), media_started(), voice_ended(EndedBy::Agent)],
        1000,
        None,
    );
    check(&[dialled(), lost], 1000, None);
    check(
        &[Event::NoSeat {
            at: at(1),
            full: Full {
                limit: Limit::Organization,
                taken: 10,
                most: 10,
                retry_after_s: 10,
            },
        }],
        1,
        Some((Refused, "no_seat", None)),
    );
    let refused = Event::DialRefused {
        at: at(1),
        status: 400,
        code: Some(21_217),
    };
    check(
        &[refused],
        1,
        Some((Failed, "provider_refused_21217", None)),
    );
    let machine = Event::AnsweredBy {
        at: at(6),
        answered_by: "machine_start".to_owned(),
    };
    let asked = Event::HangupAsked {
        at: at(6),
        by: EndedBy::Agent,
    };
    check(
        &[machine.clone(), asked, provider(9, "completed")],
        9,
        Some((Voicemail, "machine", Some(EndedBy::Agent))),
    );
    check(
        &[
            machine,
            voice_ended(EndedBy::Contact),
            provider(9, "completed"),
        ],
        9,
        Some((Voicemail, "contact_hung_up", Some(EndedBy::Contact))),
    );
    let unknown = Event::AnsweredBy {
        at: at(6),
        answered_by: "unknown".to_owned(),
    };
    check(
        &[
            unknown,
            voice_ended(EndedBy::Contact),
            provider(9, "completed"),
        ],
        9,
        contact,
    );
}

#[test]
fn nothing_changes_a_verdict() {
    let verdict = Event::Ended {
        at: at(20),
        outcome: Outcome::Lost,
        reason: "silence".to_owned(),
        by: None,
    };
    let mut events = answered_call();
    events.push(verdict);
    let call = Call::fold(events);
    assert!(call.ended().is_some());
    assert_eq!(call.ended().unwrap().outcome, Outcome::Lost);
    // A later telling of the end does not count either.
    let mut again = call.clone();
    again.add(Event::Ended {
        at: at(21),
        outcome: Outcome::Completed,
        reason: "late".to_owned(),
        by: None,
    });
    assert_eq!(again, call);
}

#[test]
fn an_unclear_dial_takes_its_sid_from_the_first_callback() {
    let unclear = Event::DialUnknown {
        at: at(1),
        cause: "timeout".to_owned(),
    };
    assert_eq!(Call::fold([unclear.clone()]).sid(), None);
    assert_eq!(
        Call::fold([unclear, provider(3, "ringing")]).sid(),
        Some("CA1")
    );
}

#[test]
fn durations() {
    let call = Call::fold(answered_call());
    assert_eq!(call.duration_s(at(100)), 12.0);
    let live = Call::fold([dialled(), provider(5, "in-progress")]);
    assert_eq!(live.duration_s(at(50)), 45.0);
    assert_eq!(Call::fold([dialled()]).duration_s(at(50)), 0.0);
}

/// A store that keeps the single lines and one that does not show the same timeline.
#[test]
fn a_timeline_takes_its_lines_from_the_last_account() {
    let line = Line {
        speaker: Speaker::Agent,
        text: "Hel—".to_owned(),
        at: at(7),
    };
    let single = Event::Voice(VoiceEvent::Line { index: 0, line });
    let without = answered_call();
    let with: Vec<Event> = without.iter().cloned().chain([single]).collect();
    let timeline = Call::fold(with).timeline();
    assert_eq!(timeline, Call::fold(without).timeline());
    assert!(timeline.iter().any(|event| event.name() == "line-0"));
}
