// SPDX-License-Identifier: Apache-2.0
//! What a custom query may do: read the public views, call functions of a list, nothing else.
//!
//! SQLite asks for each column that a statement reads, naming as "accessor" the view *or the common table
//! expression* it stands in. `WITH export_records AS (SELECT value FROM meta)` therefore looks as if our own
//! view read `meta`. So what decides is the list of columns; the accessor only keeps our tables from being
//! read directly.

use rusqlite::Connection;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The views that a query may read.
pub const VIEWS: [&str; 4] =
    ["export_records", "export_payloads", "export_classification_counts", "export_build_counts"];

/// Virtual tables that a query may read: they only take a text apart that they are given.
const TABLE_FUNCTIONS: [&str; 2] = ["json_each", "json_tree"];

/// Every column that the views read. Whatever else comes into the schema is closed.
const COLUMNS: [(&str, &[&str]); 5] = [
    (
        "records",
        &[
            "id",
            "received_at",
            "captured_at",
            "classification_id",
            "build_id",
            "profile_id",
            "severity",
            "is_external",
            "record_format_version",
            "payload_format_version",
            "machine_id",
            "event_id",
        ],
    ),
    ("classifications", &["id", "name", "records"]),
    ("builds", &["id", "system_name", "build", "records"]),
    ("profiles", &["id", "arch", "host_type", "board_name", "cpu_model", "bios_version", "kernel_version"]),
    ("payloads", &["record_id", "payload"]),
];

/// The functions that a query may call: those that only compute, in time that their arguments bound.
pub const FUNCTIONS: [&str; 81] = [
    // Text and numbers.
    "abs",
    "char",
    "coalesce",
    "concat",
    "concat_ws",
    "format",
    "glob",
    "hex",
    "if",
    "ifnull",
    "iif",
    "instr",
    "length",
    "like",
    "likelihood",
    "likely",
    "lower",
    "ltrim",
    "max",
    "min",
    "nullif",
    "octet_length",
    "printf",
    "quote",
    "random",
    "replace",
    "round",
    "rtrim",
    "sign",
    "soundex",
    "substr",
    "substring",
    "trim",
    "typeof",
    "unhex",
    "unicode",
    "unlikely",
    "upper",
    // Over rows.
    "avg",
    "count",
    "group_concat",
    "string_agg",
    "sum",
    "total",
    // Windows.
    "cume_dist",
    "dense_rank",
    "first_value",
    "lag",
    "last_value",
    "lead",
    "nth_value",
    "ntile",
    "percent_rank",
    "rank",
    "row_number",
    // Times.
    "current_date",
    "current_time",
    "current_timestamp",
    "date",
    "datetime",
    "julianday",
    "strftime",
    "time",
    "timediff",
    "unixepoch",
    // JSON.
    "->",
    "->>",
    "json",
    "json_array",
    "json_array_length",
    "json_error_position",
    "json_extract",
    "json_group_array",
    "json_group_object",
    "json_object",
    "json_pretty",
    "json_quote",
    "json_type",
    "json_valid",
    // Ours.
    "payload_matches",
    "payload_text",
];

/// Why the last statement was refused, for a message better than SQLite's.
#[derive(Clone, Debug, Default)]
pub struct Refusal(Arc<Mutex<Option<String>>>);

impl Refusal {
    /// The reason, once.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, reason: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
    }
}

/// Lets a connection from now on do only what a custom query may, and notes why anything else is denied.
pub fn restrict(connection: &Connection, refusal: Refusal) -> rusqlite::Result<()> {
    let tables = tables(connection)?;
    connection.authorizer(Some(move |context: AuthContext<'_>| match judge(&context, &tables) {
        Ok(()) => Authorization::Allow,
        Err(reason) => {
            refusal.set(reason);
            Authorization::Deny
        }
    }))
}

/// The name of everything that can be read from, in lower case.
fn tables(connection: &Connection) -> rusqlite::Result<HashSet<String>> {
    let mut statement = connection.prepare(
        "SELECT lower(name) FROM main.sqlite_schema UNION SELECT lower(name) FROM temp.sqlite_schema
         UNION SELECT lower(name) FROM pragma_module_list",
    )?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn judge(context: &AuthContext<'_>, tables: &HashSet<String>) -> Result<(), String> {
    match context.action {
        AuthAction::Select | AuthAction::Recursive => Ok(()),
        AuthAction::Function { function_name } => function(function_name),
        AuthAction::Read { table_name, column_name: "" } if is_in_the_query(table_name, tables) => Ok(()),
        AuthAction::Read { table_name, column_name } => read(context, table_name, column_name),
        _ => Err("A custom view only reads: its query must be one SELECT, VALUES or WITH".to_owned()),
    }
}

/// True for a common table expression. SQLite asks about one only where none of its columns is read, as in a
/// count.
fn is_in_the_query(table: &str, tables: &HashSet<String>) -> bool {
    let table = table.to_ascii_lowercase();
    !tables.contains(&table) && !table.starts_with("sqlite_") && !table.starts_with("pragma_")
}

fn function(name: &str) -> Result<(), String> {
    match FUNCTIONS.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        true => Ok(()),
        false => Err(format!("The function {name} is not open to custom views")),
    }
}

fn read(context: &AuthContext<'_>, table: &str, column: &str) -> Result<(), String> {
    let is = |known: &&str| known.eq_ignore_ascii_case(table);
    if VIEWS.iter().any(is) || TABLE_FUNCTIONS.iter().any(is) {
        return Ok(());
    }
    let columns = COLUMNS.iter().find(|(known, _)| is(known)).map(|(_, columns)| *columns);
    let is_open = columns
        .is_some_and(|columns| column.is_empty() || columns.iter().any(|c| c.eq_ignore_ascii_case(column)));
    // Written as the query writes it.
    let is_view = |accessor: &str| VIEWS.iter().any(|view| view.eq_ignore_ascii_case(accessor));
    let is_in_view = context.accessor.is_some_and(is_view);
    // SQLite dissolves a view into the query and then asks for the tables of which no column is used, without
    // saying where they come from. Only our views write "main." before a table: `expansion` refuses queries
    // that do.
    let is_dissolved = column.is_empty() && context.database_name == Some("main");
    if is_open && (is_in_view || is_dissolved) {
        return Ok(());
    }
    Err(format!("The table {table} is not open to custom views; they read {}", VIEWS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(action: AuthAction<'_>, accessor: Option<&str>) -> bool {
        let tables = ["records", "meta", "dbstat", "export_records"].map(str::to_owned).into();
        judge(&AuthContext { action, database_name: None, accessor }, &tables).is_ok()
    }

    fn reads(table_name: &str, column_name: &str, accessor: Option<&str>) -> bool {
        is_allowed(AuthAction::Read { table_name, column_name }, accessor)
    }

    #[test]
    fn only_listed_columns_are_read_and_only_in_our_views() {
        assert!(reads("records", "machine_id", Some("export_records")));
        assert!(reads("records", "", Some("export_records")));
        assert!(reads("export_records", "anything", None));
        assert!(reads("json_each", "value", Some("x")));
        assert!(reads("x", "", None));
        for (table, column, accessor) in [
            ("records", "id", None),
            ("records", "id", Some("x")),
            ("records", "secret", Some("export_records")),
            ("meta", "value", Some("export_records")),
            ("meta", "", Some("export_records")),
            ("META", "", None),
            ("records", "", None),
            ("sqlite_schema", "", None),
            ("pragma_table_info", "", None),
            ("dbstat", "", None),
            ("quarantine", "body", Some("export_records")),
            ("recent_records", "digest", Some("export_records")),
            ("sqlite_schema", "sql", None),
            ("sqlite_master", "sql", Some("export_records")),
            ("pragma_table_info", "name", None),
            ("dbstat", "name", None),
        ] {
            assert!(!reads(table, column, accessor), "{table}.{column} {accessor:?}");
        }
    }

    #[test]
    fn a_table_of_a_dissolved_view_is_known_by_its_database() {
        let tables = ["records", "meta"].map(str::to_owned).into();
        let count = |table_name, database_name| {
            let action = AuthAction::Read { table_name, column_name: "" };
            judge(&AuthContext { action, database_name, accessor: None }, &tables).is_ok()
        };
        assert!(count("records", Some("main")));
        assert!(!count("records", None));
        assert!(!count("meta", Some("main")));
    }

    #[test]
    fn nothing_but_reading_is_allowed() {
        for action in [
            AuthAction::Insert { table_name: "export_records" },
            AuthAction::Attach { filename: "x" },
            AuthAction::Pragma { pragma_name: "user_version", pragma_value: None },
            AuthAction::CreateTempTable { table_name: "x" },
            AuthAction::CreateVtable { table_name: "x", module_name: "fts5" },
            AuthAction::Function { function_name: "load_extension" },
            AuthAction::Function { function_name: "fts3_tokenizer" },
            AuthAction::Function { function_name: "randomblob" },
            AuthAction::Unknown { code: 999, arg1: None, arg2: None },
        ] {
            assert!(!is_allowed(action, Some("export_records")), "{action:?}");
        }
        for action in
            [AuthAction::Select, AuthAction::Recursive, AuthAction::Function { function_name: "COUNT" }]
        {
            assert!(is_allowed(action, None), "{action:?}");
        }
    }

    #[test]
    fn the_lists_name_what_there_is() {
        let schema = crate::store::open::SCHEMA;
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(schema).unwrap();
        for (table, columns) in COLUMNS {
            for column in columns {
                connection.prepare(&format!("SELECT {column} FROM main.{table}")).unwrap();
            }
        }
    }
}
