//! Every contract case over HTTP, on spin. `cargo verify` starts the stack and names its addresses.

use tests::case;
use tests::driver::{Http, run};

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_case() {
    let http = Http::from_env();
    let cases = case::all();
    let mut failed = Vec::new();
    for case in &cases {
        if let Err(why) = run(&http, case) {
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
