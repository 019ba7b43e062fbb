//! When a call is dialled, and when it is tried again.

use crate::call::Call;
use crate::event::Outcome;
use crate::id::{CallId, MAX_RUN};
use crate::record::Record;
use crate::secret;
use crate::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use validation::{Fields, Issue, Rule};

/// How far ahead a call may be scheduled, in seconds: thirty days.
pub const FURTHEST_S: u64 = 30 * DAY_S;
/// How long after `earliest_at` a call may still be dialled if nobody says otherwise, in seconds.
pub const DAY_S: u64 = 86_400;
/// The most attempts of one call, and the shortest and longest pause between two, in seconds.
pub const MOST_ATTEMPTS: u32 = 5;
pub const PAUSES_S: std::ops::RangeInclusive<u64> = 1..=7 * DAY_S;

/// The time in which a call may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub earliest_at: Time,
    /// No attempt begins after this.
    pub latest_at: Time,
}

impl Schedule {
    /// What a request asks for with `earliest_at` and `latest_at`; None: dial now or not at all.
    pub fn of(
        earliest: Option<Time>,
        latest: Option<Time>,
        now: Time,
    ) -> Result<Option<Schedule>, Vec<Issue>> {
        if earliest.is_none() && latest.is_none() {
            return Ok(None);
        }
        let issue = |field: &str, why: &str| Issue::new(field, Rule::Other(why.to_owned()));
        let within = |field: &str, at: Time| {
            if at <= now {
                Some(issue(field, "must be in the future"))
            } else if at > now.plus_s(FURTHEST_S) {
                Some(issue(field, "must be within 30 days"))
            } else {
                None
            }
        };
        let mut issues = Vec::new();
        issues.extend(earliest.and_then(|at| within("earliest_at", at)));
        issues.extend(latest.and_then(|at| within("latest_at", at)));
        let earliest_at = earliest.unwrap_or(now);
        let latest_at = latest.unwrap_or(earliest_at.plus_s(DAY_S));
        if issues.is_empty() && latest_at <= earliest_at {
            issues.push(issue("latest_at", "must be after earliest_at"));
        }
        match issues.is_empty() {
            true => Ok(Some(Schedule {
                earliest_at,
                latest_at,
            })),
            false => Err(issues),
        }
    }
}

/// When a call that reached nobody is tried again. One budget for the whole chain, whatever the causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// 1 to 5, the first among them.
    pub max_attempts: u32,
    /// From the end of one attempt to the next, in seconds: 1 to 604800.
    #[serde(default = "delay_s")]
    pub delay_s: u64,
    /// What is tried again.
    #[serde(default = "on")]
    pub on: Vec<RetryOn>,
}

fn delay_s() -> u64 {
    600
}

fn on() -> Vec<RetryOn> {
    vec![RetryOn::Busy, RetryOn::NoAnswer]
}

/// An outcome that another attempt may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryOn {
    Busy,
    NoAnswer,
    Voicemail,
    Failed,
}

impl RetryOn {
    fn parse(word: &str) -> Option<RetryOn> {
        Some(match word {
            "busy" => RetryOn::Busy,
            "no_answer" => RetryOn::NoAnswer,
            "voicemail" => RetryOn::Voicemail,
            "failed" => RetryOn::Failed,
            _ => return None,
        })
    }
}

/// Issues of the fields of `retry`, by their whole names.
fn within(issues: Vec<Issue>) -> Vec<Issue> {
    let whole = |issue: Issue| Issue::new(format!("retry.{}", issue.field), issue.rule);
    issues.into_iter().map(whole).collect()
}

impl Retry {
    /// Reads `{"max_attempts", "delay_s", "on"}` of a request.
    pub fn read(object: &Map<String, Value>) -> Result<Retry, Vec<Issue>> {
        let mut fields = Fields::lenient(object);
        let whole = |number: i64| u64::try_from(number).unwrap_or(0);
        let max_attempts = whole(fields.required_integer("max_attempts"));
        let delay_s = fields.integer("delay_s").map_or_else(delay_s, whole);
        let words = fields.texts("on");
        let causes: Option<Vec<RetryOn>> = words.as_ref().map_or(Some(on()), |words| {
            words.iter().map(|word| RetryOn::parse(word)).collect()
        });
        if causes.is_none() {
            let why = "must name busy, no_answer, voicemail or failed";
            fields.refuse("on", Rule::Other(why.to_owned()));
        }
        let retry = Retry {
            max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
            delay_s,
            on: causes.unwrap_or_default(),
        };
        if fields.get("max_attempts").is_some() {
            retry.check_attempts(&mut fields);
        }
        retry.check_delay(&mut fields);
        fields.done().map_err(within)?;
        Ok(retry)
    }

    /// What is wrong with an agent's.
    pub fn check(&self) -> Result<(), Vec<Issue>> {
        let none = Map::new();
        let mut fields = Fields::of(&none);
        self.check_attempts(&mut fields);
        self.check_delay(&mut fields);
        fields.done().map_err(within)
    }

    fn check_attempts(&self, fields: &mut Fields<'_>) {
        if !(1..=MOST_ATTEMPTS).contains(&self.max_attempts) {
            let why = format!("must be between 1 and {MOST_ATTEMPTS}");
            fields.refuse("max_attempts", Rule::Other(why));
        }
    }

    fn check_delay(&self, fields: &mut Fields<'_>) {
        if !PAUSES_S.contains(&self.delay_s) {
            let (least, most) = (PAUSES_S.start(), PAUSES_S.end());
            let why = format!("must be between {least} and {most}");
            fields.refuse("delay_s", Rule::Other(why));
        }
    }

    fn covers(&self, outcome: Outcome) -> bool {
        let cause = match outcome {
            Outcome::Busy => RetryOn::Busy,
            Outcome::NoAnswer => RetryOn::NoAnswer,
            Outcome::Voicemail => RetryOn::Voicemail,
            Outcome::Failed => RetryOn::Failed,
            Outcome::Completed | Outcome::Canceled | Outcome::Lost | Outcome::Refused => {
                return false;
            }
        };
        self.on.contains(&cause)
    }
}

/// An attempt after the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// From 2 on.
    pub number: u32,
    /// The ids of the chain's first call and of the one before this.
    pub first: String,
    pub previous: String,
    /// When the chain ends, if the request says so.
    pub until: Option<Time>,
}

/// After which no attempt of the chain begins, if the request says so.
pub fn chain_until(record: &Record) -> Option<Time> {
    match &record.attempt {
        Some(attempt) => attempt.until,
        None => record.schedule.map(|plan| plan.latest_at),
    }
}

/// Which attempt this call is, counted from 1.
pub fn attempt(record: &Record) -> u32 {
    record.attempt.as_ref().map_or(1, |attempt| attempt.number)
}

/// The id of the chain's first call.
pub fn first(record: &Record) -> &str {
    let attempt = record.attempt.as_ref();
    attempt.map_or(&record.id, |attempt| &attempt.first)
}

/// The id of the attempt after this one, whether there ever is one or not: whoever plans it, plans the same call.
pub fn next_id(key: &[u8], record: &Record) -> CallId {
    let number = attempt(record) + 1;
    let mac = secret::mac(
        key,
        format!("attempt:{}:{number}", first(record)).as_bytes(),
    );
    let mut run = [0; 8];
    run.copy_from_slice(&mac[..8]);
    CallId::of_run(key, &record.organization, u64::from_be_bytes(run) & MAX_RUN)
}

/// When the next attempt is due by the rules of the request alone; None if there is none to plan: the call goes on,
/// its outcome is not tried again, its attempts are used up, somebody ended it, or all was decided before.
pub fn again(record: &Record, call: &Call) -> Option<Time> {
    let retry = record.retry.as_ref()?;
    let verdict = call.ended()?;
    let decided = call.has("next-attempt") || call.has("chain-ended");
    let wanted = retry.covers(verdict.outcome)
        // What Twilio refuses once it refuses again, and the caller was told.
        && !call.has("dial-refused")
        && !call.stopped()
        && attempt(record) < retry.max_attempts;
    (wanted && !decided).then(|| verdict.at.plus_s(retry.delay_s))
}

/// Whether no attempt follows this one; None until that is decided.
pub fn is_last(record: &Record, call: &Call) -> Option<bool> {
    if call.has("next-attempt") {
        return Some(false);
    }
    let Some(retry) = &record.retry else {
        return Some(true);
    };
    if attempt(record) >= retry.max_attempts || call.has("chain-ended") {
        return Some(true);
    }
    call.ended()?;
    again(record, call).is_none().then_some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time(1_795_167_000_000);

    #[track_caller]
    fn check(earliest_s: Option<u64>, latest_s: Option<u64>, expected: Result<(u64, u64), &str>) {
        let at = |seconds: Option<u64>| seconds.map(|s| NOW.plus_s(s));
        let given = Schedule::of(at(earliest_s), at(latest_s), NOW);
        let given = given.map_err(|issues| issues[0].field.clone()).map(|plan| {
            let plan = plan.expect("a schedule");
            (
                plan.earliest_at.seconds_since(NOW) as u64,
                plan.latest_at.seconds_since(NOW) as u64,
            )
        });
        assert_eq!(given, expected.map_err(str::to_owned));
    }

    #[test]
    fn schedules_lie_ahead_and_in_order() {
        assert_eq!(Schedule::of(None, None, NOW), Ok(None));
        check(Some(60), None, Ok((60, 60 + DAY_S)));
        check(None, Some(60), Ok((0, 60)));
        check(Some(60), Some(120), Ok((60, 120)));
        check(Some(0), None, Err("earliest_at"));
        check(Some(60), Some(60), Err("latest_at"));
        check(Some(FURTHEST_S), None, Ok((FURTHEST_S, FURTHEST_S + DAY_S)));
        check(Some(FURTHEST_S + 1), None, Err("earliest_at"));
        check(Some(60), Some(FURTHEST_S + 1), Err("latest_at"));
    }

    #[test]
    fn reads_a_retry() {
        let read = |text: &str| Retry::read(&serde_json::from_str(text).unwrap());
        assert_eq!(
            read(r#"{"max_attempts":3}"#),
            Ok(Retry {
                max_attempts: 3,
                delay_s: 600,
                on: vec![RetryOn::Busy, RetryOn::NoAnswer]
            })
        );
        assert_eq!(
            read(r#"{"max_attempts":"3","delay_s":"","on":""}"#),
            read(r#"{"max_attempts":3}"#)
        );
        for wrong in [
            r#"{}"#,
            r#"{"max_attempts":""}"#,
            r#"{"max_attempts":0}"#,
            r#"{"max_attempts":6}"#,
            r#"{"max_attempts":2,"delay_s":0}"#,
            r#"{"max_attempts":2,"on":["completed"]}"#,
            r#"{"max_attempts":2,"on":"busy"}"#,
            r#"{"max_attempts":-1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
