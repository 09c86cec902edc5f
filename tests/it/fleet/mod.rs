// SPDX-License-Identifier: Apache-2.0
//! The fleet: agents, investigators, actions, commands, the spool.

mod actions;
mod agent;
mod audit;
mod dispatch;
mod heartbeats;
mod investigators;
mod mig;
mod pages;
