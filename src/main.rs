// SPDX-License-Identifier: Apache-2.0
//! The program: hands the command line to `cli` and turns the outcome into an exit status.

fn main() {}
