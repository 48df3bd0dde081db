//! The first picture, in `circle.png`.

use must::{GenerateRequest, Platform, Settings, Status};
use std::time::Duration;

fn main() -> must::Result<()> {
    let platform = Platform::open(Settings::new("data"))?;
    let task = platform.submit(&GenerateRequest::new("tiny-image", "a red circle").set("seed", 7))?;
    let ended = platform.wait(&task.id, None)?;
    match (ended.status, ended.error) {
        (Status::Done, _) => std::fs::write("circle.png", platform.result(&task.id)?.bytes)?,
        (_, error) => eprintln!("{error:?}"),
    }
    platform.close(Duration::from_secs(10))
}
