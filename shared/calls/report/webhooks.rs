//! An organization's webhooks: where reports go, of which kinds, and the secrets that sign them. One document, changed
//! as a whole.

use super::Kind;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The document of an organization that holds them.
pub const DOCUMENT: &str = "webhooks";
/// The most webhooks of an organization: each gets a delivery of its own for every call.
pub const MOST: usize = 50;
/// How long the secret before the last rotation still signs, in seconds.
pub const OVERLAP_S: u64 = 86_400;
/// How many secrets sign at most. Who rotates more often within a day leaves the oldest behind.
const SECRETS: usize = 4;

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Webhooks {
    pub v: u32,
    /// Oldest first.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// What signs the reports to callback URLs, if the organization asked for it.
    #[serde(default)]
    pub callbacks: Option<Signing>,
}

/// One subscription to reports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    pub events: Vec<Kind>,
    pub signing: Signing,
    pub created_at: Time,
    /// Since when nothing is sent any more, because the receiver answered 410.
    #[serde(default)]
    pub disabled_at: Option<Time>,
}

/// The secret that signs, sealed, and those it replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    pub sealed: String,
    /// Newest first.
    #[serde(default)]
    pub previous: Vec<Previous>,
}

/// A secret that was replaced and still signs for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    pub sealed: String,
    pub until: Time,
}

impl Webhooks {
    pub fn webhook(&self, id: &str) -> Option<&Webhook> {
        self.webhooks.iter().find(|webhook| webhook.id == id)
    }

    pub fn webhook_mut(&mut self, id: &str) -> Option<&mut Webhook> {
        self.webhooks.iter_mut().find(|webhook| webhook.id == id)
    }

    /// Those that get reports of this kind.
    pub fn subscribed(&self, kind: Kind) -> impl Iterator<Item = &Webhook> {
        let wants = move |webhook: &&Webhook| {
            webhook.disabled_at.is_none() && webhook.events.contains(&kind)
        };
        self.webhooks.iter().filter(wants)
    }
}

impl Signing {
    pub fn new(sealed: String) -> Signing {
        Signing {
            sealed,
            previous: Vec::new(),
        }
    }

    /// Replaces the secret. What is replaced goes on signing for [`OVERLAP_S`]. Done twice, it is done once.
    pub fn rotate(&mut self, sealed: String, now: Time) {
        if self.sealed == sealed {
            return;
        }
        let replaced = Previous {
            sealed: std::mem::replace(&mut self.sealed, sealed),
            until: now.plus_s(OVERLAP_S),
        };
        self.previous.retain(|previous| now < previous.until);
        self.previous.insert(0, replaced);
        self.previous.truncate(SECRETS - 1);
    }

    /// The secrets that sign at `now`, the newest first.
    pub fn sealed_at(&self, now: Time) -> impl Iterator<Item = &str> {
        let previous = self
            .previous
            .iter()
            .filter(move |previous| now < previous.until);
        std::iter::once(self.sealed.as_str())
            .chain(previous.map(|previous| previous.sealed.as_str()))
    }
}

/// What a webhook's sealed secret is bound to; `callbacks` stands for the callback URLs of all calls.
pub fn secret_owner(organization: &str, webhook: &str) -> String {
    format!("webhook:{organization}:{webhook}")
}

/// The series of an organization that lists a webhook's deliveries.
pub fn series(webhook: &str) -> String {
    format!("deliveries/{webhook}")
}

/// An entry of that series. The delivery itself, and whether this entry is the one that counts, the call's outbox says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    pub v: u32,
    pub call: String,
    pub delivery: String,
    pub created_at: Time,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_secret_signs_for_a_day() {
        let mut signing = Signing::new("a".to_owned());
        signing.rotate("b".to_owned(), Time(0));
        let at = |signing: &Signing, now| signing.sealed_at(now).collect::<Vec<_>>().join("");
        assert_eq!(at(&signing, Time(0)), "ba");
        assert_eq!(at(&signing, Time(86_399_999)), "ba");
        assert_eq!(at(&signing, Time(86_400_000)), "b");
        for (index, next) in ["c", "d", "e"].into_iter().enumerate() {
            signing.rotate(next.to_owned(), Time(index as u64));
        }
        assert_eq!(at(&signing, Time(10)), "edcb");
        signing.rotate("f".to_owned(), Time(200_000_000));
        assert_eq!(at(&signing, Time(200_000_000)), "fe");
    }
}
