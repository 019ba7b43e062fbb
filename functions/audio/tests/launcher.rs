//! The launcher's program.

use crate::outside::{Gateway, KEY, Program, http, hum, now, order};
use crate::twilio::Twilio;
use calls::voice::{
    EndedBy, SIGNATURE_HEADER, StartOrder, StartSession, TIMESTAMP_HEADER, VoiceEvent,
    sign_launcher,
};
use std::time::Duration;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

const SIGNED: (&str, &str) = ("x-twilio-signature", "by Twilio");

pub(crate) async fn launcher(gateway: &Gateway, mode: &str) -> Program {
    launcher_on("127.0.0.1:0", gateway, mode).await
}

pub(crate) async fn launcher_on(address: &str, gateway: &Gateway, mode: &str) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_launcher"));
    command
        .args([
            "--listen",
            address,
            "--gateway",
            &gateway.url,
            "--mode",
            mode,
        ])
        .env("LAUNCHER_KEY", KEY)
        .env("VOICE_BIN", env!("CARGO_BIN_EXE_voice"))
        .env("FLITE", hum());
    Program::start(&mut command).await
}

async fn ask(launcher: &Program, method: &str, path: &str, body: String) -> u16 {
    let at = now().unix_s();
    let signature = sign_launcher(KEY, at, method, path, body.as_bytes());
    let request = http()
        .request(method.parse().unwrap(), format!("{}{path}", launcher.url))
        .header(TIMESTAMP_HEADER, at)
        .header(SIGNATURE_HEADER, signature)
        .body(body);
    request.send().await.unwrap().status().as_u16()
}

pub(crate) async fn start(launcher: &Program, order: &StartOrder) -> u16 {
    let body = serde_json::to_string(&StartSession {
        order: order.clone(),
    })
    .unwrap();
    ask(launcher, "POST", "/v1/sessions", body).await
}

pub(crate) async fn media(launcher: &Program, token: &str) -> Result<Twilio, u16> {
    Twilio::open(&format!("{}/media/{token}", launcher.url), SIGNED).await
}

/// How many voices the launcher has.
pub(crate) async fn live(launcher: &Program) -> u64 {
    let answer = http()
        .get(format!("{}/healthz", launcher.url))
        .send()
        .await
        .unwrap();
    answer.json::<serde_json::Value>().await.unwrap()["calls"]
        .as_u64()
        .unwrap()
}

pub(crate) async fn wait_until_none(launcher: &Program) {
    let since = Instant::now();
    while live(launcher).await > 0 {
        assert!(since.elapsed() < Duration::from_secs(10), "voices go on");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Two calls at once, each with its own voice, one ended by a key and one by the gateway.
pub(crate) async fn two_calls(mode: &str, gateway: Gateway) {
    let launcher = launcher(&gateway, mode).await;
    let (one, two) = (order(&gateway), order(&gateway));
    for order in [&one, &two, &one, &two] {
        assert_eq!(start(&launcher, order).await, 201);
    }
    assert_eq!(live(&launcher).await, 2);

    let mut first = media(&launcher, &format!("of-{}", one.call)).await.unwrap();
    first.start().await;
    println!(
        "first audio {:?} after start, through the launcher",
        first.first_audio().await
    );
    let mut second = media(&launcher, &format!("of-{}", two.call)).await.unwrap();
    second.start().await;
    second.first_audio().await;
    let busy = media(&launcher, &format!("of-{}", two.call)).await;
    assert_eq!(busy.err(), Some(409));

    first.press("9").await;
    assert_eq!(first.play(None).await, Some(1000));
    drop(first);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Agent, "hangup_key".to_owned())
    );
    assert_eq!(
        ask(
            &launcher,
            "DELETE",
            &format!("/v1/sessions/{}", one.call),
            String::new()
        )
        .await,
        204
    );
    assert_eq!(
        ask(
            &launcher,
            "DELETE",
            &format!("/v1/sessions/{}", two.call),
            String::new()
        )
        .await,
        204
    );
    assert_eq!(second.play(None).await, Some(1000));
    drop(second);
    wait_until_none(&launcher).await;
    // A late repetition of an order starts nothing.
    start(&launcher, &one).await;
    assert_eq!(live(&launcher).await, 0);
    let lost = |event: &VoiceEvent| matches!(event, VoiceEvent::Lost { .. });
    assert!(!gateway.events().iter().any(lost), "{:?}", gateway.events());
    launcher.terminate().await;
}

#[tokio::test]
async fn two_calls_as_processes() {
    two_calls("process", Gateway::open().await).await;
}

#[tokio::test]
async fn strangers_are_refused() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let order = order(&gateway);
    let body = serde_json::to_string(&StartSession {
        order: order.clone(),
    })
    .unwrap();
    let unsigned = http()
        .post(format!("{}/v1/sessions", launcher.url))
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(unsigned.status(), 403);
    assert_eq!(
        ask(&launcher, "POST", "/v1/sessions", "{}".to_owned()).await,
        400
    );
    assert_eq!(media(&launcher, "unknown").await.err(), Some(404));
    assert_eq!(
        media(&launcher, &format!("of-{}", order.call)).await.err(),
        Some(404)
    );
    start(&launcher, &order).await;
    let url = format!("{}/media/of-{}", launcher.url, order.call);
    assert_eq!(
        Twilio::open(&url, ("x-twilio-signature", "by nobody"))
            .await
            .err(),
        Some(403)
    );
    let plain = http().get(url).send().await.unwrap();
    assert_eq!(plain.status(), 426);
    assert!(plain.headers().contains_key("x-request-id"));
}

#[tokio::test]
async fn it_ticks() {
    let gateway = Gateway::open().await;
    let since = Instant::now();
    let _launcher = launcher(&gateway, "process").await;
    gateway.ticked(2).await;
    assert!(
        since.elapsed() < Duration::from_secs(2),
        "again at once while there is more"
    );
    gateway.ticked(3).await;
}

/// While one call's waking hangs, others are woken; the one that hangs is not woken a second time beside itself, but
/// afterwards, with the ticket it was given out with last.
#[tokio::test]
async fn it_wakes_what_is_due_side_by_side() {
    let gateway = Gateway::open().await;
    gateway.slow(Some("slow"));
    gateway.give_out(&[["slow", "reports", "1"], ["quick", "calls", "2"]]);
    let launcher = launcher(&gateway, "process").await;
    assert_eq!(gateway.woken(2).await, ["quick 2", "slow 1"]);
    gateway.give_out(&[["slow", "reports", "3"], ["quick", "calls", "4"]]);
    assert_eq!(gateway.woken(3).await, ["quick 2", "quick 4", "slow 1"]);
    gateway.give_out(&[["slow", "reports", "5"], ["next", "reports", "6"]]);
    assert_eq!(gateway.woken(4).await.first().unwrap(), "next 6");
    gateway.slow(None);
    assert_eq!(gateway.woken(5).await.last().unwrap(), "slow 5");
    launcher.terminate().await;
}

#[tokio::test]
async fn a_killed_voice_is_a_lost_call_and_the_other_goes_on() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let (one, two) = (order(&gateway), order(&gateway));
    start(&launcher, &one).await;
    gateway
        .wait_for(|event| matches!(event, VoiceEvent::Ready { .. }))
        .await;
    let voice = voices_of(&launcher)[0].clone();
    start(&launcher, &two).await;
    let mut first = media(&launcher, &format!("of-{}", one.call)).await.unwrap();
    first.start().await;
    let mut second = media(&launcher, &format!("of-{}", two.call)).await.unwrap();
    second.start().await;
    second.first_audio().await;

    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", &voice])
        .status();
    assert!(killed.unwrap().success());
    let lost = gateway
        .wait_for(|event| matches!(event, VoiceEvent::Lost { .. }))
        .await;
    assert!(
        matches!(lost, VoiceEvent::Lost { cause, .. } if cause == "the voice stopped in the middle of the call")
    );
    assert_eq!(first.play(None).await, Some(1006));

    second.press("9").await;
    assert_eq!(second.play(None).await, Some(1000));
    drop(second);
    assert_eq!(gateway.end().await.0, EndedBy::Agent);
    wait_until_none(&launcher).await;
    launcher.terminate().await;
}

/// The gateway ends the call while its store takes nothing for six seconds: what was told before counts all the same, and
/// another call's voice is ended meanwhile.
#[tokio::test]
async fn a_stopped_voice_reports_until_it_is_heard() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let mut one = order(&gateway);
    one.keys.insert("0".to_owned(), "opt_out".to_owned());
    start(&launcher, &one).await;
    let mut twilio = media(&launcher, &format!("of-{}", one.call)).await.unwrap();
    twilio.start().await;
    twilio.first_audio().await;
    let heard = |event: &VoiceEvent| matches!(event, VoiceEvent::FirstAudio { .. });
    gateway.wait_for(heard).await;
    let soon = || Some(Instant::now() + Duration::from_millis(100));
    twilio.play(soon()).await;
    gateway.answer_next(&[503; 5]);
    twilio.press("0").await;
    twilio.play(soon()).await;
    let path = format!("/v1/sessions/{}", one.call);
    let asked = Instant::now();
    assert_eq!(ask(&launcher, "DELETE", &path, String::new()).await, 204);
    assert!(
        asked.elapsed() < Duration::from_secs(1),
        "nobody waits for it"
    );
    let opted_out = |event: &VoiceEvent| matches!(event, VoiceEvent::OptedOut { .. });
    gateway.wait_for(opted_out).await;
    gateway.end().await;
    wait_until_none(&launcher).await;
    launcher.terminate().await;
}

/// Ordered again, a call whose voice was lost gets another; one that was to stop gets none.
#[tokio::test]
async fn a_lost_voice_has_another_in_its_place() {
    let gateway = Gateway::open().await;
    let launcher = launcher(&gateway, "process").await;
    let order = order(&gateway);
    start(&launcher, &order).await;
    let ready = |event: &VoiceEvent| matches!(event, VoiceEvent::Ready { .. });
    gateway.wait_for(ready).await;
    let killed = std::process::Command::new("kill")
        .args(["-s", "KILL", &voices_of(&launcher)[0]])
        .status();
    assert!(killed.unwrap().success());
    let lost = |event: &VoiceEvent| matches!(event, VoiceEvent::Lost { .. });
    gateway.wait_for(lost).await;
    let token = format!("of-{}", order.call);
    assert_eq!(media(&launcher, &token).await.err(), Some(410));

    assert_eq!(start(&launcher, &order).await, 201);
    let mut twilio = media(&launcher, &token).await.unwrap();
    twilio.start().await;
    twilio.first_audio().await;
    let path = format!("/v1/sessions/{}", order.call);
    assert_eq!(ask(&launcher, "DELETE", &path, String::new()).await, 204);
    wait_until_none(&launcher).await;
    assert_eq!(start(&launcher, &order).await, 201);
    assert_eq!(live(&launcher).await, 0);
    launcher.terminate().await;
}

#[tokio::test]
async fn sigterm_ends_the_calls() {
    let gateway = Gateway::open().await;
    let mut launcher = launcher(&gateway, "process").await;
    let order = order(&gateway);
    start(&launcher, &order).await;
    let mut twilio = media(&launcher, &format!("of-{}", order.call))
        .await
        .unwrap();
    twilio.start().await;
    twilio.first_audio().await;
    let voice = voices_of(&launcher)[0].clone();
    launcher.signal("TERM");
    assert_eq!(twilio.play(None).await, Some(1000));
    drop(twilio);
    assert_eq!(
        gateway.end().await,
        (EndedBy::Gateway, "stopped".to_owned())
    );
    assert_eq!(launcher.exit_code().await, 0);
    assert!(!runs(&voice));
}

/// The process ids of a launcher's voices.
pub(crate) fn voices_of(launcher: &Program) -> Vec<String> {
    let parent = launcher.child.id().unwrap().to_string();
    let found = std::process::Command::new("ps")
        .args(["-A", "-o", "ppid=,pid="])
        .output()
        .unwrap();
    let all = String::from_utf8(found.stdout).unwrap();
    let pairs = all.lines().filter_map(|line| line.trim().split_once(' '));
    pairs
        .filter(|(of, _)| *of == parent)
        .map(|(_, pid)| pid.trim().to_owned())
        .collect()
}

/// Each of its voices says that its call was lost, in conversation or before it; none says that somebody ended it.
#[tokio::test]
async fn a_killed_launcher_leaves_no_voice_and_its_calls_are_lost() {
    let gateway = Gateway::open().await;
    let mut launcher = launcher(&gateway, "process").await;
    let talking = order(&gateway);
    for order in [&talking, &order(&gateway)] {
        start(&launcher, order).await;
    }
    let ready = |event: &VoiceEvent| matches!(event, VoiceEvent::Ready { .. });
    gateway.wait_for_all(2, ready).await;
    let token = format!("of-{}", talking.call);
    let mut twilio = media(&launcher, &token).await.unwrap();
    twilio.start().await;
    twilio.first_audio().await;
    let voices = voices_of(&launcher);
    assert_eq!(voices.len(), 2);
    launcher.child.kill().await.unwrap();
    let lost = |event: &VoiceEvent| matches!(event, VoiceEvent::Lost { .. });
    gateway.wait_for_all(2, lost).await;
    let ended = |event: &VoiceEvent| matches!(event, VoiceEvent::Ended { .. });
    assert!(
        !gateway.events().iter().any(ended),
        "{:?}",
        gateway.events()
    );
    let since = Instant::now();
    while voices.iter().any(|voice| runs(voice)) {
        assert!(since.elapsed() < Duration::from_secs(10), "voices go on");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Whether there is a process of this id.
fn runs(process: &str) -> bool {
    let found = std::process::Command::new("kill")
        .args(["-s", "0", process])
        .stderr(std::process::Stdio::null())
        .status();
    found.unwrap().success()
}
