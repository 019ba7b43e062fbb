//! Diallers and chats: at the voice, and through the launcher.

use crate::launcher::{launcher, live, start, voices_of, wait_until_none};
use crate::outside::{Gateway, Program, hum, order};
use crate::socket::{Refused, Socket};
use crate::voice::{BEARER, delete, give, voice};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use calls::voice::{EndedBy, Kind, StartOrder, VoiceEvent};
use serde_json::{Value, json};
use std::path::PathBuf;
use tokio_tungstenite::tungstenite::Message;

const KEY: (&str, &str) = ("x-api-key", "good");

fn dialler(gateway: &Gateway) -> StartOrder {
    StartOrder {
        kind: Kind::Dialler,
        greeting: "Good morning {{call.name}}.".to_owned(),
        ..order(gateway)
    }
}

fn chat(gateway: &Gateway) -> StartOrder {
    StartOrder {
        kind: Kind::Chat,
        ..order(gateway)
    }
}

async fn stream(voice: &Program, call: &str) -> Result<Socket, Refused> {
    Socket::open(&format!("{}/calls/{call}/stream", voice.url), BEARER).await
}

/// The three frames of a handshake.
async fn shake_hands(socket: &mut Socket) {
    socket
        .says(
            json!({"event": "connected", "callerId": "+919876543210", "did": "+911234567890",
                     "callDirection": "incoming", "streamId": "s-1", "name": "Anna"}),
        )
        .await;
    let format = json!({"encoding": "LINEAR", "sampleRate": 8000, "channels": 1});
    socket
        .says(json!({"event": "start", "streamId": "s-1", "mediaFormat": format}))
        .await;
    socket.says(json!({"event": "answer"})).await;
}

fn is(event: &str) -> impl Fn(&Value) -> bool {
    move |frame| frame["event"] == event
}

fn events(frames: &[Value]) -> Vec<&str> {
    let events = frames.iter().map(|frame| frame["event"].as_str().unwrap());
    events.filter(|event| *event != "reverse-media").collect()
}

#[tokio::test]
async fn a_dialler_is_greeted_and_hangs_up() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let order = dialler(&gateway);
    assert_eq!(give(&voice, &order).await, 201);
    let mut socket = stream(&voice, &order.call).await.ok().unwrap();
    let second = stream(&voice, &order.call).await.err().unwrap();
    assert_eq!(second.0, 409);
    shake_hands(&mut socket).await;
    let media = socket.frame(is("reverse-media")).await;
    let pcm = STANDARD.decode(media["payload"].as_str().unwrap()).unwrap();
    assert_eq!(pcm.len(), 320, "20 ms of 16-bit samples at 8 kHz");
    assert_eq!(
        (&media["chunk"], &media["streamId"]),
        (&json!(1), &json!("s-1"))
    );
    socket
        .says(json!({"event": "media", "payload": STANDARD.encode([0; 320])}))
        .await;
    socket
        .says(json!({"event": "hangup-call", "disconnectedBy": "customer"}))
        .await;
    let (frames, code) = socket.rest().await;
    assert_eq!((events(&frames), code), (vec![], 1000));
    drop(socket);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Contact, "contact_hung_up".to_owned())
    );
    let connected = |event: &VoiceEvent| matches!(event, VoiceEvent::Connected { variables, .. } if variables["name"] == "Anna");
    gateway.wait_for(connected).await;
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn the_crm_is_heard_before_the_greeting() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let order = StartOrder {
        greeting: "{{crm.name}}!".to_owned(),
        crm_s: 20,
        ..dialler(&gateway)
    };
    give(&voice, &order).await;
    let mut socket = stream(&voice, &order.call).await.ok().unwrap();
    shake_hands(&mut socket).await;
    let bela =
        |event: &VoiceEvent| matches!(event, VoiceEvent::Line { line, .. } if line.text == "Bela!");
    gateway.wait_for(bela).await;
    socket.says(json!({"event": "hangup-call"})).await;
    assert_eq!(socket.rest().await.1, 1000);
    drop(socket);
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn the_gateway_ends_a_diallers_call() {
    let gateway = Gateway::open().await;
    let mut voice = voice(hum()).await;
    let order = dialler(&gateway);
    give(&voice, &order).await;
    let mut socket = stream(&voice, &order.call).await.ok().unwrap();
    shake_hands(&mut socket).await;
    socket.frame(is("reverse-media")).await;
    assert_eq!(delete(&voice, &order.call).await, 204);
    let (frames, code) = socket.rest().await;
    let events = events(&frames);
    assert!(
        events.ends_with(&["reverse-media-stop", "reverse-hangup-call"]),
        "{events:?}"
    );
    assert_eq!(code, 1000);
    drop(socket);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Gateway, "stopped".to_owned())
    );
    assert_eq!(voice.exit_code().await, 0);
}

/// Messages that end a dialler's call and a chat, with the close code.
#[tokio::test]
async fn messages_that_cannot_be_read() {
    let long = "x".repeat(70_000);
    for (kind, message, code) in [
        (Kind::Dialler, Message::binary(vec![1, 2]), 1003),
        (Kind::Dialler, Message::text(long.clone()), 1009),
        (Kind::Dialler, Message::text("hello"), 1007),
        (Kind::Dialler, Message::text(r#"{"event":"answer"}"#), 1002),
        (Kind::Chat, Message::binary(vec![1, 2]), 1003),
        (Kind::Chat, Message::text(long.clone()), 1009),
    ] {
        let gateway = Gateway::open().await;
        let mut voice = voice(hum()).await;
        let order = StartOrder {
            kind,
            ..order(&gateway)
        };
        give(&voice, &order).await;
        let mut socket = stream(&voice, &order.call).await.ok().unwrap();
        socket.send(message).await;
        let (frames, closed) = socket.rest().await;
        assert_eq!(closed, code);
        match kind {
            Kind::Chat => assert_eq!(frames.last().unwrap()["type"], "end"),
            Kind::Phone | Kind::Dialler => {
                assert_eq!(
                    events(&frames),
                    ["reverse-media-stop", "reverse-hangup-call"]
                );
            }
        }
        drop(socket);
        assert_eq!(gateway.end().await.0, EndedBy::Error);
        assert_eq!(voice.exit_code().await, 0);
    }
}

#[tokio::test]
async fn a_chat_needs_no_speech_and_leaves_no_words() {
    let gateway = Gateway::open().await;
    let mut voice = voice(PathBuf::from("/nowhere/flite")).await;
    let order = chat(&gateway);
    assert_eq!(give(&voice, &order).await, 201);
    let mut socket = stream(&voice, &order.call).await.ok().unwrap();
    let said = |text: &'static str| move |frame: &Value| frame["text"] == text;
    socket
        .frame(said(
            "Good morning, this is a call for Anna about tomorrow.",
        ))
        .await;
    socket.send(Message::text("When?")).await;
    socket
        .frame(said("Your appointment is tomorrow at nine."))
        .await;
    socket
        .says(json!({"type": "message", "text": "Thanks"}))
        .await;
    let (frames, code) = socket.rest().await;
    assert_eq!(code, 1000);
    assert_eq!(frames[0]["text"], "Thank you and goodbye.");
    assert_eq!(frames[1], json!({"type": "end", "reason": "agent_ended"}));
    drop(socket);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Agent, "agent_ended".to_owned())
    );
    let words = |event: &VoiceEvent| match event {
        VoiceEvent::Line { .. } => true,
        VoiceEvent::Ended { transcript, .. } => !transcript.is_empty(),
        _ => false,
    };
    assert!(!gateway.events().iter().any(words));
    assert_eq!(voice.exit_code().await, 0);
}

#[tokio::test]
async fn the_launcher_leads_diallers_and_chats_to_their_voices() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let (call, text) = (dialler(&gateway), chat(&gateway));
    for order in [&call, &text] {
        assert_eq!(start(&launcher, order).await, 201);
    }
    let url = format!("{}/ws/front%20desk%2f+{}", launcher.url, call.call);
    let mut caller = Socket::open(&url, KEY).await.ok().unwrap();
    shake_hands(&mut caller).await;
    caller.frame(is("reverse-media")).await;
    let path = "api/v1/voicing/ws/platform/api/chatbot";
    let url = format!(
        "{}/{path}?assistant_id={}&api_key=good",
        launcher.url, text.call
    );
    let mut typist = Socket::open(&url, ("x-none", "")).await.ok().unwrap();
    typist.frame(|frame| frame["type"] == "message").await;
    typist.says(json!({"type": "end"})).await;
    assert_eq!(typist.rest().await.1, 1000);
    caller.says(json!({"event": "hangup-call"})).await;
    assert_eq!(caller.rest().await.1, 1000);
    drop((caller, typist));
    wait_until_none(&launcher).await;
    launcher.terminate().await;
}

/// What a client hears from the launcher before the upgrade is what the gateway would say, or what its API says of it.
#[tokio::test]
async fn the_launcher_refuses_in_the_words_of_the_api() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let order = dialler(&gateway);
    let (ws, chatbot) = (
        format!("{}/ws/{}", launcher.url, order.call),
        format!(
            "{}/api/v1/voicing/ws/platform/api/chatbot?assistant_id={}",
            launcher.url, order.call
        ),
    );
    let refused = async |url: &str, header| Socket::open(url, header).await.err().unwrap();
    let detail =
        |status: u16, code: &str, text: &str| (status, code.to_owned(), json!({"detail": text}));
    let wrong = ("x-api-key", "bad");
    for url in [&ws, &chatbot] {
        assert_eq!(
            refused(url, wrong).await,
            detail(401, "invalid_api_key", "Invalid API key")
        );
    }
    // The gateway opened the call, and its voice never came or is gone.
    let none = "No healthy fleet server available";
    assert_eq!(refused(&ws, KEY).await, detail(503, "no_voice", none));
    assert_eq!(
        refused(&chatbot, KEY).await,
        detail(503, "no_voice", "No voice could be started")
    );
    start(&launcher, &order).await;
    gateway
        .wait_for(|event| matches!(event, VoiceEvent::Ready { .. }))
        .await;
    kill(&voices_of(&launcher)[0]);
    gateway
        .wait_for(|event| matches!(event, VoiceEvent::Lost { .. }))
        .await;
    assert_eq!(refused(&ws, KEY).await, detail(503, "no_voice", none));
    assert_eq!(live(&launcher).await, 0);
    let odd = format!("{}/ws/%2E%2E", launcher.url);
    assert_eq!(
        refused(&odd, KEY).await,
        detail(404, "agent_not_found", "Bot not found")
    );
    let plain = crate::outside::http().get(&ws).send().await.unwrap();
    assert_eq!(plain.status(), 426);
    assert!(plain.headers().contains_key("x-request-id"));
    assert!(plain.json::<Value>().await.unwrap()["detail"].is_string());
    launcher.terminate().await;
}

#[tokio::test]
async fn a_killed_voice_is_a_lost_call_of_a_dialler() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let order = dialler(&gateway);
    start(&launcher, &order).await;
    let url = format!("{}/ws/{}", launcher.url, order.call);
    let mut socket = Socket::open(&url, KEY).await.ok().unwrap();
    shake_hands(&mut socket).await;
    socket.frame(is("reverse-media")).await;
    kill(&voices_of(&launcher)[0]);
    assert_eq!(socket.rest().await.1, 1006);
    gateway
        .wait_for(|event| matches!(event, VoiceEvent::Lost { .. }))
        .await;
    wait_until_none(&launcher).await;
    launcher.terminate().await;
}

fn kill(pid: &str) {
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", pid])
        .status();
    assert!(killed.unwrap().success());
}
