//! What the texts of a call may ask for by name, and from where it is known.

use crate::record::Record;
use crate::time::Time;
use crate::voice::Kind;
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
    /// How the call went, once it has ended (`crate::result`).
    pub result: Variables,
    /// What its analysis says.
    pub analysis: Variables,
}

impl Known {
    /// What the texts of this call could ask for, at `now` by the agent's clock.
    pub fn of(record: &Record, now: Time) -> Known {
        let zone = Zone::parse(&record.timezone).unwrap_or(Zone::UTC);
        let mut call = match record.kind {
            Kind::Phone => outbound(&record.to, &record.from),
            // Its dialler told them itself.
            Kind::Dialler | Kind::Chat => Variables(record.variables.clone()),
        };
        call.0.insert("call_id".to_owned(), json!(record.id));
        let fetched = record.fetched.as_ref();
        Known {
            variables: Variables(record.variables.clone()),
            crm: Variables(
                fetched
                    .map(|fetched| fetched.values.clone())
                    .unwrap_or_default(),
            ),
            call,
            system: system(zone, now),
            ..Known::default()
        }
    }

    /// The value of a name as dialout's document has it. Request variables are `crm.*`, where the CRM's own come
    /// first, and `call.*`, where the call's facts do. A bare name is looked for in `system`, `crm`, `call`.
    pub fn value(&self, path: &str) -> Option<String> {
        let given = |name: &str| find(&self.variables, name);
        match path.split_once('.') {
            Some(("crm", name)) => find(&self.crm, name).or_else(|| given(name)),
            Some(("call", name)) => find(&self.call, name).or_else(|| given(name)),
            Some(("system", name)) => find(&self.system, name),
            Some(("result", name)) => find(&self.result, name),
            Some(("analysis", name)) => find(&self.analysis, name),
            _ => find(&self.system, path)
                .or_else(|| find(&self.crm, path))
                .or_else(|| given(path))
                .or_else(|| find(&self.call, path)),
        }
    }

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

/// Values by name.
pub(crate) fn named<const N: usize>(values: [(&str, Value); N]) -> Variables {
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
