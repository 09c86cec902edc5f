// SPDX-License-Identifier: Apache-2.0
//! The parameters of the module `file`: read, checked and bounded before a file is touched.

use crate::model::go_json::fold;
use crate::modules::file::digest::{DigestKind, SHA2, SHA3};
use crate::modules::file::filter::{self, Filter, Kind, Test};
use serde_json::Value;
use std::path::PathBuf;

/// Searches of one run.
const SEARCHES_MAX: usize = 64;
/// Paths of all searches together.
const PATHS_MAX: usize = 1_000;
/// Bytes of a path; no system takes more.
const PATH_BYTES_MAX: usize = 4_096;
/// Filters of all searches together, and regular expressions among them, each of which takes memory.
const FILTERS_MAX: usize = 1_000;
const EXPRESSIONS_MAX: usize = 128;
/// Bytes of a search's description.
const DESCRIPTION_BYTES_MAX: usize = 1_024;

const NAME: Kind = Kind { key: "names", mismatch: "name" };
const MODE: Kind = Kind { key: "modes", mismatch: "mode" };
const SIZE: Kind = Kind { key: "sizes", mismatch: "size" };
const MTIME: Kind = Kind { key: "mtimes", mismatch: "mtime" };
const CONTENT: Kind = Kind { key: "contents", mismatch: "content" };
const MD5: Kind = Kind { key: "md5", mismatch: "md5" };
const SHA1: Kind = Kind { key: "sha1", mismatch: "sha1" };
const SHA2_KIND: Kind = Kind { key: "sha2", mismatch: "sha2" };
const SHA3_KIND: Kind = Kind { key: "sha3", mismatch: "sha3" };
/// Cheap ones first: they spare the reading.
const KINDS: &[Kind] = &[NAME, MODE, SIZE, MTIME, CONTENT, MD5, SHA1, SHA2_KIND, SHA3_KIND];

/// One search.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) label: String,
    pub(super) description: String,
    /// Absolute, without `.` and `..`, each once, in order.
    pub(super) paths: Vec<PathBuf>,
    pub(super) filters: Vec<Filter>,
    pub(super) options: Options,
}

/// How a search goes.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// Levels that are looked at most: 1 is what lies in the path itself.
    pub(super) depth_max: usize,
    /// A file must match all filters; else each filter tells its own files.
    pub(super) is_match_all: bool,
    /// All lines of a file must match all content filters.
    pub(super) is_all_lines: bool,
    /// Filters that are turned round.
    pub(super) mismatch: Option<Vec<String>>,
    /// Entries of the result at most.
    pub(super) matches_max: usize,
    /// Errors of the whole run at most; the largest of all searches counts.
    pub(super) errors_max: usize,
    /// The SHA-256 of each file comes with it.
    pub(super) returns_sha256: bool,
    /// Gzipped files are unpacked before contents and digests are looked at.
    pub(super) decompresses: bool,
    /// File systems of other hosts are entered.
    pub(super) enters_remote: bool,
}

/// The searches, and what was ignored in them. Fails with a sentence that names the search and the fault.
pub(super) fn read(parameters: &Value, now_nanos: i128) -> Result<(Vec<Search>, Vec<String>), String> {
    let map = object(parameters, "The parameters of the module file")?;
    let mut searches = Vec::new();
    let mut ignored = Vec::new();
    for (key, value) in map {
        match fold(key).as_str() {
            "searches" => {
                for (label, search) in object(value, "searches")? {
                    let read = Reader { ignored: &mut ignored, now_nanos }.search(label, search);
                    searches.push(read.map_err(|fault| format!("Search {:?}: {fault}", start(label)))?);
                    check_bounds(&searches)?;
                }
            }
            _ => ignored.push(format!("The parameter {:?} is not known and was ignored", start(key))),
        }
    }
    if searches.is_empty() {
        return Err("The parameters of the module file need searches with at least one search".to_owned());
    }
    Ok((searches, ignored))
}

fn check_bounds(searches: &[Search]) -> Result<(), String> {
    let filters = || searches.iter().flat_map(|search| &search.filters);
    let expressions =
        filters().filter(|f| matches!(f.test, Test::Name(_) | Test::Mode(_) | Test::Content(_)));
    for (what, count, max) in [
        ("searches", searches.len(), SEARCHES_MAX),
        ("paths", searches.iter().map(|search| search.paths.len()).sum(), PATHS_MAX),
        ("filters", filters().count(), FILTERS_MAX),
        ("regular expressions", expressions.count(), EXPRESSIONS_MAX),
    ] {
        if count > max {
            return Err(format!("There are more than {max} {what}"));
        }
    }
    Ok(())
}

struct Reader<'a> {
    ignored: &'a mut Vec<String>,
    now_nanos: i128,
}

impl Reader<'_> {
    fn search(&mut self, label: &str, value: &Value) -> Result<Search, String> {
        if label.is_empty() || label.chars().count() > 64 || label.contains(char::is_control) {
            return Err("a label has 1 to 64 characters".to_owned());
        }
        let map = object(value, "it")?;
        let mut search = Search {
            label: label.to_owned(),
            description: String::new(),
            paths: Vec::new(),
            filters: Vec::new(),
            options: Options::default(),
        };
        // Options first: they turn filters round.
        for (_, value) in map.iter().filter(|(key, _)| fold(key) == "options") {
            search.options = self.options(value)?;
        }
        for (key, value) in map {
            let key = fold(key);
            match KINDS.iter().find(|kind| kind.key == key) {
                Some(kind) => self.filters(&mut search, *kind, value)?,
                None if key == "paths" => search.paths = paths(&texts(value, "paths", PATHS_MAX)?)?,
                None if key == "description" => {
                    search.description = text(value, "description", DESCRIPTION_BYTES_MAX)?;
                }
                None if key == "options" => {}
                None => self.ignore(&key),
            }
        }
        search.filters.sort_by_key(|filter| KINDS.iter().position(|kind| *kind == filter.kind));
        match search.paths.is_empty() {
            true => Err("it needs at least one path".to_owned()),
            false => Ok(search),
        }
    }

    fn filters(&self, search: &mut Search, kind: Kind, value: &Value) -> Result<(), String> {
        let is_mismatch = search.options.mismatch.iter().flatten().any(|named| named == kind.mismatch);
        for value in texts(value, kind.key, FILTERS_MAX)? {
            let plain = |test: Result<Test, String>| test.map(|test| (test, false));
            let (test, is_inverse) = match kind.key {
                "names" => filter::expression(&value).map(|(regex, inverse)| (Test::Name(regex), inverse)),
                "modes" => filter::expression(&value).map(|(regex, inverse)| (Test::Mode(regex), inverse)),
                "contents" => {
                    filter::expression(&value).map(|(regex, inverse)| (Test::Content(regex), inverse))
                }
                "sizes" => plain(filter::size(&value)),
                "mtimes" => plain(filter::mtime(&value, self.now_nanos)),
                "md5" => plain(filter::digest(&value, &[DigestKind::Md5])),
                "sha1" => plain(filter::digest(&value, &[DigestKind::Sha1])),
                "sha2" => plain(filter::digest(&value, SHA2)),
                _ => plain(filter::digest(&value, SHA3)),
            }
            .map_err(|fault| format!("{}: {fault}", kind.key))?;
            search.filters.push(Filter { kind, value, test, is_inverse, is_mismatch });
            // Before the next one is compiled: each takes up to a megabyte.
            if search.filters.len() > EXPRESSIONS_MAX && matches!(kind.key, "names" | "modes" | "contents") {
                return Err(format!("there are more than {EXPRESSIONS_MAX} regular expressions"));
            }
        }
        Ok(())
    }

    fn options(&mut self, value: &Value) -> Result<Options, String> {
        let mut options = Options::default();
        if value.is_null() {
            return Ok(options);
        }
        for (key, value) in object(value, "options")? {
            let key = fold(key);
            // Go leaves alone what is null.
            if value.is_null() {
                continue;
            }
            match key.as_str() {
                "maxdepth" => options.depth_max = count(value, &key, options.depth_max)?,
                "matchlimit" => options.matches_max = count(value, &key, options.matches_max)?,
                "maxerrors" => options.errors_max = count(value, &key, options.errors_max)?.min(1_000),
                "matchall" => options.is_match_all = flag(value, &key)?,
                "matchany" => options.is_match_all = !flag(value, &key)?,
                "macroal" => options.is_all_lines = flag(value, &key)?,
                "returnsha256" => options.returns_sha256 = flag(value, &key)?,
                "decompress" => options.decompresses = flag(value, &key)?,
                "remotefs" => options.enters_remote = flag(value, &key)?,
                "mismatch" => options.mismatch = Some(mismatch(value)?),
                "debug" => {}
                _ => self.ignore(&key),
            }
        }
        Ok(options)
    }

    fn ignore(&mut self, key: &str) {
        self.ignored.push(format!("The parameter {:?} is not known and was ignored", start(key)));
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            depth_max: 1_000,
            is_match_all: true,
            is_all_lines: false,
            mismatch: None,
            matches_max: 1_000,
            errors_max: 30,
            returns_sha256: false,
            decompresses: false,
            enters_remote: false,
        }
    }
}

fn mismatch(value: &Value) -> Result<Vec<String>, String> {
    let named = texts(value, "mismatch", 100)?;
    match named.iter().find(|named| KINDS.iter().all(|kind| kind.mismatch != named.as_str())) {
        Some(unknown) => Err(format!("mismatch: there is no filter {:?}", start(unknown))),
        None => Ok(named),
    }
}

/// Paths without `.`, `..` and doubled slashes, in order, each once.
fn paths(texts: &[String]) -> Result<Vec<PathBuf>, String> {
    let mut paths = Vec::new();
    for text in texts {
        if !text.starts_with('/') {
            return Err(format!("the path {:?} is not absolute", start(text)));
        }
        if text.contains('\0') || text.len() > PATH_BYTES_MAX {
            return Err(format!("the path {:?} is none", start(text)));
        }
        let mut parts: Vec<&str> = Vec::new();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        paths.push(PathBuf::from(format!("/{}", parts.join("/"))));
    }
    paths.sort();
    paths.dedup();
    Ok(paths)
}

fn object<'a>(value: &'a Value, what: &str) -> Result<&'a serde_json::Map<String, Value>, String> {
    value.as_object().ok_or_else(|| format!("{what} must be an object"))
}

fn text(value: &Value, what: &str, bytes_max: usize) -> Result<String, String> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) if text.len() <= bytes_max => Ok(text.clone()),
        Value::String(_) => Err(format!("{what} has more than {bytes_max} bytes")),
        _ => Err(format!("{what} must be a text")),
    }
}

/// A list of texts; `null` is an empty one.
fn texts(value: &Value, what: &str, count_max: usize) -> Result<Vec<String>, String> {
    let fault = || format!("{what} must be a list of texts");
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(items) if items.len() > count_max => {
            Err(format!("{what} has more than {count_max} entries"))
        }
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(fault)).collect()
        }
        _ => Err(fault()),
    }
}

/// A whole number, 0 standing for the default.
fn count(value: &Value, what: &str, default: usize) -> Result<usize, String> {
    match value.as_f64() {
        Some(0.0) => Ok(default),
        // The cast saturates, which is as good as no limit.
        Some(number) if number >= 1.0 => Ok(number as usize),
        _ => Err(format!("{what} must be a number of at least 0")),
    }
}

fn flag(value: &Value, what: &str) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| format!("{what} must be true or false"))
}

/// As much of a text as fits into a message.
fn start(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn one(search: Value) -> Result<(Vec<Search>, Vec<String>), String> {
        read(&json!({"searches": {"s": search}}), 0)
    }

    #[test]
    fn faults_are_named() {
        let many = |count: usize| vec!["a"; count];
        for (parameters, part) in [
            (json!(null), "must be an object"),
            (json!([]), "must be an object"),
            (json!({}), "at least one search"),
            (json!({"searches": {}}), "at least one search"),
            (json!({"searches": []}), "searches must be an object"),
            (json!({"searches": {"": {"paths": ["/"]}}}), "1 to 64"),
            (json!({"searches": {"a\nb": {"paths": ["/"]}}}), "1 to 64"),
            (json!({"searches": {"a".repeat(65): {"paths": ["/"]}}}), "1 to 64"),
            (json!({"searches": {"s": null}}), "must be an object"),
            (json!({"searches": {"s": {}}}), "at least one path"),
            (json!({"searches": {"s": {"paths": []}}}), "at least one path"),
            (json!({"searches": {"s": {"paths": "/etc"}}}), "paths must be a list"),
            (json!({"searches": {"s": {"paths": [1]}}}), "paths must be a list"),
            (json!({"searches": {"s": {"paths": ["etc"]}}}), "not absolute"),
            (json!({"searches": {"s": {"paths": ["../etc"]}}}), "not absolute"),
            (json!({"searches": {"s": {"paths": [""]}}}), "not absolute"),
            (json!({"searches": {"s": {"paths": ["/a\0b"]}}}), "is none"),
            (json!({"searches": {"s": {"paths": ["/".to_owned() + &"a".repeat(5_000)]}}}), "is none"),
            (json!({"searches": {"s": {"paths": many(1_001)}}}), "more than 1000"),
            (json!({"searches": {"s": {"paths": ["/"], "names": ["("]}}}), "names: The regular"),
            (json!({"searches": {"s": {"paths": ["/"], "names": [""]}}}), "not be empty"),
            (json!({"searches": {"s": {"paths": ["/"], "names": many(129)}}}), "more than 128"),
            (json!({"searches": {"s": {"paths": ["/"], "names": {"a": 1}}}}), "list of texts"),
            (json!({"searches": {"s": {"paths": ["/"], "sizes": ["big"]}}}), "sizes: \"big\""),
            (json!({"searches": {"s": {"paths": ["/"], "mtimes": ["1d"]}}}), "mtimes: \"1d\""),
            (json!({"searches": {"s": {"paths": ["/"], "sha2": ["00"]}}}), "sha2: \"00\""),
            (json!({"searches": {"s": {"paths": ["/"], "options": []}}}), "options must be"),
            (json!({"searches": {"s": {"paths": ["/"], "options": {"matchall": 1}}}}), "matchall must"),
            (json!({"searches": {"s": {"paths": ["/"], "options": {"maxdepth": "1"}}}}), "maxdepth must"),
            (json!({"searches": {"s": {"paths": ["/"], "options": {"maxdepth": -1}}}}), "maxdepth must"),
            (json!({"searches": {"s": {"paths": ["/"], "options": {"mismatch": ["names"]}}}}), "no filter"),
        ] {
            let fault = read(&parameters, 0).unwrap_err();
            assert!(fault.contains(part), "{parameters}: {fault}");
        }
        let searches: serde_json::Map<String, Value> =
            (0..65).map(|n| (n.to_string(), json!({"paths": ["/"]}))).collect();
        assert!(read(&json!({"searches": searches}), 0).unwrap_err().contains("more than 64 searches"));
        let two: Value =
            (0..2).map(|n| (n.to_string(), json!({"paths": ["/"], "names": many(100)}))).collect();
        assert!(read(&json!({"searches": two}), 0).unwrap_err().contains("more than 128"));
    }

    #[test]
    fn what_clients_send_is_read() {
        let (searches, ignored) = one(json!({
            "Paths": ["/etc//./x/../y/", "/etc/y", "/.."], "NAMES": ["!^a"], "sizes": null, "description": "why",
            "options": {"maxdepth": 3.0, "matchall": true, "macroal": false, "mismatch": null, "matchlimit": 0,
                "maxerrors": 1e9, "debug": "print", "matchlimits": 4}
        }))
        .unwrap();
        let search = &searches[0];
        assert_eq!(search.paths, [PathBuf::from("/"), PathBuf::from("/etc/y")]);
        assert!(search.filters[0].is_inverse && !search.filters[0].is_mismatch);
        assert_eq!((search.options.depth_max, search.options.matches_max), (3, 1_000));
        assert_eq!(search.options.errors_max, 1_000);
        assert_eq!(ignored, ["The parameter \"matchlimits\" is not known and was ignored"]);
        let (searches, _) =
            one(json!({"paths": ["/"], "contents": ["b"], "names": ["a"], "options": {"matchany": true, "mismatch": ["content"]}}))
                .unwrap();
        assert!(!searches[0].options.is_match_all);
        let kinds: Vec<_> = searches[0].filters.iter().map(|f| (f.kind.key, f.is_mismatch)).collect();
        assert_eq!(kinds, [("names", false), ("contents", true)]);
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[!<>/a-z0-9.(\\[]{0,12}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            "[a-z]{0,3}",
            prop::sample::select(vec![
                "searches", "paths", "names", "sizes", "options", "maxdepth", "mismatch"
            ])
            .prop_map(str::to_owned),
        ];
        leaf.prop_recursive(5, 60, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::hash_map(key.clone(), inner, 0..5)
                    .prop_map(|map| map.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn no_parameters_are_too_much(value in any_value()) {
            let _ = read(&value, 0);
            let _ = one(value.clone());
            let _ = read(&json!({"searches": value}), 0);
        }
    }
}
