// SPDX-License-Identifier: Apache-2.0
//! `muster action`: text to sign, preview, submit, list, show, cancel.
