//! Every way a request can fail, in our words. Each dialect shows each of them in its own.

use crate::record::Gate;
use crate::seats::{Full, Limit};
use crate::time::Time;
use validation::{Issue, NotAPhone};

/// A request that fails. What a caller may read is in [`Problem::text`]; causes are for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The body is no JSON object.
    Malformed(String),
    Invalid(Vec<Issue>),
    /// The number to call, in the named field, is none that is called.
    InvalidNumber(String, NotAPhone),
    NoKey,
    WrongKey,
    /// The key is good, but of a category this API does not take.
    WrongCategory,
    /// The key lacks the permission.
    NotAllowed,
    OrganizationInactive,
    /// No such agent, or not active. Carries the id asked for.
    NoAgent(String),
    /// The agent belongs to another organization.
    ForeignAgent(String),
    AgentWithoutOwner(String),
    AgentWithoutOrganization(String),
    /// The telephony configuration named in the request is not the organization's.
    NoTelephony,
    /// The organization has no telephony configuration, or the one to use has no number to call from.
    NotConfigured,
    /// The number to call from is not the organization's.
    NoCaller,
    /// Names the agent insists on, without values.
    VariablesMissing(Vec<String>),
    /// The agent's active hours; `next` is when they begin again, RFC 3339.
    OutsideHours {
        next: Option<String>,
        retry_after_s: Option<u64>,
    },
    /// The person's own hours; `next` is when they begin again.
    OutsideWindow {
        next: Option<Time>,
        now: Time,
    },
    /// The person does not want to be called.
    Suppressed,
    /// The number was dialled as often as is allowed within 24 hours.
    AttemptCap {
        next: Time,
        now: Time,
    },
    /// A gate is closed, for this problem; the verdicts of all of them.
    AtGate(Box<Problem>, Vec<Gate>),
    /// The number is not on the suppression list.
    NoSuppression,
    /// No seat, or too many calls at once.
    NoSeat(Full),
    /// Twilio refused the call; the log knows why.
    ProviderRefused {
        number_at_fault: bool,
        code: Option<u32>,
    },
    /// Twilio takes no more requests just now.
    ProviderBusy,
    /// The outcome of the dial is not known in time to name the call's SID. Carries the call's id.
    DialUnknown(String),
    /// The idempotency key was used for another request.
    IdempotencyConflict,
    /// The first request with this idempotency key is still being worked on.
    IdempotencyInProgress,
    /// Nobody knows whether the first request with this idempotency key placed a call.
    IdempotencyUnknown {
        /// The call's id.
        call: String,
        /// How it ended, if it has: then nobody will know.
        ended: Option<String>,
    },
    /// The first request with this idempotency key failed in this way, and so does this one.
    Replayed(Box<Problem>),
    NoCall(String),
    /// What cannot be cancelled because it is dialled or talked on. Carries the call's id.
    CallUnderWay(String),
    /// What cannot be cancelled because it has ended. Carries the call's id.
    CallOver(String),
    NoWebhook,
    NoDelivery,
    NoRoute,
    /// The methods the path does take.
    Method(&'static str),
    TooLarge,
    /// What the path does take.
    MediaType(&'static str),
    /// A callback or internal message that is not genuine.
    Forged,
    /// The upgrade the path wants was not asked for.
    UpgradeRequired,
    /// No voice could be started, or the one started is gone.
    NoVoice,
    /// As many chats are open as the organization may have at once.
    NoChat {
        most: u32,
    },
    /// Whether there is such an agent could not be found out. The cause is for the log alone.
    AgentUnread(String),
    /// Our fault. The cause is for the log alone.
    Broken(String),
}

impl Problem {
    /// The machine's word for it: header `x-error-code`.
    pub fn code(&self) -> &'static str {
        match self {
            Problem::Malformed(_) => "malformed_body",
            Problem::Invalid(_) => "invalid_request",
            Problem::InvalidNumber(_, why) if why.is_forbidden() => "number_not_allowed",
            Problem::InvalidNumber(..) => "invalid_number",
            Problem::NoKey => "no_api_key",
            Problem::WrongKey => "invalid_api_key",
            Problem::WrongCategory => "wrong_key_category",
            Problem::NotAllowed => "permission_denied",
            Problem::OrganizationInactive => "organization_inactive",
            Problem::NoAgent(_) => "agent_not_found",
            Problem::ForeignAgent(_) => "agent_of_other_organization",
            Problem::AgentWithoutOwner(_) => "agent_without_owner",
            Problem::AgentWithoutOrganization(_) => "agent_without_organization",
            Problem::NoTelephony => "telephony_configuration_not_found",
            Problem::NotConfigured => "telephony_not_configured",
            Problem::NoCaller => "caller_not_found",
            Problem::VariablesMissing(_) => "variables_missing",
            Problem::OutsideHours { .. } => "outside_active_hours",
            Problem::OutsideWindow { .. } => "outside_calling_window",
            Problem::Suppressed => "suppressed",
            Problem::AttemptCap { .. } => "attempt_cap",
            Problem::AtGate(why, _) => why.code(),
            Problem::NoSuppression => "suppression_not_found",
            Problem::NoSeat(_) => "no_capacity",
            Problem::ProviderRefused { .. } => "provider_refused",
            Problem::ProviderBusy => "provider_busy",
            Problem::DialUnknown(_) => "dial_unknown",
            Problem::IdempotencyConflict => "idempotency_conflict",
            Problem::IdempotencyInProgress => "idempotency_in_progress",
            Problem::IdempotencyUnknown { .. } => "idempotency_state_unknown",
            Problem::Replayed(first) => first.code(),
            Problem::NoCall(_) => "call_not_found",
            Problem::CallUnderWay(_) => "call_under_way",
            Problem::CallOver(_) => "call_has_ended",
            Problem::NoWebhook => "webhook_not_found",
            Problem::NoDelivery => "delivery_not_found",
            Problem::NoRoute => "not_found",
            Problem::Method(_) => "method_not_allowed",
            Problem::TooLarge => "body_too_large",
            Problem::MediaType(_) => "unsupported_media_type",
            Problem::Forged => "invalid_signature",
            Problem::UpgradeRequired => "upgrade_required",
            Problem::NoVoice => "no_voice",
            Problem::NoChat { .. } => "no_chat_capacity",
            Problem::AgentUnread(_) => "agent_lookup_failed",
            Problem::Broken(_) => "internal_error",
        }
    }

    /// One clear sentence for the caller.
    pub fn text(&self) -> String {
        match self {
            Problem::Malformed(why) => why.clone(),
            Problem::Invalid(issues) => issues
                .iter()
                .map(|issue| format!("{} {}", issue.field, issue.rule.text()))
                .collect::<Vec<_>>()
                .join("; "),
            Problem::InvalidNumber(field, why) => format!("{field} {}", why.text()),
            Problem::NoKey | Problem::WrongKey => "Invalid API key".to_owned(),
            Problem::WrongCategory => {
                "This API key's category does not give access to this API".to_owned()
            }
            Problem::NotAllowed => "The API key does not have the required permission".to_owned(),
            Problem::OrganizationInactive => "Organization inactive".to_owned(),
            Problem::NoAgent(_) => "Agent not found or not active".to_owned(),
            Problem::ForeignAgent(_) => "API key does not have access to this agent".to_owned(),
            Problem::AgentWithoutOwner(id) => {
                format!("User ID not found for assistant with ID {id}")
            }
            Problem::AgentWithoutOrganization(id) => {
                format!("Organization ID not found for assistant with ID {id}")
            }
            Problem::NoTelephony => "Telephony configuration not found".to_owned(),
            Problem::NotConfigured => "Telephony provider not configured".to_owned(),
            Problem::NoCaller => "The number to call from was not found".to_owned(),
            Problem::VariablesMissing(names) => format!("No value for: {}", names.join(", ")),
            Problem::OutsideHours {
                next: Some(next), ..
            } => {
                format!("The agent is outside its active hours; they begin again at {next}")
            }
            Problem::OutsideHours { next: None, .. } => {
                "The agent is outside its active hours".to_owned()
            }
            Problem::OutsideWindow {
                next: Some(next), ..
            } => format!(
                "It is outside the hours in which this number may be called; they begin again at {}",
                next.rfc3339()
            ),
            Problem::OutsideWindow { next: None, .. } => {
                "It is outside the hours in which this number may be called".to_owned()
            }
            Problem::Suppressed => {
                "This number is on the suppression list and is not called".to_owned()
            }
            Problem::AttemptCap { next, .. } => format!(
                "This number was called as often as is allowed within 24 hours; it may be called again at {}",
                next.rfc3339()
            ),
            Problem::AtGate(why, _) => why.text(),
            Problem::NoSuppression => "Suppression not found".to_owned(),
            Problem::NoSeat(full) => full.text(),
            Problem::ProviderRefused {
                code: Some(code), ..
            } => {
                format!("The telephony provider refused the call (error {code})")
            }
            Problem::ProviderRefused { code: None, .. } => {
                "The telephony provider refused the call".to_owned()
            }
            Problem::ProviderBusy => {
                "The telephony provider takes no more calls just now".to_owned()
            }
            Problem::DialUnknown(id) => format!(
                "The telephony provider did not say whether it placed the call; read call {id} before trying again"
            ),
            Problem::IdempotencyConflict => {
                "This idempotency key was used for a different request".to_owned()
            }
            Problem::IdempotencyInProgress => {
                "The first of these requests is still being processed".to_owned()
            }
            Problem::IdempotencyUnknown { call, ended: None } => format!(
                "Whether the first of these requests placed a call is not known yet; read call {call}"
            ),
            Problem::IdempotencyUnknown {
                call,
                ended: Some(ended),
            } => format!(
                "The outcome of the first of these requests could not be determined: call {call} has ended as {ended}. \
                 A request with a new idempotency key calls again"
            ),
            Problem::Replayed(first) => first.text(),
            Problem::NoCall(_) => "Call not found".to_owned(),
            Problem::CallUnderWay(id) => {
                format!("Call {id} is under way; POST /v1/calls/{id}/hangup ends it")
            }
            Problem::CallOver(id) => {
                format!("Call {id} has ended and no attempt follows it: there is nothing to cancel")
            }
            Problem::NoWebhook => "Webhook not found".to_owned(),
            Problem::NoDelivery => "Delivery not found".to_owned(),
            Problem::NoRoute => "Not Found".to_owned(),
            Problem::Method(_) => "Method Not Allowed".to_owned(),
            Problem::TooLarge => "The request body is larger than 256 KB".to_owned(),
            Problem::MediaType(wanted) => format!("The request body must be {wanted}"),
            Problem::Forged => "Invalid signature".to_owned(),
            Problem::UpgradeRequired => "This address takes WebSocket upgrades only".to_owned(),
            Problem::NoVoice => "No voice could be started".to_owned(),
            Problem::NoChat { most } => {
                format!("No more than {most} chats may be open at once; close one or try again")
            }
            Problem::AgentUnread(_) => "The agent could not be looked up".to_owned(),
            Problem::Broken(_) => "Internal server error".to_owned(),
        }
    }

    /// When the gate that is closed opens again, if that is known.
    pub fn next_allowed_at(&self) -> Option<Time> {
        match self {
            Problem::OutsideHours { next, .. } => Time::parse_rfc3339(next.as_deref()?),
            Problem::OutsideWindow { next, .. } => *next,
            Problem::AttemptCap { next, .. } => Some(*next),
            Problem::AtGate(why, _) => why.next_allowed_at(),
            _ => None,
        }
    }

    /// Whether time alone may open the gate: what is to happen later is then not refused now.
    pub fn may_pass(&self) -> bool {
        match self {
            Problem::OutsideHours { .. }
            | Problem::OutsideWindow { .. }
            | Problem::AttemptCap { .. } => true,
            Problem::AtGate(why, _) => why.may_pass(),
            _ => false,
        }
    }

    /// When trying again may help, in seconds: header `Retry-After`.
    pub fn retry_after_s(&self) -> Option<u64> {
        match self {
            Problem::NoSeat(full) => Some(full.retry_after_s),
            Problem::OutsideWindow { now, .. } | Problem::AttemptCap { now, .. } => {
                let next = self.next_allowed_at()?;
                Some(next.0.saturating_sub(now.0).div_ceil(1_000))
            }
            Problem::AtGate(why, _) => why.retry_after_s(),
            Problem::OutsideHours { retry_after_s, .. } => *retry_after_s,
            Problem::ProviderBusy | Problem::IdempotencyInProgress | Problem::NoVoice => Some(5),
            Problem::NoChat { .. } => Some(30),
            Problem::IdempotencyUnknown { ended: None, .. } => Some(30),
            Problem::Replayed(first) => first.retry_after_s(),
            _ => None,
        }
    }

    /// What the log is told beside the code.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Problem::AgentUnread(cause) | Problem::Broken(cause) => Some(cause),
            _ => None,
        }
    }

    /// Every kind of problem once, for the tables that must cover them all.
    pub fn one_of_each() -> Vec<Problem> {
        let id = || "id".to_owned();
        vec![
            Problem::Malformed(id()),
            Problem::Invalid(Vec::new()),
            Problem::InvalidNumber(id(), NotAPhone::Length),
            Problem::NoKey,
            Problem::WrongKey,
            Problem::WrongCategory,
            Problem::NotAllowed,
            Problem::OrganizationInactive,
            Problem::NoAgent(id()),
            Problem::ForeignAgent(id()),
            Problem::AgentWithoutOwner(id()),
            Problem::AgentWithoutOrganization(id()),
            Problem::NoTelephony,
            Problem::NotConfigured,
            Problem::NoCaller,
            Problem::VariablesMissing(Vec::new()),
            Problem::OutsideHours {
                next: None,
                retry_after_s: None,
            },
            Problem::OutsideWindow {
                next: None,
                now: Time(0),
            },
            Problem::Suppressed,
            Problem::AttemptCap {
                next: Time(0),
                now: Time(0),
            },
            Problem::AtGate(Box::new(Problem::Suppressed), Vec::new()),
            Problem::NoSuppression,
            Problem::NoSeat(Full {
                limit: Limit::Organization,
                taken: 1,
                most: 1,
                retry_after_s: 1,
            }),
            Problem::ProviderRefused {
                number_at_fault: true,
                code: None,
            },
            Problem::ProviderRefused {
                number_at_fault: false,
                code: None,
            },
            Problem::ProviderBusy,
            Problem::DialUnknown(id()),
            Problem::IdempotencyConflict,
            Problem::IdempotencyInProgress,
            Problem::IdempotencyUnknown {
                call: id(),
                ended: None,
            },
            Problem::Replayed(Box::new(Problem::ProviderRefused {
                number_at_fault: true,
                code: None,
            })),
            Problem::NoCall(id()),
            Problem::CallUnderWay(id()),
            Problem::CallOver(id()),
            Problem::NoWebhook,
            Problem::NoDelivery,
            Problem::NoRoute,
            Problem::Method("GET"),
            Problem::TooLarge,
            Problem::MediaType("JSON"),
            Problem::Forged,
            Problem::UpgradeRequired,
            Problem::NoVoice,
            Problem::NoChat { most: 1 },
            Problem::AgentUnread(id()),
            Problem::Broken(id()),
        ]
    }
}
