//! The segments of a path as they are meant: whatever stands percent-encoded in one is part of it.

/// Each segment decoded. One whose bytes are no text then stays as it is, and so does one that needed no encoding: the
/// words of the routes are such, and whoever chose a component by the raw path did not know them in another spelling.
pub(crate) fn of(path: &str) -> Vec<String> {
    path.trim_matches('/').split('/').map(decoded).collect()
}

fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, after @ ..] = rest {
        match after {
            [high, low, later @ ..] if *first == b'%' && hex(*high, *low).is_some() => {
                bytes.extend(hex(*high, *low));
                rest = later;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._".contains(byte);
    match String::from_utf8(bytes) {
        Ok(decoded) if !decoded.as_bytes().iter().all(plain) => decoded,
        Ok(_) | Err(_) => segment.to_owned(),
    }
}

fn hex(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_stands_between_slashes() {
        assert_eq!(
            of("/ws/front%20desk%2F1%20%c3%A9/"),
            ["ws", "front desk/1 é"]
        );
        assert_eq!(of("/a+b/%"), ["a+b", "%"]);
        assert_eq!(of("/%2/%zz/%41%20"), ["%2", "%zz", "A "]);
        assert_eq!(of("/%761/%61dmin/import"), ["%761", "%61dmin", "import"]);
        assert_eq!(of("/%ff/%7Edesk"), ["%ff", "~desk"]);
        assert_eq!(of("/"), [""]);
        assert_eq!(of("/a//b"), ["a", "", "b"]);
    }
}
