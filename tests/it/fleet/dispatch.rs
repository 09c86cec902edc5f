// SPDX-License-Identifier: Apache-2.0
//! Commands from action to result, the spool, restarts and kills.
