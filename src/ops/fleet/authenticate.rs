// SPDX-License-Identifier: Apache-2.0
//! Who asks the API: signed tokens and API keys, each failure slower than the one before.
