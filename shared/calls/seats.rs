//! Seats: the right of a call to be live, as one value that admits and frees. Each host keeps it in its own way and
//! changes it one admission at a time; the rules are here alone.
//!
//! A seat is a lease: it ends by itself should nobody free it. A call that has one keeps it, renews it, and counts once.
//! Beside seats there is the pace: how many calls may begin within one second, whatever seats are free.

use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The second in which the pace is counted, in milliseconds.
const PACE_MS: u64 = 1_000;
/// How soon a refused call may find a seat, in seconds: nobody knows when a call ends.
const SEAT_RETRY_S: u64 = 10;

/// How many calls may be live, and how fast they may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Of the whole organization.
    pub seats: u32,
    /// Of them, how many calls placed leave free for calls that come in.
    pub reserve: u32,
    /// Of the call's agent alone.
    pub agent: Option<u32>,
    /// Calls that may begin in one second.
    pub per_second: Option<u32>,
}

impl Limits {
    /// The seats that calls placed may take.
    pub fn to_place(&self) -> u32 {
        self.seats.saturating_sub(self.reserve)
    }
}

/// A seat as it is asked for and held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The call's id.
    pub call: String,
    pub agent: String,
    /// Whether the call came in: it may take a seat of the reserve.
    pub inbound: bool,
    /// When it ends by itself.
    pub until: Time,
}

/// All seats of an organization.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seats {
    pub v: u32,
    pub leases: Vec<Lease>,
    /// When calls began within the last second, oldest first.
    pub begun: Vec<Time>,
}

/// Which limit a call met, and how it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    pub limit: Limit,
    /// Seats taken, or calls begun, of …
    pub taken: u32,
    /// … so many.
    pub most: u32,
    /// When trying again may help, in seconds.
    pub retry_after_s: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    Organization,
    Agent,
    /// What is free is kept for calls that come in.
    InboundReserve,
    CallsPerSecond,
}

impl Limit {
    pub fn word(self) -> &'static str {
        match self {
            Limit::Organization => "organization",
            Limit::Agent => "agent",
            Limit::InboundReserve => "inbound_reserve",
            Limit::CallsPerSecond => "calls_per_second",
        }
    }
}

impl Full {
    /// One sentence for the caller.
    pub fn text(&self) -> String {
        let most = self.most;
        match self.limit {
            Limit::Organization => "Concurrent call limit reached".to_owned(),
            Limit::Agent => {
                "Concurrent call limit reached: the seats of its agent are taken".to_owned()
            }
            Limit::InboundReserve => {
                "Concurrent call limit reached: the seats left are kept for incoming calls"
                    .to_owned()
            }
            Limit::CallsPerSecond => {
                format!("Too many calls at once: no more than {most} may begin in one second")
            }
        }
    }
}

impl Seats {
    /// Takes a seat, or renews the call's own.
    pub fn take(&mut self, lease: Lease, limits: &Limits, now: Time) -> Result<(), Full> {
        self.v = 1;
        self.forget_past(now);
        if let Some(own) = self.leases.iter_mut().find(|held| held.call == lease.call) {
            own.until = own.until.max(lease.until);
            return Ok(());
        }
        self.room(&lease.agent, lease.inbound, limits, now)?;
        if limits.per_second.is_some() && !lease.inbound {
            self.begun.push(now);
        }
        self.leases.push(lease);
        Ok(())
    }

    /// Whether a new call would be admitted at `now`.
    pub fn room(&self, agent: &str, inbound: bool, limits: &Limits, now: Time) -> Result<(), Full> {
        let live = || self.leases.iter().filter(|held| held.until > now);
        let full = |limit, taken, most| {
            Err(Full {
                limit,
                taken,
                most,
                retry_after_s: SEAT_RETRY_S,
            })
        };
        let taken = count(live());
        if taken >= limits.seats {
            return full(Limit::Organization, taken, limits.seats);
        }
        if !inbound && taken >= limits.to_place() {
            return full(Limit::InboundReserve, taken, limits.seats);
        }
        let of_agent = count(live().filter(|held| held.agent == agent));
        if let Some(most) = limits.agent.filter(|most| of_agent >= *most) {
            return full(Limit::Agent, of_agent, most);
        }
        let begun: Vec<Time> = self.lately(now).collect();
        match limits.per_second {
            // A phone that rings in cannot wait.
            Some(most) if !inbound && begun.len() >= most as usize => {
                // The next may begin when as many as are too many have left the second.
                let leaves = begun[begun.len() - most as usize].0 + PACE_MS;
                Err(Full {
                    limit: Limit::CallsPerSecond,
                    taken: count(begun.iter()),
                    most,
                    retry_after_s: leaves.saturating_sub(now.0).div_ceil(1_000).max(1),
                })
            }
            _ => Ok(()),
        }
    }

    /// Frees the call's seat; false if it held none.
    pub fn free(&mut self, call: &str) -> bool {
        let before = self.leases.len();
        self.leases.retain(|held| held.call != call);
        self.leases.len() < before
    }

    /// Drops leases that have ended and beginnings older than a second; true if a lease was dropped.
    pub fn forget_past(&mut self, now: Time) -> bool {
        let begun = self.lately(now).collect();
        self.begun = begun;
        let before = self.leases.len();
        self.leases.retain(|held| held.until > now);
        self.leases.len() < before
    }

    /// How many seats are held.
    pub fn taken(&self, now: Time) -> u32 {
        count(self.leases.iter().filter(|held| held.until > now))
    }

    /// How many calls placed would be admitted at `now`, one after the other, whatever their agents' own limits.
    pub fn available(&self, limits: &Limits, now: Time) -> u32 {
        let seats = limits.to_place().saturating_sub(self.taken(now));
        let pace = limits
            .per_second
            .map(|most| most.saturating_sub(count(self.lately(now))));
        pace.map_or(seats, |pace| seats.min(pace))
    }

    fn lately(&self, now: Time) -> impl Iterator<Item = Time> {
        self.begun
            .iter()
            .copied()
            .filter(move |begun| now.0 < begun.0 + PACE_MS)
    }
}

fn count<T>(all: impl Iterator<Item = T>) -> u32 {
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
