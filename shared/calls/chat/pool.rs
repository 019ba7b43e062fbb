//! The chats an organization has open: no more at once than it may have, and none longer than its lease.

use crate::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The document of an organization that holds its open chats.
pub const DOCUMENT: &str = "chats";

/// How many chats an organization may have open at once.
pub const MOST: usize = 4;

/// Stored under [`DOCUMENT`]: ids of open chats, and when each counts as closed at the latest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    #[serde(default)]
    v: u32,
    #[serde(default)]
    chats: BTreeMap<String, Time>,
}

impl Open {
    /// Adds a chat unless there are too many; true if it is among them. Adding it twice changes nothing.
    pub fn add(&mut self, chat: &str, until: Time, now: Time) -> bool {
        self.v = 1;
        self.chats.retain(|_, until| *until > now);
        if self.chats.len() >= MOST && !self.chats.contains_key(chat) {
            return false;
        }
        self.chats.insert(chat.to_owned(), until);
        true
    }

    pub fn remove(&mut self, chat: &str) {
        self.chats.remove(chat);
    }
}

#[test]
fn no_more_than_may_be_and_none_for_ever() {
    let mut open = Open::default();
    for index in 0..MOST {
        assert!(open.add(&index.to_string(), Time(10 + index as u64), Time(0)));
    }
    assert!(open.add("0", Time(10), Time(0)), "it is among them");
    assert!(!open.add("late", Time(99), Time(9)));
    assert!(
        open.add("late", Time(99), Time(10)),
        "the first has expired"
    );
    assert!(!open.add("later", Time(99), Time(10)));
    open.remove("late");
    open.remove("nobody");
    assert!(open.add("later", Time(99), Time(10)));
}
