//! Tests of requests to workers that read slowly or not at all.

use crate::pace::Pace;
use crate::settings::HttpSettings;
use crate::settings::WorkerSettings;
use crate::workers::address::Addresses;
use crate::workers::client::{Answer, NoAnswer, Target, WorkerClient};
use http::Method;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::time::{Duration, Instant};

const LARGE: usize = 32 << 20;

/// Starts a worker that reads one request at `bytes_per_second` and at most `most` bytes of its body. Its thread returns the number
/// of bytes read. If `answers` is true, it answers after a complete body.
fn slow_worker(bytes_per_second: usize, most: usize, answers: bool) -> (String, std::thread::JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut head = vec![];
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).unwrap().split("\r\n").next().unwrap();
        let length: usize = length.parse().unwrap();
        assert!(!head.contains("transfer-encoding"));
        let (began, mut received) = (Instant::now(), 0);
        let mut chunk = vec![0; 64 << 10];
        while received < length.min(most) {
            received += stream.read(&mut chunk).unwrap();
            let due = Duration::from_secs_f64(received as f64 / bytes_per_second as f64);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
        }
        if received == length && answers {
            stream.write_all(b"HTTP/1.1 202 X\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}").unwrap();
        }
        // The connection stays open until the client has gone. Closing it with unread data would reset it.
        std::thread::sleep(Duration::from_secs(if received < length { 8 } else { 3 }));
        received
    });
    (address, serving)
}

/// Sends a body of this size. Returns the outcome and how long it took.
fn send(address: String, bytes: usize) -> (Result<Answer, NoAnswer>, Duration) {
    let settings = WorkerSettings {
        answer_timeout: Duration::from_secs(1),
        networks: vec!["127.0.0.0/8".to_owned()],
        ..Default::default()
    };
    let pace = Pace::of(&HttpSettings { body_timeout: Duration::from_secs(2), ..HttpSettings::default() });
    let client = WorkerClient::new(&settings, pace, Addresses::new(&settings.networks).unwrap()).unwrap();
    let target = Target { workspace: "team-a".to_owned(), address, api_key: None };
    let mut ask = client.ask(Method::POST, "/generate_direct");
    ask.body = Some(vec![b' '; bytes]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let began = Instant::now();
    (runtime.block_on(client.send(&target, ask)), began.elapsed())
}

#[test]
fn a_request_that_keeps_moving_may_take_longer_than_the_answer_timeout() {
    let (address, serving) = slow_worker(10 << 20, LARGE, true);
    let (answer, took) = send(address, LARGE);
    let answer = answer.unwrap();
    assert_eq!((answer.status.as_u16(), answer.body.as_slice()), (202, &b"{}"[..]));
    assert!(took > Duration::from_secs(2), "{took:?}: the worker was not slow");
    assert_eq!(serving.join().unwrap(), LARGE);
}

#[test]
fn a_request_that_stops_moving_fails_as_not_sent() {
    let (address, serving) = slow_worker(100 << 20, 1 << 20, true);
    let (answer, took) = send(address, LARGE);
    let Err(NoAnswer::NotSent(error)) = answer else { panic!("{answer:?}") };
    assert!(error.detail().contains("team-a took nothing more of the request for 2 s"), "{error}");
    assert!(took < Duration::from_secs(20), "{took:?}");
    assert!(serving.join().unwrap() < LARGE);
}

#[test]
fn a_request_without_an_answer_may_have_arrived() {
    let (address, serving) = slow_worker(100 << 20, LARGE, false);
    let (answer, took) = send(address, 100);
    let Err(NoAnswer::Unknown(error)) = answer else { panic!("{answer:?}") };
    assert!(error.detail().contains("did not answer in time"), "{error}");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
    assert_eq!(serving.join().unwrap(), 100);
}
