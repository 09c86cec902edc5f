// SPDX-License-Identifier: Apache-2.0
//! One way to add to any of the tables of counts.

use crate::error::Result;
use rusqlite::{Connection, ToSql};

/// A table whose rows count something under a key; rows of zero are not kept.
pub struct CountTable {
    table: &'static str,
    /// The columns of its primary key.
    key: &'static [&'static str],
    /// The column that counts.
    count: &'static str,
}

impl CountTable {
    /// The table `table` with this primary key and this column that counts.
    pub const fn new(table: &'static str, key: &'static [&'static str], count: &'static str) -> CountTable {
        CountTable { table, key, count }
    }

    /// Adds `by`, which may be negative, to the count under `key`: values in the order of the key's columns.
    pub fn add(&self, connection: &Connection, key: &[&dyn ToSql], by: i64) -> Result<()> {
        if by == 0 {
            return Ok(());
        }
        let (table, columns, count) = (self.table, self.key.join(", "), self.count);
        let marks = vec!["?"; self.key.len()].join(", ");
        let mut values = key.to_vec();
        values.push(&by);
        connection
            .prepare_cached(&format!(
                "INSERT INTO {table} ({columns}, {count}) VALUES ({marks}, ?)
                 ON CONFLICT DO UPDATE SET {count} = {count} + excluded.{count}"
            ))?
            .execute(values.as_slice())?;
        if by < 0 {
            connection
                .prepare_cached(&format!(
                    "DELETE FROM {table} WHERE ({columns}) = ({marks}) AND {count} = 0"
                ))?
                .execute(key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_rows_of_zero_go() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE t (a INTEGER, b ANY, n INTEGER NOT NULL, PRIMARY KEY (a, b)) STRICT")
            .unwrap();
        let table = CountTable::new("t", &["a", "b"], "n");
        let rows = || -> Vec<(i64, String, i64)> {
            let mut statement = connection.prepare("SELECT a, b, n FROM t ORDER BY a, b").unwrap();
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
            rows.map(|row| row.unwrap()).collect()
        };
        table.add(&connection, &[&1, &"x"], 2).unwrap();
        table.add(&connection, &[&1, &"x"], 3).unwrap();
        table.add(&connection, &[&2, &"y"], 1).unwrap();
        table.add(&connection, &[&1, &"z"], 0).unwrap();
        assert_eq!(rows(), [(1, "x".to_owned(), 5), (2, "y".to_owned(), 1)]);
        table.add(&connection, &[&1, &"x"], -5).unwrap();
        table.add(&connection, &[&2, &"y"], -2).unwrap();
        assert_eq!(rows(), [(2, "y".to_owned(), -1)]);
    }
}
