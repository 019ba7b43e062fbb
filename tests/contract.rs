//! Every contract case, in-process. Each has the demo organization to itself.

use std::collections::BTreeSet;
use tests::case;
use tests::driver::{Driver, run};
use tests::memory::Memory;

#[test]
fn every_case() {
    let cases = case::all();
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(why) = run(&Memory::demo(), case) {
            failed.push(format!("{}\n    {why}", case.name));
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {} cases failed:\n{}",
        failed.len(),
        cases.len(),
        failed.join("\n")
    );
    println!("{} cases", cases.len());
}

/// A refused request leaves nothing behind: no call, no seat, no configuration.
#[test]
fn bad_input_changes_nothing() {
    for case in case::all() {
        for step in case
            .steps
            .iter()
            .take(1)
            .filter(|step| (400..500).contains(&step.status) && step.dialled == 0)
        {
            let memory = Memory::demo();
            let config = memory.config.borrow().clone();
            let mut request = http::Request::builder()
                .method(step.method.as_str())
                .uri(&step.path);
            for (name, value) in &step.headers {
                request = request.header(name, value);
            }
            memory.put_to(request.body(step.body.clone()).expect("a request"));
            let seats: BTreeSet<_> = memory
                .seats
                .borrow()
                .values()
                .flat_map(|held| held.keys().copied().collect::<Vec<_>>())
                .collect();
            assert!(
                memory.calls.borrow().is_empty(),
                "{}: a call was stored",
                case.name
            );
            assert!(seats.is_empty(), "{}: a seat was taken", case.name);
            assert_eq!(*memory.config.borrow(), config, "{}", case.name);
        }
    }
}
