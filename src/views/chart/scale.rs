// SPDX-License-Identifier: Apache-2.0
//! The axis of values: its bounds, its round ticks, and numbers as text.

use crate::views::text::grouped;

/// The farthest from 0 that is drawn; what lies beyond is drawn here.
pub const DRAWN_MOST: f64 = 1e18;

/// Nearer to 0 than this is drawn as 0.
const DRAWN_LEAST: f64 = 1e-12;

/// What large ticks are divided by, and the sign that says so.
const UNITS: [(f64, &str); 5] = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];

/// From here on ticks are written with a unit.
const UNITS_FROM: f64 = 1e5;

/// A number as it is drawn: within bounds; none where it is no number.
pub fn drawable(value: f64) -> Option<f64> {
    match value {
        _ if !value.is_finite() => None,
        _ if value.abs() < DRAWN_LEAST => Some(0.0),
        _ => Some(value.clamp(-DRAWN_MOST, DRAWN_MOST)),
    }
}

/// An axis of values that begins and ends at a tick.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// The first tick, 0 or less.
    pub least: f64,
    /// The last tick, more than `least`.
    pub most: f64,
    /// Value and text of each tick, ascending.
    pub ticks: Vec<(f64, String)>,
}

impl Scale {
    /// The axis for values from `low` to `high`, both [`drawable`]; 0 is always on it. There are about
    /// `n_ticks` ticks at 1, 2 or 5 times a power of ten, at whole numbers only where the values are whole.
    pub fn new(low: f64, high: f64, is_whole: bool, n_ticks: u8) -> Scale {
        let low = low.min(0.0);
        let high = if low == 0.0 && high <= 0.0 { 1.0 } else { high.max(0.0) };
        let step = step((high - low) / f64::from(n_ticks.max(1)), is_whole);
        // A hair less, so that 0.3 / 0.1 counts as 3.
        let first = (low / step + 1e-9).floor();
        let last = (high / step - 1e-9).ceil();
        let mut ticks = Vec::new();
        let mut index = first;
        while index <= last {
            ticks.push(index * step);
            index += 1.0;
        }
        let farthest = first.abs().max(last.abs()) * step;
        let ticks = ticks.into_iter().map(|value| (value, tick_text(value, step, farthest))).collect();
        Scale { least: first * step, most: last * step, ticks }
    }

    /// Where between `from` and `to` a value lies; values beyond the axis are at its ends.
    pub fn place(&self, value: f64, from: f64, to: f64) -> f64 {
        let share = (value - self.least) / (self.most - self.least);
        from + share.clamp(0.0, 1.0) * (to - from)
    }
}

/// The smallest of 1, 2, 5 times a power of ten that is at least `rough`.
fn step(rough: f64, is_whole: bool) -> f64 {
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= rough * (1.0 - 1e-9));
    let step = factor.unwrap_or(10.0) * power;
    if is_whole { step.max(1.0) } else { step }
}

fn tick_text(value: f64, step: f64, farthest: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let unit = UNITS.into_iter().find(|(size, _)| farthest >= UNITS_FROM && farthest >= *size);
    match unit {
        Some((size, sign)) => format!("{} {sign}", number_text(value / size)),
        None if step < 1e-3 => format!("{value:.1e}"),
        None => number_text(value),
    }
}

/// A number in full: whole ones grouped, others with at most three decimals, very large and small ones with
/// an exponent; a dash for what is no number.
pub fn number_text(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "–".to_owned();
    }
    if size >= DRAWN_MOST || (size > 0.0 && size < 1e-3) {
        return format!("{value:.3e}");
    }
    let thousandths = (size.fract() * 1e3).round();
    let whole = size.trunc() + if thousandths >= 1e3 { 1.0 } else { 0.0 };
    let sign = if value < 0.0 { "-" } else { "" };
    // Both are whole and small enough for their types.
    #[expect(clippy::cast_possible_truncation, reason = "below 1e18")]
    let (whole, thousandths) = (whole as i64, thousandths as i64 % 1000);
    let decimals = format!("{thousandths:03}");
    match decimals.trim_end_matches('0') {
        "" => format!("{sign}{}", grouped(whole)),
        decimals => format!("{sign}{}.{decimals}", grouped(whole)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let cases: &[(f64, f64, bool, &str)] = &[
            (0.0, 0.0, true, "0 1"),
            (0.0, 1.0, true, "0 1"),
            (0.0, 1.0, false, "0 0.2 0.4 0.6 0.8 1"),
            (0.0, 0.3, false, "0 0.1 0.2 0.3"),
            (0.0, 3.0, true, "0 1 2 3"),
            (0.0, 7.0, true, "0 2 4 6 8"),
            (0.0, 10.0, true, "0 2 4 6 8 10"),
            (0.0, 11.0, true, "0 5 10 15"),
            (0.0, 99.0, true, "0 20 40 60 80 100"),
            (0.0, 12_345.0, true, "0 5,000 10,000 15,000"),
            (0.0, 1_000_000.0, true, "0 0.2 M 0.4 M 0.6 M 0.8 M 1 M"),
            (0.0, 4_500_000.0, true, "0 1 M 2 M 3 M 4 M 5 M"),
            (0.0, 1e15, true, "0 0.2 P 0.4 P 0.6 P 0.8 P 1 P"),
            (0.0, 1e18, true, "0 200 P 400 P 600 P 800 P 1,000 P"),
            (-3.0, 5.0, true, "-4 -2 0 2 4 6"),
            (-5.0, -1.0, true, "-5 -4 -3 -2 -1 0"),
            (0.0, 2e-5, false, "0 5.0e-6 1.0e-5 1.5e-5 2.0e-5"),
        ];
        for (low, high, is_whole, expected) in cases {
            let scale = Scale::new(*low, *high, *is_whole, 5);
            let texts: Vec<_> = scale.ticks.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts.join(" "), *expected, "{low} to {high}");
            assert!(scale.least <= *low && *high <= scale.most * (1.0 + 1e-9));
        }
    }

    #[test]
    fn every_value_lies_on_its_axis() {
        for high in [1e-12, 1e-5, 0.1, 1.0, 17.0, 1e9, DRAWN_MOST] {
            for low in [0.0, -high, -1e-12, -DRAWN_MOST] {
                let scale = Scale::new(low, high, false, 5);
                assert!((2..=20).contains(&scale.ticks.len()), "{low} to {high}: {scale:?}");
                for value in [low, 0.0, high] {
                    let place = scale.place(value, 200.0, 10.0);
                    assert!((10.0..=200.0).contains(&place), "{value} of {low} to {high}: {place}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_written_in_full() {
        let cases = [
            (0.0, "0"),
            (-0.0, "0"),
            (1234.0, "1,234"),
            (-1234.5, "-1,234.5"),
            (0.9996, "1"),
            (1.0 / 3.0, "0.333"),
            (1e15, "1,000,000,000,000,000"),
            (1e300, "1.000e300"),
            (1e-9, "1.000e-9"),
            (f64::NAN, "–"),
            (f64::NEG_INFINITY, "–"),
        ];
        for (value, expected) in cases {
            assert_eq!(number_text(value), expected);
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_bounded_or_none() {
        assert_eq!(drawable(f64::NAN), None);
        assert_eq!(drawable(f64::INFINITY), None);
        assert_eq!(drawable(1e300), Some(DRAWN_MOST));
        assert_eq!(drawable(-5e-324), Some(0.0));
    }
}
