//! Image and video generation, with the whole platform around it, inside your own process.
pub mod diffusion;
pub mod error;
pub mod media;
pub mod platform;
pub mod settings;
pub mod task;

pub use error::{Error, ErrorCode, Result};
pub use platform::{Event, Platform, TaskEvents};
pub use settings::{DeviceChoice, Settings};
pub use task::{GenerateRequest, Media, MediaType, Sort, Status, Task, TaskError, TaskPage, TaskQuery};
