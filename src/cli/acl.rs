// SPDX-License-Identifier: Apache-2.0
//! `muster acl`: weights of signatures.
