//! URLs that tenants give for Ringdown to send requests to: callbacks, webhooks, a CRM's pre-fetch and push.
//!
//! Such a URL must not lead into the network Ringdown runs in (server-side request forgery), so only public names pass.
//! What a name resolves to is not seen from here: a host that can reach private networks must refuse those itself.

use crate::{Issue, Rule};

/// The longest URL, in characters.
pub const LONGEST: usize = 2_048;

/// Ports a URL may name; none is 443.
const PORTS: [&str; 2] = ["443", "8443"];

/// Names that stand for something local wherever they are resolved, with all below them. Sources: RFC 6761, 6762,
/// 8375, 9476, ICANN's `.internal`, and what clouds and clusters call their own.
const LOCAL: [&str; 14] = [
    "localhost",
    "localdomain",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "arpa",
    "svc",
    "alt",
    "onion",
    "metadata.goog",
];

/// A URL that requests may be sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookUrl(String);

/// Why a text is no such URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAWebhookUrl {
    Length,
    /// Something no URL holds, or an escape that is none.
    Characters,
    NotHttps,
    Credentials,
    Fragment,
    Port,
    /// An IP address, in whatever way it is written.
    Address,
    /// Not a public host name.
    Local,
}

impl NotAWebhookUrl {
    /// The rule in plain words, without the field's name.
    pub fn text(self) -> &'static str {
        match self {
            NotAWebhookUrl::Length => "must be a URL of at most 2048 characters",
            NotAWebhookUrl::Characters => {
                "must be a URL without spaces or other unusual characters"
            }
            NotAWebhookUrl::NotHttps => "must be an https URL",
            NotAWebhookUrl::Credentials => "must not contain a user name or password",
            NotAWebhookUrl::Fragment => "must not contain a fragment (#)",
            NotAWebhookUrl::Port => "must use port 443 or 8443",
            NotAWebhookUrl::Address => "must name its host, not give an IP address",
            NotAWebhookUrl::Local => "must name a public host",
        }
    }

    /// The issue of the field that held the URL.
    pub fn issue(self, field: &str) -> Issue {
        Issue::new(field, Rule::Other(self.text().to_owned()))
    }
}

impl WebhookUrl {
    /// Reads `text`. `allowed` are origins (`http://127.0.0.1:8790`) that the operator lets pass though they are
    /// private. To be asked when a URL is stored and again before each request to it: the operator may have changed
    /// his mind.
    pub fn parse(text: &str, allowed: &[String]) -> Result<WebhookUrl, NotAWebhookUrl> {
        if text.is_empty() || text.len() > LONGEST {
            return Err(NotAWebhookUrl::Length);
        }
        if text.contains('#') {
            return Err(NotAWebhookUrl::Fragment);
        }
        check_characters(text)?;
        let (scheme, rest) = text.split_once("://").ok_or(NotAWebhookUrl::NotHttps)?;
        let authority = rest.split(['/', '?']).next().unwrap_or_default();
        if authority.contains('@') {
            return Err(NotAWebhookUrl::Credentials);
        }
        let origin = format!("{scheme}://{authority}");
        let may_pass =
            |allowed: &String| origin.eq_ignore_ascii_case(allowed.trim_end_matches('/'));
        if !allowed.iter().any(may_pass) {
            if !scheme.eq_ignore_ascii_case("https") {
                return Err(NotAWebhookUrl::NotHttps);
            }
            check_authority(authority)?;
        }
        Ok(WebhookUrl(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The characters of RFC 3986 alone, and `%` only before two hex digits. A backslash, which some readers of URLs take
/// for a slash, is not among them.
fn check_characters(text: &str) -> Result<(), NotAWebhookUrl> {
    let bytes = text.as_bytes();
    let escape = |at: usize| {
        let digits = bytes.get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    let fits = |(at, byte): (usize, &u8)| match byte {
        b'%' => escape(at),
        byte => byte.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=".contains(byte),
    };
    match bytes.iter().enumerate().all(fits) {
        true => Ok(()),
        false => Err(NotAWebhookUrl::Characters),
    }
}

fn check_authority(authority: &str) -> Result<(), NotAWebhookUrl> {
    if authority.starts_with('[') {
        return Err(NotAWebhookUrl::Address);
    }
    let host = match authority.split_once(':') {
        None => authority,
        Some((host, port)) if PORTS.contains(&port) => host,
        Some(_) => return Err(NotAWebhookUrl::Port),
    };
    let host = host.to_ascii_lowercase();
    let labels: Vec<&str> = host.split('.').collect();
    let is_label = |label: &&str| {
        let inner = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        inner && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    if host.len() > 253 || !labels.iter().all(is_label) {
        return Err(NotAWebhookUrl::Local);
    }
    let last = labels.last().copied().unwrap_or_default();
    // Readers of URLs take a host that ends in a number for an IPv4 address: 2130706433, 0177.1, 127.0.0.0x1.
    if last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") {
        return Err(NotAWebhookUrl::Address);
    }
    // Top-level domains are letters alone, or an internationalized name in its ASCII form.
    let top_level = last.bytes().all(|byte| byte.is_ascii_alphabetic()) || last.starts_with("xn--");
    let local = LOCAL.iter().any(|local| {
        let below = host.strip_suffix(local);
        below.is_some_and(|below| below.is_empty() || below.ends_with('.'))
    });
    match labels.len() > 1 && top_level && !local {
        true => Ok(()),
        false => Err(NotAWebhookUrl::Local),
    }
}

#[cfg(test)]
mod tests {
    use super::NotAWebhookUrl::{
        Address, Characters, Credentials, Fragment, Length, Local, NotHttps, Port,
    };
    use super::*;

    #[test]
    fn public_names_pass() {
        for url in [
            "https://hooks.zapier.com/hooks/catch/1/abc/",
            "https://n8n.example.com:443/webhook/x?y=z&w=%20",
            "https://a.co:8443",
            "HTTPS://EXAMPLE.COM/a",
            "https://example.com?only=query",
            "https://xn--bcher-kva.example/x",
            "https://1.2.3.4.example.com/",
            "https://localhost.example.com/",
            "https://example.com/@user/http://127.0.0.1",
            "https://internal.example/[x]",
        ] {
            assert_eq!(
                WebhookUrl::parse(url, &[]).map(|url| url.0),
                Ok(url.to_owned())
            );
        }
    }

    #[test]
    fn nothing_private_passes() {
        let long = format!("https://example.com/{}", "x".repeat(LONGEST));
        for (url, why) in [
            ("", Length),
            (long.as_str(), Length),
            ("example.com", NotHttps),
            ("http://example.com/", NotHttps),
            ("ftp://example.com/", NotHttps),
            ("https:/example.com/", NotHttps),
            ("javascript:alert(1)", NotHttps),
            ("https://u:p@example.com/", Credentials),
            ("https://u@example.com/", Credentials),
            ("https://example.com@127.0.0.1/", Credentials),
            ("https://example.com/#f", Fragment),
            ("https://127.0.0.1#@example.com/", Fragment),
            ("https://exa mple.com/", Characters),
            ("https://example.com/\n", Characters),
            ("https://example.com\\@127.0.0.1/", Characters),
            ("https://example.com/%zz", Characters),
            ("https://example.com/%", Characters),
            ("https://１２７.0.0.1/", Characters),
            ("https://example。com/", Characters),
            ("https://bücher.example/", Characters),
            ("https://example.com:80/", Port),
            ("https://example.com:22/", Port),
            ("https://example.com:/", Port),
            ("https://example.com:0443/", Port),
            ("https://example.com:443:1/", Port),
            ("https://127.0.0.1/", Address),
            ("https://8.8.8.8/", Address),
            ("https://169.254.169.254/latest/meta-data/", Address),
            ("https://2130706433/", Address),
            ("https://0x7f000001/", Address),
            ("https://0x7f.1/", Address),
            ("https://0177.0.0.1/", Address),
            ("https://127.1/", Address),
            ("https://127.0.0.0x1/", Address),
            ("https://0x/", Address),
            ("https://[::1]/", Address),
            ("https://[::1]:443/", Address),
            ("https://[::ffff:127.0.0.1]/", Address),
            ("https://[fd00:ec2::254]/", Address),
            ("https://localhost/", Local),
            ("https://LOCALHOST:8443/", Local),
            ("https://a.localhost/", Local),
            ("https://localhost./", Local),
            ("https://printer.local/", Local),
            ("https://metadata.google.internal/", Local),
            ("https://metadata.goog/", Local),
            ("https://metadata/", Local),
            ("https://router.home.arpa/", Local),
            ("https://router.lan/", Local),
            ("https://kubernetes.default.svc/", Local),
            ("https://gateway.spin.internal/", Local),
            ("https://intranet/", Local),
            ("https://example.com./", Local),
            ("https://.example.com/", Local),
            ("https://a..example.com/", Local),
            ("https://-a.example.com/", Local),
            ("https://example.c0m/", Local),
            ("https://%6cocalhost/", Local),
            ("https:///path", Local),
            ("https://?x", Local),
        ] {
            assert_eq!(WebhookUrl::parse(url, &[]), Err(why), "{url}");
        }
    }

    #[test]
    fn the_operator_lets_whole_origins_pass() {
        let allowed = [
            "http://127.0.0.1:8790".to_owned(),
            "https://crm.internal/".to_owned(),
        ];
        let passes = |url: &str| WebhookUrl::parse(url, &allowed).is_ok();
        assert!(passes("http://127.0.0.1:8790/_sim/inbox/a?b=c"));
        assert!(passes("http://127.0.0.1:8790"));
        assert!(passes("https://CRM.internal/x"));
        assert!(!passes("http://127.0.0.1:8791/"));
        assert!(!passes("http://127.0.0.1/"));
        assert!(!passes("https://127.0.0.1:8790/"));
        assert!(!passes("http://127.0.0.1:87900/"));
        assert!(!passes("http://x@127.0.0.1:8790/"));
        assert!(!passes("http://127.0.0.1:8790.example.com/"));
        assert!(!passes("http://127.0.0.1:8790/#x"));
        assert!(!passes("https://a.crm.internal/"));
        assert!(passes("https://example.com/"));
    }
}
