//! The gates that ask whom a call goes to, and when: the number, the suppression list, the hours of agent and person,
//! the cap on attempts. All are evaluated. They are gone through when a call is placed, and again when it is fired later.

use crate::{Platform, attempts, gates, suppressions};
use calls::config::{Agent, Organization};
use calls::problem::Problem;
use calls::record::Gate;
use calls::rules::CallingWindow;
use calls::time::Time;
use serde_json::json;
use validation::region::Region;
use validation::zone::Zone;
use validation::{NotAPhone, Phone};

/// A call as these gates see it.
pub(crate) struct Asked<'a> {
    pub(crate) organization: &'a Organization,
    pub(crate) agent: &'a Agent,
    pub(crate) to: &'a Phone,
    /// The field the number stood in.
    pub(crate) to_field: &'a str,
    /// The time zone of the person called, where somebody said it.
    pub(crate) timezone: Option<Zone>,
    pub(crate) now: Time,
}

/// One gate's verdict, and the problem if it is closed.
pub(crate) struct Verdict {
    pub(crate) gate: Gate,
    pub(crate) problem: Option<Problem>,
}

/// Every verdict, in the order in which the first that is against the call counts.
pub(crate) async fn verdicts(
    host: &impl Platform,
    asked: &Asked<'_>,
) -> Result<Vec<Verdict>, Problem> {
    let region = Region::of(asked.to);
    Ok(vec![
        number(asked, region),
        suppression(host, asked).await?,
        active_hours(asked)?,
        calling_window(host, asked, region)?,
        attempt_cap(host, asked).await?,
    ])
}

fn verdict(asked: &Asked<'_>, name: &str, problem: Option<Problem>, evidence: String) -> Verdict {
    Verdict {
        gate: Gate::new(name, asked.now, problem.is_none(), evidence),
        problem,
    }
}

/// Numbers that nobody may call do not come so far: this is about countries.
fn number(asked: &Asked<'_>, region: Option<Region>) -> Verdict {
    let countries: Vec<&str> = region.into_iter().flat_map(Region::countries).collect();
    let lies = match countries.is_empty() {
        true => "no country has numbers that begin so".to_owned(),
        false => format!("numbers that begin so are in {}", countries.join(" or ")),
    };
    let (open, evidence) = match asked.organization.callable_countries() {
        None => (true, format!("{lies}; every country may be called")),
        Some(allowed) => (
            countries
                .iter()
                .any(|code| allowed.iter().any(|allowed| allowed == code)),
            format!("{lies}; calls are allowed to {}", allowed.join(", ")),
        ),
    };
    let problem = Problem::InvalidNumber(asked.to_field.to_owned(), NotAPhone::Country);
    verdict(asked, "number", (!open).then_some(problem), evidence)
}

async fn suppression(host: &impl Platform, asked: &Asked<'_>) -> Result<Verdict, Problem> {
    let number = asked.to.as_str();
    Ok(
        match suppressions::of(host, &asked.organization.id, number).await? {
            None => {
                let evidence = "the number is not on the suppression list".to_owned();
                verdict(asked, "suppression", None, evidence)
            }
            Some(stands) => {
                let evidence = format!("on the suppression list since {}", stands.at.rfc3339());
                verdict(asked, "suppression", Some(Problem::Suppressed), evidence)
            }
        },
    )
}

/// The agent's active hours, by its own clock.
fn active_hours(asked: &Asked<'_>) -> Result<Verdict, Problem> {
    const NAME: &str = "active_hours";
    let (agent, now) = (asked.agent, asked.now);
    let Some(hours) = &agent.active_hours else {
        let evidence = "the agent has no active hours: it may call at any time".to_owned();
        return Ok(verdict(asked, NAME, None, evidence));
    };
    let evidence = format!(
        "the agent's active hours are {} to {} in {}",
        hours.start, hours.end, hours.timezone
    );
    let closed = gates::within_active_hours(agent, now)?;
    Ok(verdict(asked, NAME, closed, evidence))
}

/// The hours in which the person may be called, by their own clock: in every zone they may be in.
fn calling_window(
    host: &impl Platform,
    asked: &Asked<'_>,
    region: Option<Region>,
) -> Result<Verdict, Problem> {
    const NAME: &str = "calling_window";
    let (zones, whence) = match asked.timezone {
        Some(zone) => (vec![zone], "as the request says"),
        None => (
            region.map(Region::zones).unwrap_or_default(),
            "by the number",
        ),
    };
    let now = asked.now;
    let usual = CallingWindow::default().in_zones(&zones);
    let usual = usual.map_err(|_| unreadable("calling window", asked))?;
    let of_organization = asked.organization.calling_window.as_ref();
    let Some(window) = asked.agent.calling_window.as_ref().or(of_organization) else {
        if !usual.open_at(now.0) {
            note_looseness(host, asked);
        }
        let evidence = "no calling window is set: any hour is allowed".to_owned();
        return Ok(verdict(asked, NAME, None, evidence));
    };
    let names: Vec<&str> = zones.iter().map(|zone| zone.name()).collect();
    let evidence = format!("{} in {}, {whence}", window.text(), names.join(", "));
    let window = window.in_zones(&zones);
    let window = window.map_err(|_| unreadable("calling window", asked))?;
    let closed = (!window.open_at(now.0)).then(|| Problem::OutsideWindow {
        next: window.next_open(now.0).map(Time),
        now,
    });
    if closed.is_none() && !usual.open_at(now.0) {
        note_looseness(host, asked);
    }
    Ok(verdict(asked, NAME, closed, evidence))
}

/// Somebody may be called at an hour that the usual window would not allow.
fn note_looseness(host: &impl Platform, asked: &Asked<'_>) {
    let line = json!({
        "level": "info", "message": "a call outside the usual hours is allowed by a looser calling window",
        "organization": asked.organization.id, "agent": asked.agent.id,
    });
    host.log(&line.to_string());
}

async fn attempt_cap(host: &impl Platform, asked: &Asked<'_>) -> Result<Verdict, Problem> {
    const NAME: &str = "attempt_cap";
    let Some(most) = asked.organization.attempts_per_day else {
        let evidence = "no cap is set: a number may be called any number of times".to_owned();
        return Ok(verdict(asked, NAME, None, evidence));
    };
    let attempts = attempts::of(host, &asked.organization.id, asked.to.as_str()).await?;
    let made = attempts.count(asked.now);
    let evidence = format!("{made} of {most} attempts within 24 hours were made");
    let closed = attempts.next(most, asked.now);
    let closed = closed.map(|next| Problem::AttemptCap {
        next,
        now: asked.now,
    });
    Ok(verdict(asked, NAME, closed, evidence))
}

fn unreadable(what: &str, asked: &Asked<'_>) -> Problem {
    Problem::Broken(format!(
        "the {what} of agent {} do not read",
        asked.agent.id
    ))
}
