//! The tables of workers. They are there without the feature `workers` too, so that a data folder fits every build.

use crate::store::Migration;

pub(crate) const MIGRATION: Migration = Migration { name: "workers", sql: include_str!("schema.sql") };

pub(crate) const GIVEN_UP_MIGRATION: Migration =
    Migration { name: "given_up_tasks", sql: include_str!("given_up.sql") };

pub(crate) const PLACE_MIGRATION: Migration = Migration { name: "given_up_by_place", sql: include_str!("place.sql") };
