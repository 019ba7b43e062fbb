//! Webhooks and their secrets as an import's lines give them and an export's show them.

use super::lines::Line;
use crate::reports::webhooks;
use crate::{Fault, Platform};
use calls::report::webhooks::{MOST, Previous, Signing, Webhook, Webhooks, secret_owner};
use calls::report::{Kind, signature};
use calls::seal;
use calls::secret::Secret;
use calls::time::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use validation::WebhookUrl;

/// The longest id, in characters.
const LONGEST: usize = 40;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WebhookLine {
    id: String,
    pub(super) organization: String,
    url: String,
    events: Vec<Kind>,
    /// As a receiver has it, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// … as an export shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_sealed: Option<String>,
    /// Those replaced within the last day, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Previous>,
    /// Unix milliseconds, as the others.
    #[serde(default)]
    created_at: Option<Time>,
    #[serde(default)]
    disabled_at: Option<Time>,
}

/// What signs reports to the callback URLs of an organization's calls.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CallbackSecretLine {
    pub(super) organization: String,
    /// As a receiver has it, or …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    /// … as an export shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret_sealed: Option<String>,
    /// Those replaced within the last day, sealed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Previous>,
}

/// What is imported for one organization.
#[derive(Default)]
pub(super) struct Imported {
    webhooks: Vec<Webhook>,
    callbacks: Option<Signing>,
}

/// By organization.
pub(super) type AllImported = BTreeMap<String, Imported>;

/// How many webhooks that is.
pub(super) fn count(all: &AllImported) -> usize {
    all.values().map(|imported| imported.webhooks.len()).sum()
}

pub(super) fn webhook(
    host: &impl Platform,
    line: WebhookLine,
    all: &mut AllImported,
) -> Result<(), String> {
    let is_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if !(1..=LONGEST).contains(&line.id.len()) || !line.id.bytes().all(is_id) {
        return Err(format!(
            "id must be 1 to {LONGEST} letters, digits, hyphens and underscores"
        ));
    }
    if matches!(line.id.as_str(), "sample" | webhooks::CALLBACKS) {
        return Err(format!("id {} has a meaning of its own", line.id));
    }
    WebhookUrl::parse(&line.url, &host.settings().allowed_private_origins)
        .map_err(|why| format!("url {}", why.text()))?;
    if line.events.is_empty() {
        return Err("events must not be empty".to_owned());
    }
    let owner = secret_owner(&line.organization, &line.id);
    let signing = signing(
        host,
        (line.secret, line.secret_sealed),
        line.previous,
        &owner,
    )?;
    let imported = all.entry(line.organization).or_default();
    imported.webhooks.retain(|known| known.id != line.id);
    if imported.webhooks.len() >= MOST {
        return Err(format!("an organization has at most {MOST} webhooks"));
    }
    imported.webhooks.push(Webhook {
        id: line.id,
        url: line.url,
        events: line.events,
        signing,
        created_at: line.created_at.unwrap_or(host.now()),
        disabled_at: line.disabled_at,
    });
    Ok(())
}

pub(super) fn callback_secret(
    host: &impl Platform,
    line: CallbackSecretLine,
    all: &mut AllImported,
) -> Result<(), String> {
    let owner = secret_owner(&line.organization, webhooks::CALLBACKS);
    let signing = signing(
        host,
        (line.secret, line.secret_sealed),
        line.previous,
        &owner,
    )?;
    all.entry(line.organization).or_default().callbacks = Some(signing);
    Ok(())
}

fn signing(
    host: &impl Platform,
    given: (Option<String>, Option<String>),
    previous: Vec<Previous>,
    owner: &str,
) -> Result<Signing, String> {
    let key = &host.settings().encryption_key;
    let opens = |sealed: &str| seal::open(key, owner, sealed).is_some();
    let sealed = match given {
        (Some(secret), None) if signature::is_secret(&secret) => {
            seal::seal(key, owner, &Secret::new(secret), host.random())
        }
        (Some(_), None) => {
            return Err("secret must be whsec_ and 24 to 64 bytes in base64".to_owned());
        }
        (None, Some(sealed)) if opens(&sealed) => sealed,
        (None, Some(_)) => {
            return Err(
                "secret_sealed does not open: it was sealed with another ENCRYPTION_KEY".to_owned(),
            );
        }
        _ => return Err("secret is required".to_owned()),
    };
    if !previous.iter().all(|previous| opens(&previous.sealed)) {
        return Err("previous does not open: it was sealed with another ENCRYPTION_KEY".to_owned());
    }
    Ok(Signing { sealed, previous })
}

/// Every webhook replaces the one of its id; what is not named stays.
pub(super) async fn write(host: &impl Platform, all: &AllImported) -> Result<(), Fault> {
    for (organization, imported) in all {
        webhooks::change(host, organization, |webhooks| {
            for webhook in &imported.webhooks {
                match webhooks.webhook_mut(&webhook.id) {
                    Some(known) => known.clone_from(webhook),
                    None => webhooks.webhooks.push(webhook.clone()),
                }
            }
            if let Some(callbacks) = &imported.callbacks {
                webhooks.callbacks = Some(callbacks.clone());
            }
        })
        .await?;
    }
    Ok(())
}

/// An organization's webhooks as lines.
pub(super) async fn lines(host: &impl Platform, organization: &str) -> Result<Vec<Line>, Fault> {
    let Webhooks {
        webhooks: all,
        callbacks,
        ..
    } = webhooks::read(host, organization).await?;
    let line = |webhook: Webhook| {
        Line::Webhook(WebhookLine {
            id: webhook.id,
            organization: organization.to_owned(),
            url: webhook.url,
            events: webhook.events,
            secret: None,
            secret_sealed: Some(webhook.signing.sealed),
            previous: webhook.signing.previous,
            created_at: Some(webhook.created_at),
            disabled_at: webhook.disabled_at,
        })
    };
    let mut lines: Vec<Line> = all.into_iter().map(line).collect();
    lines.extend(callbacks.map(|signing| {
        Line::CallbackSecret(CallbackSecretLine {
            organization: organization.to_owned(),
            secret: None,
            secret_sealed: Some(signing.sealed),
            previous: signing.previous,
        })
    }));
    Ok(lines)
}
