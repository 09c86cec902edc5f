// SPDX-License-Identifier: Apache-2.0
//! The fleet's numbers now and over time, taken every minute; double agents are warned of.
