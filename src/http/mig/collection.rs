// SPDX-License-Identifier: Apache-2.0
//! Collection+JSON as MIG writes it: the order of its keys, what is left out and what never is.

use crate::model::go_json::push_string;
use crate::ops::fleet::search::Echo;

/// A collection: what every answer is.
pub struct Collection<'a> {
    /// The address that was asked.
    pub href: &'a str,
    /// What it holds.
    pub items: &'a [Item],
    /// Code and message of what went wrong.
    pub error: Option<(&'a str, &'a str)>,
}

/// An item.
#[derive(Clone, Debug, Default)]
pub struct Item {
    /// Its own address.
    pub href: String,
    /// Names and values; the values are JSON.
    pub data: Vec<(String, String)>,
    /// Relations and addresses.
    pub links: Vec<(&'static str, String)>,
}

impl Item {
    /// An item of one value, which is JSON.
    pub fn new(href: String, name: impl Into<String>, json: String) -> Item {
        Item { href, data: vec![(name.into(), json)], links: Vec::new() }
    }

    /// The same with a link.
    pub fn linked(mut self, relation: &'static str, href: String) -> Item {
        self.links.push((relation, href));
        self
    }

    /// Appends its JSON.
    pub fn push_to(&self, out: &mut String) {
        out.push_str("{\"href\":");
        push_string(out, &self.href);
        out.push_str(",\"data\":[");
        for (index, (name, json)) in self.data.iter().enumerate() {
            out.push_str(if index > 0 { ",{\"name\":" } else { "{\"name\":" });
            push_string(out, name);
            out.push_str(",\"value\":");
            out.push_str(json);
            out.push('}');
        }
        out.push(']');
        if !self.links.is_empty() {
            out.push_str(",\"links\":[");
            for (index, (relation, href)) in self.links.iter().enumerate() {
                out.push_str(if index > 0 { ",{\"rel\":" } else { "{\"rel\":" });
                push_string(out, relation);
                out.push_str(",\"href\":");
                push_string(out, href);
                out.push('}');
            }
            out.push(']');
        }
        out.push('}');
    }
}

impl Collection<'_> {
    /// The whole document.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        begin(&mut out, self.href);
        for (index, item) in self.items.iter().enumerate() {
            out.push_str(if index > 0 { "," } else { ",\"items\":[" });
            item.push_to(&mut out);
        }
        if !self.items.is_empty() {
            out.push(']');
        }
        end(&mut out, self.error);
        out
    }
}

/// What stands before the items; the caller writes `,"items":[`, items and `]` where there are any.
pub fn begin(out: &mut String, href: &str) {
    out.push_str("{\"collection\":{\"version\":\"1.0\",\"href\":");
    push_string(out, href);
}

/// What stands after the items.
pub fn end(out: &mut String, error: Option<(&str, &str)>) {
    out.push_str(",\"template\":{},\"error\":{");
    if let Some((code, message)) = error {
        out.push_str("\"code\":");
        push_string(out, code);
        out.push_str(",\"message\":");
        push_string(out, message);
    }
    out.push_str("}}}");
}

/// A text as JSON.
pub fn json_text(text: &str) -> String {
    let mut out = String::new();
    push_string(&mut out, text);
    out
}

/// The item that says how a search was understood.
pub fn echo_item(href: String, echo: &[(&'static str, Echo)]) -> Item {
    let mut json = String::from("{");
    for (index, (name, value)) in echo.iter().enumerate() {
        if index > 0 {
            json.push(',');
        }
        push_string(&mut json, name);
        json.push(':');
        match value {
            Echo::Text(text) => push_string(&mut json, text),
            // Whole and below 2^53, which Rust writes as Go does.
            Echo::Number(number) => json.push_str(&number.to_string()),
            Echo::Flag(flag) => json.push_str(if *flag { "true" } else { "false" }),
        }
    }
    json.push('}');
    Item::new(href, "search parameters", json)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_those_of_mig() {
        let items = [
            Item::new("http://h/a?x=1&y".into(), "action", "{}".into()).linked("self", "http://h/<".into()),
            Item {
                href: "b".into(),
                data: vec![("n".into(), "1".into()), ("m".into(), "null".into())],
                links: vec![],
            },
        ];
        let collection = Collection { href: "http://h/?a&b", items: &items, error: None };
        assert_eq!(
            collection.to_json(),
            concat!(
                r#"{"collection":{"version":"1.0","href":"http://h/?a\u0026b","items":["#,
                r#"{"href":"http://h/a?x=1\u0026y","data":[{"name":"action","value":{}}],"#,
                r#""links":[{"rel":"self","href":"http://h/\u003c"}]},"#,
                r#"{"href":"b","data":[{"name":"n","value":1},{"name":"m","value":null}]}],"template":{},"error":{}}}"#
            )
        );
        let failure = Collection { href: "h", items: &[], error: Some(("7", "no \"x\"")) };
        assert_eq!(
            failure.to_json(),
            r#"{"collection":{"version":"1.0","href":"h","template":{},"error":{"code":"7","message":"no \"x\""}}}"#
        );
    }
}
