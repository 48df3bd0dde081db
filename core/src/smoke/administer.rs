//! The third part: an administrator signs in, checks the accounts, reads the audit log and signs out.

use super::client::{Answer, Extras};
use super::{Run, StepResult};
use crate::keyring::SecretText;
use http::Method;
use serde_json::Value;

pub(super) async fn story(run: &mut Run) {
    run.story = "Administration";
    let Some(key) = run.options.admin_key.clone() else {
        return run.skip("An administrator signs in", "there is no admin key");
    };
    let signed_in = async {
        let with = Extras::default().header("x-admin-key", key.expose());
        let answer = run.client.ask_plain(Method::POST, "/admin/session", with).await?.expect(204)?;
        let cookie = answer.cookie.filter(|cookie| cookie.starts_with("gg_admin_session="));
        let cookie = cookie.ok_or_else(|| "204 without the cookie".to_owned())?;
        Ok(("204 and the cookie".to_owned(), SecretText::new(cookie)))
    };
    let cookie = run.step("An administrator signs in", "POST /admin/session", "204 and a cookie", signed_in).await;
    let Some(cookie) = cookie else { return run.skip("The administration", "nobody is signed in") };
    let admin = Admin { run, cookie };
    run.step("The parts of the platform are ready", "GET /admin/health", "200, ok", admin.health()).await;
    admin.accounts().await;
    run.step("The log has the sign-in", "GET /admin/logs", "the sign-in among the events", admin.logs()).await;
    run.step("The log is intact", "GET /admin/audit/verify", "200, ok", admin.verified()).await;
    let expected = "204, then 401 admin_session_expired";
    run.step("The administrator signs out", "DELETE /admin/session", expected, admin.signed_out()).await;
}

struct Admin<'a> {
    run: &'a Run,
    cookie: SecretText,
}

impl Admin<'_> {
    async fn ask(&self, method: Method, path: &str) -> Result<Answer, String> {
        let with = Extras::default().header("cookie", self.cookie.expose());
        // Checking an account includes a request to its worker.
        self.run.client.ask_plain(method, path, with.limit(self.run.options.answer_limit * 2)).await
    }

    async fn health(&self) -> StepResult<()> {
        let answer = self.ask(Method::GET, "/admin/health").await?.expect(200)?.json();
        match answer.get("ok") {
            Some(Value::Bool(true)) => Ok(("200, ok".to_owned(), ())),
            _ => {
                let parts = ["storage", "secrets", "audit"].into_iter();
                let broken = parts.filter(|part| answer.pointer(&format!("/{part}/ok")) != Some(&Value::Bool(true)));
                Err(format!("not ready: {}", broken.collect::<Vec<_>>().join(", ")))
            }
        }
    }

    /// Lists the accounts. If one is ready, checks, disables and enables it, which leaves it as it was.
    async fn accounts(&self) {
        let list = async {
            let answer = self.ask(Method::GET, "/admin/accounts").await?.expect(200)?.json();
            let accounts = answer.get("accounts").and_then(Value::as_array).cloned();
            let accounts = accounts.ok_or_else(|| "200 without a list".to_owned())?;
            Ok((format!("200, {} accounts", accounts.len()), accounts))
        };
        let Some(accounts) = self.run.step("The accounts", "GET /admin/accounts", "200 and a list", list).await else {
            return;
        };
        let ready = accounts.iter().find(|account| account.get("status").and_then(Value::as_str) == Some("ready"));
        let Some(id) = ready.and_then(|account| account.get("id")).and_then(Value::as_str) else {
            return self.run.skip("An account is checked, disabled and enabled", "no account is ready");
        };
        for (name, verb, expected) in [
            ("An account is checked", "health", "ready"),
            ("The account is disabled", "disable", "disabled"),
            ("The account is enabled after a check", "enable", "ready"),
        ] {
            let done = async {
                let answer = self.ask(Method::POST, &format!("/admin/accounts/{id}/{verb}")).await?.expect(200)?;
                let status = answer.text("status");
                if status == expected { Ok((format!("200, {status}"), ())) } else { Err(format!("200, {status}")) }
            };
            let asked = format!("POST /admin/accounts/{{id}}/{verb}");
            self.run.step(name, &asked, &format!("200, {expected}"), done).await;
        }
    }

    async fn logs(&self) -> StepResult<()> {
        let answer = self.ask(Method::GET, "/admin/logs?limit=1000").await?.expect(200)?.json();
        let events = answer.get("logs").and_then(Value::as_array).cloned().unwrap_or_default();
        let there =
            events.iter().any(|event| event.get("action").and_then(Value::as_str) == Some("admin_session_create"));
        let got = format!("200, {} events", events.len());
        if there { Ok((got, ())) } else { Err(format!("{got}, without the sign-in")) }
    }

    async fn verified(&self) -> StepResult<()> {
        let answer = self.ask(Method::GET, "/admin/audit/verify").await?.expect(200)?.json();
        let size = answer.get("size").and_then(Value::as_u64).unwrap_or(0);
        match answer.get("ok") {
            Some(Value::Bool(true)) => Ok((format!("200, {size} events, intact"), ())),
            _ => Err(format!("200, {size} events, not intact: {}", answer.get("fault").unwrap_or(&Value::Null))),
        }
    }

    async fn signed_out(&self) -> StepResult<()> {
        self.ask(Method::DELETE, "/admin/session").await?.expect(204)?;
        let after = self.ask(Method::GET, "/admin/health").await?;
        after.refusal(401, "admin_session_expired").map(|said| (format!("204, then {said}"), ()))
    }
}
