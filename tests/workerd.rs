//! Every contract case over HTTP, on workerd. `cargo verify` starts the stack and names its addresses.

use tests::driver::{self, Http};

#[test]
#[ignore = "needs a running stack: cargo verify"]
fn every_case() {
    driver::every_case(&Http::from_env());
}
