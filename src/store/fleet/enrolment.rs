// SPDX-License-Identifier: Apache-2.0
//! Endpoints and their keys: binding, unbinding, refusals.
