// SPDX-License-Identifier: Apache-2.0
//! The configuration as text: what is in force and where it comes from, and a commented file to begin with.

use crate::config::Loaded;
use crate::config::settings::{SETTINGS, Setting};
use crate::model::visible::plain;

/// The directories of the packages, by the keys of the two settings that their file gives.
const PACKAGED: [(&str, &str); 2] = [("data", "/var/lib/muster"), ("fleet.spool", "/var/spool/muster")];

/// What is in force, as a TOML file, with a comment at each setting that says where it comes from.
pub fn show(loaded: &Loaded) -> String {
    let mut text = match &loaded.file {
        Some(path) => format!("# configuration file: {}\n", path.display()),
        None => format!("# configuration file: none ({} is not there)\n", super::DEFAULT_FILE),
    };
    let mut section = "";
    for (setting, source) in SETTINGS.iter().zip(&loaded.sources) {
        begin_section(&mut text, &mut section, setting);
        let value = (setting.get)(&loaded.config).to_toml(setting.kind);
        let (_, name) = setting.section_and_name();
        text.push_str(&format!("{name} = {value}  # {}\n", plain(&source.to_string())));
    }
    text
}

/// A file with every setting explained and at its default, commented out; `packaging/muster.toml` is this.
pub fn template() -> String {
    let mut text = "# SPDX-License-Identifier: Apache-2.0\n\
                    # Configuration of muster. Every setting is optional; what is commented out shows the default.\n\
                    # A variable of the environment overrides each, for example MUSTER_HTTP_LISTEN (lists with commas), and a\n\
                    # flag that. `muster config check` looks for mistakes, `muster config show` shows what is in force.\n"
        .to_owned();
    let mut section = "";
    for setting in SETTINGS.iter() {
        begin_section(&mut text, &mut section, setting);
        text.push('\n');
        for line in setting.help.lines() {
            text.push_str(&format!("# {line}\n"));
        }
        let (_, name) = setting.section_and_name();
        if let Some((_, path)) = PACKAGED.iter().find(|(key, _)| *key == setting.key) {
            text.push_str(&format!("{name} = {path:?}\n"));
        } else {
            text.push_str(&format!("#{name} = {}\n", setting.default.to_value().to_toml(setting.kind)));
        }
    }
    text
}

fn begin_section(text: &mut String, section: &mut &'static str, setting: &'static Setting) {
    let (own, _) = setting.section_and_name();
    if own != *section {
        *section = own;
        text.push_str(&format!("\n[{own}]\n"));
    }
}
