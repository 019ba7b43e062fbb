//! One call's voice, from the order to its last breath.

use super::docker::Container;
use super::process::Process;
use super::{Engine, Launcher};
use crate::report::Reporter;
use anyhow::{Context as _, bail};
use calls::voice::{ENDING_S, StartOrder, VoiceEvent};
use reqwest::StatusCode;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// How long a voice may take from its start until it has its order.
const START: Duration = Duration::from_secs(10);
/// How often a voice that does not answer yet is asked again.
const AGAIN: Duration = Duration::from_millis(20);
/// How long a voice may take to answer when it is told to end its call.
const STOP: Duration = Duration::from_secs(3);
/// How long it may then take to end it and to report that.
const ENDING: Duration = Duration::from_secs(ENDING_S);
/// What a voice may take beyond the limits it was given, before it counts as hanging.
const GRACE_S: u64 = 120;
/// How long an ended call is remembered, so that a late repetition of its order starts nothing.
const MEMORY: Duration = Duration::from_secs(3600);

/// The calls this launcher knows.
#[derive(Default)]
pub(super) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    phase: watch::Receiver<Phase>,
    stop: watch::Sender<bool>,
    started: Instant,
}

/// Where a voice stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Phase {
    Starting,
    /// It has its order and can be reached there.
    Ready {
        url: String,
    },
    Gone,
}

impl Session {
    /// Whether its voice is gone although nobody asked for that.
    fn is_lost(&self) -> bool {
        *self.phase.borrow() == Phase::Gone && !*self.stop.borrow()
    }
}

impl Sessions {
    /// Where a call's voice stands, if the call is known.
    pub(super) fn phase(&self, call: &str) -> Option<watch::Receiver<Phase>> {
        Some(self.lock().get(call)?.phase.clone())
    }

    pub(super) fn stop(&self, call: &str) {
        if let Some(session) = self.lock().get(call) {
            session.stop.send_replace(true);
        }
    }

    pub(super) async fn stop_all(&self) {
        let phases: Vec<_> = self
            .lock()
            .values()
            .map(|session| {
                session.stop.send_replace(true);
                session.phase.clone()
            })
            .collect();
        for mut phase in phases {
            // An error means that the session's task is gone, and its voice with it.
            let _ = phase.wait_for(|phase| *phase == Phase::Gone).await;
        }
    }

    /// How many voices there are.
    pub(super) fn live(&self) -> usize {
        let live = |session: &&Session| *session.phase.borrow() != Phase::Gone;
        self.lock().values().filter(live).count()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts a call's voice in the background. One that starts or runs is left as it is, and one that was to stop stays
/// stopped; one that was lost gets another in its place.
pub(super) fn start(launcher: &Arc<Launcher>, order: StartOrder) {
    let mut sessions = launcher.sessions.lock();
    sessions.retain(|_, session| {
        *session.phase.borrow() != Phase::Gone || session.started.elapsed() < MEMORY
    });
    if sessions.get(&order.call).is_some_and(|it| !it.is_lost()) {
        return;
    }
    let (phase, phase_seen) = watch::channel(Phase::Starting);
    let (stop, stop_seen) = watch::channel(false);
    sessions.insert(
        order.call.clone(),
        Session {
            phase: phase_seen,
            stop,
            started: Instant::now(),
        },
    );
    let launcher = launcher.clone();
    tokio::spawn(async move {
        let call = order.call.clone();
        let report = order.report.clone();
        let lived = live(&launcher, order, &phase, stop_seen).await;
        phase.send_replace(Phase::Gone);
        if let Err(cause) = lived {
            eprintln!("call {call}: {cause:#}");
            if let Ok(reporter) = Reporter::start(&call, &report) {
                let at = crate::now();
                let cause = cause.to_string();
                reporter.report(VoiceEvent::Lost { at, cause });
                reporter.finish().await;
            }
        }
    });
}

/// A voice's whole life. An error is a voice that was lost; its text goes to the gateway, its sources to the log.
async fn live(
    launcher: &Launcher,
    order: StartOrder,
    phase: &watch::Sender<Phase>,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let call = order.call.clone();
    let limits = order.limits;
    let longest = Duration::from_secs(
        limits
            .connect_s
            .saturating_add(limits.call_s)
            .saturating_add(GRACE_S),
    );
    let (mut running, url) = Running::start(launcher, &call)
        .await
        .context("the voice could not be started")?;

    let ordered = tokio::select! {
        ordered = hand_over(launcher, &url, order) => ordered.context("the voice took no order"),
        () = asked(&mut stop) => Ok(()),
        _ = running.exit() => Err(anyhow::anyhow!("the voice stopped while it was starting")),
    };
    if ordered.is_err() || *stop.borrow() {
        running.kill(launcher).await;
        return ordered;
    }
    phase.send_replace(Phase::Ready { url: url.clone() });

    let exit = tokio::select! {
        exit = timeout(longest, running.exit()) => exit.unwrap_or(Exit::Hangs),
        () = asked(&mut stop) => {
            let told = launcher
                .http
                .delete(format!("{url}/calls/{call}"))
                .bearer_auth(&launcher.voice_key)
                .timeout(STOP)
                .send()
                .await;
            // One that cannot be told is gone already, or hangs. Any other ends by itself, as soon as what it has to tell
            // was taken: the gateway knows of the end, and not yet of what was said and wanted before it.
            if told.is_ok_and(|answer| answer.status().is_success()) {
                let exit = timeout(ENDING, running.exit()).await;
                if !matches!(exit, Ok(Exit::InOrder)) {
                    eprintln!("call {call}: its voice ended before all of its reports were taken");
                }
            }
            Exit::InOrder
        }
    };
    running.kill(launcher).await;
    match exit {
        Exit::InOrder => Ok(()),
        Exit::Unreported => bail!("the voice could not report how the call ended"),
        Exit::Broken => bail!("the voice stopped in the middle of the call"),
        Exit::Hangs => bail!("the voice went on beyond every limit"),
    }
}

/// Waits until somebody wants the call to end.
async fn asked(stop: &mut watch::Receiver<bool>) {
    // The other end lives as long as the call is remembered, so an error cannot come; if it did, nobody asked.
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

/// Gives the voice its order, as soon as it listens.
async fn hand_over(launcher: &Launcher, url: &str, mut order: StartOrder) -> anyhow::Result<()> {
    if let Some(origin) = &launcher.report_gateway {
        order.report.url = with_origin(&order.report.url, origin)?;
    }
    let until = Instant::now() + START;
    loop {
        let request = launcher.http.post(format!("{url}/calls")).timeout(START);
        let sent = request
            .bearer_auth(&launcher.voice_key)
            .json(&order)
            .send()
            .await;
        match sent {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) => {
                let status: StatusCode = answer.status();
                bail!(
                    "{status}: {}",
                    answer.text().await.unwrap_or_default().trim()
                );
            }
            Err(error) if Instant::now() > until => return Err(error.without_url().into()),
            Err(_) => sleep(AGAIN).await,
        }
    }
}

/// `url` as it is under another origin.
fn with_origin(url: &str, origin: &str) -> anyhow::Result<String> {
    let url = reqwest::Url::parse(url).context("the report's address is no URL")?;
    let origin = origin.trim_end_matches('/');
    Ok(format!("{origin}{}", url.path()))
}

/// How a voice stopped.
enum Exit {
    InOrder,
    /// It ended its call, and nobody took the news.
    Unreported,
    Broken,
    Hangs,
}

enum Running {
    Container(Container),
    Process(Process),
}

impl Running {
    async fn start(launcher: &Launcher, call: &str) -> anyhow::Result<(Running, String)> {
        match &launcher.engine {
            Engine::Docker(docker) => {
                let (container, url) = docker.start(call, &launcher.voice_key).await?;
                Ok((Running::Container(container), url))
            }
            Engine::Process(program) => {
                let (process, url) = program.start(&launcher.voice_key).await?;
                Ok((Running::Process(process), url))
            }
        }
    }

    async fn exit(&mut self) -> Exit {
        let code = match self {
            Running::Container(container) => match (&mut container.exit).await {
                Ok(Ok(code)) => Some(code),
                Ok(Err(_)) | Err(_) => None,
            },
            Running::Process(process) => {
                let status = process.child.wait().await.ok();
                status.and_then(|status| status.code()).map(i64::from)
            }
        };
        match code {
            Some(0) => Exit::InOrder,
            Some(1) => Exit::Unreported,
            Some(_) | None => Exit::Broken,
        }
    }

    async fn kill(&mut self, launcher: &Launcher) {
        match (self, &launcher.engine) {
            (Running::Container(container), Engine::Docker(docker)) => {
                docker.remove(container).await
            }
            // Fails only when the process is gone already.
            (Running::Process(process), _) => _ = process.child.kill().await,
            (Running::Container(_), Engine::Process(_)) => {}
        }
    }
}

#[test]
fn moves_a_report_to_another_origin() {
    let moved = with_origin(
        "https://gw.example/internal/report/abc",
        "http://172.17.0.1:3000/",
    );
    assert_eq!(moved.unwrap(), "http://172.17.0.1:3000/internal/report/abc");
}
