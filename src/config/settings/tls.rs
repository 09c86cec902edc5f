// SPDX-License-Identifier: Apache-2.0
//! `tls.…`: certificate and key.

use super::{Kind, Setting};
use crate::config::value::{DefaultValue, Value};
use std::path::PathBuf;

/// The rows of this part of the table.
pub(super) const ROWS: &[Setting] = &[
    Setting {
        key: "tls.listen",
        kind: Kind::List {
            least: 0,
            rule: "ADDR:PORT, for example 0.0.0.0:8443 or [::]:8443",
            is_valid: super::is_address,
        },
        default: DefaultValue::List(&[]),
        help: "Addresses on which TLS is spoken, beside http.listen. `muster tls init` makes a certificate for the LAN.",
        set: |config, value| config.tls.listen = value.into_list(),
        get: |config| Value::List(config.tls.listen.clone()),
    },
    Setting {
        key: "tls.certificate",
        kind: Kind::Path,
        default: DefaultValue::Text("tls/server.pem"),
        help: "The certificate in PEM form, followed by those between it and its authority; a relative path begins at the data\n\
               directory. It is read again when it changes, and on SIGHUP.",
        set: |config, value| config.tls.certificate = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.tls.certificate.to_string_lossy().into_owned()),
    },
    Setting {
        key: "tls.key",
        kind: Kind::Path,
        default: DefaultValue::Text("tls/server.key"),
        help: "Its private key in PEM form; likewise.",
        set: |config, value| config.tls.key = PathBuf::from(value.into_text()),
        get: |config| Value::Text(config.tls.key.to_string_lossy().into_owned()),
    },
];
