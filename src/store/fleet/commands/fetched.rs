// SPDX-License-Identifier: Apache-2.0
//! Fetching and answering commands.
