// SPDX-License-Identifier: Apache-2.0
//! Creating and updating investigators over the API.

use super::entities::investigator_item;
use super::{actor, admit, answer};
use crate::error::{Error, Result};
use crate::http::call::{Call, parse_pairs};
use crate::http::web::Web;
use crate::model::filter::shortened;
use crate::model::investigator::{Permission, Permissions, PermissionsJson};
use crate::model::pairs::Pairs;
use crate::ops::fleet::investigators::{self, Adding, Changing};
use crate::ops::fleet::search::{read_id, whole_id};
use rouille::input::multipart::get_multipart_input;
use rouille::{Request, Response};
use std::io::Read;

/// Parts of a multipart form that are read.
const PARTS_MAX: usize = 20;

/// `POST /api/v1/investigator/create`: a multipart form with `name`, `permissions` (JSON) and, for one who signs, the
/// file `publickey`. 201 with the investigator.
pub fn create_investigator(web: &Web, call: &Call) -> Result<Response> {
    let creator = admit(web, call, Permission::InvestigatorCreate)?;
    let parts = multipart(call)?;
    let part = |name: &str| parts.iter().find(|(n, _)| n == name).map(|(_, bytes)| bytes.as_slice());
    let name = String::from_utf8_lossy(part("name").unwrap_or_default()).into_owned();
    let permissions = read_permissions(&String::from_utf8_lossy(part("permissions").unwrap_or_default()))?;
    let key = part("publickey");
    if key.is_some_and(<[u8]>::is_empty) {
        return Err(Error::invalid("Investigator Public Key must not be empty"));
    }
    let row =
        investigators::add(web.app(), &Adding { name: &name, key, permissions }, &actor(call, &creator))?;
    let data_name = format!("Investigator ID {}", row.id);
    Ok(answer(call, 201, &[investigator_item(&call.head, &data_name, &row.to_investigator(true))?]))
}

/// `POST /api/v1/investigator/update`: a form with `id` and some of `status`, `permissions` (JSON), `apikey`. 200 with
/// the investigator; a new API key is in it, this once.
pub fn update_investigator(web: &Web, call: &Call) -> Result<Response> {
    let changer = admit(web, call, Permission::InvestigatorUpdate)?;
    let mut form = parse_pairs(&call.body);
    form.0.extend(call.query.0.iter().cloned());
    let id = form.filled("id").ok_or_else(|| Error::invalid("Investigator ID must not be empty"))?;
    let id = read_id("id", id)?;
    let changing = read_change(&form)?;
    let id = whole_id(id).ok_or_else(|| Error::not_found(format!("Investigator ID '{id:.0}' not found")))?;
    let changed = investigators::change(web.app(), id, changing, &actor(call, &changer))?;
    let mut investigator = changed.investigator.to_investigator(true);
    if let Some(key) = changed.api_key {
        investigator.apikey = key;
    }
    let name = format!("Investigator ID {id}");
    Ok(answer(call, 200, &[investigator_item(&call.head, &name, &investigator)?]))
}

fn read_change(form: &Pairs) -> Result<Changing> {
    let is_active = match form.filled("status") {
        None => None,
        Some("active") => Some(true),
        Some("disabled") => Some(false),
        Some(other) => {
            return Err(Error::invalid(format!("Invalid investigator status '{}'", shortened(other))));
        }
    };
    let has_api_key = match form.filled("apikey") {
        None => None,
        Some("active") => Some(true),
        Some("disabled") => Some(false),
        Some(_) => return Err(Error::invalid("Invalid value for apikey parameter")),
    };
    let permissions = form.filled("permissions").map(read_permissions).transpose()?;
    if is_active.is_none() && has_api_key.is_none() && permissions.is_none() {
        return Err(Error::invalid("No updates to the investigator were specified"));
    }
    Ok(Changing { is_active, permissions, has_api_key, keeps_admin: true })
}

fn read_permissions(json: &str) -> Result<Permissions> {
    if json.trim().is_empty() {
        return Err(Error::invalid("permissions: unexpected end of JSON input"));
    }
    let read: PermissionsJson = serde_json::from_str(json)
        .map_err(|error| Error::invalid(format!("permissions are not an object of permissions: {error}")))?;
    Ok(Permissions::from(&read))
}

/// The parts of a multipart body, by name.
fn multipart(call: &Call) -> Result<Vec<(String, Vec<u8>)>> {
    let content_type = call.head.field("content-type").unwrap_or("");
    if !content_type.to_ascii_lowercase().starts_with("multipart/form-data") {
        return Err(Error::invalid("request Content-Type isn't multipart/form-data"));
    }
    // A boundary may be quoted, which rouille does not know.
    let content_type = content_type.replace('"', "");
    let boundary = content_type.split("boundary=").nth(1).and_then(|rest| rest.split(';').next());
    let boundary = boundary.ok_or_else(|| Error::invalid("no multipart boundary param in Content-Type"))?;
    // Where the end is missing, rouille would stop silently.
    if !call.body.trim_ascii_end().ends_with(format!("--{}--", boundary.trim()).as_bytes()) {
        return Err(Error::invalid("The multipart form ends without its boundary"));
    }
    let fields = vec![("Content-Type".to_owned(), content_type)];
    let request = Request::fake_http("POST", "/", fields, call.body.clone());
    let mut form = get_multipart_input(&request)
        .map_err(|_| Error::invalid("no multipart boundary param in Content-Type"))?;
    let mut parts = Vec::new();
    while let Some(mut field) = form.next() {
        if parts.len() >= PARTS_MAX {
            return Err(Error::invalid(format!("A form has at most {PARTS_MAX} parts")));
        }
        let mut bytes = Vec::new();
        field.data.read_to_end(&mut bytes).map_err(|error| {
            Error::invalid("A part of the multipart form ends without its boundary").because(error)
        })?;
        parts.push((field.headers.name.to_string(), bytes));
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(values: &[(&str, &str)]) -> Result<Changing, String> {
        let pairs = values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        read_change(&Pairs(pairs.collect())).map_err(|error| error.to_string())
    }

    #[test]
    fn changes_are_read_or_refused_with_migs_words() {
        let all =
            change(&[("status", "disabled"), ("apikey", "active"), ("permissions", "{\"search\":true}")]);
        let all = all.unwrap();
        assert_eq!((all.is_active, all.has_api_key), (Some(false), Some(true)));
        assert_eq!(all.permissions, Some(Permissions::NONE.with(Permission::Search)));
        assert!(all.keeps_admin);
        assert_eq!(change(&[("apikey", "disabled")]).unwrap().has_api_key, Some(false));
        let cases: &[(&[(&str, &str)], &str)] = &[
            (&[], "No updates to the investigator were specified"),
            (&[("status", "x")], "Invalid investigator status 'x'"),
            (&[("apikey", "new")], "Invalid value for apikey parameter"),
        ];
        for (values, expected) in cases {
            assert_eq!(change(values).unwrap_err(), *expected);
        }
        assert!(change(&[("permissions", "[1")]).unwrap_err().starts_with("permissions are not"));
    }
}
