//! Every contract case over HTTP on spin, answered byte for byte as in process. `cargo verify` starts the stack and
//! names its addresses.

use tests::driver::{self, Http};
use tests::same::Twin;

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_case() {
    driver::every_case(&Http::from_env(), &Twin::new(true));
}
