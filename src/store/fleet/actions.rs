// SPDX-License-Identifier: Apache-2.0
//! Actions: storing, reading, statuses, signers.
