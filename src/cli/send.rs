// SPDX-License-Identifier: Apache-2.0
//! `muster send`: posts one record, made of this machine's facts and what the options say.

use crate::certificates::read_file;
use crate::cli::print;
use crate::client::base_url::BaseUrl;
use crate::client::send::{self, Encoding, SendOptions};
use crate::clock::Clock;
use crate::error::{Error, Result};
use argh::{ArgsInfo, FromArgs};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest payload that is read: more than any server can be told to take.
const PAYLOAD_BYTES_MAX: u64 = 64 << 20;

#[derive(ArgsInfo, FromArgs)]
#[argh(
    subcommand,
    name = "send",
    description = "Send a record to a server, as a telemetry client does. What is not given is what the client would say \
    of this machine, with the payload of its test probe.",
    example = "{command_name} --url http://collector:8080/ --encoding json\n\
    {command_name} --classification org.example/disk/full --severity 3 --payload '/var is full'\n\
    dmesg | {command_name} --file -",
    note = "Nothing is checked here: what the server says to a broken field is worth seeing. An empty value leaves a field out.",
    error_code(0, "the server stored the record"),
    error_code(1, "it could not be reached or cannot store the record now"),
    error_code(2, "it refused the record"),
    help_triggers("-h", "--help", "help")
)]
/// Sends a record.
pub struct SendCommand {
    #[argh(
        option,
        arg_name = "url",
        default = "String::from(\"http://127.0.0.1:8080/\")",
        description = "server (default http://127.0.0.1:8080/)"
    )]
    url: String,
    #[argh(
        option,
        arg_name = "file",
        description = "certificates in PEM form that the server's is checked by (default the public ones)"
    )]
    ca: Option<String>,
    #[argh(
        option,
        arg_name = "header|json",
        from_str_fn(encoding),
        default = "Encoding::Header",
        description = "encoding: header (default, clients up to 2.3) or json (current clients)"
    )]
    encoding: Encoding,
    #[argh(option, arg_name = "text", description = "the payload")]
    payload: Option<String>,
    #[argh(option, arg_name = "file", description = "file with the payload; - is standard input")]
    file: Option<String>,
    #[argh(
        option,
        arg_name = "id",
        description = "id of the organisation, X-Telemetry-TID (default the client's)"
    )]
    tid: Option<String>,
    #[argh(switch, description = "mark the record as external, X-CLR-External")]
    external: bool,
    #[argh(switch, description = "print the server's whole answer")]
    json: bool,
    #[argh(
        option,
        arg_name = "D/P/R",
        description = "DOMAIN/PROBE/REST (default org.clearlinux/hello/world)"
    )]
    classification: Option<String>,
    #[argh(
        option,
        arg_name = "1-4",
        description = "severity: 1 low (default), 2 medium, 3 high, 4 critical"
    )]
    severity: Option<String>,
    #[argh(option, arg_name = "id", description = "machine id (default a hash of /etc/machine-id)")]
    machine_id: Option<String>,
    #[argh(
        option,
        arg_name = "seconds",
        description = "when it was captured, in seconds since 1970 (default now)"
    )]
    creation_timestamp: Option<String>,
    #[argh(option, arg_name = "arch", description = "architecture")]
    arch: Option<String>,
    #[argh(option, arg_name = "text", description = "vendor|product|version of the machine")]
    host_type: Option<String>,
    #[argh(option, arg_name = "build", description = "build of the system")]
    build: Option<String>,
    #[argh(option, arg_name = "version", description = "version of the kernel")]
    kernel_version: Option<String>,
    #[argh(option, arg_name = "name", description = "name of the system, for example clear-linux-os")]
    system_name: Option<String>,
    #[argh(option, arg_name = "text", description = "name|vendor of the board")]
    board_name: Option<String>,
    #[argh(option, arg_name = "text", description = "model of the processor")]
    cpu_model: Option<String>,
    #[argh(option, arg_name = "text", description = "version of the firmware")]
    bios_version: Option<String>,
    #[argh(
        option,
        arg_name = "hex",
        description = "id of the event, 32 hexadecimal digits (default random)"
    )]
    event_id: Option<String>,
    #[argh(option, arg_name = "1-4", description = "version of the record format (default 4)")]
    record_format_version: Option<String>,
    #[argh(option, arg_name = "number", description = "version of the payload's format (default 1)")]
    payload_format_version: Option<String>,
}

impl SendCommand {
    /// Kinds: those of [`send::run`], and Usage where an option is wrong.
    pub fn run(self) -> Result<()> {
        let url = BaseUrl::parse(&self.url)?;
        let mut options = SendOptions::new(url.clone(), Clock::system().now())?;
        options.encoding = self.encoding;
        options.ca_pem = self.ca.as_deref().map(certificates).transpose()?;
        options.is_external = self.external;
        for (name, value) in self.fields() {
            if let Some(value) = value {
                options.set(name, value)?;
            }
        }
        if let Some(payload) = payload(self.payload, self.file.as_deref())? {
            options.payload = payload;
        }
        if let Some(tid) = self.tid {
            options.tid = tid;
        }
        let sent = send::run(&options)?;
        if self.json {
            return print(&format!("{}\n", sent.answer.trim_end()));
        }
        print(&format!("Stored as record {0}: {1}\n", sent.id, url.join(&format!("/records/{}", sent.id))))
    }

    fn fields(&self) -> [(&'static str, Option<&String>); 15] {
        [
            ("record_format_version", self.record_format_version.as_ref()),
            ("classification", self.classification.as_ref()),
            ("severity", self.severity.as_ref()),
            ("machine_id", self.machine_id.as_ref()),
            ("creation_timestamp", self.creation_timestamp.as_ref()),
            ("arch", self.arch.as_ref()),
            ("host_type", self.host_type.as_ref()),
            ("build", self.build.as_ref()),
            ("kernel_version", self.kernel_version.as_ref()),
            ("payload_format_version", self.payload_format_version.as_ref()),
            ("system_name", self.system_name.as_ref()),
            ("board_name", self.board_name.as_ref()),
            ("cpu_model", self.cpu_model.as_ref()),
            ("bios_version", self.bios_version.as_ref()),
            ("event_id", self.event_id.as_ref()),
        ]
    }
}

fn certificates(path: &str) -> Result<String> {
    read_file(Path::new(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn encoding(word: &str) -> std::result::Result<Encoding, String> {
    match word {
        "header" => Ok(Encoding::Header),
        "json" => Ok(Encoding::Json),
        _ => Err("it is header or json".to_owned()),
    }
}

/// The payload that the options name; none where they name none.
fn payload(text: Option<String>, file: Option<&str>) -> Result<Option<String>> {
    match (text, file) {
        (Some(_), Some(_)) => Err(Error::usage("Give --payload or --file, not both")),
        (Some(text), None) => Ok(Some(text)),
        (None, Some("-")) => read("standard input", std::io::stdin().lock()).map(Some),
        (None, Some(path)) => {
            let file =
                File::open(path).map_err(|e| Error::usage(format!("Cannot read {path}")).because(e))?;
            read(path, file).map(Some)
        }
        (None, None) => Ok(None),
    }
}

/// As text: UTF-8 where it is, else Latin-1, which is how the server reads a payload.
fn read(name: &str, source: impl Read) -> Result<String> {
    let mut bytes = Vec::new();
    source
        .take(PAYLOAD_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::usage(format!("Cannot read {name}")).because(error))?;
    if bytes.len() as u64 > PAYLOAD_BYTES_MAX {
        return Err(Error::usage(format!("{name} is too large for a payload (64 MiB)")));
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => error.as_bytes().iter().map(|byte| char::from(*byte)).collect(),
    })
}
