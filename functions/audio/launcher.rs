//! `launcher`: starts one voice per call and leads its media there. Options as in [`USAGE`].

use anyhow::{Context as _, bail};
use audio::launch::{Launcher, Mode, Settings};
use axum::serve::ListenerExt as _;
use calls::secret::Secret;
use std::io::Write as _;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

const USAGE: &str = "\
launcher [--listen 127.0.0.1:8791] [--gateway http://127.0.0.1:3000] [--mode auto|docker|process]
         [--image ringdown-voice] [--report-gateway URL]
LAUNCHER_KEY holds the key shared with the gateway.";

/// How long the voices' ends may take.
const SHUT_DOWN: Duration = Duration::from_secs(15);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if std::env::args().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return Ok(());
    }
    let settings = settings().context(USAGE)?;
    let address = audio::flag("listen").unwrap_or_else(|| "127.0.0.1:8791".to_owned());
    let listener = TcpListener::bind(&address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;

    let launcher = Launcher::new(settings, address).await?;
    let engine = launcher.engine();
    writeln!(
        std::io::stdout(),
        "launcher ({engine}) listens on {address}"
    )?;
    let ticking = tokio::spawn(launcher.clone().tick());
    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let serving = axum::serve(listener, launcher.routes()).into_future();
    tokio::select! {
        served = serving => served?,
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    ticking.abort();
    timeout(SHUT_DOWN, launcher.shut_down())
        .await
        .context("some voices could not be ended; the next launcher at this address removes them")
}

fn settings() -> anyhow::Result<Settings> {
    let key = std::env::var("LAUNCHER_KEY").unwrap_or_default();
    if key.is_empty() {
        bail!("LAUNCHER_KEY is not set: nobody could give this launcher an order");
    }
    let mode = match audio::flag("mode").as_deref() {
        None | Some("auto") => Mode::Auto,
        Some("docker") => Mode::Docker,
        Some("process") => Mode::Process,
        Some(other) => bail!("--mode is auto, docker or process, not {other}"),
    };
    Ok(Settings {
        gateway: audio::flag("gateway").unwrap_or_else(|| "http://127.0.0.1:3000".to_owned()),
        report_gateway: audio::flag("report-gateway"),
        mode,
        image: audio::flag("image").unwrap_or_else(|| "ringdown-voice".to_owned()),
        key: Secret::new(key),
    })
}
