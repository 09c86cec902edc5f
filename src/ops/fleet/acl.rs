// SPDX-License-Identifier: Apache-2.0
//! The ACL: shown, changed, exported; the bundle that agents get.
