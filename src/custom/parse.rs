// SPDX-License-Identifier: Apache-2.0
//! From the text of a file to a [`Definition`], or to all mistakes in it.

use crate::custom::definition::{
    Choices, Definition, Mistake, PANELS_MAX, PARAMETERS_MAX, Panel, Parameter, ParameterKind, RESERVED,
    Show, Sql,
};
use crate::custom::link::Template;
use crate::custom::parameters::check_default;
use crate::custom::source::{Section, Source, Word};
use crate::model::filter::shortened;
use crate::model::nearest::nearest;
use toml::de::{DeTable, DeValue};

/// The largest file.
pub const FILE_BYTES_MAX: usize = 64 << 10;
/// Most characters of a tab.
const TAB_CHARS_MAX: usize = 30;
/// Most characters of a heading, a label, a name or a choice.
const TITLE_CHARS_MAX: usize = 200;
/// Most characters of a sentence or a link.
const ABOUT_CHARS_MAX: usize = 2_000;
/// Most choices of a parameter.
const CHOICES_MAX: usize = 200;

/// The words of `type`.
const KINDS: [&str; 5] = ["text", "integer", "number", "date", "choice"];

/// Reads a file. Err: all mistakes in the order of the file, at least one.
pub fn parse(text: &str) -> Result<Definition, Vec<Mistake>> {
    let mut source = Source::new(text);
    if text.len() > FILE_BYTES_MAX {
        source.refuse(0, format!("The file has {} bytes; a view has at most {FILE_BYTES_MAX}", text.len()));
        return Err(source.into_mistakes());
    }
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start);
            source.refuse(at, format!("This is not TOML: {}", error.message().replace('\n', ", ")));
            return Err(source.into_mistakes());
        }
    };
    let view = source.section("the view", document.get_ref(), 0);
    let definition = Definition {
        tab: source.required(view, "tab", TAB_CHARS_MAX),
        title: source.required(view, "title", TITLE_CHARS_MAX),
        about: source.optional(view, "about", ABOUT_CHARS_MAX),
        parameters: parameters(&mut source, view),
        panels: panels(&mut source, view),
    };
    let mistakes = source.into_mistakes();
    if mistakes.is_empty() { Ok(definition) } else { Err(mistakes) }
}

fn parameters(source: &mut Source, view: Section) -> Vec<Parameter> {
    let mut found: Vec<Parameter> = Vec::new();
    for (table, start) in source.tables(view, "parameter", PARAMETERS_MAX) {
        let section = source.section("a parameter", table, start);
        let parameter = parameter(source, section);
        if found.iter().any(|earlier| earlier.name == parameter.name) {
            source.refuse(start, format!("There are two parameters {}", shortened(&parameter.name)));
        }
        found.push(parameter);
    }
    found
}

fn parameter(source: &mut Source, section: Section) -> Parameter {
    let name = source.required(section, "name", TITLE_CHARS_MAX);
    let at = section.get("name").map_or(section.start(), |value| value.span().start);
    if RESERVED.contains(&name.as_str()) {
        source.refuse(at, format!("{name} is what muster itself gives every query; take another name"));
    } else if !name.is_empty() && !is_parameter_name(&name) {
        source.refuse(at, "A parameter's name must be 1 to 40 of a-z, 0-9 and _, and begin with a letter");
    }
    let label = source.optional(section, "label", TITLE_CHARS_MAX);
    let kind = kind(source, section);
    let default = default_text(source, section);
    let parameter =
        Parameter { label: if label.is_empty() { name.clone() } else { label }, name, kind, default };
    if let Err(wrong) = check_default(&parameter) {
        let at = section.get("default").map_or(section.start(), |value| value.span().start);
        source.refuse(at, wrong);
    }
    parameter
}

fn is_parameter_name(name: &str) -> bool {
    name.len() <= 40
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn kind(source: &mut Source, section: Section) -> ParameterKind {
    let word = source.word(section, "type", TITLE_CHARS_MAX);
    let choices = choices(source, section);
    let refuse_choices = |source: &mut Source| {
        for key in ["choices", "choices_sql"] {
            if let Some(value) = section.get(key) {
                source.refuse(value.span().start, format!("{key} is for a parameter with type = \"choice\""));
            }
        }
    };
    let Some(Word { text, span }) = word else {
        if section.get("type").is_none() {
            source
                .refuse(section.start(), format!("A parameter must have the key type: {}", KINDS.join(", ")));
        }
        return ParameterKind::Text;
    };
    let kind = match text {
        "text" => ParameterKind::Text,
        "integer" => ParameterKind::Integer,
        "number" => ParameterKind::Number,
        "date" => ParameterKind::Date,
        "choice" => {
            if choices.is_none() && section.get("choices").is_none() && section.get("choices_sql").is_none() {
                source.refuse(span.start, "A choice must have choices or choices_sql");
            }
            return ParameterKind::Choice(choices.unwrap_or(Choices::List(Vec::new())));
        }
        other => {
            source.refuse(span.start, one_of("type", &KINDS, other));
            ParameterKind::Text
        }
    };
    refuse_choices(source);
    kind
}

/// What can be chosen; none where nothing is said, or what is said is a mistake.
fn choices(source: &mut Source, section: Section) -> Option<Choices> {
    let sql = source.word(section, "choices_sql", usize::MAX);
    let Some(value) = section.get("choices") else {
        return sql.map(|word| Choices::Sql(query(source, "choices_sql", &word)));
    };
    let start = value.span().start;
    if sql.is_some() {
        source.refuse(start, "A choice must have choices or choices_sql, not both");
    }
    let items = match value.get_ref() {
        DeValue::Array(items) if (1..=CHOICES_MAX).contains(&items.len()) => items,
        _ => {
            source.refuse(start, format!("choices must be a list of 1 to {CHOICES_MAX} texts"));
            return None;
        }
    };
    let mut texts = Vec::new();
    for item in items.iter() {
        match item.get_ref().as_str() {
            Some(text) if text.chars().count() <= TITLE_CHARS_MAX => texts.push(text.to_owned()),
            _ => {
                let message =
                    format!("Each of the choices must be a text of at most {TITLE_CHARS_MAX} characters");
                source.refuse(item.span().start, message);
            }
        }
    }
    (!texts.is_empty()).then_some(Choices::List(texts))
}

/// A default as it would stand in an address; empty where there is none. A number may be written without
/// quotes.
fn default_text(source: &mut Source, section: Section) -> String {
    match section.get("default").map(|value| value.get_ref()) {
        Some(DeValue::Integer(number)) if number.radix() == 10 => number.as_str().to_owned(),
        Some(DeValue::Float(number)) => number.as_str().to_owned(),
        Some(_) => source.optional(section, "default", TITLE_CHARS_MAX),
        None => String::new(),
    }
}

fn panels(source: &mut Source, view: Section) -> Vec<Panel> {
    let tables = source.tables(view, "panel", PANELS_MAX);
    if tables.is_empty() && view.get("panel").is_none_or(|value| value.get_ref().is_array()) {
        source.refuse(0, "A view must have at least one [[panel]]");
    }
    tables
        .into_iter()
        .map(|(table, start)| {
            let section = source.section("a panel", table, start);
            panel(source, section)
        })
        .collect()
}

fn panel(source: &mut Source, section: Section) -> Panel {
    let title = source.required(section, "title", TITLE_CHARS_MAX);
    let at = section.get("title").map_or(section.start(), |value| value.span().start);
    let line = source.line_of(at);
    let sql = match source.word(section, "sql", usize::MAX) {
        Some(word) => query(source, "sql", &word),
        None => {
            if section.get("sql").is_none() {
                source.refuse(section.start(), "A panel must have the key sql");
            }
            Sql { text: String::new(), first_line: line }
        }
    };
    let show = show(source, section);
    let series = source.word(section, "series", TITLE_CHARS_MAX).map(|word| word.text.to_owned());
    let panel = Panel {
        title,
        about: source.optional(section, "about", ABOUT_CHARS_MAX),
        sql,
        show,
        series,
        unit: source.optional(section, "unit", TITLE_CHARS_MAX),
        link: link(source, section),
        links: links(source, section),
        line,
    };
    refuse_misplaced(source, section, &panel);
    panel
}

/// A query that is not empty.
fn query(source: &mut Source, key: &str, word: &Word) -> Sql {
    if word.text.trim().is_empty() {
        source.refuse(word.span.start, format!("{key} must not be empty"));
    }
    source.sql(word)
}

fn show(source: &mut Source, section: Section) -> Show {
    let words = Show::ALL.map(|(word, _)| word);
    match source.word(section, "show", TITLE_CHARS_MAX) {
        Some(word) => match Show::ALL.iter().find(|(known, _)| *known == word.text) {
            Some((_, show)) => *show,
            None => {
                source.refuse(word.span.start, one_of("show", &words, word.text));
                Show::Table
            }
        },
        None => {
            if section.get("show").is_none() {
                source
                    .refuse(section.start(), format!("A panel must have the key show: {}", words.join(", ")));
            }
            Show::Table
        }
    }
}

fn link(source: &mut Source, section: Section) -> Option<Template> {
    let word = source.word(section, "link", ABOUT_CHARS_MAX)?;
    template(source, word.text, word.span.start)
}

fn template(source: &mut Source, text: &str, at: usize) -> Option<Template> {
    match Template::parse(text) {
        Ok(template) => Some(template),
        Err(wrong) => {
            source.refuse(at, wrong);
            None
        }
    }
}

fn links(source: &mut Source, section: Section) -> Vec<(String, Template)> {
    let Some(value) = section.get("links") else { return Vec::new() };
    let DeValue::Table(table) = value.get_ref() else {
        source.refuse(value.span().start, "links must be written as { column = \"/…\" }");
        return Vec::new();
    };
    let mut links = Vec::new();
    for (column, value) in table {
        let at = value.span().start;
        match value.get_ref().as_str() {
            Some(text) if text.len() <= ABOUT_CHARS_MAX => {
                links.extend(template(source, text, at).map(|link| (column.get_ref().to_string(), link)));
            }
            _ => source.refuse(at, "A link must be a text in quotes"),
        }
    }
    links
}

/// Keys that mean nothing for what the panel shows: whoever wrote them expects something.
fn refuse_misplaced(source: &mut Source, section: Section, panel: &Panel) {
    let word = panel.show.word();
    let mut refuse = |key: &str, why: String| {
        if let Some(value) = section.get(key) {
            source.refuse(value.span().start, why);
        }
    };
    if !panel.show.is_chart() {
        refuse("series", format!("series is for charts; show is {word}"));
        refuse("unit", format!("unit is for charts; show is {word}"));
    } else if panel.show == Show::Pie {
        refuse("series", "A pie has no series".to_owned());
    }
    if panel.series.is_some() {
        refuse(
            "links",
            "Where a column holds the series, write one link with {…} of it instead of links".into(),
        );
    }
}

fn one_of(key: &str, words: &[&str], given: &str) -> String {
    let near = nearest(given, words.iter().copied()).unwrap_or_default();
    format!("{key} must be one of {}, not {}; the nearest one is {near}", words.join(", "), shortened(given))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "tab = 'T'\ntitle = 'Title'\n[[panel]]\ntitle = 'P'\nshow = 'table'\nsql = 'VALUES (1)'\n";

    fn mistakes(text: &str) -> Vec<String> {
        parse(text).expect_err("refused").iter().map(Mistake::to_string).collect()
    }

    fn with(line: &str) -> String {
        format!("{GOOD}{line}\n")
    }

    #[test]
    fn the_least_file_is_taken() {
        let view = parse(GOOD).unwrap();
        assert_eq!((view.tab.as_str(), view.title.as_str(), view.about.as_str()), ("T", "Title", ""));
        assert_eq!(view.panels[0].sql, Sql { text: "VALUES (1)".into(), first_line: 6 });
        assert_eq!((view.panels[0].show, view.panels[0].line), (Show::Table, 4));
    }

    #[test]
    fn every_mistake_has_its_line_and_column() {
        let cases: &[(&str, &str)] = &[
            ("", "line 1, column 1: A view must have at least one [[panel]]"),
            ("tab = ", "line 1, column 7: This is not TOML: "),
            ("tab = 'é' title", "line 1, column 11: This is not TOML: "),
            ("tab = 3", "line 1, column 7: tab must be a text in quotes, not integer"),
            ("tab = ' '", "line 1, column 7: tab must not be empty"),
            ("panel = 3", "line 1, column 9: panel must be written as [[panel]]"),
            ("[panel]\ntitle = ''", "line 1, column 1: panel must be written as [[panel]]"),
            ("panel = [1]", "line 1, column 10: panel must be written as [[panel]]"),
        ];
        for (text, expected) in cases {
            let all = mistakes(text);
            assert!(all.iter().any(|mistake| mistake.starts_with(expected)), "{text}: {all:#?}");
        }
    }

    #[test]
    fn every_mistake_in_a_panel_is_told() {
        let parameter = "[[parameter]]\nname = 'p'\n";
        let cases: &[(String, &str)] = &[
            (with("shw = 'table'"), "There is no key shw in a panel; the nearest one is show"),
            (with("link = 'javascript:alert(1)'"), "line 7, column 8: A link must begin with one /"),
            (with("links = '/'"), "links must be written as"),
            (with("links = { a = '//x' }"), "A link must begin with one /"),
            (with("series = 'a'"), "series is for charts; show is table"),
            (with("[[panel]]\ntitle = 'x'\nshow = 'pi'\nsql = ''"), "the nearest one is pie"),
            (
                with("[[panel]]\ntitle = 'x'\nshow = 'pie'\nsql = ' '"),
                "line 10, column 7: sql must not be empty",
            ),
            (with("[[panel]]\ntitle = 'x'"), "line 7, column 1: A panel must have the key sql"),
            (with("[[panel]]\nx = 1"), "A panel must have the key title"),
            (with(parameter), "line 7, column 1: A parameter must have the key type: text, integer"),
            (with(&format!("{parameter}type = 'txt'")), "type must be one of text, integer"),
            (with(&format!("{parameter}type = 'choice'")), "A choice must have choices or choices_sql"),
            (
                with(&format!("{parameter}type = 'choice'\nchoices = []")),
                "choices must be a list of 1 to 200",
            ),
            (with(&format!("{parameter}type = 'choice'\nchoices = [1]")), "Each of the choices"),
            (with(&format!("{parameter}type = 'text'\nchoices = ['a']")), "choices is for a parameter"),
            (with(&format!("{parameter}type = 'integer'\ndefault = 'x'")), "default must be a whole number"),
            (with("[[parameter]]\nname = 'now'\ntype = 'text'"), "now is what muster itself gives"),
            (with("[[parameter]]\nname = 'A b'\ntype = 'text'"), "A parameter's name must be"),
            (
                with("[[parameter]]\nname='a'\ntype='text'\n[[parameter]]\nname='a'\ntype='text'"),
                "line 10, column 1: There are two parameters a",
            ),
        ];
        for (text, expected) in cases {
            let all = mistakes(text);
            assert!(all.iter().any(|mistake| mistake.contains(expected)), "{text}: {all:#?}");
        }
    }

    #[test]
    fn more_than_the_limits_is_refused() {
        let panel = "[[panel]]\ntitle = 'P'\nshow = 'table'\nsql = 'VALUES (1)'\n";
        let many = format!("tab = 'T'\ntitle = 'T'\n{}", panel.repeat(PANELS_MAX + 1));
        assert_eq!(mistakes(&many), ["line 83, column 1: A view has at most 20 of [[panel]], not 21"]);
        let long = format!("{GOOD}#{}", "x".repeat(FILE_BYTES_MAX));
        assert!(mistakes(&long)[0].contains("at most 65536"));
        let tab = GOOD.replace("'T'", &format!("'{}'", "x".repeat(31)));
        assert!(mistakes(&tab)[0].contains("tab must have at most 30 characters, not 31"));
    }

    #[test]
    fn lines_of_a_query_are_lines_of_the_file() {
        let cases = [
            ("'''\nSELECT\n  x'''", 7),
            ("'''SELECT\n  x'''", 6),
            ("\"\"\"\nSELECT\n  x\"\"\"", 7),
            ("'x'", 6),
        ];
        for (written, first_line) in cases {
            let view = parse(&GOOD.replace("'VALUES (1)'", written)).unwrap();
            let sql = &view.panels[0].sql;
            assert_eq!(sql.first_line, first_line, "{written}");
            let at = sql.text.find('x').unwrap();
            assert_eq!(sql.line_at(at), first_line + sql.text.matches('\n').count());
        }
    }
}
