// SPDX-License-Identifier: Apache-2.0
//! Who may bring an agent: the token, keys that bind, an admin who unbinds.
