//! How calls end, and what is told of it, for every number with a story.

mod gateway;

use axum::http::Method;
use gateway::{ACCOUNT, Stage, quick};
use serde_json::{Value, json};

#[tokio::test]
async fn an_answered_call_is_told_in_order_and_signed() {
    let stage = Stage::new(quick()).await;
    stage.stream("leaves", "");
    let sid = stage.place("+15005550006").await;
    let record = stage.ended(&sid).await;
    assert_eq!(
        stage.told("CallStatus"),
        ["initiated", "ringing", "in-progress", "completed"]
    );
    assert_eq!(stage.told("SequenceNumber"), ["0", "1", "2", "3"]);
    let last = &stage.got("/status")[3].fields;
    for (name, value) in [
        ("CallSid", sid.as_str()),
        ("AccountSid", ACCOUNT),
        ("From", "+15005550100"),
        ("To", "+15005550006"),
        ("Direction", "outbound-api"),
        ("ApiVersion", "2010-04-01"),
        ("CallbackSource", "call-progress-events"),
        ("SipResponseCode", "200"),
        ("Duration", "1"),
        ("FromCity", ""),
    ] {
        assert_eq!(last.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(last["Timestamp"].ends_with("+0000"), "{last:?}");
    assert_eq!(record["status"], "completed");
    assert_eq!(record["ended_by"], "agent");
    assert_eq!(record["twiml"][0]["attempts"][0]["status"], 200);
    assert_eq!(stage.got("/twiml")[0].fields["CallStatus"], "in-progress");
}

#[tokio::test]
async fn calls_that_nobody_takes() {
    let stage = Stage::new(quick()).await;
    for (to, status, sip, events) in [
        ("+15005550010", "busy", 486, 3),
        ("+15005550011", "no-answer", 487, 3),
        ("+15005550012", "failed", 404, 2),
    ] {
        let sid = stage.place(to).await;
        let record = stage.ended(&sid).await;
        assert_eq!(record["status"], status);
        assert_eq!(record["sip_response_code"], sip);
        assert_eq!(record["duration_s"], 0);
        assert_eq!(record["ended_by"], "carrier");
        assert_eq!(
            record["callbacks"].as_array().unwrap().len(),
            events,
            "{to}"
        );
        assert!(stage.got("/twiml").is_empty());
    }
}

#[tokio::test]
async fn callbacks_come_late_but_in_order() {
    let stage = Stage::new(quick()).await;
    stage.stream("leaves", "");
    let sid = stage.place("+15005550014").await;
    let record = stage.ended(&sid).await;
    assert_eq!(stage.told("SequenceNumber"), ["0", "1", "2", "3"]);
    for callback in record["callbacks"].as_array().unwrap() {
        if callback["kind"] == "status" {
            let told = callback["attempts"][0]["at_ms"].as_u64().unwrap();
            assert!(told - callback["happened_at_ms"].as_u64().unwrap() >= 1400);
        }
    }
}

#[tokio::test]
async fn callbacks_come_twice_and_out_of_order() {
    let stage = Stage::new(quick()).await;
    stage.stream("leaves", "");
    let sid = stage.place("+15005550015").await;
    let all = |record: &Value| record["callbacks"].as_array().unwrap().len() >= 8;
    stage.when(&sid, all).await;
    stage.ended(&sid).await;
    let order = ["1", "0", "0", "1", "3", "2", "2", "3"];
    assert_eq!(stage.told("SequenceNumber"), order);
}

#[tokio::test]
async fn the_final_callback_never_comes() {
    let stage = Stage::new(quick()).await;
    stage.stream("leaves", "");
    let sid = stage.place("+15005550016").await;
    let record = stage.ended(&sid).await;
    assert_eq!(
        stage.told("CallStatus"),
        ["initiated", "ringing", "in-progress"]
    );
    assert_eq!(
        record["callbacks"].as_array().unwrap().last().unwrap()["dropped"],
        true
    );
    // Whoever asks is told the truth.
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json");
    let (_, call) = stage.rest(Method::GET, &path, &[]).await.unwrap();
    assert_eq!(call["status"], "completed");
}

#[tokio::test]
async fn creates_that_break_after_the_call_was_placed() {
    let stage = Stage::new(quick()).await;
    let (status, body) = stage.create(&stage.order("+15005550017")).await.unwrap();
    assert_eq!((status, &body["code"]), (500, &json!(20500)));
    let cut = stage.create(&stage.order("+15005550018")).await;
    assert!(cut.is_err(), "{cut:?}");
    let (_, calls) = stage.desk(Method::GET, "/calls", Value::Null).await;
    assert_eq!(calls[0]["create_answer"], 500);
    assert_eq!(calls[1]["create_answer"], 0);
    for call in calls.as_array().unwrap() {
        stage.ended(call["sid"].as_str().unwrap()).await;
    }
    let (_, stats) = stage.desk(Method::GET, "/stats", Value::Null).await;
    assert_eq!(stats["calls_created"], 2);
    assert_eq!(stats["calls_live"], 0);
}

#[tokio::test]
async fn creates_that_are_refused_place_nothing() {
    let stage = Stage::new(quick()).await;
    for (to, status, code) in [
        ("+15005550001", 400, 21217),
        ("+15005550002", 400, 21214),
        ("+15005550003", 400, 21215),
        ("+15005550004", 400, 21216),
        ("+15005550019", 429, 20429),
        ("nobody", 400, 21211),
        ("", 400, 21201),
    ] {
        let (got, body) = stage.create(&stage.order(to)).await.unwrap();
        assert_eq!((got, &body["code"]), (status, &json!(code)), "{to}");
        assert_eq!(body["status"], status);
        assert_eq!(
            body["more_info"],
            format!("https://www.twilio.com/docs/errors/{code}")
        );
    }
    let foreign = "/2010-04-01/Accounts/AC00000000000000000000000000000042/Calls.json";
    let order = stage.order("+15005550006");
    let (status, body) = stage.rest(Method::POST, foreign, &order).await.unwrap();
    assert_eq!((status, &body["code"]), (401, &json!(20003)));
    let (_, calls) = stage.desk(Method::GET, "/calls", Value::Null).await;
    assert_eq!(calls, json!([]));
    let (_, stats) = stage.desk(Method::GET, "/stats", Value::Null).await;
    assert_eq!(
        (&stats["asked"], &stats["calls_created"]),
        (&json!(8), &json!(0))
    );
}

#[tokio::test]
async fn a_callback_is_repeated_as_its_fragment_asks() {
    let stage = Stage::new(quick()).await;
    for _ in 0..3 {
        stage.answer("/status", 503, "text/plain", "busy");
    }
    let sid = stage.place("+15005550010").await;
    let record = stage.ended(&sid).await;
    let first = &record["callbacks"][0]["attempts"];
    assert_eq!(first.as_array().unwrap().len(), 3);
    let got = stage.got("/status");
    assert_eq!(got[0].idempotency_token, got[2].idempotency_token);
    assert_ne!(got[2].idempotency_token, got[3].idempotency_token);
    assert_eq!(stage.told("SequenceNumber"), ["0", "0", "0", "1", "2"]);
}

#[tokio::test]
async fn detection_and_recording_have_callbacks_of_their_own() {
    let stage = Stage::new(quick()).await;
    stage.stream("talks", "");
    let mut order = stage.order("+15005550013");
    for (name, value) in [
        ("MachineDetection", "Enable"),
        ("AsyncAmd", "true"),
        ("AsyncAmdStatusCallback", &format!("{}/amd", stage.gateway)),
        ("Record", "true"),
        (
            "RecordingStatusCallback",
            &format!("{}/recording", stage.gateway),
        ),
        ("TimeLimit", "2"),
    ] {
        order.push((name.to_owned(), value.to_owned()));
    }
    let (_, body) = stage.create(&order).await.unwrap();
    let sid = body["sid"].as_str().unwrap();
    let told = |record: &Value| {
        let callbacks = record["callbacks"].as_array().unwrap();
        let recording = callbacks.iter().find(|told| told["kind"] == "recording");
        recording.is_some_and(|told| told["attempts"] != json!([]))
    };
    let record = stage.when(sid, told).await;
    assert_eq!(record["ended_by"], "twilio");
    assert_eq!(record["answered_by"], "machine_start");
    assert!(record["media"]["caller_speech_ms"].as_u64().unwrap() > 1000);
    assert_eq!(stage.got("/amd")[0].fields["AnsweredBy"], "machine_start");
    let recording = &stage.got("/recording")[0].fields;
    assert_eq!(recording["RecordingStatus"], "completed");
    assert!(recording["RecordingUrl"].starts_with(&stage.simulator));
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}/Recordings.json");
    let (_, list) = stage.rest(Method::GET, &path, &[]).await.unwrap();
    assert_eq!(list["recordings"][0]["sid"], recording["RecordingSid"]);
}

/// Faults for the numbers that begin so: a call waits before a step, and goes on with a story of its own.
#[tokio::test]
async fn a_call_waits_where_it_is_told_to() {
    let stage = Stage::new(quick()).await;
    let hold =
        json!({"hold": "ring", "story": "busy", "callbacks": {"duplicate": 9, "at_once": true}});
    let put = stage.desk(Method::PUT, "/faults/+1415555", hold);
    assert_eq!(put.await.0, 200);
    let held = stage.place("+14155550123").await;
    let other = stage.place("+15005550010").await;
    stage.ended(&other).await;
    let (_, faults) = stage
        .desk(Method::GET, "/faults/+1415555", Value::Null)
        .await;
    assert_eq!(faults["held"], 1, "{faults}");
    let go_on = json!({"story": "busy", "callbacks": {"duplicate": 9, "at_once": true}});
    stage.desk(Method::PUT, "/faults/+1415555", go_on).await;
    let record = stage.ended(&held).await;
    assert_eq!(record["status"], "busy");
    assert_eq!(record["callbacks"].as_array().unwrap().len(), 30);
    let (_, calls) = stage
        .desk(Method::GET, "/calls?to=%2B1415", Value::Null)
        .await;
    assert_eq!(calls.as_array().unwrap().len(), 1);
}
