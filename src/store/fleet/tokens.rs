// SPDX-License-Identifier: Apache-2.0
//! Tokens that were accepted, so that each is accepted once.
