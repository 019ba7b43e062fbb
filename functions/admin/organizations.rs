//! The lines of an import that make an organization: itself, its telephony configurations, its numbers.

use super::check::{Plan, need_slug, need_uuid};
use super::lines::{NumberLine, OrganizationLine, TelephonyLine};
use super::rules;
use crate::Platform;
use calls::config::{Number, Organization, Telephony, VERSION};
use calls::record::credential_owner;
use calls::seal;
use calls::secret::Secret;
use calls::twilio;
use http::Uri;
use validation::{Country, Phone};

pub(super) fn organization(line: &OrganizationLine, plan: &Plan) -> Result<Organization, String> {
    need_slug("id", &line.id)?;
    if let Some(tenant) = &line.tenant {
        need_slug("tenant", tenant)?;
    }
    if let Some(code) = &line.country
        && Country::parse(code).is_none()
    {
        return Err(format!("country {code} is not known"));
    }
    if line.seats == 0 || line.seats > 10_000 {
        return Err("seats must be between 1 and 10000".to_owned());
    }
    rules::check_organization(line)?;
    let stored = plan.organizations.get(&line.id);
    Ok(Organization {
        v: VERSION,
        id: line.id.clone(),
        name: line.name.clone().unwrap_or_else(|| line.id.clone()),
        active: line.active,
        seats: line.seats,
        inbound_reserve: line.inbound_reserve,
        calling_window: line.calling_window.clone(),
        attempts_per_day: line.attempts_per_day,
        allowed_countries: line.allowed_countries.clone(),
        calls_per_second: line.calls_per_second,
        country: line.country.clone(),
        default_telephony: line.default_telephony_configuration,
        telephony: stored
            .map(|stored| stored.telephony.clone())
            .unwrap_or_default(),
        numbers: stored
            .map(|stored| stored.numbers.clone())
            .unwrap_or_default(),
        tenant: line.tenant.clone(),
    })
}

pub(super) fn add_telephony(
    host: &impl Platform,
    organization: &mut Organization,
    line: &TelephonyLine,
) -> Result<(), String> {
    let account = &line.account_sid;
    let is_account = account.len() == 34
        && account.starts_with("AC")
        && account[2..].bytes().all(|b| b.is_ascii_hexdigit());
    if !is_account {
        return Err("account_sid must be AC and 32 hex digits".to_owned());
    }
    let api_base_url = line
        .api_base_url
        .clone()
        .unwrap_or_else(|| twilio::API.to_owned());
    let is_base = api_base_url.parse::<Uri>().is_ok_and(|url| {
        matches!(url.scheme_str(), Some("https" | "http")) && url.query().is_none()
    });
    if !is_base {
        return Err("api_base_url must be an http or https URL without a query".to_owned());
    }
    let key = &host.settings().encryption_key;
    let owner = credential_owner(&organization.id, line.id);
    let sealed_auth_token = match (&line.auth_token, &line.auth_token_sealed) {
        (Some(token), None) if !token.is_empty() => {
            seal::seal(key, &owner, &Secret::new(token), host.random())
        }
        (None, Some(sealed)) if seal::open(key, &owner, sealed).is_some() => sealed.clone(),
        (None, Some(_)) => {
            return Err(
                "auth_token_sealed does not open: it was sealed with another ENCRYPTION_KEY"
                    .to_owned(),
            );
        }
        _ => return Err("auth_token is required".to_owned()),
    };
    organization.telephony.retain(|known| known.id != line.id);
    organization.telephony.push(Telephony {
        id: line.id,
        name: line.name.clone().unwrap_or_else(|| line.id.to_string()),
        account_sid: account.clone(),
        sealed_auth_token,
        api_base_url: api_base_url.trim_end_matches('/').to_owned(),
    });
    organization.telephony.sort_by_key(|telephony| telephony.id);
    Ok(())
}

pub(super) fn add_number(organization: &mut Organization, line: &NumberLine) -> Result<(), String> {
    need_uuid("id", Some(&line.id))?;
    let phone = Phone::parse(&line.number, None).map_err(|why| format!("number {}", why.text()))?;
    if organization
        .telephony(line.telephony_configuration)
        .is_none()
    {
        return Err(format!(
            "telephony_configuration {} is not known",
            line.telephony_configuration
        ));
    }
    organization
        .numbers
        .retain(|known| known.id != line.id && known.number != phone.as_str());
    organization.numbers.push(Number {
        id: line.id.to_ascii_lowercase(),
        number: phone.as_str().to_owned(),
        telephony: line.telephony_configuration,
    });
    organization.numbers.sort_by(|a, b| a.number.cmp(&b.number));
    Ok(())
}
