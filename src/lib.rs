//! Wardstream: an event-driven identity-risk engine.
//!
//! Layers, from the pure to the world; a module uses only what its row of the table in
//! `tests/it/tidy/layers.rs` allows. `ARCHITECTURE.md` tells the story.

pub mod engine;
pub mod model;
pub mod pipeline;
pub mod ports;
pub mod simulate;

pub mod halts;
pub mod telemetry;

pub mod adapters;
pub mod config;
pub mod runtime;

mod app;
pub mod cli;
