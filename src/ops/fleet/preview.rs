// SPDX-License-Identifier: Apache-2.0
//! Which agents a target means, before anything is launched.
