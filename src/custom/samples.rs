// SPDX-License-Identifier: Apache-2.0
//! The views that come with the program, to be copied into a views directory.

/// Each sample's name and file.
pub const SAMPLES: [(&str, &str); 3] = [
    ("hello", include_str!("../../assets/views/hello.toml")),
    ("updates", include_str!("../../assets/views/updates.toml")),
    ("corrected-memory-errors", include_str!("../../assets/views/corrected-memory-errors.toml")),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::custom::{is_name, parse};

    #[test]
    fn the_samples_are_sound() {
        for (name, text) in SAMPLES {
            assert!(is_name(name), "{name}");
            parse(text).unwrap_or_else(|mistakes| panic!("{name}: {mistakes:?}"));
        }
    }
}
