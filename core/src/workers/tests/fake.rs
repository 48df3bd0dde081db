//! A fake worker: a server that answers by a script and records the requests.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A received request.
#[derive(Debug, Clone)]
pub(super) struct Received {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) head: String,
    pub(super) body: String,
}

/// The answer to a request.
pub(super) enum Say {
    Json(u16, Value),
    Bytes(u16, &'static str, Vec<u8>),
    /// A redirect to this address.
    Redirect(String),
    /// No answer for four seconds.
    Hang,
    /// No answer; the connection is closed.
    Close,
    /// A body that never ends, with or without a length.
    Endless(Option<u64>),
}

pub(super) type Script = dyn Fn(&Received) -> Say + Send + Sync;

pub(super) struct Fake {
    pub(super) address: SocketAddr,
    seen: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
}

impl Fake {
    pub(super) fn start(script: impl Fn(&Received) -> Say + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0".parse().unwrap(), script)
    }

    fn start_at(address: SocketAddr, script: impl Fn(&Received) -> Say + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let script: Arc<Script> = Arc::new(script);
        let (log, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (script, log) = (Arc::clone(&script), Arc::clone(&log));
                std::thread::spawn(move || serve(stream, &*script, &log));
            }
        });
        Self { address, seen, stop }
    }

    /// Starts a worker that passes checks and answers all other requests by the script.
    pub(super) fn well(script: impl Fn(&Received) -> Say + Send + Sync + 'static) -> Self {
        Self::well_at("127.0.0.1:0".parse().unwrap(), script)
    }

    /// Like [`Fake::well`], at a given address.
    pub(super) fn well_at(address: SocketAddr, script: impl Fn(&Received) -> Say + Send + Sync + 'static) -> Self {
        Self::start_at(address, move |request| match request.path.as_str() {
            "/health" => Say::Json(200, json!({"ok": true, "status": "ok", "version": "0.1.0", "app": "must"})),
            "/models" => Say::Json(404, json!({})),
            _ => script(request),
        })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(super) fn seen(&self) -> Vec<Received> {
        self.seen.lock().clone()
    }

    /// Returns how many requests with this method had a path that begins with `path`.
    pub(super) fn count(&self, method: &str, path: &str) -> usize {
        self.seen.lock().iter().filter(|one| one.method == method && one.path.starts_with(path)).count()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Makes the listener's thread notice the flag.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, script: &Script, log: &Mutex<Vec<Received>>) {
    let Some(request) = read(&mut stream) else { return };
    log.lock().push(request.clone());
    let head = |status: u16, kind: &str, length: Option<u64>| {
        let length = length.map(|length| format!("content-length: {length}\r\n")).unwrap_or_default();
        format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{length}connection: close\r\n\r\n")
    };
    match script(&request) {
        Say::Json(status, value) => {
            let body = value.to_string();
            let _ = stream.write_all((head(status, "application/json", Some(body.len() as u64)) + &body).as_bytes());
        }
        Say::Bytes(status, kind, body) => {
            let _ = stream.write_all(head(status, kind, Some(body.len() as u64)).as_bytes());
            let _ = stream.write_all(&body);
        }
        Say::Redirect(to) => {
            let _ = stream.write_all(
                format!("HTTP/1.1 307 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .as_bytes(),
            );
        }
        Say::Hang => std::thread::sleep(Duration::from_secs(4)),
        Say::Close => {}
        Say::Endless(length) => {
            let _ = stream.write_all(head(200, "image/png", length).as_bytes());
            let mut chunk = vec![0; 1 << 16];
            chunk[..8].copy_from_slice(b"\x89PNG\r\n\x1a\n");
            while stream.write_all(&chunk).is_ok() {}
        }
    }
}

fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok())
        .unwrap_or(0);
    while bytes.len() < end + 4 + length {
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
            _ => return None,
        }
    }
    let mut words = head.split_whitespace();
    Some(Received {
        method: words.next()?.to_owned(),
        path: words.next()?.to_owned(),
        body: String::from_utf8_lossy(&bytes[end + 4..]).into_owned(),
        head,
    })
}
