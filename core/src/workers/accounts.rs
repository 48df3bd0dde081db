//! The calls of administrators on accounts. Each call writes an event of the audit log in the same transaction as its change.

use super::account::{Account, AccountChange, AccountStatus, NewAccount};
use super::address::{is_workspace, split_id};
use super::health::Why;
use super::requests::cancel_there;
use super::service::Workers;
use super::state::{Tokens, secret_name};
use super::store::found;
use super::{health, store};
use crate::audit::{Caller, NewEvent, Outcome};
use crate::error::{Error, ErrorCode, Result};
use crate::keyring::SecretText;
use crate::secrets::revoke_in;
use crate::task::fail_all_at;
use std::sync::Arc;

/// Largest number of characters of a label.
const LONGEST_LABEL: usize = 64;

/// Largest number of bytes of a token.
const LONGEST_TOKEN: usize = 4096;

impl Workers {
    /// Registers an account. It is `pending` until it is checked.
    ///
    /// # Errors
    /// `validation_error`, also if the workspace is already registered; `dependency_unavailable` if the vault is shut.
    pub fn add(&self, new: NewAccount, caller: &Caller) -> Result<Account> {
        let shared = &self.shared;
        check_label(&new.label)?;
        let workspace = new.workspace.clone().unwrap_or_else(|| new.label.clone());
        if !is_workspace(&workspace) {
            return Err(Error::validation(
                "the name of a workspace consists of 3 to 64 of the characters a-z, 0-9 and -",
            )
            .with_action("Give the account a workspace of such a name."));
        }
        let address = self.address(new.address.as_deref(), &workspace)?;
        let tokens = Tokens { token_id: new.token_id, token_secret: new.token_secret, api_key: new.api_key };
        let tokens = checked(&tokens)?;
        let now = shared.clock.now();
        let id = uuid::Uuid::now_v7().to_string();
        let sealed = shared.vault.seal_stored(&secret_name(&id), &tokens.to_text())?;
        let account = Account {
            id: id.clone(),
            label: new.label,
            workspace,
            address,
            status: AccountStatus::Pending,
            error: None,
            models: None,
            active: 0,
            dispatched: 0,
            created_at: now,
            updated_at: now,
            checked_at: None,
            used_at: None,
            deployment: None,
        };
        let event = event(caller, "account_create", &account).with("address", &account.address);
        let account = shared.audit.record(move |connection| {
            if store::get(connection, &account.workspace)?.is_some() {
                return Err(Error::validation(format!("the workspace {} is registered already", account.workspace)));
            }
            store::insert(connection, &account)?;
            sealed.keep(connection, now)?;
            Ok((found(connection, &id)?, event))
        })?;
        shared.count()?;
        Ok(account)
    }

    /// Returns every account, in the order of registration.
    ///
    /// # Errors
    /// `dependency_unavailable` when the database cannot be read.
    pub fn list(&self) -> Result<Vec<Account>> {
        self.shared.store.read(store::all)
    }

    /// Returns the account with this id or this workspace.
    ///
    /// # Errors
    /// `not_found`.
    pub fn get(&self, id: &str) -> Result<Account> {
        self.shared.store.read(|connection| found(connection, id))
    }

    /// Changes an account. If it is `ready` or `checking` and its address, tokens or key have changed, it is checked again.
    ///
    /// # Errors
    /// `not_found`; `validation_error`, also if the account has its own API key and the new address is on another host but the key is
    /// not given again; `dependency_unavailable`.
    pub fn update(&self, id: &str, mut change: AccountChange, caller: &Caller) -> Result<Account> {
        let shared = &self.shared;
        let new_token = change.take_token()?;
        if change.label.is_none() && change.address.is_none() && new_token.is_none() && change.api_key.is_none() {
            return Err(
                Error::validation("no change is given").with_action("Give a label, an address, a token or an API key.")
            );
        }
        if let Some(label) = &change.label {
            check_label(label)?;
        }
        let account = self.get(id)?;
        let address = change.address.as_deref().map(|text| shared.addresses.check_url(text)).transpose()?;
        let now = shared.clock.now();
        let new_key = change.api_key.is_some();
        let sealed = if new_token.is_some() || change.api_key.is_some() {
            // The token may have expired. It is replaced, and the API key that is stored with it is kept.
            let before = shared.last_tokens(&account)?;
            let tokens = match (new_token, before) {
                (Some((token_id, token_secret)), before) => {
                    let api_key = change.api_key.or(before.and_then(|tokens| tokens.api_key));
                    Tokens { token_id, token_secret, api_key }
                }
                (None, Some(before)) => Tokens { api_key: change.api_key, ..before },
                (None, None) => {
                    return Err(Error::new(ErrorCode::DependencyUnavailable, "the tokens of the account were revoked")
                        .with_action("Give the account new tokens."));
                }
            };
            let tokens = checked(&tokens)?;
            Some(shared.vault.seal_stored(&secret_name(&account.id), &tokens.to_text())?)
        } else {
            None
        };
        let moved = address.as_ref().is_some_and(|address| !same_host(address, &account.address));
        if moved && !new_key && shared.last_tokens(&account)?.is_some_and(|tokens| tokens.api_key.is_some()) {
            return Err(Error::validation("the account has its own API key, which must not be sent to another host")
                .with_action("Give the API key again, together with the new address."));
        }
        let recheck = sealed.is_some() || address.as_ref().is_some_and(|address| *address != account.address);
        let mut event = event(caller, "account_update", &account).with("tokens", sealed.is_some());
        if let Some(address) = &address {
            event = event.with("address", address).with("old_address", &account.address);
        }
        let (id, label) = (account.id.clone(), change.label);
        let (changed, epoch) = shared.audit.record(move |connection| {
            let account = found(connection, &id)?;
            store::change(connection, &id, label.as_deref(), address.as_deref(), now)?;
            if let Some(sealed) = &sealed {
                sealed.keep(connection, now)?;
            }
            // Tasks are sent only to checked accounts, and a check of the old address or tokens is no longer valid.
            let needs_check = matches!(account.status, AccountStatus::Ready | AccountStatus::Checking);
            let epoch = (recheck && needs_check).then(|| store::begin_check(connection, &account, now)).transpose()?;
            Ok(((found(connection, &id)?, epoch), event))
        })?;
        epoch.map_or(Ok(changed), |epoch| self.end_check(&account.id, epoch))
    }

    /// Checks a disabled account and enables it. It is then `ready` or `failed`.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` if the account is not disabled.
    pub fn enable(&self, id: &str, caller: &Caller) -> Result<Account> {
        let account = self.get(id)?;
        self.check(&account, event(caller, "account_enable", &account), Why::Enabled)
    }

    /// Sends no more tasks to an account. Its unfinished tasks are still followed until they end.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` if the account is already disabled.
    pub fn disable(&self, id: &str, caller: &Caller) -> Result<Account> {
        let now = self.shared.clock.now();
        let (id, caller) = (id.to_owned(), caller.clone());
        self.shared.audit.record(move |connection| {
            let account = found(connection, &id)?;
            store::disable(connection, &account, now)?;
            Ok((found(connection, &account.id)?, event(&caller, "account_disable", &account)))
        })
    }

    /// Asks the worker for its health once. The account is then `ready` or `failed`.
    ///
    /// # Errors
    /// `not_found`; `invalid_state` if the account is disabled or being checked.
    pub fn health(&self, id: &str, caller: &Caller) -> Result<Account> {
        let account = self.get(id)?;
        self.check(&account, event(caller, "account_health", &account), Why::Asked)
    }

    /// Removes an account. Its unfinished tasks fail with `remote_failed`, and its worker is asked to cancel them.
    ///
    /// # Errors
    /// `not_found`.
    pub fn remove(&self, id: &str, caller: &Caller) -> Result<()> {
        let shared = &self.shared;
        let now = shared.clock.now();
        let (wanted, caller) = (id.to_owned(), caller.clone());
        // Cancelling at the worker needs the account's tokens, so they are read before they are revoked.
        let target = self.get(id).and_then(|account| shared.target(&account)).ok();
        let ended = shared.audit.record(move |connection| {
            let account = found(connection, &wanted)?;
            let removed = Error::new(ErrorCode::RemoteFailed, format!("the account {} was removed", account.workspace));
            let ended = fail_all_at(connection, &account.workspace, &removed, now)?;
            store::remove(connection, &account)?;
            revoke_in(connection, &secret_name(&account.id), now)?;
            let event = event(&caller, "account_remove", &account).with("tasks", ended.len());
            Ok((ended, event))
        })?;
        shared.count()?;
        shared.tasks.show_ends(&ended);
        if let (Some(target), false) = (target, ended.is_empty()) {
            let shared = Arc::clone(shared);
            self.spawn(async move {
                for id in ended {
                    if let Ok(Some((_, remote_id))) = split_id(&id) {
                        let _ = cancel_there(&shared, &target, remote_id).await;
                    }
                }
            })?;
        }
        Ok(())
    }

    /// Checks an account once, and records `event` in the audit log.
    fn check(&self, account: &Account, event: NewEvent, why: Why) -> Result<Account> {
        let (_, epoch) = health::begin(&self.shared, &account.id, Some(event), why)?;
        self.end_check(&account.id, epoch)
    }

    /// Asks the worker once, and ends the check of this epoch.
    fn end_check(&self, id: &str, epoch: i64) -> Result<Account> {
        let (shared, wanted) = (Arc::clone(&self.shared), id.to_owned());
        self.wait(async move { health::finish(&shared, &wanted, epoch, 1).await })?;
        self.get(id)
    }

    /// Returns the address of a workspace: the given one, or one that is made from the template.
    fn address(&self, given: Option<&str>, workspace: &str) -> Result<String> {
        let address = match (given, &self.shared.settings.address_template) {
            (Some(given), _) => given.to_owned(),
            (None, Some(template)) => template.replace("{workspace}", workspace),
            (None, None) => {
                return Err(Error::validation("the account has no address, and the settings have no template for it")
                    .with_action("Give the account an address, or set workers.address_template."));
            }
        };
        self.shared.addresses.check_url(&address)
    }
}

pub(super) fn event(caller: &Caller, action: &str, account: &Account) -> NewEvent {
    caller
        .event(action, format!("account:{}", account.id), Outcome::Success)
        .with("workspace", &account.workspace)
        .with("status", account.status.as_str())
}

/// Whether two addresses have the same scheme, host and port.
fn same_host(a: &str, b: &str) -> bool {
    let place = |text: &str| url::Url::parse(text).ok().map(|url| url.origin());
    place(a).is_some_and(|a| Some(a) == place(b))
}

fn check_label(label: &str) -> Result<()> {
    if label.trim().is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(char::is_control) {
        return Err(Error::validation("a label is 1 to 64 characters, not blank, and without control characters"));
    }
    Ok(())
}

/// Checks tokens, and removes blanks and line breaks at their ends, which files often leave there.
fn checked(tokens: &Tokens) -> Result<Tokens> {
    let tokens = Tokens {
        token_id: tokens.token_id.trimmed(),
        token_secret: tokens.token_secret.trimmed(),
        api_key: tokens.api_key.as_ref().map(SecretText::trimmed),
    };
    let good = |text: &SecretText| {
        let text = text.expose();
        (1..=LONGEST_TOKEN).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
    };
    for (name, text) in [
        ("token_id", Some(&tokens.token_id)),
        ("token_secret", Some(&tokens.token_secret)),
        ("api_key", tokens.api_key.as_ref()),
    ] {
        if text.is_some_and(|text| !good(text)) {
            return Err(Error::validation(format!("{name} must be 1 to {LONGEST_TOKEN} visible ASCII characters")));
        }
    }
    Ok(tokens)
}
