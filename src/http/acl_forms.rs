// SPDX-License-Identifier: Apache-2.0
//! The forms of the page of the ACL.

use crate::error::{Error, Kind, Result};
use crate::http::access::{self, require_own_form};
use crate::http::call::Call;
use crate::http::pages::{send, viewer};
use crate::http::respond;
use crate::http::web::Web;
use crate::model::audit::Actor;
use crate::ops::fleet::acl;
use crate::views::acl::{Entered, VIEW, load, render};
use rouille::Response;

/// `POST /acl`: `do` is `set` or `remove`.
pub fn change(web: &Web, call: &Call) -> Result<Response> {
    require_own_form(web, call)?;
    let form = call.form();
    let value = |name: &str| form.first(name).unwrap_or("").trim().to_owned();
    let entered = Entered { module: value("module"), minimum: value("minimum"), weights: value("weights") };
    let actor = access::actor(call);
    let outcome = match form.first("do") {
        Some("set") => set(web, &entered, &actor),
        Some("remove") => acl::remove(web.app(), &entered.module, &actor),
        _ => Err(Error::invalid("do must be set or remove")),
    };
    match outcome {
        Ok(()) => Ok(respond::redirect(303, VIEW.path)),
        Err(error) if matches!(error.kind(), Kind::Invalid | Kind::NotFound) => {
            let viewer = viewer(web, call)?;
            let data = load(web.app())?;
            send(web, call, &render(&data, &viewer, &entered, Some(error.message())))
        }
        Err(error) => Err(error),
    }
}

fn set(web: &Web, entered: &Entered, actor: &Actor) -> Result<()> {
    let minimum =
        entered.minimum.parse().map_err(|_| Error::invalid("The minimum must be a whole number"))?;
    let lines = entered.weights.lines().map(str::trim).filter(|line| !line.is_empty());
    let weights = lines.map(acl::read_weight).collect::<Result<Vec<_>>>()?;
    acl::set(web.app(), &entered.module, minimum, &weights, actor).map(drop)
}
