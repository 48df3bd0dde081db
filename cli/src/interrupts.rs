//! Being told to end: Ctrl-C, and what service managers and closing terminals send.

use must::Error;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// From now on calls `act`, on a thread of its own, whenever the program is told to end; nothing else ends it then.
///
/// # Errors
/// `internal` when the system does not let it listen.
pub(crate) fn on_interrupt(mut act: impl FnMut() + Send + 'static) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::internal(format!("cannot listen for interrupts: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let mut told = {
        let _entered = runtime.enter();
        Told::listen().map_err(failed)?
    };
    let listening = move || {
        runtime.block_on(async {
            loop {
                poll_fn(|context| told.poll(context)).await;
                act();
            }
        })
    };
    std::thread::Builder::new().name("must-interrupts".to_owned()).spawn(listening).map(drop).map_err(failed)
}

#[cfg(unix)]
struct Told([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Told {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?]))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        match self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

#[cfg(windows)]
struct Told(
    tokio::signal::windows::CtrlC,
    tokio::signal::windows::CtrlBreak,
    tokio::signal::windows::CtrlClose,
    tokio::signal::windows::CtrlShutdown,
);

#[cfg(windows)]
impl Told {
    fn listen() -> std::io::Result<Self> {
        use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
        Ok(Self(ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let told = [
            self.0.poll_recv(context),
            self.1.poll_recv(context),
            self.2.poll_recv(context),
            self.3.poll_recv(context),
        ];
        match told.iter().any(Poll::is_ready) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}
