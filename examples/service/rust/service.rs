//! A generation service. Usage: must-service DATA_FOLDER ADDRESS

use must::access::KeyStatus;
use must::audit::{AuditQuery, Caller};
use must::secrets::SecretText;
use must::{Platform, Settings};
use nix::sys::signal::{SigSet, Signal};
use std::io;
use std::time::Duration;

fn main() -> must::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, data, address] = arguments.as_slice() else {
        eprintln!("usage: must-service DATA_FOLDER ADDRESS");
        std::process::exit(2);
    };

    // Blocks SIGINT (Ctrl-C) and SIGTERM (`kill`). Threads that start later inherit this. The program waits for both below.
    let mut stop = SigSet::empty();
    stop.add(Signal::SIGINT);
    stop.add(Signal::SIGTERM);
    stop.thread_block().map_err(io::Error::from)?;

    let mut settings = Settings::new(data);
    settings.queue_depth = 100;
    settings.image_limit = Duration::from_secs(60);
    settings.admin_key = std::env::var("ADMIN_KEY").ok().map(SecretText::new);
    let platform = Platform::open_with_log(settings, |record| {
        eprintln!("{} {} {}", record.time, record.level.as_str(), record.message);
    })?;

    let operator = Caller::new("operator", "service");
    let access = platform.access()?;
    if !access.keys()?.iter().any(|key| key.status == KeyStatus::Active) {
        let issued = access.issue_key("first", None, &operator)?;
        println!("key {}", issued.secret.expose());
    }

    let server = platform.serve(address)?;
    println!("serving http://{}", server.address());
    stop.wait().map_err(io::Error::from)?;

    server.stop(Duration::from_secs(10));
    let newest = AuditQuery { limit: 5, ..AuditQuery::default() };
    for event in platform.audit()?.list(&newest, &operator)?.logs {
        println!("{} {} {} {}", event.timestamp, event.actor, event.action, event.target);
    }
    println!("audit log intact: {}", platform.audit()?.verify()?.ok);
    platform.close(Duration::from_secs(10))
}
