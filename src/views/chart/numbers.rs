// SPDX-License-Identifier: Apache-2.0
//! The numbers of a chart as a table, with the same links.

use crate::views::chart::scale::number_text;
use crate::views::chart::{Category, Data, Mark, labels};
use maud::{Markup, html};

/// The table, closed until it is asked for.
pub fn table(data: &Data) -> Markup {
    html! {
        details.numbers {
            summary { "Numbers" }
            div.sheet tabindex="0" role="group" aria-label={ "Numbers: " (labels::plain(&data.title)) } {
                table {
                    thead {
                        tr {
                            th scope="col" { (labels::plain(&data.category_noun)) }
                            @for series in &data.series {
                                th.number scope="col" { bdi { (labels::plain(&series.name)) } }
                            }
                        }
                    }
                    tbody {
                        @for (index, category) in data.categories.iter().enumerate() {
                            (row(data, index, category))
                        }
                    }
                }
            }
        }
    }
}

fn row(data: &Data, index: usize, category: &Category) -> Markup {
    let title = if category.title.is_empty() { &category.label } else { &category.title };
    html! {
        tr {
            th scope="row" { bdi { (labels::plain(title)) } }
            @for series in &data.series {
                td.number { (series.marks.get(index).map_or_else(|| html! { "–" }, number)) }
            }
        }
    }
}

fn number(mark: &Mark) -> Markup {
    html! {
        @match &mark.link {
            Some(link) => a href=(link) { (number_text(mark.value)) },
            None => (number_text(mark.value)),
        }
    }
}
