//! The pipeline: lanes as state machines that hand out what to do, and never wait.
//!
//! [`lane`] decides the records of one partition; [`dispatch`] is a worker's set of lanes and says
//! what comes next (publish, checkpoint, seek, recover); [`recover`] says where a lane begins, and
//! [`restore`] brings its store there; [`standby`] keeps a copy of what others serve. [`relay`] is what has no
//! lanes: copies of inputs, and the fold over what many users show. The runtime carries it out against Kafka, `adapters/embedded`
//! in memory, the simulator with faults.

pub mod cache;
pub mod chain;
pub mod dispatch;
pub mod drift;
pub mod explain;
pub mod file;
pub mod filter;
pub mod intake;
pub mod invariants;
pub mod lane;
pub mod overlay;
pub mod profiles;
pub mod recover;
pub mod relay;
pub mod replay;
pub mod restore;
pub mod standby;
pub mod traced;
pub mod wire;
