// SPDX-License-Identifier: Apache-2.0
//! The reference agent against the server, with signatures made by gpg.
