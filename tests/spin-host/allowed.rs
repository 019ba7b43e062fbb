//! `allowed_outbound_hosts`: which URLs a component may send to. The forms Spin knows, save address ranges.

use anyhow::{Context, Result, bail, ensure};
use http::Uri;

/// All grants of one component.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllowedHosts(Vec<Allowed>);

#[derive(Clone, Debug)]
struct Allowed {
    /// `None` is any.
    scheme: Option<String>,
    host: Host,
    port: Port,
}

#[derive(Clone, Debug)]
enum Host {
    Any,
    /// `*.example.com`, kept as `.example.com`.
    Below(String),
    Exact(String),
}

#[derive(Clone, Debug)]
enum Port {
    Any,
    /// From the first up to, but without, the second.
    Range(u16, u16),
    Exact(u16),
}

impl AllowedHosts {
    /// Reads the grants after their variables were filled in. One that came out empty grants nothing.
    pub(crate) fn parse(hosts: &[String]) -> Result<AllowedHosts> {
        hosts
            .iter()
            .map(|host| host.trim())
            .filter(|host| !matches!(*host, "" | "http://" | "https://"))
            .map(|host| Allowed::parse(host).with_context(|| format!("allowed host {host:?}")))
            .collect::<Result<Vec<_>>>()
            .map(AllowedHosts)
    }

    pub(crate) fn allow(&self, uri: &Uri) -> bool {
        let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return false;
        };
        let Some(port) = uri.port_u16().or_else(|| default_port(scheme)) else {
            return false;
        };
        self.0
            .iter()
            .any(|allowed| allowed.allows(scheme, host, port))
    }
}

impl Allowed {
    fn parse(text: &str) -> Result<Allowed> {
        let (scheme, rest) = text.split_once("://").context("it has no scheme")?;
        let scheme = (scheme != "*").then(|| scheme.to_owned());
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        ensure!(
            !rest.contains('/'),
            "paths and address ranges are not supported"
        );
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => (rest, ""),
        };
        Ok(Allowed {
            host: Host::parse(host)?,
            port: Port::parse(port, scheme.as_deref())?,
            scheme,
        })
    }

    fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        self.scheme.as_deref().is_none_or(|want| want == scheme)
            && match &self.host {
                Host::Any => true,
                Host::Below(suffix) => host.ends_with(suffix),
                Host::Exact(want) => *want == host,
            }
            && match self.port {
                Port::Any => true,
                Port::Range(from, to) => (from..to).contains(&port),
                Port::Exact(want) => want == port,
            }
    }
}

impl Host {
    fn parse(host: &str) -> Result<Host> {
        let host = host.to_ascii_lowercase();
        if host == "*" {
            return Ok(Host::Any);
        }
        if let Some(below) = host.strip_prefix("*.") {
            return Ok(Host::Below(format!(".{below}")));
        }
        ensure!(
            !host.is_empty() && !host.contains('*'),
            "a * is allowed as the whole host or its first label"
        );
        Ok(Host::Exact(host))
    }
}

impl Port {
    fn parse(port: &str, scheme: Option<&str>) -> Result<Port> {
        match port {
            "*" => Ok(Port::Any),
            "" => match scheme.and_then(default_port) {
                Some(port) => Ok(Port::Exact(port)),
                None => bail!("it has no port, and its scheme no usual one"),
            },
            _ => match port.split_once("..") {
                Some((from, to)) => Ok(Port::Range(from.parse()?, to.parse()?)),
                None => Ok(Port::Exact(port.parse()?)),
            },
        }
    }
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(grants: &[&str], uri: &str) -> bool {
        let grants: Vec<String> = grants.iter().map(|grant| (*grant).to_owned()).collect();
        let uri = uri.parse().unwrap();
        AllowedHosts::parse(&grants).unwrap().allow(&uri)
    }

    #[test]
    fn scheme_host_and_port_must_all_agree() {
        let grants = ["https://api.twilio.com", "http://127.0.0.1:8790"];
        assert!(allows(&grants, "https://api.twilio.com/2010-04-01"));
        assert!(allows(&grants, "https://API.twilio.com:443/"));
        assert!(!allows(&grants, "http://api.twilio.com/"));
        assert!(!allows(&grants, "https://api.twilio.com:8443/"));
        assert!(!allows(&grants, "https://api.twilio.com.evil.example/"));
        assert!(allows(&grants, "http://127.0.0.1:8790/x"));
        assert!(!allows(&grants, "http://127.0.0.1:8791/x"));
        assert!(!allows(&[], "https://api.twilio.com/"));
    }

    #[test]
    fn wildcards_stand_for_their_own_part() {
        assert!(allows(&["https://*.twilio.com"], "https://a.b.twilio.com/"));
        assert!(!allows(&["https://*.twilio.com"], "https://twilio.com/"));
        assert!(allows(&["https://*:*"], "https://any.example:8443/"));
        assert!(!allows(&["https://*:*"], "http://any.example/"));
        assert!(allows(&["*://*:*"], "http://[::1]:9/"));
        assert!(allows(&["http://[::1]:9"], "http://[::1]:9/"));
        assert!(allows(&["http://h:5..7"], "http://h:6/"));
        assert!(!allows(&["http://h:5..7"], "http://h:7/"));
    }

    #[test]
    fn an_empty_variable_grants_nothing_and_nonsense_is_refused() {
        assert!(!allows(&["https://", ""], "https://x.example/"));
        for wrong in ["twilio.com", "https://a/b", "https://a.*.b", "*://host"] {
            assert!(AllowedHosts::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
