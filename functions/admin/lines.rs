//! The lines of an import and an export. One line describes one thing and names its kind in `type`.

use super::crm::{self, PreFetchLine, PushLine};
use super::webhooks::{CallbackSecretLine, WebhookLine};
use calls::analysis::Analysis;
use calls::config::{
    ActiveHours, Agent, Key, Number, Opens, Organization, Permission, Script, Telephony,
};
use calls::rules::{self, CallingWindow};
use calls::suppression::{Source, Suppression};
use calls::time::Time;
use serde::{Deserialize, Serialize};

/// Things with the number of the line they stand in, from 1.
pub(super) type Numbered<T> = Vec<(usize, T)>;

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    Organization(OrganizationLine),
    TelephonyConfiguration(TelephonyLine),
    Number(NumberLine),
    Agent(Box<AgentLine>),
    Key(KeyLine),
    Webhook(WebhookLine),
    CallbackSecret(CallbackSecretLine),
    Suppression(SuppressionLine),
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OrganizationLine {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default = "ten")]
    pub(super) seats: u32,
    #[serde(default)]
    pub(super) country: Option<String>,
    #[serde(default)]
    pub(super) default_telephony_configuration: Option<i64>,
    /// The tenant it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<String>,
    #[serde(default)]
    pub(super) inbound_reserve: u32,
    #[serde(default = "rules::usual_window")]
    pub(super) calling_window: Option<CallingWindow>,
    #[serde(default = "rules::usual_attempts")]
    pub(super) attempts_per_day: Option<u32>,
    #[serde(default = "rules::own_countries")]
    pub(super) allowed_countries: Option<Vec<String>>,
    #[serde(default)]
    pub(super) calls_per_second: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TelephonyLine {
    pub(super) id: i64,
    pub(super) organization: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    pub(super) account_sid: String,
    /// As Twilio shows it, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth_token: Option<String>,
    /// … as an export shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) auth_token_sealed: Option<String>,
    #[serde(default)]
    pub(super) api_base_url: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NumberLine {
    pub(super) id: String,
    pub(super) organization: String,
    pub(super) number: String,
    pub(super) telephony_configuration: i64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentLine {
    pub(super) id: String,
    #[serde(default)]
    pub(super) organization: Option<String>,
    /// The user it belongs to.
    #[serde(default)]
    pub(super) owner: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default = "yes")]
    pub(super) active: bool,
    #[serde(default)]
    pub(super) trigger: Option<String>,
    #[serde(default)]
    pub(super) bot_id: Option<String>,
    #[serde(default)]
    pub(super) integer_id: Option<i64>,
    #[serde(default)]
    pub(super) assistant_id: Option<String>,
    #[serde(default)]
    pub(super) published: Option<Script>,
    #[serde(default)]
    pub(super) draft: Option<Script>,
    #[serde(default)]
    pub(super) active_hours: Option<ActiveHours>,
    /// IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pre_fetch: Option<PreFetchLine>,
    #[serde(default)]
    pub(super) seats: Option<u32>,
    #[serde(default)]
    pub(super) calling_window: Option<CallingWindow>,
    #[serde(default)]
    pub(super) timezone_variable: Option<String>,
    #[serde(default)]
    pub(super) dedupe_s: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) post_call_analysis: Option<Analysis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) post_call_push: Option<PushLine>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyLine {
    /// The organization it opens, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) organization: Option<String>,
    /// … the tenant all of whose organizations it opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tenant: Option<String>,
    #[serde(default)]
    pub(super) name: Option<String>,
    /// The key itself, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<String>,
    /// … its SHA-256 in hex, as an export shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) sha256: Option<String>,
    #[serde(default = "rest_apis")]
    pub(super) category: String,
    #[serde(default = "all_permissions")]
    pub(super) permissions: Vec<Permission>,
    #[serde(default = "yes")]
    pub(super) active: bool,
    /// Unix milliseconds.
    #[serde(default)]
    pub(super) expires_at: Option<Time>,
}

/// A number that is not to be called.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SuppressionLine {
    pub(super) organization: String,
    pub(super) number: String,
    #[serde(default)]
    pub(super) reason: Option<String>,
    /// Who put it on the list, and when (Unix milliseconds), as an export shows it.
    #[serde(default = "imported")]
    pub(super) source: Source,
    #[serde(default)]
    pub(super) call_id: Option<String>,
    #[serde(default)]
    pub(super) at: Option<Time>,
}

fn imported() -> Source {
    Source::Import
}

fn yes() -> bool {
    true
}

fn ten() -> u32 {
    10
}

fn rest_apis() -> String {
    calls::config::REST_APIS.to_owned()
}

fn all_permissions() -> Vec<Permission> {
    vec![
        Permission::CreateCalls,
        Permission::ReadCalls,
        Permission::ManageWebhooks,
    ]
}

/// An organization as lines: itself, its telephony configurations, its numbers.
pub(super) fn of_organization(organization: Organization) -> Vec<Line> {
    let id = organization.id;
    let mut lines = vec![Line::Organization(OrganizationLine {
        id: id.clone(),
        name: Some(organization.name),
        active: organization.active,
        seats: organization.seats,
        country: organization.country,
        default_telephony_configuration: organization.default_telephony,
        tenant: organization.tenant,
        inbound_reserve: organization.inbound_reserve,
        calling_window: organization.calling_window,
        attempts_per_day: organization.attempts_per_day,
        allowed_countries: organization.allowed_countries,
        calls_per_second: organization.calls_per_second,
    })];
    lines.extend(
        organization
            .telephony
            .into_iter()
            .map(|telephony: Telephony| {
                Line::TelephonyConfiguration(TelephonyLine {
                    id: telephony.id,
                    organization: id.clone(),
                    name: Some(telephony.name),
                    account_sid: telephony.account_sid,
                    auth_token: None,
                    auth_token_sealed: Some(telephony.sealed_auth_token),
                    api_base_url: Some(telephony.api_base_url),
                })
            }),
    );
    lines.extend(organization.numbers.into_iter().map(|number: Number| {
        Line::Number(NumberLine {
            id: number.id,
            organization: id.clone(),
            number: number.number,
            telephony_configuration: number.telephony,
        })
    }));
    lines
}

pub(super) fn of_suppression(organization: &str, suppression: Suppression) -> Line {
    Line::Suppression(SuppressionLine {
        organization: organization.to_owned(),
        number: suppression.number,
        reason: suppression.reason,
        source: suppression.source,
        call_id: suppression.call,
        at: Some(suppression.at),
    })
}

pub(super) fn of_agent(agent: Agent) -> Line {
    Line::Agent(Box::new(AgentLine {
        id: agent.id,
        organization: agent.organization,
        owner: agent.owner,
        name: Some(agent.name),
        active: agent.active,
        trigger: agent.names.trigger,
        bot_id: agent.names.bot,
        integer_id: agent.names.integer,
        assistant_id: agent.names.assistant,
        published: agent.published,
        draft: agent.draft,
        active_hours: agent.active_hours,
        timezone: agent.timezone,
        pre_fetch: agent.pre_fetch.map(crm::of_pre_fetch),
        seats: agent.seats,
        calling_window: agent.calling_window,
        timezone_variable: agent.timezone_variable,
        dedupe_s: agent.dedupe_s,
        post_call_analysis: agent.post_call_analysis,
        post_call_push: agent.post_call_push.map(crm::of_push),
    }))
}

pub(super) fn of_key(sha256: &str, key: Key) -> Line {
    let (organization, tenant) = match key.opens {
        Opens::Organization(id) => (Some(id), None),
        Opens::Tenant(id) => (None, Some(id)),
    };
    Line::Key(KeyLine {
        organization,
        tenant,
        name: Some(key.name),
        key: None,
        sha256: Some(sha256.to_owned()),
        category: key.category,
        permissions: key.permissions,
        active: key.active,
        expires_at: key.expires_at,
    })
}
