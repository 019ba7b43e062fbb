//! Natural dedupe, for agents that want it: the same agent, number and variables within so many seconds are one call.
//! A document for each such request names its latest call; whoever makes it name theirs may place it.

use crate::idempotency::{self, Found, UNDER_WAY_S};
use crate::ledger::{self, Standing};
use crate::{Fault, Owner, Platform, documents};
use calls::id::CallId;
use calls::problem::Problem;
use calls::record::Record;
use calls::secret;
use calls::time::Time;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What makes two requests the same.
pub(crate) struct Same {
    owner: Owner,
    /// The document's name.
    name: String,
    window_s: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Latest {
    v: u32,
    call: String,
    at: Time,
}

/// None: the agent does not want it.
pub(crate) fn of(record: &Record) -> Option<Same> {
    let window_s = u64::from(record.dedupe_s?);
    let variables = idempotency::sorted(&Value::Object(record.variables.clone()));
    let said = [
        record.agent.id.clone(),
        record.mode.clone(),
        record.to.clone(),
        variables.to_string(),
    ];
    Some(Same {
        owner: Owner::Organization(record.organization.clone()),
        name: format!("dedupe/{}", secret::sha256_hex(said.join("\n").as_bytes())),
        window_s,
    })
}

/// The call of the same request, if there was one within the window that a phone may have rung for. Of one that is
/// still being placed, or whose outcome nobody knows, the problem.
pub(crate) async fn find(host: &impl Platform, same: &Same) -> Result<Option<Found>, Problem> {
    let latest: Latest = documents::read(host, &same.owner, &same.name).await?;
    match earlier(host, same, &latest).await? {
        Earlier::None => Ok(None),
        Earlier::UnderWay => Err(Problem::IdempotencyInProgress),
        Earlier::Call(id, standing) => idempotency::done(host, id, *standing).map(Some),
    }
}

/// Makes `id` the call of this request; false if another request was faster.
pub(crate) async fn claim(host: &impl Platform, same: &Same, id: CallId) -> Result<bool, Problem> {
    let before: Latest = documents::read(host, &same.owner, &same.name).await?;
    if !matches!(earlier(host, same, &before).await?, Earlier::None) {
        return Ok(false);
    }
    let mine = Latest {
        v: 1,
        call: id.to_string(),
        at: host.now(),
    };
    // Replaced is what was looked at, and nothing that came since.
    let claimed = documents::change(host, &same.owner, &same.name, |latest: &mut Latest| {
        if *latest == before {
            latest.clone_from(&mine);
        }
        *latest == mine
    });
    Ok(claimed.await?)
}

/// What became of the latest call of the same request.
enum Earlier {
    /// There was none within the window, or no phone can have rung for it.
    None,
    /// It is about to be stored.
    UnderWay,
    Call(CallId, Box<Standing>),
}

async fn earlier(host: &impl Platform, same: &Same, latest: &Latest) -> Result<Earlier, Fault> {
    let now = host.now();
    let within = now < latest.at.plus_s(same.window_s);
    let Some(id) = CallId::parse(&latest.call).filter(|_| within) else {
        return Ok(Earlier::None);
    };
    Ok(match ledger::read(host, id).await? {
        Some(standing) if idempotency::turned_away(&standing) => Earlier::None,
        // An id that was drawn twice is another call's.
        Some(standing) if of(&standing.record).is_none_or(|of| of.name != same.name) => {
            Earlier::None
        }
        Some(standing) => Earlier::Call(id, Box::new(standing)),
        None if now < latest.at.plus_s(UNDER_WAY_S) => Earlier::UnderWay,
        None => Earlier::None,
    })
}
