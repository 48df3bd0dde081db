//! The tables of workers. They exist without the feature `workers` too, so that a data folder can be used with every build.

use crate::store::Migration;

pub(crate) const MIGRATION: Migration = Migration { name: "workers", sql: include_str!("schema.sql") };

pub(crate) const GIVEN_UP_MIGRATION: Migration =
    Migration { name: "given_up_tasks", sql: include_str!("given_up.sql") };

pub(crate) const PLACE_MIGRATION: Migration =
    Migration { name: "given_up_by_place", sql: include_str!("given_up_by_place.sql") };
