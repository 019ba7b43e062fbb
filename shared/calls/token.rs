//! The token in callback, TwiML, media and report paths: call id, organization, expiry, MAC.
//! It opens one door of one call and nothing else.

use crate::id::CallId;
use crate::secret;
use crate::time::Time;

/// The door a token opens. A token for one is refused at another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// Everything Twilio requests: TwiML, callbacks, the media socket.
    Provider,
    /// The voice container's reports.
    Report,
}

/// What a token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub call: CallId,
    pub organization: String,
    pub expires: Time,
}

impl Token {
    /// `{call}.{organization}.{expiry, unix seconds}.{MAC}`: all of it may stand in a path as it is.
    pub fn show(&self, key: &[u8], door: Door) -> String {
        let said = format!(
            "{}.{}.{}",
            self.call,
            self.organization,
            self.expires.unix_s()
        );
        let mac = secret::sign(key, &message(door, &said));
        format!("{said}.{mac}")
    }

    /// The token, if it was made with `key` for `door` and has not expired.
    pub fn read(text: &str, key: &[u8], door: Door, now: Time) -> Option<Token> {
        let (said, mac) = text.rsplit_once('.')?;
        if !secret::signed(key, &message(door, said), mac) {
            return None;
        }
        let (head, expires) = said.rsplit_once('.')?;
        let (call, organization) = head.split_once('.')?;
        let expires = Time(expires.parse::<u64>().ok()?.checked_mul(1000)?);
        (now < expires).then_some(())?;
        Some(Token {
            call: CallId::parse(call)?,
            organization: organization.to_owned(),
            expires,
        })
    }
}

fn message(door: Door, said: &str) -> Vec<u8> {
    let door = match door {
        Door::Provider => "provider",
        Door::Report => "report",
    };
    format!("token:{door}:{said}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_its_own_door_until_it_expires() {
        let token = Token {
            call: CallId::of_run(b"key", "demo", 7),
            organization: "demo".to_owned(),
            expires: Time(10_000),
        };
        let text = token.show(b"key", Door::Provider);
        assert_eq!(
            Token::read(&text, b"key", Door::Provider, Time(9_999)),
            Some(token)
        );
        assert_eq!(
            Token::read(&text, b"key", Door::Provider, Time(10_000)),
            None
        );
        assert_eq!(Token::read(&text, b"key", Door::Report, Time(0)), None);
        assert_eq!(Token::read(&text, b"other", Door::Provider, Time(0)), None);
        let forged = text.replace(".demo.", ".evil.");
        assert_eq!(Token::read(&forged, b"key", Door::Provider, Time(0)), None);
        assert_eq!(Token::read("", b"key", Door::Provider, Time(0)), None);
    }
}
