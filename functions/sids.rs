//! Which call a SID of Twilio's names. Organizations may share an account at Twilio, so its names are the account's and
//! not an organization's: of all the calls of a deployment, one has a SID.

use crate::{Fault, Owner, Platform, documents, settle};
use calls::config::{Organization, VERSION};
use calls::id::CallId;
use calls::record::Record;
use serde::{Deserialize, Serialize};

/// How it is known whose SID it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Twilio said so: in its answer to the dial, or at the call's own callback address.
    Told,
    /// It was looked for by numbers and time, and nobody else had it. Should Twilio say otherwise, that counts.
    Found,
}

/// The document of a SID.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Named {
    v: u32,
    call: String,
    /// It was found and not told.
    found: bool,
}

/// Notes whose SID this is, for programs that know the call by it, and so that no other call is taken for it. False if
/// it is another call's.
pub(crate) async fn name(
    host: &impl Platform,
    record: &Record,
    sid: &str,
    call: CallId,
    known: Known,
) -> Result<bool, Fault> {
    let owner = Owner::Account(record.telephony.account_sid.clone());
    let document = document(sid);
    let mine = Named {
        v: VERSION,
        call: call.to_string(),
        found: known == Known::Found,
    };
    let text = serde_json::to_string(&mine).map_err(|error| Fault(error.to_string()))?;
    if host.swap(&owner, &document, None, Some(&text)).await? {
        return Ok(true);
    }
    documents::change(host, &owner, &document, |named: &mut Named| {
        if named.call.is_empty() || (named.found && !mine.found) {
            *named = mine.clone();
        }
        named.call == mine.call
    })
    .await
}

/// Notes whose SID this is where Twilio told it. A call that rings goes on whatever becomes of that: only looking it up by
/// its SID suffers.
pub(crate) async fn told(host: &impl Platform, record: &Record, sid: &str, call: CallId) {
    let cause = match name(host, record, sid, call, Known::Told).await {
        Ok(true) => return,
        Ok(false) => "it was told for another call".to_owned(),
        Err(Fault(cause)) => cause,
    };
    settle::log(host, "warn", "a call's SID was not noted", &call, &cause);
}

/// The call of this SID at an account, whichever organization's it is.
pub(crate) async fn call_at(
    host: &impl Platform,
    account: &str,
    sid: &str,
) -> Result<Option<CallId>, Fault> {
    let owner = Owner::Account(account.to_owned());
    let named: Named = documents::read(host, &owner, &document(sid)).await?;
    Ok(CallId::parse(&named.call))
}

/// The call of this SID at one of the organization's accounts. It may be another organization's.
pub(crate) async fn call_of(
    host: &impl Platform,
    organization: &Organization,
    sid: &str,
) -> Result<Option<CallId>, Fault> {
    let telephony = organization.telephony.iter();
    let mut accounts: Vec<&String> = telephony.map(|known| &known.account_sid).collect();
    accounts.sort();
    accounts.dedup();
    for account in accounts {
        if let Some(call) = call_at(host, account, sid).await? {
            return Ok(Some(call));
        }
    }
    Ok(None)
}

fn document(sid: &str) -> String {
    format!("sid/{sid}")
}
