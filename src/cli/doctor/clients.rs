// SPDX-License-Identifier: Apache-2.0
//! What the programs on other machines are to be told so that they find this server.

use serde::Serialize;
use std::path::Path;

/// Where each machine keeps the authority's certificate.
const CA_COPY: &str = "/etc/muster/ca.pem";

/// A program, and its lines.
#[derive(Debug, Serialize)]
pub struct Client {
    /// Which program, and where its lines go.
    pub who: String,
    /// The lines.
    pub lines: Vec<String>,
}

/// The lines for each, for a server at `url`. `ca`: the file of the authority that signed its certificate, where clients
/// do not know it of themselves.
pub fn clients(url: &str, ca: Option<&Path>) -> Vec<Client> {
    let is_tls = url.starts_with("https://");
    let ca = ca.filter(|_| is_tls);
    let needs_ca = ca.is_some();
    let only = |yes: bool, text: &str| if yes { text.to_owned() } else { String::new() };
    let mut telemetry = vec!["[settings]".to_owned(), format!("server={url}/v2/collector")];
    if needs_ca {
        telemetry.push(format!("cainfo={CA_COPY}"));
    }
    let mut list = Vec::new();
    if let Some(ca) = ca {
        list.push(Client {
            who: format!("Each machine gets a copy of {}", ca.display()),
            lines: vec![CA_COPY.to_owned()],
        });
    }
    list.extend([
        Client {
            who: "The telemetry client, in /etc/telemetrics/telemetrics.conf".to_owned(),
            lines: telemetry,
        },
        Client {
            who: "The agent".to_owned(),
            lines: vec![format!(
                "muster agent run --server {url}{}",
                only(needs_ca, &format!(" --ca {CA_COPY}"))
            )],
        },
        Client {
            who: "The clients of MIG, in ~/.migrc".to_owned(),
            lines: ["[api]".to_owned(), format!("  url = \"{url}/api/v1/\"")]
                .into_iter()
                .chain(is_tls.then(|| "  skipverifycert = off".to_owned()))
                .collect(),
        },
        Client {
            who: "A test".to_owned(),
            lines: vec![
                format!("muster send --url {url}{}", only(needs_ca, &format!(" --ca {CA_COPY}"))),
                format!("curl {}{url}/healthz", only(needs_ca, &format!("--cacert {CA_COPY} "))),
            ],
        },
    ]);
    list
}
