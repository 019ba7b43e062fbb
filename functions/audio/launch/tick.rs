//! The gateway's clock where the host has none: `POST /internal/tick` says who is due, and each is woken by a request of
//! its own, so that one which takes long holds up no other.

mod queue;

use super::Launcher;
use crate::net;
use anyhow::ensure;
use calls::wake::{Due, Ticked, Wake};
use queue::Queue;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(2);
/// A tick waits for nobody but the gateway's store.
const TICK: Duration = Duration::from_secs(15);
/// Longer than a model and receivers of reports may take, one after the other.
const WAKE: Duration = Duration::from_secs(120);

/// Ticks for ever, and has woken what is due.
pub(super) async fn keep_ticking(launcher: Arc<Launcher>) {
    let (found, due) = unbounded_channel();
    tokio::join!(tick_on(&launcher, found), wake_on(&launcher, due));
}

async fn tick_on(launcher: &Launcher, found: UnboundedSender<Due>) {
    let mut well = true;
    loop {
        let more = match tick(launcher).await {
            Ok(ticked) => {
                if !well {
                    eprintln!("launcher: the gateway ticks again");
                }
                well = true;
                for due in ticked.due {
                    // Fails only when nobody wakes any more, which ends this as well.
                    let _ = found.send(due);
                }
                ticked.more
            }
            Err(error) => {
                // Said once for a whole outage.
                if well {
                    eprintln!("launcher: the gateway does not tick: {error}");
                }
                well = false;
                false
            }
        };
        if !more {
            sleep(EVERY).await;
        }
    }
}

async fn tick(launcher: &Launcher) -> anyhow::Result<Ticked> {
    let gateway = &launcher.gateway;
    let response = gateway.post("/internal/tick", String::new(), TICK).await?;
    ensure!(response.status().is_success(), "{}", response.status());
    Ok(response.json().await?)
}

async fn wake_on(launcher: &Arc<Launcher>, mut found: UnboundedReceiver<Due>) {
    let mut queue = Queue::default();
    let mut waking = JoinSet::new();
    loop {
        while let Some(due) = queue.next() {
            waking.spawn(wake(launcher.clone(), due));
        }
        tokio::select! {
            Some(due) = found.recv() => queue.add(due),
            Some(Ok(call)) = waking.join_next() => queue.woken(&call),
        }
    }
}

/// Has one call woken and gives its id back. If that fails, its ticket is still out: the call comes again.
async fn wake(launcher: Arc<Launcher>, due: Due) -> String {
    let Due { call, ticket, .. } = due;
    let path = format!("/internal/wake/{call}");
    let body = serde_json::json!(Wake { ticket }).to_string();
    match launcher.gateway.post(&path, body, WAKE).await {
        Ok(answer) if answer.status().is_success() => {}
        Ok(answer) => eprintln!("call {call}: it could not be woken: {}", answer.status()),
        Err(error) => eprintln!("call {call}: it could not be woken: {}", net::why(error)),
    }
    call
}
