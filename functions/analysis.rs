//! Post-call analysis, after a call's end: one attempt before the end is reported, and more while it failed.
//! Reports wait for the first attempt alone, whoever makes it; an analysis that comes later is told of by itself.

use crate::ledger::{self, Standing};
use crate::{Fault, Owner, Platform, SendError, documents, settle, store};
use calls::analysis::{self, Analysis, Analyst, Failed};
use calls::config::VERSION;
use calls::event::Event;
use calls::id::CallId;
use calls::time::Time;
use serde::{Deserialize, Serialize};

/// How long the first attempt may take, while the end waits to be reported, and each later one.
const FIRST_MS: u64 = 12_000;
const LATER_MS: u64 = 30_000;
/// How long after the claim of the first attempt the end waits to be reported, in seconds: longer than that attempt takes,
/// and no longer if its host died.
const HELD_S: u64 = 15;
/// How long after the claim of an attempt the next may be made, in seconds. The last entry's end is the end.
const AGAIN_S: [u64; 4] = [40, 120, 600, 40];

/// The call's document: attempts that were claimed.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Attempts {
    v: u32,
    claimed: usize,
    next: Time,
    /// Until when the end waits for the first attempt.
    held: Time,
}

enum Claim {
    /// This attempt is ours, counted from 1; one that is made after `held` comes too late for the report of the end.
    Ours { attempt: usize, held: Time },
    /// Nothing is to be done before `next`, and until `held` somebody may be making the first attempt.
    Wait { next: Time, held: Time },
    /// There was the last one.
    Over,
}

/// How a call's analysis stands once it was gone on with.
pub(crate) enum Stands {
    /// Somebody else makes the first attempt: nothing is reported before this time.
    Begun(Time),
    /// When to go on with it; `None` when there is or will be no analysis.
    Next(Option<Time>),
}

/// Makes the attempt that is due. What it learns is in `standing` as well.
pub(crate) async fn go_on(
    host: &impl Platform,
    id: CallId,
    standing: &mut Standing,
) -> Result<Stands, Fault> {
    let call = &standing.call;
    if call.has("analysis") || call.has("analysis-failed") || call.transcript().is_empty() {
        return Ok(Stands::Next(None));
    }
    let Some(analyst) = &host.settings().analyst else {
        return Ok(Stands::Next(None));
    };
    let agent = store::agent_of(host, &standing.record).await?;
    let Some(analysis) = agent.and_then(|agent| agent.post_call_analysis) else {
        return Ok(Stands::Next(None));
    };
    let (attempt, held) = match claim(host, id).await? {
        Claim::Ours { attempt, held } => (attempt, held),
        Claim::Wait { held, .. } if host.now() < held => return Ok(Stands::Begun(held)),
        Claim::Wait { next, .. } => {
            // The first attempt may have come to its end since the call was read.
            if let Some(now) = ledger::read(host, id).await? {
                *standing = now;
            }
            return Ok(Stands::Next(Some(next)));
        }
        Claim::Over => {
            let cause = "no attempt came to an end".to_owned();
            return conclude(
                host,
                id,
                standing,
                Event::AnalysisFailed {
                    at: host.now(),
                    cause,
                },
            )
            .await;
        }
    };
    match ask(host, analyst, &analysis, standing, attempt).await {
        Ok(result) => {
            let at = host.now();
            let late = at >= held;
            conclude(host, id, standing, Event::Analysis { at, result, late }).await
        }
        Err(Failed { why, again }) => {
            settle::log(host, "warn", "an analysis failed", &id, &why);
            if again && attempt < AGAIN_S.len() {
                let again = host.now().plus_s(AGAIN_S[attempt - 1]);
                return Ok(Stands::Next(Some(again)));
            }
            let failed = Event::AnalysisFailed {
                at: host.now(),
                cause: why,
            };
            conclude(host, id, standing, failed).await
        }
    }
}

/// An attempt is claimed before it is made, so that of two who look at once one asks, and a host that dies in it neither
/// repeats it at once nor holds the reports up for long.
async fn claim(host: &impl Platform, id: CallId) -> Result<Claim, Fault> {
    let now = host.now();
    documents::change(
        host,
        &Owner::Call(id),
        "analysis",
        |attempts: &mut Attempts| {
            if now < attempts.next {
                return Claim::Wait {
                    next: attempts.next,
                    held: attempts.held,
                };
            }
            let Some(again_s) = AGAIN_S.get(attempts.claimed) else {
                return Claim::Over;
            };
            if attempts.claimed == 0 {
                attempts.held = now.plus_s(HELD_S);
            }
            attempts.v = VERSION;
            attempts.claimed += 1;
            attempts.next = now.plus_s(*again_s);
            Claim::Ours {
                attempt: attempts.claimed,
                held: attempts.held,
            }
        },
    )
    .await
}

async fn ask(
    host: &impl Platform,
    analyst: &Analyst,
    analysis: &Analysis,
    standing: &Standing,
    attempt: usize,
) -> Result<serde_json::Map<String, serde_json::Value>, Failed> {
    let (record, call) = (&standing.record, &standing.call);
    let request = analysis::request(analyst, analysis, record, call, host.now())?;
    let timeout_ms = if attempt == 1 { FIRST_MS } else { LATER_MS };
    match host.send(request, timeout_ms).await {
        Ok(answer) => analysis::read(
            answer.status().as_u16(),
            answer.body(),
            analysis.schema.as_ref(),
        ),
        Err(SendError::NotSent(_) | SendError::Unclear(_)) => Err(Failed {
            why: "the model's endpoint did not answer".to_owned(),
            again: true,
        }),
    }
}

async fn conclude(
    host: &impl Platform,
    id: CallId,
    standing: &mut Standing,
    event: Event,
) -> Result<Stands, Fault> {
    *standing = ledger::add(host, id, &[event]).await?;
    Ok(Stands::Next(None))
}
