//! Reports to the gateway: in order, one at a time, again until they are acknowledged.

use crate::net;
use calls::voice::{
    Answer, REPORTING_S, Report, ReportTo, SIGNATURE_HEADER, VoiceEvent, sign_report,
};
use serde_json::{Map, Value};
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

/// How long the gateway may take to answer one report.
const ANSWER: Duration = Duration::from_secs(15);
/// How long reports are repeated after the last event.
const PATIENCE: Duration = Duration::from_secs(REPORTING_S);
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Takes events and sees to it that the gateway gets them.
pub struct Reporter {
    events: mpsc::UnboundedSender<VoiceEvent>,
    sending: JoinHandle<bool>,
    crm: watch::Receiver<Option<Map<String, Value>>>,
    opted_out: watch::Receiver<bool>,
}

impl Reporter {
    pub fn start(call: &str, to: &ReportTo) -> anyhow::Result<Reporter> {
        let http = net::client()?;
        let (events, incoming) = mpsc::unbounded_channel();
        let (told, crm) = watch::channel(None);
        let (counts, opted_out) = watch::channel(false);
        let sending = send_all(http, call.to_owned(), to.clone(), incoming, (told, counts));
        let sending = tokio::spawn(sending);
        Ok(Reporter {
            events,
            sending,
            crm,
            opted_out,
        })
    }

    /// What the gateway answers of the agent's CRM, once it does.
    pub fn crm(&self) -> watch::Receiver<Option<Map<String, Value>>> {
        self.crm.clone()
    }

    /// Whether the gateway has taken the report that the contact opted out.
    pub fn opted_out(&self) -> watch::Receiver<bool> {
        self.opted_out.clone()
    }

    pub fn report(&self, event: VoiceEvent) {
        // Fails only when the sending task is gone, which `finish` then tells.
        let _ = self.events.send(event);
    }

    /// Waits until everything has been acknowledged, and says whether it was.
    pub async fn finish(self) -> bool {
        drop(self.events);
        self.sending.await.unwrap_or(false)
    }
}

async fn send_all(
    http: reqwest::Client,
    call: String,
    to: ReportTo,
    mut incoming: mpsc::UnboundedReceiver<VoiceEvent>,
    (told, counts): (
        watch::Sender<Option<Map<String, Value>>>,
        watch::Sender<bool>,
    ),
) -> bool {
    let mut all_taken = true;
    while let Some(first) = incoming.recv().await {
        let mut report = Report {
            version: 1,
            call: call.clone(),
            events: vec![first],
        };
        let mut pause = FIRST_PAUSE;
        let mut give_up = None;
        loop {
            while let Ok(next) = incoming.try_recv() {
                report.events.push(next);
            }
            match send(&http, &to, &report).await {
                Sent::Taken(answer) => {
                    let opts_out =
                        |event: &VoiceEvent| matches!(event, VoiceEvent::OptedOut { .. });
                    if report.events.iter().any(opts_out) {
                        counts.send_replace(true);
                    }
                    if answer.crm.is_some() {
                        told.send_replace(answer.crm);
                    }
                    break;
                }
                Sent::Refused(why) => {
                    eprintln!("call {call}: the gateway refused a report: {why}");
                    all_taken = false;
                    break;
                }
                // Said once for a whole outage.
                Sent::Failed(why) if pause == FIRST_PAUSE => {
                    eprintln!("call {call}: a report did not arrive: {why}");
                }
                Sent::Failed(_) => {}
            }
            if incoming.is_closed() {
                let until = *give_up.get_or_insert_with(|| Instant::now() + PATIENCE);
                if Instant::now() + pause > until {
                    eprintln!("call {call}: giving up reporting");
                    return false;
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    all_taken
}

enum Sent {
    Taken(Answer),
    /// The gateway will never take this one.
    Refused(String),
    /// Worth trying again.
    Failed(String),
}

async fn send(http: &reqwest::Client, to: &ReportTo, report: &Report) -> Sent {
    let body = match serde_json::to_vec(report) {
        Ok(body) => body,
        Err(error) => return Sent::Refused(error.to_string()),
    };
    let request = http
        .post(&to.url)
        .timeout(ANSWER)
        .header("content-type", "application/json")
        .header(SIGNATURE_HEADER, sign_report(&to.key, &body))
        .body(body);
    let response = match request.send().await {
        Ok(response) => response,
        Err(error) => return Sent::Failed(net::why(error)),
    };
    match response.status() {
        // Most answers are empty, which says nothing more.
        status if status.is_success() => Sent::Taken(response.json().await.unwrap_or_default()),
        status if status.is_client_error() && ![408, 429].contains(&status.as_u16()) => {
            Sent::Refused(status.to_string())
        }
        status => Sent::Failed(status.to_string()),
    }
}
