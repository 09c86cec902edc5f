// SPDX-License-Identifier: Apache-2.0
//! Figures from measurements, and the table of them, which the README can take as it is.

use crate::load::{Load, Mode};
use crate::server::Usage;
use std::time::Duration;

/// The figures of one measurement.
#[derive(Clone, Debug, Default)]
pub struct Cell {
    rate: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    n_errors: u64,
    /// Processor time of the server for each record.
    cpu_micros: f64,
    /// Of one processor, taken by the load itself.
    own_cpu_part: f64,
    written_bytes: f64,
    rss_mb: f64,
}

impl Cell {
    /// The figures of a load, and of the server's process before and after it.
    pub fn new(mut load: Load, before: &Usage, after: &Usage, own_cpu: Duration) -> Cell {
        if let Some(error) = &load.first_error {
            eprintln!("{} errors, the first: {error}", load.n_errors);
        }
        load.micros.sort_unstable();
        let at = |part: f64| {
            let index = ((load.micros.len() as f64 * part) as usize).min(load.micros.len().saturating_sub(1));
            load.micros.get(index).map_or(0.0, |micros| f64::from(*micros) / 1e3)
        };
        let records = load.n_created.max(1) as f64;
        Cell {
            rate: load.rate,
            p50_ms: at(0.5),
            p99_ms: at(0.99),
            max_ms: at(1.0),
            n_errors: load.n_errors,
            cpu_micros: (after.cpu.saturating_sub(before.cpu)).as_secs_f64() * 1e6 / records,
            own_cpu_part: own_cpu.as_secs_f64(),
            written_bytes: after.written_bytes.saturating_sub(before.written_bytes) as f64 / records,
            rss_mb: after.rss_kib as f64 / 1024.0,
        }
    }
}

/// A line of the table: medians of the rounds, errors added up, the longest time of all.
#[derive(Clone, Debug)]
pub struct Row {
    server: String,
    mode: Mode,
    connections: usize,
    cell: Cell,
    /// Of each round.
    rates: Vec<f64>,
}

impl Row {
    /// The medians of `cells`.
    pub fn median(server: &str, mode: Mode, connections: usize, cells: &[Cell]) -> Row {
        let median = |figure: &dyn Fn(&Cell) -> f64| median(cells.iter().map(figure).collect());
        let cell = Cell {
            rate: median(&|cell| cell.rate),
            p50_ms: median(&|cell| cell.p50_ms),
            p99_ms: median(&|cell| cell.p99_ms),
            max_ms: cells.iter().map(|cell| cell.max_ms).fold(0.0, f64::max),
            n_errors: cells.iter().map(|cell| cell.n_errors).sum(),
            cpu_micros: median(&|cell| cell.cpu_micros),
            own_cpu_part: median(&|cell| cell.own_cpu_part),
            written_bytes: median(&|cell| cell.written_bytes),
            rss_mb: median(&|cell| cell.rss_mb),
        };
        let rates = cells.iter().map(|cell| cell.rate).collect();
        Row { server: server.to_owned(), mode, connections, cell, rates }
    }

    /// One line for the impatient.
    pub fn line(&self) -> String {
        format!(
            "{:<24} {:?} {:>3}: {:>9}/s, p50 {:.2} ms, p99 {:.2} ms, {:.0} µs CPU each, load {:.2} CPU",
            self.server,
            self.mode,
            self.connections,
            grouped(self.cell.rate as u64),
            self.cell.p50_ms,
            self.cell.p99_ms,
            self.cell.cpu_micros,
            self.cell.own_cpu_part
        )
    }

    /// The median of the ratios of rounds that followed each other: what disturbed one disturbed both.
    fn ratio_to(&self, base: &Row) -> f64 {
        median(self.rates.iter().zip(&base.rates).map(|(rate, base)| rate / base.max(1.0)).collect())
    }

    fn is_same_load(&self, other: &Row) -> bool {
        self.mode == other.mode && self.connections == other.connections
    }
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}

/// Prints the table as Markdown. The ratios are to the servers that do nothing, under the same load in the same run.
pub fn print_table(rows: &[Row]) {
    println!(
        "| connections | server | records/s | of pool of 8 | of default | p50 ms | p99 ms | max ms | server µs/record | \
         load CPUs | bytes written/record | RSS MB | errors |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let of = |server: &str| {
            let base = rows.iter().find(|other| other.is_same_load(row) && other.server.ends_with(server));
            base.map_or("".to_owned(), |base| format!("{:.2}", row.ratio_to(base)))
        };
        let kept = match row.mode {
            Mode::KeepAlive => "kept",
            Mode::NewConnection => "new each",
        };
        let cell = &row.cell;
        println!(
            "| {} {kept} | {} | {} | {} | {} | {:.2} | {:.2} | {:.1} | {:.0} | {:.2} | {:.0} | {:.0} | {} |",
            row.connections,
            row.server,
            grouped(cell.rate as u64),
            of("pool of 8"),
            of("default"),
            cell.p50_ms,
            cell.p99_ms,
            cell.max_ms,
            cell.cpu_micros,
            cell.own_cpu_part,
            cell.written_bytes,
            cell.rss_mb,
            cell.n_errors
        );
    }
    println!();
}

/// A number with commas.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
