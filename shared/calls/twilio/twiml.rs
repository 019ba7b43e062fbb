//! TwiML: what Twilio is told to do with an answered call.
//! Source: Twilio, "TwiML for Programmable Voice".

/// Connects the call to its voice container. `media` is the whole WebSocket address; Twilio drops query strings,
/// so everything it needs stands in the path. When the socket closes nothing follows, and Twilio hangs up.
pub fn connect(media: &str) -> String {
    let media = escaped(media);
    document(&format!(r#"<Connect><Stream url="{media}"/></Connect>"#))
}

/// Says one sentence and hangs up: what a person hears when no voice container is there to talk to them.
pub fn apologize(text: &str) -> String {
    document(&format!("<Say>{}</Say><Hangup/>", escaped(text)))
}

/// Speaks a message and goes on at `then`, which Twilio so requests only when the message was spoken to its end.
pub fn message(text: &str, then: &str) -> String {
    document(&format!(
        r#"<Say>{}</Say><Redirect method="POST">{}</Redirect>"#,
        escaped(text),
        escaped(then)
    ))
}

pub fn hang_up() -> String {
    document("<Hangup/>")
}

fn document(verbs: &str) -> String {
    format!(r#"<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>"#)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // XML 1.0 has no way to write these; with one in it Twilio would take none of the document.
            '\t' | '\n' | '\r' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => {}
            c if c < ' ' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes() {
        assert_eq!(
            connect("wss://gw.example/media/a&b"),
            r#"<?xml version="1.0" encoding="UTF-8"?><Response><Connect><Stream url="wss://gw.example/media/a&amp;b"/></Connect></Response>"#
        );
        assert!(apologize("<&>").contains("&lt;&amp;&gt;"));
        assert!(apologize("a\u{7}\u{0}\u{fffe}\t\u{1f4de}").contains("<Say>a\t\u{1f4de}</Say>"));
    }
}
