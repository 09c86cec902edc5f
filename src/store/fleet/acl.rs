// SPDX-License-Identifier: Apache-2.0
//! The ACL's tables.
