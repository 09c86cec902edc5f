// SPDX-License-Identifier: Apache-2.0
//! The program: hands the command line to `cli` and turns the outcome into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(muster::cli::main(std::env::args_os().skip(1).collect()))
}
