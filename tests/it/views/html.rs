// SPDX-License-Identifier: Apache-2.0
//! Reads a page strictly, as only a well-formed one can be read: every tag closed in order, every attribute quoted.

use std::collections::HashSet;

const VOID: [&str; 8] = ["meta", "link", "input", "br", "hr", "img", "wbr", "col"];

/// An element as it was opened.
#[derive(Debug)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    /// The text in it, its descendants' too, entities undone.
    pub text: String,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    pub fn has_class(&self, class: &str) -> bool {
        self.attribute("class").is_some_and(|classes| classes.split(' ').any(|c| c == class))
    }
}

/// Every element in the order of its opening. Panics where the page is not well-formed.
pub fn read(page: &str) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = page.strip_prefix("<!DOCTYPE html>").unwrap_or(page);
    while !rest.is_empty() {
        let text_end = rest.find('<').unwrap_or(rest.len());
        let text = undo_entities(&rest[..text_end]);
        open.iter().for_each(|index| elements[*index].text.push_str(&text));
        rest = &rest[text_end..];
        if let Some(closing) = rest.strip_prefix("</") {
            let (name, after) = closing.split_once('>').unwrap();
            let opened = &elements[open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing"))];
            assert_eq!(opened.name, name, "</{name}> closes <{}>", opened.name);
            rest = after;
        } else if let Some(opening) = rest.strip_prefix('<') {
            let (element, after) = read_opening(opening);
            if !VOID.contains(&element.name.as_str()) {
                open.push(elements.len());
            }
            elements.push(element);
            rest = after;
        }
    }
    assert!(open.is_empty(), "left open: {:?}", open.iter().map(|i| &elements[*i].name).collect::<Vec<_>>());
    elements
}

fn read_opening(text: &str) -> (Element, &str) {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let end = text.find(|c| !is_of_name(c)).unwrap();
    assert!(end > 0, "a stray < before {}", text.chars().take(40).collect::<String>());
    let mut element = Element { name: text[..end].to_owned(), attributes: Vec::new(), text: String::new() };
    let mut rest = &text[end..];
    loop {
        if let Some(after) = rest.strip_prefix('>') {
            return (element, after);
        }
        rest = rest.strip_prefix(' ').unwrap_or_else(|| panic!("in <{}: {:.60}", element.name, rest));
        let end = rest.find(|c| !is_of_name(c)).unwrap();
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut value = "";
        if let Some(quoted) = rest.strip_prefix("=\"") {
            (value, rest) = quoted.split_once('"').unwrap();
        }
        assert!(!value.contains('<'), "{name} of <{}> has a raw <", element.name);
        element.attributes.push((name, undo_entities(value)));
    }
}

fn undo_entities(text: &str) -> String {
    let plain = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let left = plain.replace("&amp;", "");
    assert!(!left.contains('&'), "a raw & in {text}");
    plain.replace("&amp;", "&")
}

/// Reads a whole document and checks what holds for every page of ours.
pub fn read_document(page: &str) -> Vec<Element> {
    let elements = read(page);
    let mut ids = HashSet::new();
    for element in &elements {
        for (name, value) in &element.attributes {
            assert!(!name.starts_with("on") && name != "style", "inline code: {name}={value}");
            let is_address = name == "href" || name == "action" || name == "src";
            assert!(!is_address || value.starts_with('/') || value.starts_with('#'), "leads away: {value}");
            assert!(name != "id" || ids.insert(value.clone()), "the id {value} is there twice");
        }
        assert!(element.name != "style" && element.name != "iframe" && element.name != "object");
        assert!(element.name != "script" || element.attribute("src").is_some() && element.text.is_empty());
    }
    for element in elements.iter().filter(|e| e.name == "label") {
        let control = element.attribute("for");
        assert!(control.is_none_or(|id| ids.contains(id)), "a label for nothing: {control:?}");
    }
    for described_by in elements.iter().filter_map(|e| e.attribute("aria-describedby")) {
        assert!(ids.contains(described_by), "nothing has the id {described_by}");
    }
    assert_eq!(elements.iter().filter(|e| e.name == "h1").count(), 1, "a page has one heading");
    elements
}
