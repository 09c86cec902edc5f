// SPDX-License-Identifier: Apache-2.0
//! What an agent can do: each module takes parameters and gives results in MIG's form. Nothing here knows the
//! network, the server or who may ask for it.
