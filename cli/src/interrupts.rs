//! Interrupts: Ctrl-C, and the signals of service managers and of terminals that close.

use must::Error;
use std::future::poll_fn;
use std::task::{Context, Poll};

/// Calls `act` on a separate thread at each interrupt from now on. Interrupts then no longer end the program.
///
/// # Errors
/// `internal` when the system refuses to listen for signals.
pub(crate) fn on_interrupt(mut act: impl FnMut() + Send + 'static) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::internal(format!("cannot listen for interrupts: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(failed)?;
    let mut told = {
        let _entered = runtime.enter();
        Interrupts::listen().map_err(failed)?
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
struct Interrupts([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Interrupts {
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
struct Interrupts(
    tokio::signal::windows::CtrlC,
    tokio::signal::windows::CtrlBreak,
    tokio::signal::windows::CtrlClose,
    tokio::signal::windows::CtrlShutdown,
);

#[cfg(windows)]
impl Interrupts {
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
