//! Each dialect's answer to each problem is shown by an exchange, or `cases/unstated.txt` says why it cannot be: a line
//! for each dialect and problem, so that no excuse covers what somebody else's cases show.

use crate::document::Exceptions;
use crate::exchange::Exchange;
use calls::dialect::Dialect;
use calls::dialect::allomia::AlloMia;
use calls::dialect::asisso::Asisso;
use calls::dialect::burki::Burki;
use calls::dialect::dialout::Dialout;
use calls::dialect::ringdown::Ringdown;
use calls::dialect::voicing::Voicing;
use calls::problem::Problem;
use std::collections::BTreeSet;

const DIALECTS: [&dyn Dialect; 6] = [
    &AlloMia,
    &Asisso { draft: false },
    &Burki,
    &Dialout,
    &Voicing,
    &Ringdown,
];

/// What is wrong with the list, or with the cases.
pub(crate) fn unshown(exchanges: &[Exchange]) -> Vec<String> {
    let shown: BTreeSet<String> = exchanges
        .iter()
        .filter_map(|exchange| {
            let code = exchange.answer_headers.get("x-error-code")?;
            let dialect = spoken_at(&exchange.path);
            Some(format!("{dialect} {} {code}", exchange.status))
        })
        .collect();
    let mut missing = BTreeSet::new();
    let mut wrong = Vec::new();
    for problem in Problem::one_of_each() {
        let lines = DIALECTS.map(|dialect| {
            let (status, _) = dialect.show_problem(&problem);
            format!("{} {status} {}", dialect.word(), problem.code())
        });
        // No reason excuses a problem that nobody ever sees.
        if !lines.iter().any(|line| shown.contains(line)) {
            wrong.push(format!(
                "{}: no case of any dialect shows it",
                problem.code()
            ));
        }
        missing.extend(lines.into_iter().filter(|line| !shown.contains(line)));
    }
    let missing: Vec<String> = missing.into_iter().collect();
    let unstated = include_str!("../cases/unstated.txt");
    let wide = unstated
        .lines()
        .filter(|line| line.split(": ").next().unwrap_or_default().contains('*'));
    wrong.extend(wide.map(|line| format!("{line}: say which dialect and status")));
    let exceptions = Exceptions::read(unstated);
    let (unexcused, idle) = exceptions.judge(&missing);
    let unexcused = unexcused
        .into_iter()
        .map(|pair| format!("{pair}: no case shows it"));
    let idle = idle
        .into_iter()
        .map(|line| format!("{line}: a case shows it, or there is no such answer; strike it out"));
    wrong.extend(unexcused.chain(idle));
    wrong
}

/// The dialect whose document names the path.
fn spoken_at(path: &str) -> &'static str {
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
    if starts(&["/api/v1/public", "/api/v1/runs", "/api/v1/workflow"]) {
        "asisso"
    } else if starts(&[
        "/api/v1/dialout",
        "/api/v1/sip",
        "/health/fleet",
        "/ws/",
        "/internal/ws/",
    ]) {
        "dialout"
    } else if starts(&["/api/outbound"]) {
        "allomia"
    } else if starts(&["/calls"]) {
        "burki"
    } else if starts(&["/api/v1/campaigns", "/api/v1/voicing", "/internal/chat"]) {
        "voicing"
    } else {
        "ringdown"
    }
}
