//! The one class that JavaScript sees.

use crate::bridge::{Answer, Bridge, LogArgs, LogBridge, ReplyArgs};
use crate::driver::{Driver, EXIT_DEADLINE};
use crate::files::write_whole;
use crate::host::{AskArgs, HostFunctions, NativeClock, NativeHostFunctions};
use must::secrets::SecretText;
use must::{Error, GenerateRequest, Media, Platform, Settings, SubmitOptions, TaskQuery};
use napi::bindgen_prelude::{Env, Function, Uint8Array};
use napi_derive::napi;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// Raw bytes of one image of a request.
#[napi(object)]
pub struct NativeImage {
    /// Path of the parameter, such as `reference_image` or `arbitrary_frames[0].image`.
    pub name: String,
    /// PNG, JPEG or WebP.
    pub bytes: Uint8Array,
}

/// A handle of a platform. Every method except `answer`, `unfollow`, `forget`, `endAnswer` and `release` calls `reply` with the number
/// `call`.
#[napi]
pub struct NativePlatform {
    driver: Arc<Driver>,
    hook: Option<napi::CleanupEnvHook<Weak<Driver>>>,
}

#[napi]
impl NativePlatform {
    /// Starts the threads of the handle. `reply` is called with the number of the call, and its failure or its answer.
    #[napi(constructor)]
    pub fn new(
        env: Env,
        #[napi(ts_arg_type = "(call: number, failure: NativeFailure | null, value: string | Buffer | null) => void")]
        reply: Function<'_, ReplyArgs, ()>,
    ) -> napi::Result<Self> {
        let bridge = Bridge::new(&reply)?;
        let driver = Driver::start(bridge).map_err(|error| napi::Error::from_reason(error.to_string()))?;
        let driver = Arc::new(driver);
        // Hooks run in the reverse order of their registration. This one joins the threads before Node destroys the reply function.
        // The data of a removed hook is never freed, so the hook holds only a weak reference to the driver.
        let hook = env.add_env_cleanup_hook(Arc::downgrade(&driver), |driver| {
            if let Some(driver) = driver.upgrade() {
                driver.stop(EXIT_DEADLINE);
            }
        })?;
        Ok(Self { driver, hook: Some(hook) })
    }

    /// Opens the data folder. `settings` is JSON. `log` is called with each log record as JSON. `ask` is called with the number of a
    /// question to one of the functions in `provided`, and the answer is given by calling `answer` with this number. Answers with null.
    #[napi]
    pub fn open(
        &self,
        call: u32,
        settings: String,
        #[napi(ts_arg_type = "((record: string) => void) | null")] log: Option<Function<'_, LogArgs, ()>>,
        #[napi(ts_arg_type = "(question: number, what: string, checkpoint: string | null) => void")] ask: Function<
            '_,
            AskArgs,
            (),
        >,
        provided: NativeHostFunctions,
        clock: Option<&NativeClock>,
    ) -> napi::Result<()> {
        let log = log.as_ref().map(LogBridge::new).transpose()?;
        let functions = HostFunctions::new(&ask)?;
        let host = functions.host(&provided, clock);
        self.driver.use_functions(functions);
        // Paths are fixed here and not on the thread that opens, because the program may change its folder meanwhile.
        let settings = Settings::from_json(&settings).and_then(Settings::with_fixed_paths);
        self.driver.open(call, move || {
            let settings = settings?;
            match log {
                Some(log) => Platform::open_with_host_and_log(settings, host, move |record| log.hand_over(record)),
                None => Platform::open_with(settings, host),
            }
        });
        Ok(())
    }

    /// Answers a question of `ask`: with the text of keys, with nothing if a checkpoint was stored, or with the class of the thrown error.
    #[napi]
    pub fn answer(&self, question: u32, text: Option<String>, thrown: Option<String>) {
        let reply = match thrown {
            Some(class) => Err(format!("its function threw {class}")),
            None => Ok(SecretText::new(text.unwrap_or_default())),
        };
        self.driver.answer(question, reply);
    }

    /// Answers with the load of the lanes.
    #[napi]
    pub fn load(&self, call: u32) {
        self.driver.call(call, |platform| Answer::json(&platform.load()?));
    }

    /// Answers with the array of models.
    #[napi]
    pub fn models(&self, call: u32) {
        self.driver.call(call, |platform| Answer::json(&platform.models()?));
    }

    /// Submits a request. The request and the options are JSON, and the images of the request are separate. With `image_paths`, a text
    /// for an image may be the path of a file. Answers with the task.
    #[napi]
    pub fn submit(&self, call: u32, request: String, images: Vec<NativeImage>, image_paths: bool, options: String) {
        let images: Vec<_> = images.into_iter().map(|image| (image.name, image.bytes.to_vec())).collect();
        self.driver.submit(call, move |platform| {
            let mut request = GenerateRequest::from_json(&request)?;
            request.images.extend(images);
            if image_paths {
                platform.read_image_files(&mut request)?;
            }
            Ok((request, SubmitOptions::from_json(&options)?))
        });
    }

    /// Answers with the current state of the task.
    #[napi]
    pub fn status(&self, call: u32, task: String) {
        self.driver.call(call, move |platform| Answer::json(&platform.status(&task)?));
    }

    /// Answers with the task when it has ended.
    #[napi]
    pub fn wait(&self, call: u32, task: String) {
        self.driver.wait(call, task);
    }

    /// Begins to follow a task. From then on, `call` is the number of the stream. Answers with null.
    #[napi]
    pub fn follow(&self, call: u32, task: String) {
        self.driver.follow(call, task);
    }

    /// Answers with the next state of a followed task, and null after the last one.
    #[napi]
    pub fn next(&self, call: u32, stream: u32) {
        self.driver.next(call, stream);
    }

    /// Ends a stream.
    #[napi]
    pub fn unfollow(&self, stream: u32) {
        self.driver.unfollow(stream);
    }

    /// Abandons a `wait` or a `next`, which is then not answered.
    #[napi]
    pub fn forget(&self, call: u32) {
        self.driver.forget(call);
    }

    /// Asks a task to end. Answers whether it was still pending or running.
    #[napi]
    pub fn cancel(&self, call: u32, task: String) {
        self.driver.call(call, move |platform| Answer::json(&platform.cancel(&task)?));
    }

    /// Answers with the bytes of the result.
    #[napi]
    pub fn result(&self, call: u32, task: String) {
        self.driver.call(call, move |platform| Ok(bytes(platform.result(&task)?)));
    }

    /// Answers with the frames of the result: four bytes each for width and height, little-endian, then the pixels.
    #[napi]
    pub fn frames(&self, call: u32, task: String) {
        self.driver.call(call, move |platform| {
            let frames = platform.frames(&task)?;
            let mut bytes = Vec::with_capacity(frames.rgb.len() + 8);
            bytes.extend(frames.width.to_le_bytes());
            bytes.extend(frames.height.to_le_bytes());
            bytes.extend(frames.rgb);
            Ok(Answer::Bytes(bytes))
        });
    }

    /// Answers with the bytes of the preview.
    #[napi]
    pub fn preview(&self, call: u32, task: String) {
        self.driver.call(call, move |platform| Ok(bytes(platform.preview(&task)?)));
    }

    /// Writes the result to a file, or into a folder under its own name. Answers with the path of the file.
    #[napi]
    pub fn save(&self, call: u32, task: String, path: String) {
        self.driver.call(call, move |platform| {
            let media = platform.result(&task)?;
            let mut path = PathBuf::from(path);
            if path.is_dir() {
                path.push(&media.file_name);
            }
            write_whole(&path, &media.bytes)?;
            Answer::json(&path)
        });
    }

    /// Answers with a page of tasks. `query` is JSON.
    #[napi]
    pub fn tasks(&self, call: u32, query: String) {
        self.driver.call(call, move |platform| Answer::json(&platform.tasks(&TaskQuery::from_json(&query)?)?));
    }

    /// Answers with a page of finished tasks. `query` is JSON.
    #[napi]
    pub fn gallery(&self, call: u32, query: String) {
        self.driver.call(call, move |platform| Answer::json(&platform.gallery(&TaskQuery::from_json(&query)?)?));
    }

    /// Removes an ended task and its files. Answers with null.
    #[napi]
    pub fn delete(&self, call: u32, task: String) {
        self.driver.call(call, move |platform| Answer::json(&platform.delete(&task)?));
    }

    /// Makes an administrative call by its name. `arguments` is JSON. Answers with the result of that call.
    #[napi]
    pub fn invoke(&self, call: u32, name: String, arguments: String) {
        self.driver.call(call, move |platform| Ok(Answer::Json(platform.call(&name, &arguments)?.expose().to_owned())));
    }

    /// Serves the HTTP API. From then on, `call` is the number of the server. Answers with the address.
    #[napi]
    pub fn serve(&self, call: u32, address: String) {
        self.driver.serve(call, address);
    }

    /// Stops a server. Answers whether all its calls ended before the deadline.
    #[napi]
    pub fn stop_server(&self, call: u32, server: u32, deadline_ms: f64) {
        self.driver.stop_server(call, server, milliseconds(deadline_ms));
    }

    /// Answers how many milliseconds to wait for the next part of a request's body. `received` bytes have arrived in `elapsed_ms`, the
    /// last ones `idle_ms` ago.
    #[napi]
    pub fn body_wait(&self, call: u32, received: f64, elapsed_ms: f64, idle_ms: f64) {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of bytes that were counted"
        )]
        let received = received as u64;
        self.driver.body_wait(call, received, milliseconds(elapsed_ms), milliseconds(idle_ms));
    }

    /// Handles an HTTP request. `head` is JSON with method, target, headers, peer and mount. Answers with status and headers. From then on,
    /// `call` is the number of this response.
    #[napi]
    pub fn request(&self, call: u32, head: String, body: Uint8Array) {
        let head = serde_json::from_str(&head)
            .map_err(|error| Error::validation(format!("the request is not valid: {error}")));
        self.driver.request(call, head, body.to_vec());
    }

    /// Answers with the next part of a response's body, and null at its end.
    #[napi]
    pub fn chunk(&self, call: u32, answer: u32) {
        self.driver.chunk(call, answer);
    }

    /// Ends a response whose remaining body is not wanted.
    #[napi]
    pub fn end_answer(&self, answer: u32) {
        self.driver.end_answer(answer);
    }

    /// Answers with the metrics in the text format of Prometheus.
    #[napi]
    pub fn metrics(&self, call: u32) {
        self.driver.call(call, |platform| Answer::json(&platform.metrics()?));
    }

    /// Closes the platform and ends its threads. Then answers with null.
    #[napi]
    pub fn close(&self, call: u32, deadline_ms: f64) {
        self.driver.close(call, milliseconds(deadline_ms));
    }

    /// Closes the platform if it is open, and blocks until its threads have ended. For the end of a process.
    #[napi]
    pub fn release(&mut self, env: Env, deadline_ms: f64) -> napi::Result<()> {
        self.driver.stop(milliseconds(deadline_ms));
        self.hook.take().map_or(Ok(()), |hook| env.remove_env_cleanup_hook(hook))
    }
}

fn bytes(media: Media) -> Answer {
    Answer::Bytes(media.bytes)
}

/// A duration from milliseconds, which may have a fraction. An invalid number counts as zero, and a very large one as a day.
fn milliseconds(value: f64) -> Duration {
    let most = Duration::from_secs(86_400);
    Duration::try_from_secs_f64(value / 1000.0)
        .map_or(if value > 0.0 { most } else { Duration::ZERO }, |time| time.min(most))
}
