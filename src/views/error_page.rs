// SPDX-License-Identifier: Apache-2.0
//! The page that says what went wrong and what to do next.

use crate::views::{Page, text};
use maud::{Markup, html};

/// A request that failed, as its sender may know it.
pub struct Failure<'a> {
    /// HTTP status.
    pub status: u16,
    /// What is wrong, for the person outside.
    pub message: &'a str,
    /// Under which the log knows it.
    pub request_id: &'a str,
}

/// The page about a failure.
pub fn render(failure: &Failure) -> Page {
    let word = word(failure.status);
    let markup = html! {
        section.failure {
            p.code { (failure.status) }
            h1 { (word) }
            p.message { (text::visible(failure.message)) }
            (advice(failure.status))
            p.muted { "Request " code { (text::visible(failure.request_id)) } }
        }
    };
    Page { status: failure.status, ..Page::ok(word, markup) }
}

fn word(status: u16) -> &'static str {
    match status {
        400 => "This request cannot be understood",
        401 => "Please log in first",
        403 => "Not allowed",
        404 => "Not found",
        405 => "This cannot be done here",
        408 => "Too slow",
        409 => "It has changed meanwhile",
        413 | 431 => "Too large",
        415 => "Unknown format",
        421 => "Not this host",
        429 => "Too often",
        501 => "Not implemented",
        503 => "Not just now",
        500.. => "Something broke on our side",
        _ => "That did not work",
    }
}

fn advice(status: u16) -> Markup {
    html! {
        p {
            @match status {
                401 => { a href="/login" { "Log in" } ", then try it again." },
                403 => "Who administers this server can give your account another role.",
                404 => "It may have been removed by age, or the address has a mistake.",
                409 => "Go back, reload the page and look again before you repeat it.",
                421 => "The address you used is none of this server's names. Its administrator can add it to http.hostnames.",
                503 => "Nothing is lost. Try again in a few seconds.",
                500.. => "Nothing is lost. The log on the server says more under the number below.",
                _ => "Go back and look at what was asked for.",
            }
        }
        p { a.button href="/records" { "To the newest records" } }
    }
}
