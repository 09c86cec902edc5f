// SPDX-License-Identifier: Apache-2.0
//! Loaders and manifests, with which MIG installs and updates its agents. There are none here; whoever may ask is told
//! so.

use super::admit;
use crate::error::{Error, Kind, Result};
use crate::http::call::Call;
use crate::http::web::Web;
use crate::model::investigator::Permission;
use rouille::Response;

const MESSAGE: &str =
    "Loaders and manifests are not implemented: this server does not install or update agents";

fn refuse() -> Result<Response> {
    Err(Error::new(Kind::NotImplemented, MESSAGE))
}

/// Each call about loaders needs its own permission.
pub fn no_loaders(web: &Web, call: &Call) -> Result<Response> {
    let permission = match last_segment(call) {
        "status" => Permission::LoaderStatus,
        "expect" => Permission::LoaderExpect,
        "key" => Permission::LoaderKey,
        "new" => Permission::LoaderNew,
        _ => Permission::Loader,
    };
    admit(web, call, permission)?;
    refuse()
}

/// Each call about manifests needs its own permission.
pub fn no_manifests(web: &Web, call: &Call) -> Result<Response> {
    let permission = match last_segment(call) {
        "sign" => Permission::ManifestSign,
        "status" => Permission::ManifestStatus,
        "new" => Permission::ManifestNew,
        "loaders" => Permission::ManifestLoaders,
        _ => Permission::Manifest,
    };
    admit(web, call, permission)?;
    refuse()
}

/// What only a loader asks, with a key that none has.
pub fn loader_only(_: &Web, _: &Call) -> Result<Response> {
    refuse()
}

fn last_segment(call: &Call) -> &str {
    call.head.path().split('/').rfind(|segment| !segment.is_empty()).unwrap_or("")
}
