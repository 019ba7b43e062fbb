//! From an API key to the organization it opens.

use crate::{Platform, gates, socket, store};
use calls::config::{Key, Opens, Organization, Permission};
use calls::dialect::AgentName;
use calls::problem::Problem;
use calls::secret;
use http::{HeaderMap, Request};

/// Who asks.
pub(crate) struct Account {
    pub(crate) organization: Organization,
    pub(crate) key: Key,
}

/// Who asks, before it is known which of a tenant's organizations is meant.
pub(crate) enum Caller {
    Account(Box<Account>),
    Tenant { tenant: String, key: Key },
}

impl Caller {
    pub(crate) fn key(&self) -> &Key {
        match self {
            Caller::Account(account) => &account.key,
            Caller::Tenant { key, .. } => key,
        }
    }

    pub(crate) fn need_category(&self, category: &str) -> Result<(), Problem> {
        match self.key().category == category {
            true => Ok(()),
            false => Err(Problem::WrongCategory),
        }
    }

    /// The organization to call for: with a tenant's key, the agent's.
    pub(crate) async fn with_agent(
        self,
        host: &impl Platform,
        agent: &AgentName,
    ) -> Result<Account, Problem> {
        let (tenant, key) = match self {
            Caller::Account(account) => return Ok(*account),
            Caller::Tenant { tenant, key } => (tenant, key),
        };
        let asked = agent.text();
        let Some(agent) = gates::look_up(host, agent).await? else {
            return Err(Problem::NoAgent(asked));
        };
        let Some(owner) = agent.organization else {
            return Err(Problem::AgentWithoutOrganization(asked));
        };
        let foreign = Problem::ForeignAgent(asked);
        let organization = of_tenant(host, &tenant, &owner, foreign).await?;
        Ok(Account { organization, key })
    }
}

/// The account of the request's key, if it may do this. A tenant's key opens no single organization.
pub(crate) async fn check(
    host: &impl Platform,
    headers: &HeaderMap,
    permission: Permission,
) -> Result<Account, Problem> {
    match caller(host, headers, permission).await? {
        Caller::Account(account) => Ok(*account),
        Caller::Tenant { .. } => Err(Problem::NotAllowed),
    }
}

/// Whose key the request carries, if it may do this. `X-API-Key` counts before `Authorization: Bearer`.
pub(crate) async fn caller(
    host: &impl Platform,
    headers: &HeaderMap,
    permission: Permission,
) -> Result<Caller, Problem> {
    let given = api_key(headers).ok_or(Problem::NoKey)?;
    let key = store::key(host, given).await?.ok_or(Problem::WrongKey)?;
    if !key.usable(host.now()) {
        return Err(Problem::WrongKey);
    }
    let may = key.may(permission);
    let caller = match key.opens.clone() {
        Opens::Organization(id) => {
            let organization = store::organization(host, &id).await?;
            let organization = active(organization.ok_or(Problem::WrongKey)?)?;
            Caller::Account(Box::new(Account { organization, key }))
        }
        Opens::Tenant(tenant) => Caller::Tenant { tenant, key },
    };
    may.then_some(caller).ok_or(Problem::NotAllowed)
}

fn active(organization: Organization) -> Result<Organization, Problem> {
    match organization.active {
        true => Ok(organization),
        false => Err(Problem::OrganizationInactive),
    }
}

/// The organization of this id if it is the tenant's.
pub(crate) async fn of_tenant(
    host: &impl Platform,
    tenant: &str,
    id: &str,
    otherwise: Problem,
) -> Result<Organization, Problem> {
    let organization = store::organization(host, id).await?;
    let organization = organization
        .filter(|organization| organization.tenant.as_deref() == Some(tenant))
        .ok_or(otherwise)?;
    active(organization)
}

/// As [`caller`], for sockets: their clients cannot always set headers, so where none names a key `?api_key=` does.
pub(crate) async fn socket_caller(
    host: &impl Platform,
    request: &Request<Vec<u8>>,
    permission: Permission,
) -> Result<Caller, Problem> {
    let mut headers = request.headers().clone();
    if api_key(&headers).is_none()
        && let Some(key) = socket::query(request, "api_key")
        && let Ok(key) = key.parse()
    {
        headers.insert("x-api-key", key);
    }
    caller(host, &headers, permission).await
}

/// The administrator's token, compared in constant time.
pub(crate) fn administrator(host: &impl Platform, headers: &HeaderMap) -> Result<(), Problem> {
    let given = api_key(headers).ok_or(Problem::NoKey)?;
    if secret::same(given, host.settings().admin_token.expose()) {
        Ok(())
    } else {
        Err(Problem::WrongKey)
    }
}

/// The key a request carries, as it was sent.
pub(crate) fn api_key(headers: &HeaderMap) -> Option<&str> {
    let named = headers
        .get("x-api-key")
        .and_then(|value| value.to_str().ok());
    let bearer = || {
        let value = headers.get("authorization")?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    };
    let key = named.or_else(bearer)?.trim();
    (!key.is_empty()).then_some(key)
}
