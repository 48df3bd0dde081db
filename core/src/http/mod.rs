//! The HTTP API: an adapter over [`Platform`](crate::Platform), served on a socket or mounted in a host's own server.
//!
//! A request is parsed, checked by [`crate::access`], turned into one call of the platform, and its answer is written; nothing
//! else is decided here. `routes.rs` is the one table of calls: the router and the OpenAPI document are both made from it.
//! Invariants: every answer with a status of 400 or more is `{code, detail, user_action}`, with `error` beside them under `/v1`
//! (bytes that are not HTTP are refused by hyper, with a status and no body); bodies, headers, times and
//! connections are limited; no credential of a caller reaches a log. Calls of the platform block, and run on threads that may block.

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
mod service;
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
pub use server::Server;
pub use service::{Answer, HttpService};
pub use state::Mount;
