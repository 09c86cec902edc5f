// SPDX-License-Identifier: Apache-2.0
//! What agents fetch and answer.
