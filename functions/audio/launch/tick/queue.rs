//! Which of the calls that are due is woken next: in their order, each one at a time, and of one lane only so many at
//! once that other lanes go on.

use calls::wake::Due;
use std::collections::{HashMap, VecDeque};

/// How many calls are being woken at once, in all and of one lane.
const AT_ONCE: usize = 128;
const OF_A_LANE: usize = 16;

#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<Due>,
    /// Calls that are being woken, and their lanes.
    running: HashMap<String, String>,
}

impl Queue {
    /// Takes in a call that is due. One that waits already keeps its place, with the newer ticket; one that is being woken
    /// is woken once more afterwards, since what it is due for may have come up meanwhile.
    pub(super) fn add(&mut self, due: Due) {
        match self.waiting.iter_mut().find(|known| known.call == due.call) {
            Some(known) => *known = due,
            None => self.waiting.push_back(due),
        }
    }

    /// The next call to wake, if one may be.
    pub(super) fn next(&mut self) -> Option<Due> {
        if self.running.len() >= AT_ONCE {
            return None;
        }
        let mut running: HashMap<&str, usize> = HashMap::new();
        for lane in self.running.values() {
            *running.entry(lane).or_default() += 1;
        }
        let may = |due: &Due| {
            let lane = running.get(due.lane.as_str()).copied();
            lane.unwrap_or_default() < OF_A_LANE && !self.running.contains_key(&due.call)
        };
        let at = self.waiting.iter().position(may)?;
        let due = self.waiting.remove(at)?;
        self.running.insert(due.call.clone(), due.lane.clone());
        Some(due)
    }

    /// Takes note that a call was woken, or could not be.
    pub(super) fn woken(&mut self, call: &str) {
        self.running.remove(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(call: &str, lane: &str, ticket: &str) -> Due {
        let [call, lane, ticket] = [call, lane, ticket].map(str::to_owned);
        Due { call, lane, ticket }
    }

    fn all(queue: &mut Queue) -> Vec<String> {
        std::iter::from_fn(|| queue.next())
            .map(|due| format!("{} {}", due.call, due.ticket))
            .collect()
    }

    #[test]
    fn a_full_lane_holds_up_no_other() {
        let mut queue = Queue::default();
        for number in 0..OF_A_LANE + 2 {
            queue.add(due(&format!("slow-{number}"), "slow", "1"));
        }
        queue.add(due("other", "other", "1"));
        let begun = all(&mut queue);
        assert_eq!(begun.len(), OF_A_LANE + 1);
        assert_eq!(begun.last().unwrap(), "other 1");
        queue.woken("slow-3");
        assert_eq!(all(&mut queue), [format!("slow-{OF_A_LANE} 1")]);
        queue.woken("other");
        assert_eq!(all(&mut queue), [] as [&str; 0]);
    }

    #[test]
    fn all_lanes_together_have_an_end() {
        let mut queue = Queue::default();
        for number in 0..AT_ONCE + 5 {
            queue.add(due(&format!("call-{number}"), &format!("{number}"), "1"));
        }
        assert_eq!(all(&mut queue).len(), AT_ONCE);
        queue.woken("call-7");
        queue.woken("call-8");
        assert_eq!(all(&mut queue).len(), 2);
    }

    #[test]
    fn a_call_is_woken_one_at_a_time() {
        let mut queue = Queue::default();
        queue.add(due("call", "lane", "1"));
        assert_eq!(all(&mut queue), ["call 1"]);
        queue.add(due("call", "lane", "2"));
        queue.add(due("call", "lane", "3"));
        assert_eq!(all(&mut queue), [] as [&str; 0]);
        queue.woken("call");
        assert_eq!(all(&mut queue), ["call 3"]);
        queue.woken("call");
        assert_eq!(all(&mut queue), [] as [&str; 0]);
    }
}
