// SPDX-License-Identifier: Apache-2.0
//! The integration tests: one module a subject, all in one binary.

mod wire;
