// SPDX-License-Identifier: Apache-2.0
//! `muster agent bundle`: what agents trust, to be copied to them.

use crate::cli::{open_app, print};
use crate::error::Result;
use crate::ops::fleet::acl::write_bundle;
use crate::store::Missing;
use argh::{ArgsInfo, FromArgs};
use std::path::Path;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "bundle",
    description = "Write the keys of the active investigators and the ACL into a directory, to be copied to agents by \
    another way than this server: an agent takes neither from it. An older bundle is replaced.",
    example = "{command_name} /tmp/agent --data /var/lib/muster\n\
    scp -r /tmp/agent root@host:/etc/muster/",
    help_triggers("-h", "--help", "help")
)]
/// Writes what agents trust, to be copied to them.
pub struct BundleCommand {
    #[argh(positional, arg_name = "dir", description = "the directory, new or an older bundle")]
    dir: String,
    #[argh(
        option,
        arg_name = "dir",
        description = "data directory (default $STATE_DIRECTORY, else ./muster-data)"
    )]
    data: Option<String>,
    #[argh(
        option,
        arg_name = "file",
        description = "configuration file (default /etc/muster/muster.toml if it exists)"
    )]
    config: Option<String>,
}

impl BundleCommand {
    /// Invalid where the directory holds something else.
    pub fn run(self) -> Result<()> {
        let app = open_app(self.config.as_deref(), self.data.as_deref(), Missing::Refuse)?;
        let made = write_bundle(&app, Path::new(&self.dir))?;
        let rule = match made.acl_entries {
            0 => "no ACL is configured, so one signature of them suffices".to_owned(),
            1 => "an ACL of 1 entry".to_owned(),
            n => format!("an ACL of {n} entries"),
        };
        print(&format!("{}: {} in the keyring, {rule}\n", self.dir, keys(made.keys)))?;
        match made.unusable_keys {
            0 => Ok(()),
            n => print(&format!("left out: {} that cannot sign any more\n", keys(n))),
        }
    }
}

fn keys(n: usize) -> String {
    format!("{n} key{}", if n == 1 { "" } else { "s" })
}
