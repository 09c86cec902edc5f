// SPDX-License-Identifier: Apache-2.0
//! Prometheus's text format, version 0.0.4: families of samples, with escaped texts.

use std::fmt::Write;

/// What a family is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// It only grows, until the next start.
    Counter,
    /// It goes up and down.
    Gauge,
}

/// The text as far as it is written.
#[derive(Debug, Default)]
pub struct Text {
    out: String,
}

impl Text {
    /// A family of one sample without labels.
    pub fn one(&mut self, kind: Type, name: &str, help: &str, value: f64) {
        self.family(kind, name, help, &[], [([].as_slice(), value)]);
    }

    /// A family with a sample for each value of its labels. Nothing is written where there is none.
    pub fn family<'a>(
        &mut self,
        kind: Type,
        name: &str,
        help: &str,
        labels: &[&str],
        samples: impl IntoIterator<Item = (&'a [&'a str], f64)>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        self.head(name, help, if kind == Type::Counter { "counter" } else { "gauge" });
        for (values, value) in samples {
            let pairs: Vec<(&str, &str)> = labels.iter().copied().zip(values.iter().copied()).collect();
            self.sample(name, &pairs, value);
        }
    }

    /// A family with one label.
    pub fn by<'a>(
        &mut self,
        kind: Type,
        name: &str,
        help: &str,
        label: &str,
        samples: impl IntoIterator<Item = (&'a str, f64)>,
    ) {
        let samples: Vec<([&str; 1], f64)> =
            samples.into_iter().map(|(value, count)| ([value], count)).collect();
        let samples = samples.iter().map(|(values, count)| (values.as_slice(), *count));
        self.family(kind, name, help, &[label], samples);
    }

    /// A histogram: bounds in the family's unit with the count up to each, the count of all, their sum.
    pub fn histogram(&mut self, name: &str, help: &str, buckets: &[(f64, u64)], (all, sum): (u64, f64)) {
        self.head(name, help, "histogram");
        let bucket = format!("{name}_bucket");
        for (bound, count) in buckets {
            self.sample(&bucket, &[("le", &bound.to_string())], *count as f64);
        }
        self.sample(&bucket, &[("le", "+Inf")], all as f64);
        self.sample(&format!("{name}_sum"), &[], sum);
        self.sample(&format!("{name}_count"), &[], all as f64);
    }

    /// The text.
    pub fn into_string(self) -> String {
        self.out
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into a String cannot fail.
        let _ = writeln!(self.out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.out.push_str(name);
        for (index, (label, text)) in labels.iter().enumerate() {
            self.out.push_str(if index == 0 { "{" } else { "," });
            let _ = write!(self.out, "{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.out.push('}');
        }
        let _ = writeln!(self.out, " {value}");
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_empty_families_left_out() {
        let mut text = Text::default();
        text.one(Type::Gauge, "a_bytes", "One \\ line\nand more.", 1.5e10);
        text.by(Type::Counter, "b_total", "B.", "x", [("a\"\\\n", 1.0), ("", 0.0)]);
        text.by(Type::Gauge, "c", "C.", "x", []);
        assert_eq!(
            text.into_string(),
            concat!(
                "# HELP a_bytes One \\\\ line\\nand more.\n# TYPE a_bytes gauge\na_bytes 15000000000\n",
                "# HELP b_total B.\n# TYPE b_total counter\nb_total{x=\"a\\\"\\\\\\n\"} 1\nb_total{x=\"\"} 0\n",
            )
        );
    }

    #[test]
    fn histograms_end_with_all_of_them() {
        let mut text = Text::default();
        text.histogram("h_seconds", "H.", &[(0.005, 1), (1.0, 2)], (3, 9.25));
        assert_eq!(
            text.into_string(),
            concat!(
                "# HELP h_seconds H.\n# TYPE h_seconds histogram\nh_seconds_bucket{le=\"0.005\"} 1\n",
                "h_seconds_bucket{le=\"1\"} 2\nh_seconds_bucket{le=\"+Inf\"} 3\nh_seconds_sum 9.25\nh_seconds_count 3\n"
            )
        );
    }
}
