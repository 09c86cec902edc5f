// SPDX-License-Identifier: Apache-2.0
//! Investigators, their keys, tokens and API keys.
