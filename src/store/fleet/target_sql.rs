// SPDX-License-Identifier: Apache-2.0
//! Targets as SQL: a condition of the target language over the tables of agents.
