// SPDX-License-Identifier: Apache-2.0
//! The files of `assets/` inside the binary (a debug build reads them from disk), and their addresses.
//!
//! An address carries the hash of the content, so what it names never changes and may be cached for ever.

use crate::model::record::hex;
use rust_embed::RustEmbed;
use std::borrow::Cow;

#[derive(RustEmbed)]
#[folder = "assets/"]
struct Files;

/// A static file.
pub struct Asset {
    /// The content.
    pub bytes: Cow<'static, [u8]>,
    /// For the header of the same name.
    pub content_type: &'static str,
    /// Begins the content's SHA-256, in hexadecimal: the ETag, and the `v` of its address.
    pub hash: String,
}

/// The content types of what may be served; a file of another kind is there for us, not for browsers.
const CONTENT_TYPES: [(&str, &str); 3] = [
    (".css", "text/css; charset=utf-8"),
    (".js", "text/javascript; charset=utf-8"),
    (".svg", "image/svg+xml"),
];

/// The file at `path` below `assets/`; none where there is none or it is not for browsers.
pub fn asset(path: &str) -> Option<Asset> {
    let (_, content_type) = CONTENT_TYPES.iter().find(|(ending, _)| path.ends_with(ending))?;
    let file = Files::get(path)?;
    let hash = hex(&file.metadata.sha256_hash()[..8]);
    Some(Asset { bytes: file.data, content_type, hash })
}

/// The address of the file at `path`: `/assets/PATH?v=HASH`.
pub fn url(path: &str) -> String {
    match asset(path) {
        Some(asset) => format!("/assets/{path}?v={}", asset.hash),
        None => format!("/assets/{path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_are_found_by_their_path_only() {
        let css = asset("style.css").unwrap();
        assert_eq!(css.content_type, "text/css; charset=utf-8");
        assert_eq!(url("style.css"), format!("/assets/style.css?v={}", css.hash));
        for bad in ["", "nothing.css", "../Cargo.toml", "../schema.css", "/style.css"] {
            assert!(asset(bad).is_none(), "{bad}");
        }
    }
}
