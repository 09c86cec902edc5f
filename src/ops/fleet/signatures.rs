// SPDX-License-Identifier: Apache-2.0
//! Whose signatures an action has.
