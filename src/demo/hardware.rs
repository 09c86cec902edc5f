// SPDX-License-Identifier: Apache-2.0
//! What machines are made of: the models of `assets/demo/hardware.txt`.

use crate::error::{Error, Result};

/// What sort of machine it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Carried about, often off, sometimes hot.
    Laptop,
    /// On a desk.
    Desktop,
    /// In a rack, always on.
    Server,
    /// Without hardware of its own.
    Virtual,
    /// A single board.
    Board,
}

/// A model of hardware.
#[derive(Clone, Debug)]
pub struct Model {
    /// How many machines are of it, in proportion to the others.
    pub weight: f64,
    /// Its sort.
    pub form: Form,
    /// Processor architecture.
    pub arch: &'static str,
    /// `sys_vendor|product_name|product_version`.
    pub host_type: &'static str,
    /// `board_name|board_vendor`.
    pub board_name: &'static str,
    /// As /proc/cpuinfo calls it.
    pub cpu_model: &'static str,
    /// `Family N Model N`, as machine checks print it.
    pub cpu_family: &'static str,
    /// BIOS versions, at least one.
    pub bios_versions: Vec<&'static str>,
}

impl Model {
    /// True where machine checks can come from it.
    pub fn has_machine_checks(&self) -> bool {
        self.arch == "x86_64" && self.form != Form::Virtual
    }

    /// The processor's vendor, as machine checks print it.
    pub fn cpu_vendor(&self) -> &'static str {
        if self.cpu_model.starts_with("AMD") { "AMD" } else { "Intel" }
    }
}

/// All models.
pub fn models() -> Result<Vec<Model>> {
    let lines = include_str!("../../assets/demo/hardware.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            model(line).ok_or_else(|| Error::internal(format!("A line of hardware.txt is no model: {line}")))
        })
        .collect()
}

fn model(line: &'static str) -> Option<Model> {
    let mut fields = line.split('\t');
    Some(Model {
        weight: fields.next()?.parse().ok()?,
        form: match fields.next()? {
            "laptop" => Form::Laptop,
            "desktop" => Form::Desktop,
            "server" => Form::Server,
            "vm" => Form::Virtual,
            "board" => Form::Board,
            _ => return None,
        },
        arch: fields.next()?,
        host_type: fields.next()?,
        board_name: fields.next()?,
        cpu_model: fields.next()?,
        cpu_family: fields.next()?,
        bios_versions: fields.next()?.split(';').collect(),
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_line_is_a_model() {
        let models = super::models().unwrap();
        assert!(models.len() > 40);
        assert!(models.iter().all(|model| model.weight > 0.0 && model.host_type.split('|').count() == 3));
    }
}
