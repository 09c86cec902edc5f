// SPDX-License-Identifier: Apache-2.0
//! Every shape with every kind of data: the figure is well-formed, and nothing in it leaves its drawing.

use super::*;

const SHAPES: [Shape; 5] = [Shape::Columns, Shape::StackedColumns, Shape::Bars, Shape::Lines, Shape::Pie];

/// A series for each list of values.
fn data(values: &[&[f64]], label: &str) -> Data {
    let n_categories = values.iter().map(|values| values.len()).max().unwrap_or(0);
    let mark = |(index, value): (usize, &f64)| Mark {
        value: *value,
        link: (index % 3 != 2).then(|| format!("/records?build={index}&x=1")),
    };
    let series = |(index, values): (usize, &&[f64])| Series {
        name: format!("{label} {index}"),
        marks: values.iter().enumerate().map(mark).collect(),
    };
    Data {
        title: label.to_owned(),
        about: label.to_owned(),
        category_noun: "Build".to_owned(),
        unit: "records".to_owned(),
        categories: (0..n_categories).map(|index| Category::new(format!("{label}{index}"))).collect(),
        series: values.iter().enumerate().map(series).collect(),
    }
}

/// An element's name and attributes.
type Element = (String, Vec<(String, String)>);

/// Name and attributes of each element in the order of opening. Panics where a tag is not closed in its
/// order.
fn elements(markup: &str) -> Vec<Element> {
    let mut found: Vec<Element> = Vec::new();
    let mut open: Vec<String> = Vec::new();
    for piece in markup.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        assert!(!text.contains('>') || !text.contains("&gt"), "{text}");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let name = tag.split(' ').next().unwrap().to_owned();
        if name == "wbr" {
            continue;
        }
        let mut attributes = Vec::new();
        let mut rest = tag[name.len()..].trim_start();
        while let Some((attribute, after)) = rest.split_once("=\"") {
            let (value, after) = after.split_once('"').unwrap();
            attributes.push((attribute.to_owned(), value.to_owned()));
            rest = after.trim_start();
        }
        assert!(rest.is_empty() || !rest.contains('='), "{tag}");
        open.push(name.clone());
        found.push((name, attributes));
    }
    assert!(open.is_empty(), "left open: {open:?}");
    found
}

/// Checks what holds for every figure and gives its elements.
fn checked(markup: &str) -> Vec<(String, Vec<(String, String)>)> {
    assert!(!markup.contains(|c: char| c.is_control()), "a control character");
    let elements = elements(markup);
    let mut size = (0.0, 0.0);
    for (name, attributes) in &elements {
        let get = |wanted: &str| attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let number = |wanted: &str| get(wanted).map(|value| value.parse::<f64>().unwrap());
        assert!(attributes.iter().all(|(_, value)| !value.contains("NaN") && !value.contains("inf")));
        assert!(get("style").is_none());
        if name == "svg" && get("width").is_some() {
            size = (number("width").unwrap(), number("height").unwrap());
        }
        if name == "rect" && get("class").is_some() && size.0 > 0.0 {
            let (x, y, width, height) = (number("x"), number("y"), number("width"), number("height"));
            let (Some(x), Some(y), Some(width), Some(height)) = (x, y, width, height) else { continue };
            assert!(width > 0.0 && height > 0.0 && x >= 0.0 && y >= 0.0, "{attributes:?}");
            assert!(x + width <= size.0 + 1.6 && y + height <= size.1 + 1.6, "{attributes:?} in {size:?}");
        }
        if name == "circle" {
            let (x, y) = (number("cx").unwrap(), number("cy").unwrap());
            assert!((0.0..=size.0).contains(&x) && (0.0..=size.1).contains(&y), "{attributes:?} in {size:?}");
        }
    }
    elements
}

fn drawn(shape: Shape, data: &Data) -> String {
    figure("f", shape, data).into_string()
}

#[test]
fn any_numbers_make_a_sound_figure() {
    let many: Vec<f64> = (0..500).map(f64::from).collect();
    let too_many: Vec<f64> = (0..3_000).map(f64::from).collect();
    let cases: &[&[&[f64]]] = &[
        &[],
        &[&[]],
        &[&[0.0]],
        &[&[1.0]],
        &[&[1e15]],
        &[&[1e308, -1e308, 1.0]],
        &[&[f64::MIN_POSITIVE, 5e-324, -5e-324]],
        &[&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY]],
        &[&[f64::NAN, 3.0, -2.0, 0.5, f64::NAN, 1.0]],
        &[&[-1.0, -5.0]],
        &[&[0.0, 0.0, 0.0], &[0.0, 0.0, 0.0]],
        &[&[1.0, 2.0], &[3.0]],
        &[&[0.001, 1_000_000.0, 1.0], &[1.0, 1.0, -1.0], &[1e18, 1e18, 1e18]],
        &[&many],
        &[&many, &many, &many, &many],
        &[&too_many],
        &[&[1.0][..]; 60],
    ];
    for values in cases {
        for shape in SHAPES {
            let markup = drawn(shape, &data(values, "41890"));
            let elements = checked(&markup);
            let n_rows = elements.iter().filter(|(name, _)| name == "tr").count();
            let n_values: usize = values.iter().map(|values| values.len()).max().unwrap_or(0);
            assert_eq!(n_rows, if n_values == 0 { 0 } else { n_values + 1 }, "{shape:?}");
            assert_eq!(markup.contains("There are no numbers"), n_values == 0);
        }
    }
}

#[test]
fn any_text_makes_a_sound_figure() {
    let long = "<b>&\"'\u{202e}\u{5d0}😀".repeat(1_500);
    let texts = [
        "",
        " ",
        "</svg></a><script>",
        "\" onload=\"x",
        "a\0b\u{1b}\u{85}\r\n",
        "\u{202e}\u{5d0}\u{5d1}",
        &long,
    ];
    for text in texts {
        for shape in SHAPES {
            let markup = drawn(shape, &data(&[&[3.0, 2.0, 1.0], &[1.0, 1.0, 1.0]], text));
            let elements = checked(&markup);
            assert!(elements.iter().all(|(name, _)| name != "script" && name != "b"));
            assert!(!markup.contains(['\u{202e}', '\0']));
            assert!(markup.len() < 150_000, "{} bytes", markup.len());
        }
    }
}

#[test]
fn each_mark_says_what_it_is_and_leads_to_what_is_behind_it() {
    for shape in SHAPES {
        let data = data(&[&[3.0, 2.0], &[5.0, 1.0]], "b");
        let markup = drawn(shape, &data);
        let series = if shape == Shape::Pie { 1 } else { 2 };
        for (name, value) in [("b 0", 3), ("b 1", 5)].into_iter().take(series) {
            let title = format!("<title>b0, {name}: {value} records</title>");
            let link = "<a href=\"/records?build=0&amp;x=1\">";
            assert!(markup.contains(&format!("{link}{title}")), "{shape:?}: {markup}");
        }
        assert!(markup.contains("role=\"group\" aria-labelledby=\"f-title\""));
    }
    let mut unlinked = data(&[&[3.0]], "b");
    unlinked.series[0].marks[0].link = None;
    assert!(drawn(Shape::Columns, &unlinked).contains("role=\"img\""));
}

#[test]
fn what_a_shape_cannot_show_is_said() {
    let cases: &[(Shape, &[f64], &str)] = &[
        (Shape::Pie, &[-1.0, 2.0], "Values below 0"),
        (Shape::StackedColumns, &[-1.0, 2.0], "Values below 0"),
        (Shape::Columns, &[f64::NAN, 2.0], "What is no number"),
        (Shape::Lines, &[1e300, 2.0], "Very large"),
        (Shape::Pie, &[0.0, 0.0], "All values are 0"),
    ];
    for (shape, values, note) in cases {
        assert!(drawn(*shape, &data(&[values], "b")).contains(note), "{shape:?} {values:?}");
    }
    assert!(!drawn(Shape::Columns, &data(&[&[-1.0, 2.0]], "b")).contains("class=\"note\""));
    let too_many = vec![1.0; 1_001];
    assert!(drawn(Shape::Columns, &data(&[&too_many], "b")).contains("Drawn are the first 1000 of 1001"));
}

#[test]
fn a_long_chart_is_no_wall_of_stops_for_the_tab_key() {
    let long = vec![1.0; 61];
    let markup = drawn(Shape::Columns, &data(&[&long], "b"));
    assert!(markup.contains("<a href=\"/records?build=0&amp;x=1\" tabindex=\"-1\">"));
    assert!(markup.contains("<div class=\"plot from-end\" tabindex=\"0\" role=\"group\""));
    // The same links are in the table, there without it.
    assert!(markup.contains("<td class=\"number\"><a href=\"/records?build=0&amp;x=1\">"));
}

#[test]
fn small_slices_fold_and_keep_the_sum() {
    let values: Vec<f64> = (1..=20).map(f64::from).collect();
    let markup = drawn(Shape::Pie, &data(&[&values], "b"));
    let n_slices = markup.matches("<path class=\"series-").count();
    assert_eq!(n_slices, COLOURS);
    assert!(markup.contains("series-other"));
    let rest: f64 = (1..=13).map(f64::from).sum();
    assert!(markup.contains(&format!("{OTHER}: {rest}")));

    let mut folded = data(&[&values, &values], "b");
    fold_categories(&mut folded, 5);
    assert_eq!(folded.categories.len(), 6);
    assert_eq!(folded.series[1].marks.iter().map(|mark| mark.value).sum::<f64>(), 210.0);
    fold_categories(&mut folded, 6);
    assert_eq!(folded.categories.len(), 6);

    let mut folded = data(&[&[1.0], &[9.0], &[2.0], &[8.0]], "b");
    fold_series(&mut folded, 2);
    let names: Vec<_> = folded.series.iter().map(|s| (s.name.as_str(), s.marks[0].value)).collect();
    assert_eq!(names, [("b 1", 9.0), ("b 3", 8.0), (OTHER, 3.0)]);
}

#[test]
fn a_strip_fills_no_more_than_its_cell() {
    let part = |value| Part { name: "<b>".to_owned(), value, link: Some("/x".to_owned()), colour: 9 };
    for (values, whole, expected) in [
        (vec![1.0, 1.0], 4.0, vec![25.0, 25.0]),
        (vec![3.0, 3.0], 4.0, vec![75.0, 25.0]),
        (vec![f64::NAN, -1.0, 1.0], 0.0, vec![100.0]),
        (vec![1.0], f64::INFINITY, vec![100.0]),
        (vec![], 1.0, vec![]),
    ] {
        let markup = strip(&values.into_iter().map(part).collect::<Vec<_>>(), whole).into_string();
        let widths: Vec<f64> = elements(&markup)
            .iter()
            .filter(|(name, _)| name == "rect")
            .map(|(_, attributes)| {
                let width = attributes.iter().find(|(name, _)| name == "width").map(|(_, value)| value);
                width.unwrap().trim_end_matches('%').parse().unwrap()
            })
            .collect();
        assert_eq!(widths, expected);
    }
}
