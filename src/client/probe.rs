// SPDX-License-Identifier: Apache-2.0
//! Asks whether a server is there, as a browser or `curl` would: one GET.

use crate::client::base_url::BaseUrl;
use crate::client::exchange::{EXCHANGE_MOST, agent_with, answer, tls_of};
use crate::error::Result;

pub use crate::client::exchange::Answer;

/// Most bytes of the answer that are read.
const BYTES_MAX: u64 = 64 << 10;

/// Gets `path`, which begins with a slash. `ca_pem`: the certificates that the server's is checked by; the public ones
/// where none are given. Kinds: those of the exchange; Usage where there is no certificate in `ca_pem`.
pub fn probe(url: &BaseUrl, path: &str, ca_pem: Option<&str>) -> Result<Answer> {
    let asked = url.join(path);
    let outcome = agent_with(tls_of(ca_pem)?).get(&asked).call();
    answer(&asked, outcome, EXCHANGE_MOST, BYTES_MAX)
}
