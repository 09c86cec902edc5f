// SPDX-License-Identifier: Apache-2.0
//! The tree keeps its own rules: layers, one place for each thing, headers, lengths.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The modules by layer; a module imports only from layers below its own, or itself. ARCHITECTURE.md says why.
const LAYERS: &[&[&str]] = &[
    &["error", "clock", "logging", "stop", "systemd"],
    &["model"],
    &["config"],
    &["ingest", "pgp", "target", "guilty", "custom", "modules", "certificates"],
    &["store", "spool"],
    &["ops"],
    &["views"],
    &["http", "client", "demo"],
    &["agent"],
    &["cli"],
];

/// Who alone may use a library, or a word of SQL.
const ONLY: &[(&str, &[&str])] = &[
    ("argon2", &["ops"]),
    ("rustc_demangle", &["guilty"]),
    ("rusqlite", &["store"]),
    ("r2d2", &["store"]),
    ("maud", &["views"]),
    ("rouille", &["http"]),
    ("httparse", &["http"]),
    ("socket2", &["http"]),
    ("listenfd", &["http"]),
    ("argh", &["cli"]),
    ("ureq", &["client"]),
    ("rustls", &["http", "certificates"]),
    ("rcgen", &["certificates"]),
    ("x509_parser", &["certificates"]),
    ("sqlparser", &["target"]),
    ("pgp", &["pgp"]),
    ("sha1", &["modules"]),
    ("sha3", &["modules"]),
    ("md5", &["modules"]),
    ("sd_notify", &["systemd"]),
    ("toml", &["config", "custom"]),
];

/// No source file is longer.
const LINES_MAX: usize = 600;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(below: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The top-level module that a file of `src` belongs to.
fn module_of(path: &Path) -> String {
    let inside = path.strip_prefix(root().join("src")).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    first.trim_end_matches(".rs").to_owned()
}

/// The top-level modules of this crate that a source names: `crate::x`, also within `use crate::{x, y::z}`.
fn imports(source: &str) -> Vec<String> {
    let code: String =
        source.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => {
                let mut depth = 0;
                let mut word = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => names.push(std::mem::take(&mut word)),
                        _ if depth == 0 => word.push(c),
                        _ => {}
                    }
                }
                names.push(word);
            }
            None => names.push(rest.to_owned()),
        }
    }
    let first = |name: String| {
        name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>()
    };
    names.into_iter().map(first).filter(|name| !name.is_empty()).collect()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn imports_are_read_in_every_form() {
    let source = "use crate::error::Error;\nuse crate::{model::{a, b}, store, views::x};\nlet x = crate::clock::now(); // crate::http";
    assert_eq!(imports(source), ["error", "model", "store", "views", "clock"]);
}

#[test]
fn modules_import_only_the_layers_below_them() {
    let mut broken = Vec::new();
    for path in files("src", ".rs") {
        let module = module_of(&path);
        if module == "lib" || module == "main" {
            continue;
        }
        let layer = layer_of(&module).unwrap_or_else(|| panic!("{module} is in no layer"));
        for import in imports(&text(&path)) {
            let is_below = layer_of(&import).is_some_and(|below| below < layer);
            if import != module && !is_below {
                broken.push(format!("{}: {module} imports {import}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn each_library_is_used_in_its_own_place_only() {
    let mut broken = Vec::new();
    for path in files("src", ".rs") {
        let (module, source) = (module_of(&path), text(&path));
        for (library, modules) in ONLY {
            let is_used = [format!("use {library}::"), format!(" {library}::"), format!("({library}::")]
                .iter()
                .any(|form| source.contains(form.as_str()));
            if is_used && !modules.contains(&module.as_str()) {
                broken.push(format!("{} uses {library}", path.display()));
            }
        }
        let has_sql = ["\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "\"PRAGMA "];
        if module != "store" && has_sql.iter().any(|word| source.contains(word)) {
            broken.push(format!("{} has SQL", path.display()));
        }
        if module != "store" && source.contains("PreEscaped") {
            broken.push(format!("{} goes around escaping", path.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_source_file_has_its_licence_its_doc_and_a_bearable_length() {
    let mut broken = Vec::new();
    for path in files("src", ".rs").into_iter().chain(files("tests/it", ".rs")).chain(files("benches", ".rs"))
    {
        let source = text(&path);
        let mut lines = source.lines();
        if lines.next() != Some("// SPDX-License-Identifier: Apache-2.0") {
            broken.push(format!("{} lacks its SPDX line", path.display()));
        }
        if !lines.next().is_some_and(|line| line.starts_with("//! ")) {
            broken.push(format!("{} lacks its module doc", path.display()));
        }
        if source.lines().count() > LINES_MAX {
            broken.push(format!("{} has more than {LINES_MAX} lines", path.display()));
        }
        let marks = ["TO", "FIX"].map(|begin| begin.to_owned() + if begin == "TO" { "DO" } else { "ME" });
        if marks.iter().any(|mark| source.contains(mark.as_str()))
            || source.contains(&format!("#[{}", "ignore"))
        {
            broken.push(format!("{} is unfinished", path.display()));
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_dependency_has_a_reason_in_the_map() {
    let manifest: toml::Table = text(&root().join("Cargo.toml")).parse().unwrap();
    let map = text(&root().join("ARCHITECTURE.md"));
    let mut missing = Vec::new();
    for table in ["dependencies", "dev-dependencies"] {
        for name in manifest[table].as_table().unwrap().keys() {
            if !map.contains(&format!("`{name}`")) {
                missing.push(name.clone());
            }
        }
    }
    assert!(missing.is_empty(), "ARCHITECTURE.md gives no reason for {missing:?}");
}

#[test]
fn the_map_names_every_module_and_no_other() {
    let map = text(&root().join("ARCHITECTURE.md"));
    let modules: BTreeMap<String, PathBuf> =
        files("src", ".rs").into_iter().map(|p| (module_of(&p), p)).collect();
    for module in modules.keys().filter(|module| *module != "lib") {
        assert!(map.contains(&format!("`{module}")), "ARCHITECTURE.md does not name {module}");
    }
    for layer in LAYERS.iter().flat_map(|layer| layer.iter()) {
        assert!(modules.contains_key(*layer), "{layer} is in a layer but not in the tree");
    }
}
