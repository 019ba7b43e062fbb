//! TwiML read into the verbs the simulator carries out.

use crate::record::Fields;
use quick_xml::events::{BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

/// One step of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    /// `<Connect><Stream>`: both sides' audio over a WebSocket until it closes.
    Connect {
        action: Option<Link>,
        stream: StreamTo,
    },
    Say(String),
    Play(String),
    Pause(u64),
    Redirect(Link),
    Hangup,
    Reject,
}

/// A URL of a document, possibly relative to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub url: String,
    pub get: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct StreamTo {
    pub url: String,
    pub name: Option<String>,
    pub status: Option<String>,
    pub status_get: bool,
    pub parameters: Fields,
}

/// An element with its attributes and content.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: Fields,
    children: Vec<Element>,
    text: String,
}

impl Element {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.trim())
    }

    fn is_get(&self, name: &str) -> bool {
        self.attribute(name)
            .is_some_and(|method| method.eq_ignore_ascii_case("GET"))
    }
}

/// Reads a document. The error is what Twilio's log would say with 12100.
pub(crate) fn parse(document: &str) -> Result<Vec<Verb>, String> {
    let root = tree(document)?;
    if root.name != "Response" {
        return Err(format!("the root is <{}>, not <Response>", root.name));
    }
    root.children.into_iter().map(verb).collect()
}

fn verb(element: Element) -> Result<Verb, String> {
    let text = element.text.trim().to_owned();
    Ok(match element.name.as_str() {
        "Connect" => connect(&element)?,
        "Say" => Verb::Say(text),
        "Play" => Verb::Play(text),
        "Pause" => Verb::Pause(
            element
                .attribute("length")
                .map_or(Ok(1), str::parse)
                .map_err(|_| "the length of <Pause> is no number")?,
        ),
        "Redirect" => Verb::Redirect(Link {
            get: element.is_get("method"),
            url: text,
        }),
        "Hangup" => Verb::Hangup,
        "Reject" => Verb::Reject,
        other => return Err(format!("unknown verb <{other}>")),
    })
}

fn connect(element: &Element) -> Result<Verb, String> {
    let [stream] = element.children.as_slice() else {
        return Err("<Connect> needs one <Stream>".to_owned());
    };
    if stream.name != "Stream" {
        return Err(format!("unknown noun <{}> in <Connect>", stream.name));
    }
    let mut parameters = Vec::new();
    for child in &stream.children {
        if child.name != "Parameter" {
            return Err(format!("unknown element <{}> in <Stream>", child.name));
        }
        let name = child.attribute("name").unwrap_or_default().to_owned();
        let value = child.attribute("value").unwrap_or_default().to_owned();
        if name.is_empty() {
            return Err("a <Parameter> without a name".to_owned());
        }
        // Twilio's limit is on both together.
        if name.chars().count() + value.chars().count() >= 500 {
            return Err(format!("<Parameter> {name} is longer than 500 characters"));
        }
        parameters.push((name, value));
    }
    Ok(Verb::Connect {
        action: element.attribute("action").map(|url| Link {
            url: url.to_owned(),
            get: element.is_get("method"),
        }),
        stream: StreamTo {
            url: stream
                .attribute("url")
                .ok_or("a <Stream> without a url")?
                .to_owned(),
            name: stream.attribute("name").map(str::to_owned),
            status: stream.attribute("statusCallback").map(str::to_owned),
            status_get: stream.is_get("statusCallbackMethod"),
            parameters,
        },
    })
}

/// Reads XML into a tree; comments and processing instructions are left out.
fn tree(document: &str) -> Result<Element, String> {
    let mut reader = Reader::from_str(document);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    loop {
        match reader.read_event().map_err(|error| error.to_string())? {
            Event::Start(start) => {
                if root.is_some() {
                    return Err("more than one root element".to_owned());
                }
                open.push(element(&start)?);
            }
            Event::Empty(start) => close(element(&start)?, &mut open, &mut root)?,
            Event::End(_) => {
                let done = open.pop().ok_or("an end tag without its start")?;
                close(done, &mut open, &mut root)?;
            }
            Event::Text(text) => {
                let text = text.xml10_content();
                match open.last_mut() {
                    Some(parent) => parent.text.push_str(&text),
                    None if text.trim().trim_start_matches('\u{feff}').is_empty() => {}
                    None => return Err("content is not allowed in the prolog".to_owned()),
                }
            }
            Event::CData(text) => {
                if let Some(parent) = open.last_mut() {
                    parent.text.push_str(&text);
                }
            }
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().map_err(|e| e.to_string())? {
                    Some(character) => character,
                    None => named_entity(&reference)?,
                };
                if let Some(parent) = open.last_mut() {
                    parent.text.push(character);
                }
            }
            Event::Eof => break,
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    if let Some(unclosed) = open.last() {
        return Err(format!("<{}> is not closed", unclosed.name));
    }
    root.ok_or_else(|| "an empty document".to_owned())
}

fn close(done: Element, open: &mut [Element], root: &mut Option<Element>) -> Result<(), String> {
    match open.last_mut() {
        Some(parent) => parent.children.push(done),
        None if root.is_some() => return Err("more than one root element".to_owned()),
        None => *root = Some(done),
    }
    Ok(())
}

fn element(start: &BytesStart<'_>) -> Result<Element, String> {
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|error| error.to_string())?;
        let value = attribute
            .normalized_value(XmlVersion::Explicit1_0)
            .map_err(|error| error.to_string())?;
        attributes.push((attribute.key.as_ref().to_owned(), value.into_owned()));
    }
    Ok(Element {
        name: start.name().as_ref().to_owned(),
        attributes,
        ..Element::default()
    })
}

fn named_entity(name: &str) -> Result<char, String> {
    Ok(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        other => return Err(format!("unknown entity &{other};")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_bridge() {
        let verbs = parse(
            r#"<?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment -->
            <Response>
              <Say voice="alice">Tom &amp; <![CDATA[<Jerry>]]></Say>
              <Connect action="/after?a=1&amp;b=2" method="GET">
                <Stream url="wss://gw.example/media/x" name="main" statusCallback="https://gw.example/s">
                  <Parameter name="call_id" value="&quot;7&quot;"/>
                </Stream>
              </Connect>
              <Redirect> https://gw.example/again </Redirect>
            </Response>"#,
        )
        .unwrap();
        assert_eq!(verbs[0], Verb::Say("Tom & <Jerry>".to_owned()));
        let Verb::Connect { action, stream } = &verbs[1] else {
            panic!("{verbs:?}");
        };
        assert_eq!(action.as_ref().unwrap().url, "/after?a=1&b=2");
        assert!(action.as_ref().unwrap().get);
        assert_eq!(stream.url, "wss://gw.example/media/x");
        assert_eq!(
            stream.parameters,
            [("call_id".to_owned(), "\"7\"".to_owned())]
        );
        assert_eq!(
            verbs[2],
            Verb::Redirect(Link {
                url: "https://gw.example/again".to_owned(),
                get: false
            })
        );
    }

    #[test]
    fn refuses_what_twilio_refuses() {
        for document in [
            "",
            "hello",
            "<Response>",
            "<Response></Reply>",
            "<Reply/>",
            "<Response/><Response/>",
            "<Response><Dance/></Response>",
            "<Response><Connect/></Response>",
            "<Response><Connect><Stream/></Connect></Response>",
            "<Response><Say>a & b</Say></Response>",
            "<Response><Say>&nbsp;</Say></Response>",
            "<Response><Pause length='long'/></Response>",
        ] {
            assert!(parse(document).is_err(), "{document}");
        }
        assert_eq!(parse("<Response/>"), Ok(Vec::new()));
    }

    #[test]
    fn a_parameter_has_a_longest_length() {
        let document = |length| {
            format!(
                "<Response><Connect><Stream url='wss://h/'><Parameter name='n' value='{}'/></Stream></Connect></Response>",
                "v".repeat(length)
            )
        };
        assert!(parse(&document(498)).is_ok());
        assert!(parse(&document(499)).is_err());
    }
}
