//! Media streams: the messages, the audio both ways, barge-in, and streams that go wrong.

mod gateway;

use axum::http::Method;
use gateway::{ACCOUNT, Stage, quick};
use serde_json::{Value, json};

#[tokio::test]
async fn the_person_listens_speaks_and_hangs_up() {
    let mut config = quick();
    config.turns = 1;
    config.call_ms = 12_000;
    let stage = Stage::new(config).await;
    stage.stream("talks", "<Redirect>/never</Redirect>");
    let sid = stage.place("+15005550006").await;
    let record = stage.ended(&sid).await;
    assert_eq!(record["ended_by"], "contact");
    let events = stage.heard_events();
    assert_eq!(events[..2], ["connected", "start"]);
    assert_eq!(events.last().unwrap(), "stop");
    let start = &stage.heard("start")[0];
    assert_eq!(start["sequenceNumber"], "1");
    assert_eq!(start["start"]["callSid"], sid);
    assert_eq!(
        start["start"]["customParameters"],
        json!({ "call_id": "7" })
    );
    let frames = stage.heard("media");
    assert_eq!(frames[0]["media"]["chunk"], "1");
    assert_eq!(frames[49]["media"]["timestamp"], "980");
    assert_eq!(stage.heard("mark")[0]["mark"]["name"], "greeting");
    let media = &record["media"];
    assert_eq!(media["agent_speech_ms"], 400);
    assert_eq!(media["played_ms"], 400);
    assert_eq!(media["turns_spoken"], 1);
    assert!(
        media["caller_speech_ms"].as_u64().unwrap() > 1000,
        "{media}"
    );
    assert!(media["first_audio_ms"].as_u64().unwrap() < 500, "{media}");
    assert_eq!(media["frames_dropped"], 0);
    let stream = &record["streams"][0];
    assert!(!stream["url"].as_str().unwrap().contains('?'));
    assert_eq!(stream["close_code"], 1000);
    assert!(stage.got("/never").is_empty());
    let stream_events: Vec<_> = stage
        .got("/stream")
        .iter()
        .map(|got| got.fields["StreamEvent"].clone())
        .collect();
    assert_eq!(stream_events, ["stream-started", "stream-stopped"]);
    let agent = stage.wav(&sid, "agent.wav").await;
    let caller = stage.wav(&sid, "caller.wav").await;
    assert_eq!(agent.len(), caller.len());
    assert!(simulator::speech::audible(&agent[..3200]));
    assert!(!simulator::speech::audible(&agent[8000..]));
    assert!(simulator::speech::audible(&caller[8000..]));
}

#[tokio::test]
async fn clear_empties_the_buffer_and_echoes_the_marks() {
    let stage = Stage::new(quick()).await;
    stage.stream("clears", "");
    let sid = stage.place("+15005550006").await;
    let cleared = |record: &Value| record["media"]["clears"] == 1;
    let record = stage.when(&sid, cleared).await;
    let media = &record["media"];
    assert_eq!(media["marks_echoed"], 2);
    assert!(media["cleared_ms"].as_u64().unwrap() > 1800, "{media}");
    assert!(media["played_ms"].as_u64().unwrap() < 200, "{media}");
    stage
        .desk(
            Method::POST,
            &format!("/calls/{sid}"),
            json!({ "action": "hangup" }),
        )
        .await;
    stage.ended(&sid).await;
}

#[tokio::test]
async fn a_wrong_message_closes_the_stream_and_the_next_verb_follows() {
    for manner in ["lies", "dances"] {
        let stage = Stage::new(quick()).await;
        stage.stream(manner, "<Redirect>/again?x=1</Redirect>");
        stage.answer("/again", 200, "text/xml", "<Response><Hangup/></Response>");
        let sid = stage.place("+15005550006").await;
        let record = stage.ended(&sid).await;
        assert_eq!(record["notifications"][0]["code"], 31951, "{manner}");
        assert_eq!(record["streams"][0]["closed_by"], "error");
        assert_eq!(record["ended_by"], "twiml");
        assert_eq!(stage.got("/again").len(), 1);
    }
}

#[tokio::test]
async fn a_refused_handshake_is_not_tried_again() {
    let stage = Stage::new(quick()).await;
    stage.stream("refused", "");
    let sid = stage.place("+15005550006").await;
    let record = stage.ended(&sid).await;
    assert_eq!(record["streams"][0]["handshake_status"], 403);
    assert_eq!(record["notifications"][0]["code"], 31920);
    assert_eq!(record["ended_by"], "error");
}

#[tokio::test]
async fn a_live_call_can_be_steered() {
    let stage = Stage::new(quick()).await;
    stage.stream("talks", "<Redirect>/twiml</Redirect>");
    stage.stream("talks", "");
    let sid = stage.place("+15005550006").await;
    let call = format!("/calls/{sid}");
    stage
        .when(&sid, |record| record["media"]["first_audio_ms"].is_number())
        .await;
    for action in [
        json!({ "action": "dtmf", "digit": "1#" }),
        json!({ "action": "speak" }),
    ] {
        let (status, _) = stage.desk(Method::POST, &call, action).await;
        assert_eq!(status, 202);
    }
    stage
        .when(&sid, |record| record["media"]["dtmf_sent"] == 2)
        .await;
    let digits: Vec<_> = stage
        .heard("dtmf")
        .iter()
        .map(|heard| heard["dtmf"]["digit"].clone())
        .collect();
    assert_eq!(digits, ["1", "#"]);
    stage
        .when(&sid, |record| {
            record["media"]["caller_speech_ms"].as_u64() > Some(200)
        })
        .await;
    stage
        .desk(Method::POST, &call, json!({ "action": "drop_media" }))
        .await;
    let record = stage
        .when(&sid, |record| {
            record["streams"].as_array().unwrap().len() == 2
        })
        .await;
    assert_eq!(record["streams"][0]["closed_by"], "broken");
    // The media is back; now our side hangs up through the API.
    stage
        .when(&sid, |record| {
            record["streams"][1]["opened_at_ms"].is_number()
        })
        .await;
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json");
    let completed = [("Status".to_owned(), "completed".to_owned())];
    let (status, _) = stage.rest(Method::POST, &path, &completed).await.unwrap();
    assert_eq!(status, 200);
    let record = stage.ended(&sid).await;
    assert_eq!(record["ended_by"], "api");
    let (status, body) = stage.rest(Method::POST, &path, &completed).await.unwrap();
    assert_eq!((status, &body["code"]), (400, &json!(21220)));
    let (status, _) = stage
        .desk(Method::POST, &call, json!({ "action": "hangup" }))
        .await;
    assert_eq!(status, 409);
}

#[tokio::test]
async fn twiml_that_is_wrong_ends_the_call_or_goes_to_the_fallback() {
    for (status, kind, body, code) in [
        (200, "text/xml", "<Response><Dance/></Response>", 12100),
        (200, "application/json", "{}", 12300),
        (404, "text/xml", "<Response/>", 11200),
    ] {
        let stage = Stage::new(quick()).await;
        stage.answer("/twiml", status, kind, body);
        let sid = stage.place("+15005550006").await;
        let record = stage.ended(&sid).await;
        assert_eq!(record["notifications"][0]["code"], code);
        assert_eq!(record["status"], "completed");
        assert_eq!(record["ended_by"], "twilio");

        stage.answer("/twiml", status, kind, body);
        stage.answer(
            "/fallback",
            200,
            "text/xml",
            "<Response><Say>hi</Say></Response>",
        );
        let mut order = stage.order("+15005550006");
        order.push((
            "FallbackUrl".to_owned(),
            format!("{}/fallback", stage.gateway),
        ));
        let (_, body) = stage.create(&order).await.unwrap();
        let record = stage.ended(body["sid"].as_str().unwrap()).await;
        assert_eq!(record["said"], json!(["hi"]));
        assert_eq!(
            stage.got("/fallback")[0].fields["ErrorCode"],
            code.to_string()
        );
    }
}

#[tokio::test]
async fn a_live_call_can_be_given_another_document() {
    let stage = Stage::new(quick()).await;
    stage.stream("talks", "");
    let sid = stage.place("+15005550006").await;
    stage
        .when(&sid, |record| record["media"]["first_audio_ms"].is_number())
        .await;
    let path = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls/{sid}.json");
    let twiml = "<Response><Say>bye</Say></Response>".to_owned();
    let (status, _) = stage
        .rest(Method::POST, &path, &[("Twiml".to_owned(), twiml)])
        .await
        .unwrap();
    assert_eq!(status, 200);
    let record = stage.ended(&sid).await;
    assert_eq!(record["said"], json!(["bye"]));
    assert_eq!(record["streams"][0]["closed_by"], "api");
    assert_eq!(stage.heard_events().last().unwrap(), "stop");
}
