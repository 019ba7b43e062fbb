//! The gateway's clock where the host has none: `POST /internal/tick`.

use super::gateway::Gateway;
use anyhow::ensure;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(2);
/// Longer than the gateway waits for the slowest receiver of reports.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Deserialize)]
struct Ticked {
    more: bool,
}

pub(super) async fn keep_ticking(gateway: &Gateway) {
    let mut well = true;
    loop {
        let more = match tick(gateway).await {
            Ok(ticked) => {
                if !well {
                    eprintln!("launcher: the gateway ticks again");
                }
                well = true;
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

async fn tick(gateway: &Gateway) -> anyhow::Result<Ticked> {
    let response = gateway
        .post("/internal/tick", String::new(), PATIENCE)
        .await?;
    ensure!(response.status().is_success(), "{}", response.status());
    Ok(response.json().await?)
}
