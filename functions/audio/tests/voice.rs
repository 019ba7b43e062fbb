//! The voice container's program.

use crate::outside::{Gateway, Program, http, hum, order};
use crate::twilio::Twilio;
use audio::speech;
use calls::voice::{EndedBy, Limits, Speaker, StartOrder, VoiceEvent};
use std::path::PathBuf;
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

pub(crate) const BEARER: (&str, &str) = ("authorization", "Bearer secret");

pub(crate) async fn voice(flite: PathBuf) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_voice"));
    command
        .args(["--listen", "127.0.0.1:0"])
        .env("VOICE_KEY", "secret")
        .env("FLITE", flite);
    Program::start(&mut command).await
}

pub(crate) async fn give(voice: &Program, order: &StartOrder) -> u16 {
    let request = http()
        .post(format!("{}/calls", voice.url))
        .bearer_auth("secret")
        .json(order);
    request.send().await.unwrap().status().as_u16()
}

pub(crate) async fn delete(voice: &Program, call: &str) -> u16 {
    let request = http()
        .delete(format!("{}/calls/{call}", voice.url))
        .bearer_auth("secret");
    request.send().await.unwrap().status().as_u16()
}

async fn stream(voice: &Program, call: &str) -> Result<Twilio, u16> {
    Twilio::open(&format!("{}/calls/{call}/stream", voice.url), BEARER).await
}

fn lines(events: &[VoiceEvent]) -> Vec<(Speaker, String)> {
    let line = |event: &VoiceEvent| match event {
        VoiceEvent::Line { line, .. } => Some((line.speaker, line.text.clone())),
        _ => None,
    };
    events.iter().filter_map(line).collect()
}

#[tokio::test]
async fn one_order_and_one_stream() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let order = order(&gateway);
    assert_eq!(stream(&voice, &order.call).await.err(), Some(404));
    let keyless = http()
        .post(format!("{}/calls", voice.url))
        .json(&order)
        .send()
        .await
        .unwrap();
    assert_eq!(keyless.status(), 401);
    let health = http()
        .get(format!("{}/healthz", voice.url))
        .send()
        .await
        .unwrap();
    assert_eq!(health.status(), 200);

    assert_eq!(give(&voice, &order).await, 201);
    assert_eq!(give(&voice, &order).await, 200);
    let other = StartOrder {
        call: "other".to_owned(),
        ..order.clone()
    };
    assert_eq!(give(&voice, &other).await, 409);
    assert_eq!(delete(&voice, "other").await, 404);
    assert_eq!(stream(&voice, "other").await.err(), Some(404));

    let mut twilio = stream(&voice, &order.call).await.unwrap();
    assert_eq!(stream(&voice, &order.call).await.err(), Some(409));
    twilio.start().await;
    twilio.first_audio().await;
    assert_eq!(delete(&voice, &order.call).await, 204);
    assert_eq!(twilio.play(None).await, Some(1000));
    drop(twilio);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Gateway, "stopped".to_owned())
    );
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn keys_interrupt_and_end_a_call() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let order = order(&gateway);
    give(&voice, &order).await;
    let mut twilio = stream(&voice, &order.call).await.unwrap();
    twilio.start().await;
    twilio
        .play(Some(Instant::now() + Duration::from_millis(600)))
        .await;
    twilio.press("1").await;
    twilio
        .play(Some(Instant::now() + Duration::from_millis(1500)))
        .await;
    assert_eq!(twilio.clears, 1);
    twilio.press("9").await;
    assert_eq!(twilio.play(None).await, Some(1000));
    drop(twilio);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Agent, "hangup_key".to_owned())
    );
    let lines = lines(&gateway.events());
    let texts: Vec<_> = lines.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        texts[0].starts_with("Good morning,") && texts[0].ends_with('—'),
        "{texts:?}"
    );
    assert_eq!(
        texts[1..],
        [
            "[dtmf 1]",
            "You pressed one.",
            "[dtmf 9]",
            "Thank you and goodbye."
        ]
    );
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn a_contact_hangs_up_and_reports_are_repeated() {
    let gateway = Gateway::open().await;
    gateway.answer_next(&[503, 429]);
    let mut voice = voice(hum()).await;
    let order = order(&gateway);
    give(&voice, &order).await;
    let mut twilio = stream(&voice, &order.call).await.unwrap();
    twilio.start().await;
    twilio.first_audio().await;
    gateway.answer_next(&[500]);
    twilio.hang_up().await;
    assert_eq!(
        gateway.end().await,
        (EndedBy::Contact, "contact_hung_up".to_owned())
    );
    assert_eq!(voice.exit_code().await, 0);
    let events = gateway.events();
    let order_of = |what: fn(&VoiceEvent) -> bool| events.iter().position(what).unwrap();
    assert_eq!(
        order_of(|event| matches!(event, VoiceEvent::Ready { .. })),
        0
    );
    assert_eq!(
        order_of(
            |event| matches!(event, VoiceEvent::MediaStarted { call_sid, .. } if call_sid == "CA1")
        ),
        1
    );
    assert_eq!(
        order_of(|event| matches!(event, VoiceEvent::FirstAudio { .. })),
        2
    );
}

#[tokio::test]
async fn a_broken_socket_is_reported_as_lost() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let order = order(&gateway);
    give(&voice, &order).await;
    let mut twilio = stream(&voice, &order.call).await.unwrap();
    twilio.start().await;
    twilio.first_audio().await;
    drop(twilio);
    let lost = gateway
        .wait_for(|event| matches!(event, VoiceEvent::Lost { .. }))
        .await;
    assert!(matches!(lost, VoiceEvent::Lost { cause, .. } if cause == "the media socket broke"));
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn without_media_it_gives_up() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let limits = Limits {
        call_s: 60,
        silence_s: 20,
        connect_s: 1,
    };
    give(
        &voice,
        &StartOrder {
            limits,
            ..order(&gateway)
        },
    )
    .await;
    gateway
        .wait_for(|event| matches!(event, VoiceEvent::Lost { .. }))
        .await;
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn an_end_that_nobody_wants_to_know_is_an_error() {
    let gateway = Gateway::open().await;
    gateway.answer_next(&[204, 403, 403]);
    let mut voice = voice(hum()).await;
    let order = order(&gateway);
    give(&voice, &order).await;
    gateway.wait_for(|_| true).await;
    delete(&voice, &order.call).await;
    assert_eq!(voice.exit_code().await, 1);
}

#[tokio::test]
async fn without_flite_the_order_is_refused() {
    let gateway = Gateway::open().await;
    let voice = voice(PathBuf::from("/nowhere/flite")).await;
    let order = order(&gateway);
    let request = http()
        .post(format!("{}/calls", voice.url))
        .bearer_auth("secret")
        .json(&order);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.unwrap().contains("flite"));
}

#[tokio::test]
async fn sigterm_drains_and_the_second_one_ends() {
    let gateway = Gateway::open().await;
    let mut idle = voice(hum()).await;
    idle.signal("TERM");
    assert_eq!(idle.exit_code().await, 0);

    let mut busy = voice(hum()).await;
    let order = order(&gateway);
    give(&busy, &order).await;
    let mut twilio = stream(&busy, &order.call).await.unwrap();
    twilio.start().await;
    busy.signal("TERM");
    sleep(Duration::from_millis(300)).await;
    twilio
        .play(Some(Instant::now() + Duration::from_millis(100)))
        .await;
    assert!(busy.child.try_wait().unwrap().is_none());
    busy.signal("TERM");
    assert_eq!(twilio.play(None).await, Some(1000));
    drop(twilio);
    assert_eq!(gateway.end().await.0, EndedBy::Gateway);
    assert_eq!(busy.exit_code().await, 0);
}

#[tokio::test]
#[ignore = "needs flite: cargo test -p audio -- --ignored spoken"]
async fn a_spoken_conversation() {
    let flite = speech::find_flite().expect("flite is on PATH or named by FLITE");
    let gateway = Gateway::open().await;
    let mut voice = voice(flite.clone()).await;
    let order = order(&gateway);
    give(&voice, &order).await;
    sleep(Duration::from_millis(500)).await;
    let yes = speech::synthesize(&flite, "Yes, that is me. What is it about?")
        .await
        .unwrap();
    let silence = vec![0xff; 24_000];

    let mut twilio = stream(&voice, &order.call).await.unwrap();
    twilio.start().await;
    let first = twilio.first_audio().await;
    println!("first audio {first:?} after start");
    assert!(first < Duration::from_millis(50), "{first:?}");
    // Into the greeting, after a second of it.
    twilio.say(&silence[..8000]).await;
    twilio.say(&yes).await;
    assert_eq!(twilio.clears, 1, "the greeting is interrupted");
    twilio.say(&silence).await;
    twilio.say(&yes).await;
    twilio.say(&silence).await;
    assert_eq!(twilio.play(None).await, Some(1000));
    drop(twilio);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Agent, "agent_ended".to_owned())
    );
    let lines = lines(&gateway.events());
    println!("{lines:#?}");
    let speakers: Vec<_> = lines.iter().map(|(speaker, _)| *speaker).collect();
    use Speaker::{Agent, Contact};
    assert_eq!(speakers, [Agent, Contact, Agent, Contact, Agent]);
    assert!(lines[0].1.ends_with('—'));
    assert!(lines[1].1.starts_with("(speech, "));
    assert_eq!(voice.exit_code().await, 0);
}
