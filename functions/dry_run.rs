//! A dry run: everything that is checked before a call is placed, and nothing stored, taken or dialled.

use crate::reply::{self, Reply};
use crate::{Platform, gates, ledger};
use calls::config::Organization;
use calls::dialect::ringdown::explain::show_gate;
use calls::dialect::{Dialect, PlaceCall};
use calls::problem::Problem;
use calls::record::Gate;
use http::Request;
use serde_json::{Map, Value, json};
use validation::variables::show;
use validation::{Issue, Rule};

/// Lets `?dry_run=` in the URL count as the field of that name in the body.
pub(crate) fn from_query(
    request: &Request<Vec<u8>>,
    body: &mut Map<String, Value>,
) -> Result<(), Problem> {
    const FIELD: &str = "dry_run";
    let query = request.uri().query().unwrap_or_default();
    let given = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == FIELD);
    let Some((_, value)) = given.filter(|(_, value)| !value.is_empty()) else {
        return Ok(());
    };
    let in_body = body
        .get(FIELD)
        .and_then(show)
        .filter(|text| !text.is_empty());
    if in_body.is_some_and(|text| !text.eq_ignore_ascii_case(&value)) {
        // Which of the two is meant decides whether a phone rings.
        let rule = Rule::Other("differs between the URL and the body".to_owned());
        return Err(Problem::Invalid(vec![Issue::new(FIELD, rule)]));
    }
    body.insert(FIELD.to_owned(), Value::from(value.into_owned()));
    Ok(())
}

/// What the call would be, and whether it would be placed now. A request that is wrong in itself fails as a real one does.
pub(crate) async fn dry_run(
    host: &impl Platform,
    dialect: &dyn Dialect,
    organization: &Organization,
    wanted: PlaceCall,
) -> Result<Reply, Problem> {
    let examined = gates::examine(host, dialect, organization, wanted).await?;
    let record = examined.record;
    ledger::stored_credential(host, &record)?;
    let seats = host.seats(&organization.id).await?;
    let limits = organization.limits(record.agent_seats);
    let taken = seats.taken(host.now());
    let free = limits.to_place().saturating_sub(taken);
    let room = seats.room(&record.agent.id, false, &limits, host.now());
    let seat = match room {
        Ok(()) => format!("{taken} of {} seats are taken", limits.seats),
        Err(full) => full.text(),
    };
    let mut gates = record.gates;
    let mut refused = examined.refused;
    // A call for later takes its seat when its time has come.
    if record.schedule.is_none() {
        gates.push(Gate::new("seat", host.now(), room.is_ok(), seat));
        refused = refused.or(room.err().map(Problem::NoSeat));
    }
    let shown = json!({
        "dry_run": true,
        "would_place": refused.is_none(),
        // Exactly what a request that is no dry run would be answered.
        "refusal": refused.map(|problem| dialect.show_problem(&problem).1),
        "agent_id": record.agent.id,
        "agent_name": record.agent.name,
        "mode": record.mode,
        "earliest_at": record.schedule.map(|plan| plan.earliest_at.rfc3339()),
        "latest_at": record.schedule.map(|plan| plan.latest_at.rfc3339()),
        "to": record.to,
        "from": record.from,
        "telephony_configuration_id": record.telephony.id,
        "disclosure": record.agent.disclosure,
        "greeting": record.agent.greeting,
        "agenda": record.agent.agenda,
        "variables": record.variables,
        "unresolved_variables": record.unresolved,
        "gates": gates.iter().map(show_gate).collect::<Vec<_>>(),
        "capacity": { "seats": organization.seats, "taken": taken, "available": free },
    });
    Ok(reply::json_reply(200, &shown))
}
