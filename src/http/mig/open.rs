// SPDX-License-Identifier: Apache-2.0
//! What is answered to anybody: a sign of life, the caller's own address, public keys.

use super::collection::{Item, json_text};
use super::{answer, send};
use crate::error::Result;
use crate::http::call::Call;
use crate::http::respond;
use crate::http::web::Web;
use crate::model::filter::shortened;
use rouille::Response;

/// `GET /api/v1/heartbeat`.
pub fn alive(_: &Web, call: &Call) -> Result<Response> {
    let href = format!("{}/api/v1/heartbeat", call.head.base_path);
    let item = Item::new(href, "heartbeat", json_text("gatorz say hi"));
    Ok(answer(call, 200, &[item]))
}

/// `GET /api/v1/ip`: the address from which the request came, as bare text. MIG's agents begin with this question.
pub fn ip(_: &Web, call: &Call) -> Result<Response> {
    Ok(send(200, call.head.peer.ip().to_canonical().to_string()))
}

/// `GET /api/v1/publickey/FINGERPRINT`: an investigator's public key in armor.
pub fn public_key(web: &Web, call: &Call) -> Result<Response> {
    let given = call.parameters.first().map_or("", String::as_str);
    let fingerprint = given.to_ascii_uppercase();
    let row = web.app().store.investigator_by_fingerprint(&fingerprint)?;
    Ok(match row.and_then(|row| row.public_key) {
        Some(key) => respond::data(200, "text/plain", key).with_unique_header("Cache-Control", "no-cache"),
        None => {
            // It quotes what has unusual characters; here everything is quoted, as MIG does.
            let shown = shortened(given);
            let shown = shown.trim_matches('\'');
            let text = format!("Invalid Fingerprint : No PublicKey found for fingerprint '{shown}'");
            respond::data(404, "text/plain", text)
        }
    })
}
