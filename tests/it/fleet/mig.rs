// SPDX-License-Identifier: Apache-2.0
//! The API as MIG's clients use it.
