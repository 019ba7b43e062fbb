//! A mailbox: it beeps, and records what is said after that.

mod gateway;

use axum::http::Method;
use gateway::{ACCOUNT, Stage, quick};
use serde_json::{Value, json};
use simulator::Config;
use std::time::Duration;

/// Answered by the mailbox; gives the call's SID once detection has told of the beep.
/// Its greeting takes longer than a quick call lasts.
fn patient() -> Config {
    let mut config = quick();
    config.call_ms = 30_000;
    config
}

async fn beeped(stage: &Stage) -> String {
    stage.stream("talks", "");
    let mut order = stage.order("+15005550013");
    for (name, value) in [
        ("MachineDetection", "DetectMessageEnd"),
        ("AsyncAmd", "true"),
        ("AsyncAmdStatusCallback", &format!("{}/amd", stage.gateway)),
    ] {
        order.push((name.to_owned(), value.to_owned()));
    }
    let (_, body) = stage.create(&order).await.unwrap();
    for _ in 0..500 {
        if !stage.got("/amd").is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        stage.got("/amd")[0].fields["AnsweredBy"],
        "machine_end_beep"
    );
    body["sid"].as_str().unwrap().to_owned()
}

async fn go_on_with(stage: &Stage, sid: &str, twiml: &str) {
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json");
    let change = [("Twiml".to_owned(), twiml.to_owned())];
    let (status, _) = stage.rest(Method::POST, &path, &change).await.unwrap();
    assert_eq!(status, 200);
}

#[tokio::test]
async fn a_mailbox_records_what_is_said_to_its_end() {
    let stage = Stage::new(patient()).await;
    let sid = beeped(&stage).await;
    go_on_with(&stage, &sid, "<Response><Say>Call us.</Say></Response>").await;
    let record = stage.ended(&sid).await;
    assert_eq!(record["mailbox"]["message"], json!(["Call us."]));
    assert_eq!(record["said"], json!(["Call us."]));
}

#[tokio::test]
async fn a_message_cut_short_is_not_recorded() {
    let stage = Stage::new(patient()).await;
    let sid = beeped(&stage).await;
    let long = format!("<Response><Say>{}</Say></Response>", "Call us. ".repeat(20));
    go_on_with(&stage, &sid, &long).await;
    let path = format!("/calls/{sid}");
    let hang_up = json!({ "action": "hangup" });
    tokio::time::sleep(Duration::from_millis(100)).await;
    stage.desk(Method::POST, &path, hang_up).await;
    let record = stage.ended(&sid).await;
    assert_eq!(record["mailbox"]["message"], json!([]));
}

#[tokio::test]
async fn a_person_has_no_mailbox() {
    let stage = Stage::new(quick()).await;
    let sid = stage.place("+15005550010").await;
    assert_eq!(stage.ended(&sid).await["mailbox"], Value::Null);
}
