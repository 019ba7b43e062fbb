//! From an API key to the organization it opens.

use crate::{Platform, store};
use calls::config::{Key, Organization, Permission};
use calls::problem::Problem;
use calls::secret;
use http::HeaderMap;

/// Who asks.
pub(crate) struct Account {
    pub(crate) organization: Organization,
    pub(crate) key: Key,
}

impl Account {
    pub(crate) fn need_category(&self, category: &str) -> Result<(), Problem> {
        if self.key.category == category {
            Ok(())
        } else {
            Err(Problem::WrongCategory)
        }
    }
}

/// The account of the request's key, if it may do this. `X-API-Key` counts before `Authorization: Bearer`.
pub(crate) async fn check(
    host: &impl Platform,
    headers: &HeaderMap,
    permission: Permission,
) -> Result<Account, Problem> {
    let given = api_key(headers).ok_or(Problem::NoKey)?;
    let key = store::key(host, given).await?.ok_or(Problem::WrongKey)?;
    if !key.usable(host.now()) {
        return Err(Problem::WrongKey);
    }
    let organization = store::organization(host, &key.organization).await?;
    let organization = organization.ok_or(Problem::WrongKey)?;
    if !organization.active {
        return Err(Problem::OrganizationInactive);
    }
    if !key.may(permission) {
        return Err(Problem::NotAllowed);
    }
    Ok(Account { organization, key })
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

fn api_key(headers: &HeaderMap) -> Option<&str> {
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
