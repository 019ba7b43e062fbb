//! The launcher with real containers.

use crate::launcher::{launcher_on, live, media, start, two_calls};
use crate::outside::{Gateway, order};
use calls::voice::{EndedBy, VoiceEvent};
use std::net::Ipv4Addr;
use std::process::Command;
use std::time::Duration;
use tokio::time::{Instant, sleep};

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A gateway where containers can reach it: on the address of this machine on the engine's bridge, its subnet's first.
async fn gateway() -> Gateway {
    let subnet = "{{(index .IPAM.Config 0).Subnet}}";
    let subnet = docker(&["network", "inspect", "bridge", "--format", subnet]);
    let network: Ipv4Addr = subnet.split('/').next().unwrap().parse().unwrap();
    let first = Ipv4Addr::from_bits(network.to_bits() | 1);
    Gateway::open_on(&first.to_string()).await
}

fn containers_of(call: &str) -> usize {
    let filter = format!("label=ringdown-call={call}");
    docker(&["ps", "--all", "--quiet", "--filter", &filter])
        .lines()
        .count()
}

#[tokio::test]
#[ignore = "needs Docker: functions/audio/build-image.sh ringdown-voice && cargo test -p audio -- --ignored containers"]
async fn two_calls_as_containers() {
    two_calls("docker", gateway().await).await;
}

#[tokio::test]
#[ignore = "needs Docker: functions/audio/build-image.sh ringdown-voice && cargo test -p audio -- --ignored containers"]
async fn a_killed_one_of_two_containers_is_a_lost_call() {
    let gateway = gateway().await;
    let launcher = launcher_on("127.0.0.1:0", &gateway, "docker").await;
    let (one, two) = (order(&gateway), order(&gateway));
    start(&launcher, &one).await;
    start(&launcher, &two).await;
    let mut first = media(&launcher, &format!("of-{}", one.call)).await.unwrap();
    first.start().await;
    first.first_audio().await;
    let mut second = media(&launcher, &format!("of-{}", two.call)).await.unwrap();
    second.start().await;
    assert_eq!((containers_of(&one.call), containers_of(&two.call)), (1, 1));

    docker(&["kill", &format!("ringdown-{}", one.call)]);
    let lost = gateway
        .wait_for(|event| matches!(event, VoiceEvent::Lost { .. }))
        .await;
    assert!(
        matches!(lost, VoiceEvent::Lost { cause, .. } if cause == "the voice stopped in the middle of the call")
    );
    second.first_audio().await;
    second.press("9").await;
    assert_eq!(second.play(None).await, Some(1000));
    drop(second);
    assert_eq!(gateway.end().await.0, EndedBy::Agent);
    let ended = Instant::now();
    while containers_of(&one.call) + containers_of(&two.call) > 0 {
        assert!(
            ended.elapsed() < Duration::from_secs(10),
            "containers go on"
        );
        sleep(Duration::from_millis(50)).await;
    }
    println!("containers gone {:?} after the end", ended.elapsed());
    assert_eq!(live(&launcher).await, 0);
    launcher.terminate().await;
}

#[tokio::test]
#[ignore = "needs Docker: functions/audio/build-image.sh ringdown-voice && cargo test -p audio -- --ignored containers"]
async fn containers_of_a_killed_launcher_are_removed_by_the_next() {
    let gateway = gateway().await;
    let mut killed = launcher_on("127.0.0.1:0", &gateway, "docker").await;
    let order = order(&gateway);
    start(&killed, &order).await;
    gateway
        .wait_for(|event| matches!(event, VoiceEvent::Ready { .. }))
        .await;
    killed.child.kill().await.unwrap();
    assert_eq!(containers_of(&order.call), 1);
    let address = killed.url.strip_prefix("http://").unwrap();
    let next = launcher_on(address, &gateway, "docker").await;
    assert_eq!(containers_of(&order.call), 0);
    next.terminate().await;
}

#[tokio::test]
#[ignore = "needs Docker: functions/audio/build-image.sh ringdown-voice && cargo test -p audio -- --ignored containers"]
async fn the_way_through_the_launcher_takes_less_than_a_millisecond() {
    let gateway = gateway().await;
    let launcher = launcher_on("127.0.0.1:0", &gateway, "docker").await;
    let order = order(&gateway);
    let ordered = Instant::now();
    start(&launcher, &order).await;
    let mut twilio = media(&launcher, &format!("of-{}", order.call))
        .await
        .unwrap();
    println!("socket open {:?} after the order", ordered.elapsed());
    sleep(Duration::from_millis(300)).await;
    twilio.start().await;
    println!("first audio {:?} after start", twilio.first_audio().await);
    let mut pings = Vec::new();
    for _ in 0..200 {
        pings.push(twilio.ping().await);
    }
    pings.sort();
    println!(
        "there and back: median {:?}, 99th {:?}",
        pings[100], pings[198]
    );
    assert!(pings[100] / 2 < Duration::from_millis(1), "{pings:?}");
    drop(twilio);
    launcher.terminate().await;
}
