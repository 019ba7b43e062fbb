//! The list of calls, the inbox and the fault knobs.

mod gateway;

use axum::http::Method;
use gateway::{ACCOUNT, Stage, quick};
use serde_json::{Value, json};

#[tokio::test]
async fn the_list_filters_and_pages() {
    let stage = Stage::new(quick()).await;
    let mut sids = Vec::new();
    for _ in 0..5 {
        sids.push(stage.place("+15005550010").await);
    }
    stage.place("+15005550012").await;
    sids.reverse();
    let base = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json");
    let mut path = format!("{base}?To=%2B15005550010&StartTime>=2020-01-01&PageSize=2");
    let mut listed = Vec::new();
    let mut pages = 0;
    loop {
        let (status, page) = stage.rest(Method::GET, &path, &[]).await.unwrap();
        assert_eq!(status, 200);
        for call in page["calls"].as_array().unwrap() {
            listed.push(call["sid"].as_str().unwrap().to_owned());
        }
        pages += 1;
        match page["next_page_uri"].as_str() {
            Some(next) => path = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, listed), (3, sids));
    for filter in [
        "StartTime>=2999-01-01",
        "Status=in-progress",
        "From=%2B15005550999",
    ] {
        let (_, page) = stage
            .rest(Method::GET, &format!("{base}?{filter}"), &[])
            .await
            .unwrap();
        assert_eq!(page["calls"], json!([]), "{filter}");
    }
}

#[tokio::test]
async fn ended_calls_are_forgotten_on_request() {
    let stage = Stage::new(quick()).await;
    let sid = stage.place("+15005550010").await;
    stage.ended(&sid).await;
    stage.stream("talks", "");
    let live = stage.place("+15005550006").await;
    let (_, body) = stage.desk(Method::DELETE, "/calls", Value::Null).await;
    assert_eq!(body["forgotten"], 1);
    let (status, _) = stage
        .desk(Method::GET, &format!("/calls/{sid}"), Value::Null)
        .await;
    assert_eq!(status, 404);
    let (status, _) = stage
        .desk(Method::GET, &format!("/calls/{live}"), Value::Null)
        .await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn the_inbox_keeps_everything_and_answers_as_told() {
    let stage = Stage::new(quick()).await;
    let answers = json!([
        { "status": 503, "headers": { "retry-after": "1" }, "body": { "error": "later" }, "times": 2 },
        { "status": 201, "body": "made" },
    ]);
    let (status, _) = stage.desk(Method::PUT, "/inbox/crm/answer", answers).await;
    assert_eq!(status, 204);
    let mut statuses = Vec::new();
    for path in ["/inbox/crm", "/inbox/crm/deep/path?a=1", "/inbox/crm"] {
        let (status, _) = stage.desk(Method::POST, path, json!({ "n": 1 })).await;
        statuses.push(status);
    }
    assert_eq!(statuses, [503, 503, 201]);
    let (_, requests) = stage
        .desk(Method::GET, "/inbox/crm/requests", Value::Null)
        .await;
    assert_eq!(requests.as_array().unwrap().len(), 3);
    assert_eq!(requests[1]["path"], "/_sim/inbox/crm/deep/path");
    assert_eq!(requests[1]["query"], "a=1");
    assert_eq!(requests[1]["body"], r#"{"n":1}"#);
    assert_eq!(requests[1]["headers"]["content-type"], "application/json");
    let (status, _) = stage
        .desk(Method::DELETE, "/inbox/crm/requests", Value::Null)
        .await;
    assert_eq!(status, 204);
    let (_, requests) = stage
        .desk(Method::GET, "/inbox/crm/requests", Value::Null)
        .await;
    assert_eq!(requests, json!([]));
    // Another name knows nothing of it.
    let (status, _) = stage.desk(Method::POST, "/inbox/other", json!({})).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn faults_break_creates_and_callbacks() {
    let stage = Stage::new(quick()).await;
    let faults = json!({ "create": { "status": 503, "times": 1 } });
    stage.desk(Method::PUT, "/faults", faults).await;
    let order = stage.order("+15005550010");
    let (status, body) = stage.create(&order).await.unwrap();
    assert_eq!((status, &body["code"]), (503, &json!(20503)));
    let (_, calls) = stage.desk(Method::GET, "/calls", Value::Null).await;
    assert_eq!(calls, json!([]), "not placed");

    let faults = json!({ "create": { "cut": true, "place": true }, "read": { "status": 500 } });
    stage.desk(Method::PUT, "/faults", faults).await;
    assert!(stage.create(&order).await.is_err());
    let (_, calls) = stage.desk(Method::GET, "/calls", Value::Null).await;
    assert_eq!(calls.as_array().unwrap().len(), 1, "placed");
    stage.ended(calls[0]["sid"].as_str().unwrap()).await;
    let base = format!("/2010-04-01/Accounts/{ACCOUNT}/Calls.json");
    let (status, _) = stage.rest(Method::GET, &base, &[]).await.unwrap();
    assert_eq!(status, 500);

    let faults = json!({ "callbacks": { "drop": ["ringing"], "duplicate": 1 } });
    stage.desk(Method::PUT, "/faults", faults).await;
    let before = stage.got("/status").len();
    let sid = stage.place("+15005550010").await;
    stage
        .when(&sid, |record| {
            record["callbacks"].as_array().unwrap().len() == 5
        })
        .await;
    stage.ended(&sid).await;
    assert_eq!(stage.told("SequenceNumber")[before..], ["0", "0", "2", "2"]);

    stage.desk(Method::DELETE, "/faults", Value::Null).await;
    let (status, _) = stage.rest(Method::GET, &base, &[]).await.unwrap();
    assert_eq!(status, 200);
    let (status, _) = stage
        .desk(Method::PUT, "/faults", json!({ "creates": {} }))
        .await;
    assert_eq!(status, 422, "a misspelt fault is no fault");
}
