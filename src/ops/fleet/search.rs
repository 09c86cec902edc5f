// SPDX-License-Identifier: Apache-2.0
//! Searches of MIG's API: parameters in, rows out.
