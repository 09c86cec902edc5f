// SPDX-License-Identifier: Apache-2.0
//! What the programs on other machines are to be told so that they find this server.

use serde::Serialize;

/// Where each machine keeps the authority's certificate.
const CA_COPY: &str = "/etc/muster/ca.pem";

/// A program, and its lines.
#[derive(Debug, Serialize)]
pub struct Client {
    /// Which program, and where its lines go.
    pub who: &'static str,
    /// The lines.
    pub lines: Vec<String>,
}

/// The lines for each, for a server at `url`. `has_ca`: an authority of ours signed its certificate.
pub fn clients(url: &str, has_ca: bool) -> Vec<Client> {
    let is_tls = url.starts_with("https://");
    let needs_ca = is_tls && has_ca;
    let only = |yes: bool, text: &str| if yes { text.to_owned() } else { String::new() };
    let mut telemetry = vec!["[settings]".to_owned(), format!("server={url}/v2/collector")];
    if needs_ca {
        telemetry.push(format!("cainfo={CA_COPY}"));
    }
    let mut list = Vec::new();
    if needs_ca {
        list.push(Client {
            who: "Each machine gets a copy of tls/ca.pem of the data directory",
            lines: vec![CA_COPY.to_owned()],
        });
    }
    list.extend([
        Client { who: "The telemetry client, in /etc/telemetrics/telemetrics.conf", lines: telemetry },
        Client {
            who: "The agent",
            lines: vec![format!(
                "muster agent run --server {url}{}",
                only(needs_ca, &format!(" --ca {CA_COPY}"))
            )],
        },
        Client {
            who: "The clients of MIG, in ~/.migrc",
            lines: ["[api]".to_owned(), format!("  url = \"{url}/api/v1/\"")]
                .into_iter()
                .chain(is_tls.then(|| "  skipverifycert = off".to_owned()))
                .collect(),
        },
        Client {
            who: "A test",
            lines: vec![
                format!("muster send --url {url}{}", only(needs_ca, &format!(" --ca {CA_COPY}"))),
                format!("curl {}{url}/healthz", only(needs_ca, &format!("--cacert {CA_COPY} "))),
            ],
        },
    ]);
    list
}
