//! A thousand calls, a hundred at once: audio stays in real time and memory stays bounded.

mod gateway;

use axum::http::Method;
use gateway::{Stage, quick};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Semaphore;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute of both cores: cargo test -p simulator --profile native -- --ignored"]
async fn a_thousand_calls_a_hundred_at_once() {
    let mut config = quick();
    config.call_ms = 5000;
    let stage = Arc::new(Stage::new(config).await);
    for _ in 0..1000 {
        stage.stream("crowd", "");
    }
    let seats = Arc::new(Semaphore::new(100));
    let mut calls = Vec::new();
    for _ in 0..1000 {
        let seat = seats.clone().acquire_owned().await.unwrap();
        let stage = stage.clone();
        calls.push(tokio::spawn(async move {
            let sid = stage.place("+15005550006").await;
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            let record = stage.ended(&sid).await;
            drop(seat);
            record
        }));
    }
    let (mut late, mut dropped) = (0, 0);
    for call in calls {
        let record = call.await.unwrap();
        assert_eq!(record["status"], "completed");
        let media = &record["media"];
        let open = record["streams"][0]["closed_at_ms"].as_u64().unwrap()
            - record["streams"][0]["opened_at_ms"].as_u64().unwrap();
        let sent = media["frames_sent"].as_u64().unwrap() * 20;
        late = late.max(open.saturating_sub(sent));
        dropped += media["frames_dropped"].as_u64().unwrap();
    }
    let (_, stats) = stage.desk(Method::GET, "/stats", Value::Null).await;
    let memory = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = memory
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!("{stats} farthest behind real time: {late} ms, frames dropped: {dropped}, {peak}");
    assert_eq!(stats["calls_created"], 1000);
    assert_eq!(stats["calls_live"], 0);
    assert_eq!(stats["most_calls_live"], 100);
    assert_eq!(dropped, 0);
    assert!(late < 1000, "{late} ms behind");
}
