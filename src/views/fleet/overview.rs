// SPDX-License-Identifier: Apache-2.0
//! The fleet's numbers: `/fleet`.

use super::require_local;
use crate::error::Result;
use crate::ops::App;
use crate::views::parts::heading;
use crate::views::{Asked, Page, View};
use maud::html;

/// The view.
pub const VIEW: View = View {
    path: "/fleet",
    title: "Fleet",
    help: "Agents and endpoints now and over time; who is offline, double, refused",
    in_navigation: true,
    get,
};

fn get(_: &App, asked: &Asked) -> Result<Page> {
    require_local(asked.viewer)?;
    Ok(Page::ok("Fleet", html! { (heading("Fleet", "", "")) }))
}
