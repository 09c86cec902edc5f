// SPDX-License-Identifier: Apache-2.0
//! The spool beside the database: what is written when, what a start finds half done, what people drop in.
