//! Which component answers which path: exact routes, `:name` segments and a trailing `/...`, as in Spin.

/// One route of the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// As written.
    pub(crate) raw: String,
    segments: Vec<Segment>,
    /// Whether it ends in `/...`.
    pub(crate) open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Exact(String),
    Named(String),
}

/// What a path matched.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Match<'a> {
    /// What the trailing `/...` stood for, with its leading slash.
    pub(crate) rest: String,
    /// The values of the `:name` segments.
    pub(crate) named: Vec<(&'a str, &'a str)>,
}

impl Route {
    pub(crate) fn parse(raw: &str) -> Route {
        let (path, open) = match raw.strip_suffix("/...") {
            Some(path) => (path, true),
            None => (raw, false),
        };
        let segments = split(path)
            .map(|segment| match segment.strip_prefix(':') {
                Some(name) => Segment::Named(name.to_owned()),
                None => Segment::Exact(segment.to_owned()),
            })
            .collect();
        Route {
            raw: raw.to_owned(),
            segments,
            open,
        }
    }

    fn matches<'a>(&'a self, path: &'a str) -> Option<Match<'a>> {
        let mut given = split(path);
        let mut named = Vec::new();
        for segment in &self.segments {
            match (segment, given.next()?) {
                (Segment::Exact(want), got) if want == got => {}
                (Segment::Named(name), got) if !got.is_empty() => named.push((name.as_str(), got)),
                _ => return None,
            }
        }
        let rest: Vec<&str> = given.collect();
        if !self.open {
            return rest.is_empty().then_some(Match {
                rest: String::new(),
                named,
            });
        }
        let mut text: String = rest.iter().map(|segment| format!("/{segment}")).collect();
        if path.ends_with('/') && !text.ends_with('/') {
            text.push('/');
        }
        Some(Match { rest: text, named })
    }

    /// The better of two routes that match is the one that is more exact from the left.
    fn rank(&self) -> (Vec<bool>, bool, usize) {
        let exact = |segment: &Segment| matches!(segment, Segment::Exact(_));
        (
            self.segments.iter().map(exact).collect(),
            !self.open,
            self.segments.len(),
        )
    }
}

/// The best route for a path, its owner, and what it matched.
pub(crate) fn best<'a, T>(
    routes: &'a [(Route, T)],
    path: &'a str,
) -> Option<(&'a Route, &'a T, Match<'a>)> {
    routes
        .iter()
        .filter_map(|(route, owner)| Some((route, owner, route.matches(path)?)))
        .max_by_key(|(route, ..)| route.rank())
}

fn split(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('/')
        .trim_end_matches('/')
        .split('/')
        .filter(|segment| !segment.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner<'a>(routes: &'a [(Route, &'a str)], path: &'a str) -> Option<&'a str> {
        best(routes, path).map(|(_, owner, _)| *owner)
    }

    #[test]
    fn the_most_exact_route_wins() {
        let routes: Vec<(Route, &str)> = [
            ("/...", "rest"),
            ("/v1/calls", "calls"),
            ("/v1/calls/...", "call"),
            ("/v1/calls/:id/hangup", "hangup"),
            ("/v1/...", "v1"),
        ]
        .map(|(raw, owner)| (Route::parse(raw), owner))
        .into();
        assert_eq!(owner(&routes, "/v1/calls"), Some("calls"));
        assert_eq!(owner(&routes, "/v1/calls/7"), Some("call"));
        assert_eq!(owner(&routes, "/v1/calls/7/hangup"), Some("hangup"));
        assert_eq!(owner(&routes, "/v1/calls/7/events"), Some("call"));
        assert_eq!(owner(&routes, "/v1/agents"), Some("v1"));
        assert_eq!(owner(&routes, "/"), Some("rest"));
        assert_eq!(owner(&routes[1..], "/v2"), None);
    }

    #[test]
    fn tells_what_matched() {
        let routes = [
            (Route::parse("/a/:id/..."), ()),
            (Route::parse("/exact"), ()),
        ];
        let (_, (), found) = best(&routes, "/a/7/b/c").unwrap();
        assert_eq!(found.rest, "/b/c");
        assert_eq!(found.named, [("id", "7")]);
        assert_eq!(best(&routes, "/a/7/").unwrap().2.rest, "/");
        assert_eq!(best(&routes, "/a/7").unwrap().2.rest, "");
        assert!(best(&routes, "/a").is_none());
        assert_eq!(best(&routes, "/exact").unwrap().2.rest, "");
    }
}
