// SPDX-License-Identifier: Apache-2.0
//! The scheduler: pending actions become commands, ended ones are completed.
