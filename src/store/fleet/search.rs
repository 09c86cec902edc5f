// SPDX-License-Identifier: Apache-2.0
//! The searches of MIG's API: which ids, in which order.
