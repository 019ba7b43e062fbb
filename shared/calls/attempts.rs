//! Dial attempts to one number within the last 24 hours, as one value: what the cap is kept by.

use crate::rules::DAY_S;
use crate::time::Time;
use serde::{Deserialize, Serialize};

/// The attempts of the last day, oldest first: the call's id and when it was dialled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempts {
    pub v: u32,
    pub made: Vec<(String, Time)>,
}

impl Attempts {
    /// How many count at `now`.
    pub fn count(&self, now: Time) -> u32 {
        u32::try_from(self.lately(now).count()).unwrap_or(u32::MAX)
    }

    /// When the next attempt is allowed; `None`: now.
    pub fn next(&self, most: u32, now: Time) -> Option<Time> {
        let made: Vec<Time> = self.lately(now).collect();
        let too_many = made.len().checked_sub(most as usize)?;
        // None: nobody may be called at all. That is not configured.
        made.get(too_many).map(|at| at.plus_s(DAY_S))
    }

    /// Counts the call's attempt, once, unless there were so many; then says when the next is allowed.
    pub fn add(&mut self, call: &str, most: u32, now: Time) -> Result<(), Time> {
        self.v = 1;
        if self.made.iter().any(|(known, _)| known == call) {
            return Ok(());
        }
        if let Some(next) = self.next(most, now) {
            return Err(next);
        }
        self.made.retain(|(_, at)| now < at.plus_s(DAY_S));
        self.made.push((call.to_owned(), now));
        Ok(())
    }

    /// Counts the call's attempt no longer: no phone can have rung.
    pub fn take_back(&mut self, call: &str) {
        self.made.retain(|(known, _)| known != call);
    }

    fn lately(&self, now: Time) -> impl Iterator<Item = Time> {
        let made = self.made.iter().map(|(_, at)| *at);
        made.filter(move |at| now < at.plus_s(DAY_S))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Time = Time(1_795_167_000_000);

    #[test]
    fn the_day_is_the_last_twenty_four_hours() {
        let mut attempts = Attempts::default();
        for hour in 0..3_u64 {
            let at = START.plus_s(hour * 3_600);
            assert_eq!(attempts.add(&hour.to_string(), 3, at), Ok(()));
        }
        let evening = START.plus_s(40_000);
        assert_eq!(attempts.add("3", 3, evening), Err(START.plus_s(DAY_S)));
        assert_eq!(attempts.count(evening), 3);
        let tomorrow = START.plus_s(DAY_S);
        assert_eq!(attempts.next(3, tomorrow), None);
        assert_eq!(attempts.add("3", 3, tomorrow), Ok(()));
        assert_eq!(attempts.made.len(), 3);
        // The next leaves the day an hour later; with a lower cap, the one after it counts.
        assert_eq!(
            attempts.next(3, tomorrow),
            Some(START.plus_s(DAY_S + 3_600))
        );
        assert_eq!(
            attempts.next(2, tomorrow),
            Some(START.plus_s(DAY_S + 7_200))
        );
    }

    #[test]
    fn a_call_counts_once_and_can_be_taken_back() {
        let mut attempts = Attempts::default();
        assert_eq!(attempts.add("1", 1, START), Ok(()));
        assert_eq!(attempts.add("1", 1, START.plus_s(9)), Ok(()));
        assert!(attempts.add("2", 1, START.plus_s(9)).is_err());
        attempts.take_back("1");
        assert_eq!(attempts.add("2", 1, START.plus_s(9)), Ok(()));
    }
}
