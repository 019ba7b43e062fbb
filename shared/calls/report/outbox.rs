//! A call's outbox: the reports composed for it, frozen, and how the delivery of each goes. One document of the call,
//! changed by compare-and-swap.
//!
//! An attempt is claimed before it is made, so that of two who look at once only one sends; the claim runs out, so that
//! an attempt whose end nobody stored is made again, under the same id.

use super::schedule::{self, Verdict};
use super::{Kind, delivery_id};
use crate::id::CallId;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The document of a call that holds it.
pub const DOCUMENT: &str = "outbox";
/// How long an attempt belongs to who claimed it, in seconds: longer than any attempt lasts.
pub const CLAIM_S: u64 = 30;
/// Attempts kept of each delivery, the newest: resending adds to them without end.
const KEPT: usize = 20;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outbox {
    pub v: u32,
    /// The kinds of reports that were composed, in that order.
    #[serde(default)]
    pub composed: Vec<Kind>,
    /// The bodies of all deliveries, each text once.
    #[serde(default)]
    pub bodies: Vec<String>,
    #[serde(default)]
    pub deliveries: Vec<Delivery>,
}

/// A report on its way to one receiver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    /// `webhook-id`, the same for every attempt.
    pub id: String,
    pub kind: Kind,
    pub target: Target,
    /// Which of [`Outbox::bodies`] is sent.
    pub body: usize,
    pub created_at: Time,
    pub state: State,
    /// Until when an attempt is under way.
    #[serde(default)]
    pub claimed: Option<Time>,
    /// Attempts that failed since it was composed or last sent again by hand.
    #[serde(default)]
    pub tries: u32,
    #[serde(default)]
    pub attempts: Vec<Attempt>,
    /// Its number in the webhook's series, once it is listed there.
    #[serde(default)]
    pub listed: Option<u64>,
}

/// Who gets a report. Where exactly, and what signs it, is looked up for each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "to", rename_all = "snake_case")]
pub enum Target {
    /// The callback URL the call was placed with.
    Callback,
    /// A webhook of the organization.
    Webhook { id: String },
    /// The CRM of the call's agent.
    Push,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum State {
    Pending {
        next: Time,
    },
    Delivered,
    /// Given up: it stays here and can be sent again by hand.
    Dead,
    /// Its webhook was deleted or disabled.
    Cancelled,
}

/// One attempt and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    pub at: Time,
    pub ms: u64,
    /// The receiver's status; none if it did not answer.
    pub status: Option<u16>,
    /// Why nothing was sent, or no answer came.
    pub error: Option<String>,
    /// The beginning of the receiver's answer.
    pub answer: Option<String>,
}

/// What an attempt came to, for [`Outbox::finish`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    pub attempt: Attempt,
    pub verdict: Verdict,
    /// The end of the claim it was made under.
    pub claim: Time,
}

impl Target {
    /// Its name in a delivery's id.
    pub fn key(&self) -> &str {
        match self {
            Target::Callback => "callback",
            Target::Webhook { id } => id,
            Target::Push => "push",
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Target::Callback => "callback_url",
            Target::Webhook { .. } => "webhook",
            Target::Push => "post_call_push",
        }
    }

    pub fn webhook(&self) -> Option<&str> {
        match self {
            Target::Webhook { id } => Some(id),
            Target::Callback | Target::Push => None,
        }
    }
}

impl State {
    pub const WORDS: [&str; 4] = ["pending", "delivered", "dead", "cancelled"];

    /// Reads [`State::word`] and gives it back.
    pub fn parse_word(text: &str) -> Option<&'static str> {
        State::WORDS.into_iter().find(|word| *word == text)
    }

    pub fn word(self) -> &'static str {
        match self {
            State::Pending { .. } => "pending",
            State::Delivered => "delivered",
            State::Dead => "dead",
            State::Cancelled => "cancelled",
        }
    }
}

impl Outbox {
    /// Whether reports of this kind were composed. It is done once: who subscribes later gets none of it.
    pub fn has(&self, kind: Kind) -> bool {
        self.composed.contains(&kind)
    }

    /// The number of the next report that is composed.
    pub fn next_sequence(&self) -> u32 {
        u32::try_from(self.composed.len()).map_or(u32::MAX, |composed| composed + 1)
    }

    /// Puts in all reports of one kind, with their bodies, unless that was done before.
    pub fn compose(
        &mut self,
        v: u32,
        call: CallId,
        kind: Kind,
        reports: Vec<(Target, String)>,
        now: Time,
    ) {
        if self.has(kind) {
            return;
        }
        self.v = v;
        self.composed.push(kind);
        for (target, body) in reports {
            let body = match self.bodies.iter().position(|known| *known == body) {
                Some(index) => index,
                None => {
                    self.bodies.push(body);
                    self.bodies.len() - 1
                }
            };
            self.deliveries.push(Delivery {
                id: delivery_id(call, kind, target.key()),
                kind,
                target,
                body,
                created_at: now,
                state: State::Pending { next: now },
                claimed: None,
                tries: 0,
                attempts: Vec::new(),
                listed: None,
            });
        }
    }

    pub fn delivery(&self, id: &str) -> Option<&Delivery> {
        self.deliveries.iter().find(|delivery| delivery.id == id)
    }

    pub fn delivery_mut(&mut self, id: &str) -> Option<&mut Delivery> {
        self.deliveries
            .iter_mut()
            .find(|delivery| delivery.id == id)
    }

    /// Claims what is due, at most `most`, longest due first, and returns it as it then stands.
    pub fn claim(&mut self, now: Time, most: usize) -> Vec<Delivery> {
        let mut due: Vec<&mut Delivery> = self
            .deliveries
            .iter_mut()
            .filter(|delivery| delivery.due().is_some_and(|at| at <= now))
            .collect();
        due.sort_by_key(|delivery| delivery.due());
        let claim = |delivery: &mut Delivery| {
            delivery.claimed = Some(now.plus_s(CLAIM_S));
            delivery.clone()
        };
        due.into_iter().take(most).map(claim).collect()
    }

    /// Enters what an attempt came to. Entered twice, it stands there once.
    pub fn finish(&mut self, id: &str, finished: &Finished) {
        let Some(delivery) = self.delivery_mut(id) else {
            return;
        };
        let own = delivery.claimed == Some(finished.claim);
        if !own && delivery.attempts.contains(&finished.attempt) {
            return;
        }
        delivery.attempts.push(finished.attempt.clone());
        let older = delivery.attempts.len().saturating_sub(KEPT);
        delivery.attempts.drain(..older);
        let delivered = finished.verdict == Verdict::Delivered;
        // An attempt that outlived its claim says no more than whether it arrived: another is under way.
        if delivered || own {
            delivery.claimed = None;
            delivery.settle(finished);
        }
    }

    /// Ends what is still on its way to this webhook.
    pub fn cancel(&mut self, id: &str) {
        if let Some(delivery) = self.delivery_mut(id)
            && matches!(delivery.state, State::Pending { .. })
        {
            delivery.claimed = None;
            delivery.state = State::Cancelled;
        }
    }

    /// Has a delivery sent again at once, with all attempts before it. False if there is none of this id.
    pub fn resend(&mut self, id: &str, now: Time) -> bool {
        let Some(delivery) = self.delivery_mut(id) else {
            return false;
        };
        delivery.tries = 0;
        delivery.state = State::Pending { next: now };
        true
    }

    /// When somebody must look at it again; `None` when nothing is on its way.
    pub fn next(&self) -> Option<Time> {
        self.deliveries.iter().filter_map(Delivery::due).min()
    }
}

impl Delivery {
    /// When it may be tried: at its time, and not while an attempt is under way.
    fn due(&self) -> Option<Time> {
        match self.state {
            State::Pending { next } => Some(next.max(self.claimed.unwrap_or_default())),
            _ => None,
        }
    }

    fn settle(&mut self, finished: &Finished) {
        let ended = Time(finished.attempt.at.0 + finished.attempt.ms);
        self.state = match finished.verdict {
            Verdict::Delivered => State::Delivered,
            Verdict::Refused | Verdict::Gone => State::Dead,
            Verdict::Again { no_sooner_s } => {
                self.tries += 1;
                match schedule::next(&self.id, self.tries, no_sooner_s, ended) {
                    Some(next) => State::Pending { next },
                    None => State::Dead,
                }
            }
        };
    }
}

#[cfg(test)]
mod tests;
