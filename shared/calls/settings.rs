//! The deployment's settings: all names in one list, all complaints at once.
//! On Workers they are variables and secrets by these names; on Spin, variables by the same names in lower case.

use crate::analysis::Analyst;
use crate::secret::Secret;

/// What one deployment is told from outside.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `PUBLIC_BASE_URL`: where Twilio and callers reach the gateway; signatures are checked over it. No trailing slash.
    pub public_base_url: String,
    /// `REPORT_BASE_URL`: where voice containers reach the gateway, if not at the public one.
    pub report_base_url: String,
    /// `ADMIN_TOKEN`: opens import and export.
    pub admin_token: Secret,
    /// `SIGNING_KEY`: signs the tokens in callback, TwiML and media paths, and makes call ids.
    pub signing_key: Secret,
    /// `ENCRYPTION_KEY`: 64 hex digits; encrypts provider credentials at rest.
    pub encryption_key: EncryptionKey,
    /// `LAUNCHER_URL` and the two beside it; without them the host starts containers itself (Workers).
    pub launcher: Option<Launcher>,
    /// `ALLOWED_PRIVATE_ORIGINS`: origins, comma-separated, that URLs given by tenants may name though they are private.
    pub allowed_private_origins: Vec<String>,
    /// `DIAL_TIMEOUT_MS`: how long to wait for Twilio's answer to a dial before its outcome counts as unknown.
    pub dial_timeout_ms: u64,
    /// `ANALYSIS_URL` and the two beside it; without them no call is analysed.
    pub analyst: Option<Analyst>,
}

/// Where voice containers are started when the host cannot start them.
#[derive(Clone, Debug)]
pub struct Launcher {
    /// `LAUNCHER_URL`: where the gateway reaches the launcher.
    pub url: String,
    /// `LAUNCHER_PUBLIC_URL`: where Twilio reaches the launcher's media sockets (`https://…`; Twilio is told `wss://…`).
    pub public_url: String,
    /// `LAUNCHER_KEY`: signs messages between the two, either way.
    pub key: Secret,
}

/// 32 bytes that open what is stored encrypted.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionKey(pub [u8; 32]);

impl std::fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

/// The names a host must offer to [`Settings::parse`], in upper case.
pub const NAMES: [&str; 13] = [
    "PUBLIC_BASE_URL",
    "REPORT_BASE_URL",
    "ADMIN_TOKEN",
    "SIGNING_KEY",
    "ENCRYPTION_KEY",
    "LAUNCHER_URL",
    "LAUNCHER_PUBLIC_URL",
    "LAUNCHER_KEY",
    "ALLOWED_PRIVATE_ORIGINS",
    "DIAL_TIMEOUT_MS",
    "ANALYSIS_URL",
    "ANALYSIS_API_KEY",
    "ANALYSIS_MODEL",
];

impl Settings {
    /// Reads the settings through `look_up`, which gets a name of [`NAMES`]. An empty value counts as absent.
    /// The error is one sentence a setting, for the operator's log.
    pub fn parse(look_up: impl Fn(&str) -> Option<String>) -> Result<Settings, Vec<String>> {
        let get = |name: &str| look_up(name).filter(|value| !value.is_empty());
        let mut wrong = Vec::new();
        let mut need = |name: &str, least: usize, why: &str| match get(name) {
            Some(value) if value.len() >= least => value,
            Some(_) => {
                wrong.push(format!("{name} is shorter than {least} characters"));
                String::new()
            }
            None => {
                wrong.push(format!("{name} is not set: {why}"));
                String::new()
            }
        };
        let public_base_url = need(
            "PUBLIC_BASE_URL",
            8,
            "no callback URL can be given to Twilio",
        );
        let admin_token = need("ADMIN_TOKEN", 16, "nothing can be configured");
        let signing_key = need(
            "SIGNING_KEY",
            32,
            "callbacks could not be told from forgeries",
        );
        let encryption = need(
            "ENCRYPTION_KEY",
            64,
            "provider credentials could not be stored",
        );
        let launcher_key = if get("LAUNCHER_URL").is_some() {
            need("LAUNCHER_KEY", 16, "the launcher would refuse every order")
        } else {
            String::new()
        };
        let analyst = get("ANALYSIS_URL").map(|url| Analyst {
            url,
            key: Secret::new(need(
                "ANALYSIS_API_KEY",
                1,
                "the model would refuse every request",
            )),
            model: need("ANALYSIS_MODEL", 1, "no model is asked"),
        });
        let encryption_key = from_hex(&encryption);
        if encryption_key.is_none() && encryption.len() >= 64 {
            wrong.push("ENCRYPTION_KEY is not 64 hex digits".to_owned());
        }
        let dial_timeout_ms = match get("DIAL_TIMEOUT_MS").map(|text| text.parse::<u64>()) {
            None => 10_000,
            Some(Ok(ms)) if (100..=25_000).contains(&ms) => ms,
            Some(_) => {
                wrong.push("DIAL_TIMEOUT_MS is not a number from 100 to 25000".to_owned());
                10_000
            }
        };
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let public_base_url = without_slash(public_base_url);
        let report_base_url =
            get("REPORT_BASE_URL").map_or_else(|| public_base_url.clone(), without_slash);
        let launcher = get("LAUNCHER_URL").map(|url| {
            let url = without_slash(url);
            Launcher {
                public_url: get("LAUNCHER_PUBLIC_URL").map_or_else(|| url.clone(), without_slash),
                url,
                key: Secret::new(launcher_key),
            }
        });
        Ok(Settings {
            public_base_url,
            report_base_url,
            admin_token: Secret::new(admin_token),
            signing_key: Secret::new(signing_key),
            encryption_key: EncryptionKey(encryption_key.unwrap_or_default()),
            launcher,
            allowed_private_origins: get("ALLOWED_PRIVATE_ORIGINS")
                .map(|list| {
                    list.split(',')
                        .map(|origin| origin.trim().to_owned())
                        .collect()
                })
                .unwrap_or_default(),
            dial_timeout_ms,
            analyst,
        })
    }
}

fn without_slash(url: String) -> String {
    url.trim_end_matches('/').to_owned()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> = text
        .chars()
        .map(|c| c.to_digit(16).map(|digit| digit as u8))
        .collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits
        .chunks_exact(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect();
    bytes.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(name: &str) -> Option<String> {
        match name {
            "PUBLIC_BASE_URL" => Some("https://gw.example/".to_owned()),
            "ADMIN_TOKEN" => Some("a".repeat(16)),
            "SIGNING_KEY" => Some("s".repeat(32)),
            "ENCRYPTION_KEY" => Some("0f".repeat(32)),
            _ => None,
        }
    }

    #[test]
    fn reads_what_is_there_and_defaults_the_rest() {
        let settings = Settings::parse(full).unwrap();
        assert_eq!(settings.public_base_url, "https://gw.example");
        assert_eq!(settings.report_base_url, "https://gw.example");
        assert_eq!(settings.encryption_key.0, [0x0f; 32]);
        assert!(settings.launcher.is_none());
    }

    #[test]
    fn names_everything_that_is_missing_at_once() {
        let wrong = Settings::parse(|name| (name == "LAUNCHER_URL").then(|| "http://l".to_owned()))
            .unwrap_err();
        let said = wrong.join("\n");
        for name in [
            "PUBLIC_BASE_URL",
            "ADMIN_TOKEN",
            "SIGNING_KEY",
            "ENCRYPTION_KEY",
            "LAUNCHER_KEY",
        ] {
            assert!(said.contains(name), "{name} is not in: {said}");
        }
    }
}
