//! `voice`: talks on one call, then exits. `voice [--listen ADDRESS] [--with-launcher]`; the address is 0.0.0.0:$PORT
//! otherwise; with a launcher its call is lost when its standard input ends.

use anyhow::Context as _;
use audio::call::Voice;
use axum::serve::ListenerExt as _;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// How long answers under way may take once there is nothing left to do.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// 0 if the call's end was reported (or there was no call), 1 if not.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let address = listen_address()?;
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}"))?;
    // Before anybody is told, since who started it may end it at once.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout(), "voice listens on {address}")?;

    let key = std::env::var("VOICE_KEY").ok();
    let voice = Voice::new(key.filter(|key| !key.is_empty()));
    tokio::spawn(voice.clone().give_up_waiting());
    let drained = voice.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
            drained.drain();
        }
    });

    if std::env::args().any(|argument| argument == "--with-launcher") {
        let orphan = voice.clone();
        std::thread::spawn(move || {
            // Nothing is ever written to it, and an error ends it as well.
            let _ = std::io::stdin().read(&mut [0]);
            orphan.abandon();
        });
    }

    let listener = listener.tap_io(|stream| _ = stream.set_nodelay(true));
    let done = voice.clone();
    let serving = axum::serve(listener, voice.routes())
        .with_graceful_shutdown(async move { _ = done.over().await });
    let serving = tokio::spawn(async move { serving.await });
    let acknowledged = voice.over().await;
    // Whoever is still connected then has been answered or never asked.
    let _ = tokio::time::timeout(LAST_ANSWERS, serving).await;
    Ok(ExitCode::from(u8::from(!acknowledged)))
}

fn listen_address() -> anyhow::Result<SocketAddr> {
    if let Some(address) = audio::flag("listen") {
        return address
            .parse()
            .context("--listen takes an address like 127.0.0.1:8080");
    }
    let port = match std::env::var("PORT") {
        Ok(port) => port.parse().context("PORT is not a port")?,
        Err(_) => calls::voice::PORT,
    };
    Ok(SocketAddr::from(([0, 0, 0, 0], port)))
}
