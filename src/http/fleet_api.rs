// SPDX-License-Identifier: Apache-2.0
//! `POST /api/v1/heartbeat` and `/api/fleet/…`: agents beat, people ask who is offline or double.
