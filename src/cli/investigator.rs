// SPDX-License-Identifier: Apache-2.0
//! `muster investigator`: who may ask and sign.
