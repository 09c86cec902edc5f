// SPDX-License-Identifier: Apache-2.0
//! Actions: submission, signatures, the ACL, targets.
