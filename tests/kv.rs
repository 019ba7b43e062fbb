//! Configuration as Workers KV keeps it: what was read is read again for a minute, also that there was nothing; a key
//! is written once a second; a list is as old as a read.

use calls::time::Time;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

/// How long a change may stay unseen, in seconds. <https://developers.cloudflare.com/kv/concepts/how-kv-works/>
const LATE_S: u64 = 60;

/// A store that is as late as Workers KV may be, or never.
#[derive(Default)]
pub struct Kv {
    /// What is stored, whoever sees it.
    pub stored: RefCell<BTreeMap<String, String>>,
    late: Cell<bool>,
    /// Time that has passed for the store alone, in milliseconds.
    passed: Cell<u64>,
    /// What readers saw, and when: they see it again until it is a minute old.
    seen: RefCell<BTreeMap<String, (Time, Option<String>)>>,
    /// When each key was changed last, and what lists still show of it.
    changed: RefCell<BTreeMap<String, (Time, bool)>>,
}

impl Kv {
    pub fn late() -> Kv {
        let kv = Kv::default();
        kv.late.set(true);
        kv
    }

    /// Lets a minute pass for the store alone: what was written is seen now.
    pub fn catch_up(&self) {
        self.pass_ms(LATE_S * 1_000);
    }

    fn pass_ms(&self, ms: u64) {
        self.passed.set(self.passed.get() + ms);
    }

    fn clock(&self, now: Time) -> Time {
        Time(now.0 + self.passed.get())
    }

    pub(crate) fn get(&self, key: &str, now: Time) -> Option<String> {
        let now = self.clock(now);
        if !self.late.get() {
            return self.stored.borrow().get(key).cloned();
        }
        let mut seen = self.seen.borrow_mut();
        if let Some((at, value)) = seen.get(key)
            && now < at.plus_s(LATE_S)
        {
            return value.clone();
        }
        let value = self.stored.borrow().get(key).cloned();
        seen.insert(key.to_owned(), (now, value.clone()));
        value
    }

    /// Stores or deletes, a second later where the key was changed just now, as the Worker does.
    pub(crate) fn set(&self, key: &str, value: Option<&str>, now: Time) {
        while !self.try_set(key, value, now) {
            self.pass_ms(1_100);
        }
    }

    /// False if the key was changed less than a second ago: nothing was done.
    fn try_set(&self, key: &str, value: Option<&str>, now: Time) -> bool {
        let now = self.clock(now);
        let mut changed = self.changed.borrow_mut();
        let mut stored = self.stored.borrow_mut();
        let last = changed.get(key).copied();
        if self.late.get() && last.is_some_and(|(at, _)| now < at.plus_s(1)) {
            return false;
        }
        // Lists show what was there a minute ago.
        let shown = match last {
            Some((at, shown)) if now < at.plus_s(LATE_S) => shown,
            _ => stored.contains_key(key),
        };
        changed.insert(key.to_owned(), (now, shown));
        match value {
            Some(value) => stored.insert(key.to_owned(), value.to_owned()),
            None => stored.remove(key),
        };
        true
    }

    pub(crate) fn keys(&self, prefix: &str, now: Time) -> Vec<String> {
        let now = self.clock(now);
        let stored = self.stored.borrow();
        let changed = self.changed.borrow();
        let all = stored.keys().chain(changed.keys());
        let mut keys: Vec<String> = all
            .filter(|key| key.starts_with(prefix))
            .filter(|key| match changed.get(*key) {
                Some((at, shown)) if self.late.get() && now < at.plus_s(LATE_S) => *shown,
                _ => stored.contains_key(*key),
            })
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_seen_a_minute_later() {
        let kv = Kv::late();
        let at = |seconds| Time(0).plus_s(seconds);
        assert_eq!(kv.get("a", at(0)), None);
        kv.set("a", Some("1"), at(1));
        assert_eq!(kv.get("a", at(59)), None);
        assert!(kv.keys("", at(59)).is_empty());
        assert_eq!(kv.get("a", at(60)).as_deref(), Some("1"));
        kv.set("a", None, at(61));
        assert_eq!(kv.get("a", at(62)).as_deref(), Some("1"));
        assert_eq!(kv.keys("", at(62)), ["a"]);
        assert!(kv.keys("", at(121)).is_empty());
    }

    #[test]
    fn a_key_is_written_once_a_second() {
        let kv = Kv::late();
        assert!(kv.try_set("a", Some("1"), Time(1_000)));
        assert!(!kv.try_set("a", Some("2"), Time(1_999)));
        assert!(kv.try_set("b", Some("2"), Time(1_999)));
        kv.set("a", Some("2"), Time(1_999));
        assert_eq!(kv.stored.borrow()["a"], "2");
    }
}
