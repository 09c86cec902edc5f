// SPDX-License-Identifier: Apache-2.0
//! Stopping an action.
