//! The HTTP face: an adapter over [`Platform`](crate::Platform), served on a socket or mounted in a host's own server.
//!
//! A request is parsed, judged by [`crate::access`], turned into one call of the platform, and its answer written down; nothing
//! here decides anything else. `routes.rs` is the one table of calls: the router and the OpenAPI document are both made of it.
//! What always holds: every answer that is not a success is `{code, detail, user_action}`, with `error` beside them under `/v1`
//! (what is not HTTP at all is refused by hyper, with a status and no body); bodies, headers, times and
//! connections are bounded; no credential of a caller reaches a log. Calls of the platform block, and run on threads for that.

#[cfg(feature = "workers")]
mod accounts;
mod address;
mod admin;
mod all_tasks;
mod auth;
mod body;
mod call;
mod compress;
mod connection;
mod cors;
mod dispatch;
mod events;
mod face;
mod generation;
mod media;
mod metrics;
mod openai;
mod openapi;
mod reading_order;
mod route;
mod route_access;
mod routes;
mod server;
mod state;
#[cfg(feature = "web")]
mod studio;
mod views;
mod waiting;
#[cfg(feature = "web")]
mod web;

#[cfg(test)]
mod tests;

pub use crate::settings::{HttpSettings, SameSite};
pub use face::{Answer, Face};
pub use server::Server;
pub use state::Mount;
