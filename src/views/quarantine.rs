// SPDX-License-Identifier: Apache-2.0
//! Posts that broke a rule and were kept: the list `/records/quarantine` and one post `/records/quarantine/ID`.
//!
//! Only a local viewer sees them (a raw request may hold anything), and only one may admit or drop a post. What the
//! fields of a post are is the caller's knowledge: it hands over a [`Correction`].

use crate::error::{Error, Result};
use crate::model::account::Need;
use crate::model::filter::{ParameterError, count};
use crate::model::quarantine::Quarantined;
use crate::ops::App;
use crate::views::parts::{Tone, definition, error_id, field, heading, input, notice, time_ago, time_exact};
use crate::views::record::payload_text;
use crate::views::{Asked, Page, View, Viewer, links, text};
use maud::{Markup, html};

/// The list of posts in quarantine.
pub const VIEW: View = View {
    path: "/records/quarantine",
    title: "Quarantine",
    help: "Posts that broke a rule, to be corrected and admitted, or dropped",
    in_navigation: false,
    need: Need::Operate,
    get,
};

/// Posts on a page.
pub const ROWS_MAX: usize = 50;
/// Characters of a request that the list shows.
const REQUEST_CHARS_MAX: usize = 160;

/// What the list shows.
pub struct Data {
    /// Now, Unix seconds.
    pub now: i64,
    /// Newest first.
    pub posts: Vec<Quarantined>,
    /// Where the next page begins; none where this is the last.
    pub next_below_id: Option<i64>,
}

fn get(app: &App, asked: &Asked) -> Result<Page> {
    Ok(render(&load(app, asked)?))
}

/// The posts in quarantine.
pub fn load(app: &App, asked: &Asked) -> Result<Data> {
    let below_id = asked.query.filled("from_id").map(|value| count("from_id", value)).transpose()?;
    let posts = app.store.list_quarantined(below_id, ROWS_MAX)?;
    let next_below_id = posts.last().filter(|_| posts.len() == ROWS_MAX).map(|post| post.id);
    Ok(Data { now: app.clock.now(), posts, next_below_id })
}

/// The list.
pub fn render(data: &Data) -> Page {
    let about = "Posts of unattended senders that broke a rule. They were told to stop trying; here they wait for you.";
    let markup = html! {
        (heading("Quarantine", about, html! { a.button href="/records" { "Records" } }))
        @if data.posts.is_empty() {
            section.panel.empty { h2 { "Nothing is in quarantine" } p { "Every post so far kept the rules." } }
        } @else {
            div.sheet {
                table.posts {
                    caption.unseen { "Posts in quarantine, newest first" }
                    thead { tr { th { "Post" } th { "Age" } th { "Sender" } th { "Reason" } th { "Request" } } }
                    tbody { @for post in &data.posts { (row(post, data.now)) } }
                }
            }
            @if let Some(below_id) = data.next_below_id {
                div.pager {
                    a.button href=(links::link(VIEW.path, [("from_id", below_id.to_string().as_str())])) { "Older" }
                }
            }
        }
    };
    Page::ok("Quarantine", markup)
}

fn row(post: &Quarantined, now: i64) -> Markup {
    let head = String::from_utf8_lossy(&post.content.head);
    html! {
        tr {
            td.number { a href={ (VIEW.path) "/" (post.id) } { (post.id) } }
            td.age { (time_ago(post.received_at, now)) }
            td.peer { bdi { (text::visible(&post.content.peer)) } }
            td.reason { bdi { (text::visible(&post.content.reason)) } }
            td.payload { bdi { (text::one_line(head.lines().next().unwrap_or(""), REQUEST_CHARS_MAX)) } }
        }
    }
}

/// What was read out of a post, or what a person entered in its place.
#[derive(Clone, Debug, Default)]
pub struct Correction {
    /// Fields by their names on the wire, in the order in which the form shows them.
    pub fields: Vec<(String, String)>,
    /// The payload.
    pub payload: String,
    /// True where the payload is used as it came, whatever stands in the form.
    pub is_payload_as_sent: bool,
    /// What is still wrong, after a try to admit.
    pub error: Option<ParameterError>,
}

/// The page of one post, with a form that corrects it; 400 where the correction has an error.
///
/// NotFound where there is no such post.
pub fn entry(app: &App, viewer: &Viewer, id: i64, correction: &Correction) -> Result<Page> {
    let post = app.store.find_quarantined(id)?.ok_or_else(|| {
        Error::not_found(format!(
            "Post {id} is not in quarantine; it was admitted, dropped, or gave way to newer ones"
        ))
    })?;
    Ok(render_entry(&post, viewer, correction, app.clock.now()))
}

/// The page of one post.
pub fn render_entry(post: &Quarantined, viewer: &Viewer, correction: &Correction, now: i64) -> Page {
    let title = format!("Post {} in quarantine", post.id);
    let markup = html! {
        (heading(&title, "", html! { a.button href=(VIEW.path) { "All in quarantine" } }))
        section.panel {
            dl {
                (definition("Reason", html! { strong { bdi { (text::visible(&post.content.reason)) } } }))
                (definition("Received", time_exact(post.received_at, now)))
                (definition("Sender", html! { bdi { (text::visible(&post.content.peer)) } }))
            }
        }
        (correction_form(post, viewer, correction))
        section.panel {
            h2 { "Request as it came" }
            @if post.content.is_body_cut {
                (notice(Tone::Warning, "The body was over the limit; only its beginning was kept."))
            }
            (payload_text("request", &request_text(post)))
        }
    };
    Page { status: if correction.error.is_some() { 400 } else { 200 }, ..Page::ok(title, markup) }
}

/// Head and body in one text; bytes that are not UTF-8 are read as Latin-1, as ingest does.
fn request_text(post: &Quarantined) -> String {
    let text = |bytes: &[u8]| match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    let head = text(&post.content.head).replace("\r\n", "\n");
    format!("{}\n\n{}", head.trim_end_matches('\n'), text(&post.content.body))
}

/// The form that admits a post as corrected, and the one that drops it, behind a second look.
fn correction_form(post: &Quarantined, viewer: &Viewer, correction: &Correction) -> Markup {
    let error = correction.error.as_ref();
    let error_of = |name: &str| error.filter(|e| e.parameter == name).map(|e| e.message.as_str());
    let is_elsewhere = |e: &&ParameterError| {
        e.parameter != "payload" && correction.fields.iter().all(|(name, _)| *name != e.parameter)
    };
    html! {
        section.panel {
            h2 { "Correct and admit" }
            @if let Some(error) = error.filter(is_elsewhere) {
                (notice(Tone::Error, text::visible(&error.message)))
            }
            form.correction method="post" action={ (VIEW.path) "/" (post.id) "/admit" } {
                input type="hidden" name="csrf_token" value=(viewer.csrf_token);
                div.fields {
                    @for (name, value) in &correction.fields {
                        (field(name, name, error_of(name), input(name, "text", value, error_of(name))))
                    }
                }
                (payload_field(correction, error_of("payload")))
                button.primary type="submit" { "Admit" }
            }
            details.drop {
                summary { "Drop this post" }
                form method="post" action={ (VIEW.path) "/" (post.id) "/drop" } {
                    input type="hidden" name="csrf_token" value=(viewer.csrf_token);
                    p { "It is then gone; its sender will not send it again." }
                    button.danger type="submit" { "Drop for good" }
                }
            }
        }
    }
}

/// A text area changes line ends and cannot hold NUL, so the payload as it came is the first choice.
fn payload_field(correction: &Correction, error: Option<&str>) -> Markup {
    let control = html! {
        // HTML drops a line end right after the tag: this one, not the payload's own.
        textarea #payload name="payload" rows="8" spellcheck="false"
            aria-invalid=[error.map(|_| "true")] aria-describedby=[error.map(|_| error_id("payload"))] {
            "\n" (correction.payload)
        }
        label.check {
            input type="checkbox" name="payload_as_sent" value="true" checked[correction.is_payload_as_sent];
            " Use the payload as it came, byte for byte"
        }
    };
    field("payload", "payload", error, control)
}
