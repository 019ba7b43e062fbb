//! Composing once, claiming alone, trying again, giving up, resending.

use super::*;

fn call() -> CallId {
    CallId::of_run(b"key", "demo", 7)
}

/// An outbox with one report to the callback URL, composed at 0.
fn one() -> Outbox {
    let mut outbox = Outbox::default();
    let reports = vec![(Target::Callback, "{}".to_owned())];
    outbox.compose(1, call(), Kind::CallEnded, reports, Time(0));
    outbox
}

fn finished(claimed: &Delivery, at: Time, verdict: Verdict) -> Finished {
    Finished {
        attempt: Attempt {
            at,
            ms: 10,
            status: Some(200),
            error: None,
            answer: None,
        },
        verdict,
        claim: claimed.claimed.unwrap(),
    }
}

#[test]
fn it_is_composed_once() {
    let mut outbox = one();
    let before = outbox.clone();
    let webhook = Target::Webhook {
        id: "wh_1".to_owned(),
    };
    outbox.compose(
        1,
        call(),
        Kind::CallEnded,
        vec![(webhook, "other".to_owned())],
        Time(5),
    );
    assert_eq!(outbox, before);
}

#[test]
fn bodies_are_kept_once_and_ids_differ() {
    let mut outbox = Outbox::default();
    let webhook = |id: &str| Target::Webhook { id: id.to_owned() };
    let reports = vec![
        (webhook("wh_1"), "a".to_owned()),
        (webhook("wh_2"), "a".to_owned()),
        (Target::Callback, "b".to_owned()),
    ];
    outbox.compose(1, call(), Kind::CallEnded, reports, Time(0));
    assert_eq!(outbox.bodies, ["a", "b"]);
    let ids: std::collections::BTreeSet<_> = outbox
        .deliveries
        .iter()
        .map(|delivery| &delivery.id)
        .collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn one_of_two_claims() {
    let mut outbox = one();
    assert_eq!(outbox.claim(Time(0), 8).len(), 1);
    assert!(outbox.claim(Time(0), 8).is_empty());
    assert_eq!(outbox.next(), Some(Time(30_000)));
    // Nobody said what came of it.
    assert_eq!(outbox.claim(Time(30_000), 8).len(), 1);
}

#[test]
fn a_failed_attempt_is_made_again_until_the_schedule_ends() {
    let mut outbox = one();
    let mut now = Time(0);
    for tries in 1..=8 {
        let claimed = outbox.claim(now, 8).remove(0);
        let finished = finished(&claimed, now, Verdict::Again { no_sooner_s: 0 });
        outbox.finish(&claimed.id, &finished);
        outbox.finish(&claimed.id, &finished);
        assert_eq!(outbox.deliveries[0].tries, tries);
        match outbox.next() {
            Some(next) => now = next,
            None => assert_eq!(tries, 8),
        }
    }
    assert_eq!(outbox.deliveries[0].state, State::Dead);
    assert_eq!(outbox.deliveries[0].attempts.len(), 8);
    // By hand it has all its attempts again.
    let id = outbox.deliveries[0].id.clone();
    assert!(outbox.resend(&id, now) && !outbox.resend("msg_other", now));
    let claimed = outbox.claim(now, 8).remove(0);
    outbox.finish(
        &id,
        &finished(&claimed, now, Verdict::Again { no_sooner_s: 0 }),
    );
    assert!(matches!(outbox.deliveries[0].state, State::Pending { .. }));
}

#[test]
fn an_attempt_that_outlived_its_claim_counts_only_if_it_arrived() {
    for (verdict, state) in [
        (Verdict::Refused, "pending"),
        (Verdict::Again { no_sooner_s: 0 }, "pending"),
        (Verdict::Delivered, "delivered"),
    ] {
        let mut outbox = one();
        let first = outbox.claim(Time(0), 8).remove(0);
        let second = outbox.claim(Time(30_000), 8).remove(0);
        outbox.finish(&first.id, &finished(&first, Time(0), verdict));
        assert_eq!(outbox.deliveries[0].state.word(), state);
        outbox.finish(
            &second.id,
            &finished(&second, Time(30_000), Verdict::Delivered),
        );
        assert_eq!(outbox.deliveries[0].state, State::Delivered);
    }
}

#[test]
fn what_was_delivered_is_not_cancelled() {
    let mut outbox = one();
    let claimed = outbox.claim(Time(0), 8).remove(0);
    outbox.finish(
        &claimed.id,
        &finished(&claimed, Time(0), Verdict::Delivered),
    );
    outbox.cancel(&claimed.id);
    assert_eq!(outbox.deliveries[0].state, State::Delivered);
    let mut outbox = one();
    outbox.cancel(&claimed.id);
    assert_eq!(outbox.deliveries[0].state, State::Cancelled);
    assert_eq!(outbox.next(), None);
}

#[test]
fn it_is_stored_and_read() {
    let mut outbox = one();
    let claimed = outbox.claim(Time(0), 8).remove(0);
    outbox.finish(&claimed.id, &finished(&claimed, Time(0), Verdict::Gone));
    let text = serde_json::to_string(&outbox).unwrap();
    assert_eq!(serde_json::from_str::<Outbox>(&text).unwrap(), outbox);
}

#[test]
fn who_waits_longest_is_claimed_first() {
    let mut outbox = Outbox::default();
    let webhook = |id: &str| Target::Webhook { id: id.to_owned() };
    let reports = ["wh_1", "wh_2", "wh_3"].map(|id| (webhook(id), "a".to_owned()));
    outbox.compose(1, call(), Kind::CallEnded, reports.into(), Time(0));
    let first = outbox.claim(Time(0), 1).remove(0);
    assert_eq!(first.target, webhook("wh_1"));
    let again = Verdict::Again { no_sooner_s: 0 };
    outbox.finish(&first.id, &finished(&first, Time(0), again));
    // It is due again by now, and the others have not been tried once.
    let later = Time(3_600_000);
    let claimed = outbox.claim(later, 2);
    assert_eq!(claimed[0].target, webhook("wh_2"));
    assert_eq!(claimed[1].target, webhook("wh_3"));
}
