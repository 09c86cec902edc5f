// SPDX-License-Identifier: Apache-2.0
//! The path below which a proxy offers us, `http.base_path`. Inside the program every address begins at `/`;
//! `proxies` takes the path off what comes in, and this puts it before what goes out: `Location`,
//! `Link` and the addresses in HTML.
//!
//! HTML is changed by looking for `href="/` and the like. That is safe because all HTML is maud's, which writes a quote
//! that is not the end of an attribute as `&quot;`: no text from outside can hold such a string.

use crate::config::Config;
use rouille::{Response, ResponseBody};
use std::borrow::Cow;
use std::io::Read;

/// The attributes that hold addresses.
const ATTRIBUTES: [&str; 5] = [" href=\"/", " src=\"/", " action=\"/", " formaction=\"/", " data-url=\"/"];

/// The `Path` of a cookie: what is below it, and no other program behind the same proxy, gets the cookie.
pub fn cookie_path(config: &Config) -> &str {
    if config.base_path.is_empty() { "/" } else { &config.base_path }
}

/// An answer as it goes out: everything that it names of us below the base path.
pub fn apply(base_path: &str, mut response: Response) -> Response {
    if base_path.is_empty() {
        return response;
    }
    let mut is_html = false;
    for (name, value) in &mut response.headers {
        if name.eq_ignore_ascii_case("location") && value.starts_with('/') {
            *value = format!("{base_path}{value}").into();
        } else if name.eq_ignore_ascii_case("link") {
            *value = value.replace("</", &format!("<{base_path}/")).into();
        } else if name.eq_ignore_ascii_case("content-type") {
            is_html = value.starts_with("text/html");
        }
    }
    if !is_html {
        return response;
    }
    let (mut reader, _) = response.data.into_reader_and_size();
    let mut document = String::new();
    response.data = match reader.read_to_string(&mut document) {
        Ok(_) => ResponseBody::from_data(html(base_path, &document).into_owned().into_bytes()),
        Err(error) => {
            log::error!("A page cannot be read from memory: {error}");
            response.status_code = 500;
            ResponseBody::empty()
        }
    };
    response
}

/// HTML with its addresses below the base path.
pub fn html<'a>(base_path: &str, document: &'a str) -> Cow<'a, str> {
    if base_path.is_empty() {
        return Cow::Borrowed(document);
    }
    let mut moved = String::with_capacity(document.len() + document.len() / 8);
    let mut rest = document;
    // Every one of them holds this; between two there is nothing to be done.
    while let Some(at) = rest.find("=\"/") {
        let (before, after) = rest.split_at(at + "=\"".len());
        moved.push_str(before);
        let attribute_end = &rest[..at + "=\"/".len()];
        if ATTRIBUTES.iter().any(|attribute| attribute_end.ends_with(attribute)) {
            moved.push_str(base_path);
        }
        rest = after;
    }
    moved.push_str(rest);
    Cow::Owned(moved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_ours_get_the_path_and_nothing_else_does() {
        let cases = [
            ("<a href=\"/records?x=1\">/records</a>", "<a href=\"/m/records?x=1\">/records</a>"),
            ("<a class=\"x\" href=\"/\"></a>", "<a class=\"x\" href=\"/m/\"></a>"),
            ("<form action=\"/acl\" method=\"post\">", "<form action=\"/m/acl\" method=\"post\">"),
            ("<button formaction=\"/x\">", "<button formaction=\"/m/x\">"),
            ("<script defer src=\"/assets/app.js?v=1\">", "<script defer src=\"/m/assets/app.js?v=1\">"),
            ("<span data-url=\"/records/stream\">", "<span data-url=\"/m/records/stream\">"),
            ("<a href=\"https://example.org/\">", "<a href=\"https://example.org/\">"),
            ("<a href=\"#main\">", "<a href=\"#main\">"),
            ("<input value=\"/records\" title=\"/x\">", "<input value=\"/records\" title=\"/x\">"),
            ("<p> href=&quot;/x&quot; href='/x'</p>", "<p> href=&quot;/x&quot; href='/x'</p>"),
            ("", ""),
        ];
        for (document, expected) in cases {
            assert_eq!(html("/m", document), expected);
            assert_eq!(html("", document), document);
        }
    }

    #[test]
    fn headers_follow() {
        let answer = |name: &'static str, value: &'static str| {
            let response = Response::text("x").with_unique_header(name, value);
            let moved = apply("/m", response);
            moved.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.to_string())
        };
        assert_eq!(answer("Location", "/records").as_deref(), Some("/m/records"));
        assert_eq!(answer("Location", "https://x/").as_deref(), Some("https://x/"));
        assert_eq!(
            answer("Link", "</api/records?from_id=7>; rel=\"next\"").as_deref(),
            Some("</m/api/records?from_id=7>; rel=\"next\"")
        );
    }
}
