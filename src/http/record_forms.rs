// SPDX-License-Identifier: Apache-2.0
//! The form that deletes chosen records.

use crate::error::{Error, Result};
use crate::http::access::{actor, require_own_form};
use crate::http::call::Call;
use crate::http::pages::{send, viewer};
use crate::http::respond;
use crate::http::web::Web;
use crate::ops::delete::{CHOSEN_MAX, delete_chosen};
use crate::views::records;
use rouille::Response;
use rouille::url::form_urlencoded;

/// Most bytes of the form: as many ids as may be chosen, and the rest.
pub const FORM_BYTES_MAX: usize = 128 << 10;

/// `POST /records/delete`: asks whether the records of the `id` fields are to be deleted, and deletes them where
/// `confirmed` is 1.
pub fn delete(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let ids = chosen(&call.body)?;
    if !is_confirmed(&call.body) {
        return send(web, call, &records::delete::confirmation(&ids, &viewer(web, call)?));
    }
    let n_deleted = delete_chosen(web.app(), &actor(call), &ids)?;
    Ok(respond::redirect(303, &records::link([(records::DELETED, n_deleted.to_string().as_str())])))
}

/// The ids of the form, which has more fields than others.
fn chosen(body: &[u8]) -> Result<Vec<i64>> {
    let ids = form_urlencoded::parse(body).filter(|(name, _)| name == "id");
    let ids = ids.take(CHOSEN_MAX + 1).map(|(_, id)| id.parse::<i64>().ok().filter(|id| *id > 0));
    let mut ids = ids
        .collect::<Option<Vec<i64>>>()
        .ok_or_else(|| Error::invalid("id must be the number of a record"))?;
    let n_ids = ids.len();
    ids.sort_unstable();
    ids.dedup();
    match n_ids {
        0 => Err(Error::invalid("No record was chosen; go back and tick the boxes of some")),
        n if n > CHOSEN_MAX => {
            Err(Error::invalid(format!("At most {CHOSEN_MAX} records at once; use `muster delete`")))
        }
        _ => Ok(ids),
    }
}

fn is_confirmed(body: &[u8]) -> bool {
    form_urlencoded::parse(body).any(|(name, value)| name == records::delete::CONFIRMED && value == "1")
}
