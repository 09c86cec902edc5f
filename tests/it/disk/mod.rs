// SPDX-License-Identifier: Apache-2.0
//! A disk that is full, and a data directory that cannot or must not be used.

mod full;
mod purged;
mod refused;
pub mod small_disk;
