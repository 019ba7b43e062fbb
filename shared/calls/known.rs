//! What the texts of a call may ask for by name, and from where it is known.

use crate::time::Time;
use serde_json::{Map, Value, json};
use validation::Variables;
use validation::zone::Zone;

/// Values by where they come from. Each dialect says in which order they are asked ([`crate::dialect::Dialect::value_of`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Known {
    /// From the request.
    pub variables: Variables,
    /// From the agent's CRM.
    pub crm: Variables,
    /// Facts of the call: `callerId` (the customer's number), `did` (ours), `callDirection`.
    pub call: Variables,
    /// `current_date`, `current_time`, `current_datetime`, `timezone`.
    pub system: Variables,
}

impl Known {
    /// The value of a name that says itself where it comes from: `crm.…`, `system.…`.
    pub fn named(&self, path: &str) -> Option<String> {
        match path.split_once('.')? {
            ("crm", name) => find(&self.crm, name),
            ("system", name) => find(&self.system, name),
            _ => None,
        }
    }
}

/// A value by its name, also one with a dot in it, or by its path.
pub fn find(values: &Variables, path: &str) -> Option<String> {
    match values.0.get(path) {
        Some(value) => validation::variables::show(value),
        None => values.at(path),
    }
}

/// The facts of an outbound call.
pub fn outbound(to: &str, from: &str) -> Variables {
    named([
        ("callerId", json!(to)),
        ("did", json!(from)),
        ("callDirection", json!("outgoing")),
    ])
}

/// Date and time by the clocks of `zone`.
pub fn system(zone: Zone, now: Time) -> Variables {
    let shown = now.rfc3339_in(zone);
    named([
        ("current_date", json!(shown[..10])),
        ("current_time", json!(shown[11..16])),
        ("current_datetime", json!(shown)),
        ("timezone", json!(zone.name())),
    ])
}

fn named<const N: usize>(values: [(&str, Value); N]) -> Variables {
    let named = values.map(|(name, value)| (name.to_owned(), value));
    Variables(named.into_iter().collect::<Map<_, _>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_zones_clock() {
        let known = system(
            Zone::parse("Asia/Kolkata").unwrap(),
            Time(1_795_167_000_125),
        );
        assert_eq!(find(&known, "current_date").unwrap(), "2026-11-20");
        assert_eq!(find(&known, "current_time").unwrap(), "15:00");
        assert_eq!(
            find(&known, "current_datetime").unwrap(),
            "2026-11-20T15:00:00+05:30"
        );
        assert_eq!(find(&known, "timezone").unwrap(), "Asia/Kolkata");
    }

    #[test]
    fn finds_names_with_dots() {
        let values = Variables(
            json!({"a.b": 1, "c": {"d": 2}})
                .as_object()
                .unwrap()
                .clone(),
        );
        assert_eq!(find(&values, "a.b").as_deref(), Some("1"));
        assert_eq!(find(&values, "c.d").as_deref(), Some("2"));
        assert_eq!(find(&values, "c.e"), None);
    }
}
