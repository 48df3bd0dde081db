//! Checks the names, URLs and addresses of workers.
//!
//! A workspace's address is stored when its account is registered and never taken from a caller's request. Every address is
//! checked after its name was resolved, and the connection goes to that same address, so a changed DNS record cannot redirect it.

use crate::error::{Error, ErrorCode, Result};
use crate::task::TaskId;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use url::{Host, Url};

/// Networks that are not on the public internet, in addition to those that the standard library knows:
/// <https://www.iana.org/assignments/iana-ipv4-special-registry> and the registry for IPv6.
const SPECIAL: [&str; 10] = [
    "0.0.0.0/8",
    "100.64.0.0/10",
    "192.0.0.0/24",
    "192.88.99.0/24",
    "198.18.0.0/15",
    "240.0.0.0/4",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
];

/// The only part of IPv6 that is assigned for public use.
const GLOBAL_V6: &str = "2000::/3";

/// The addresses that workers may have.
#[derive(Debug, Clone)]
pub(super) struct Addresses {
    /// Allowed networks in addition to the public ones.
    networks: Arc<[IpNet]>,
    special: Arc<[IpNet]>,
    global_v6: Option<IpNet>,
}

impl Addresses {
    /// Reads the networks of the settings.
    ///
    /// # Errors
    /// `validation_error` for a text that is neither an address nor a network.
    pub(super) fn new(networks: &[String]) -> Result<Self> {
        // Blank entries are ignored, because lists in environment variables may have them.
        let given = networks.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let parse = |text: &str| {
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| {
                Error::validation(format!("workers.networks: {text:?} is neither an address nor a network"))
            })
        };
        Ok(Self {
            networks: given.map(parse).collect::<Result<_>>()?,
            special: SPECIAL.iter().filter_map(|text| text.parse().ok()).collect(),
            global_v6: GLOBAL_V6.parse().ok(),
        })
    }

    /// Whether the address is in a network of the settings.
    fn is_own(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|net| net.contains(&address))
    }

    fn is_public(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        if self.special.iter().any(|net| net.contains(&address)) || address.is_multicast() {
            return false;
        }
        match address {
            IpAddr::V4(v4) => {
                !(v4.is_private()
                    || v4.is_loopback()
                    || v4.is_link_local()
                    || v4.is_broadcast()
                    || v4.is_documentation())
            }
            IpAddr::V6(_) => self.global_v6.is_some_and(|global| global.contains(&address)),
        }
    }

    /// Whether a connection may go to this address. The networks of the settings are allowed, and over TLS the public internet.
    pub(super) fn allows(&self, address: IpAddr, secure: bool) -> bool {
        self.is_own(address) || (secure && self.is_public(address))
    }

    /// Checks the base URL of a worker and returns it without a slash at its end. Names are resolved only when they are used.
    ///
    /// # Errors
    /// `validation_error`.
    pub(super) fn check_url(&self, text: &str) -> Result<String> {
        let wrong = |why: &str| {
            Err(Error::validation(format!("the address of a worker {why}"))
                .with_action("Give a base URL such as https://team--must.modal.run."))
        };
        // A URL that a parser would repair is refused, because another parser might repair it differently.
        if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\' || c == '%' || !c.is_ascii()) {
            return wrong("must not contain spaces, backslashes, percent signs or letters outside ASCII");
        }
        let Ok(url) = Url::parse(text) else { return wrong("is not a URL") };
        let plain = url.as_str().trim_end_matches('/').to_owned();
        if text.to_ascii_lowercase().trim_end_matches('/') != plain {
            return wrong("must be in its normal form");
        }
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return wrong("must begin with https://"),
        };
        if !url.username().is_empty() || url.password().is_some() || text.contains('@') {
            return wrong("must not contain a user name");
        }
        if url.query().is_some() || url.fragment().is_some() || url.path() != "/" {
            return wrong("must end after the host and the port");
        }
        if url.port() == Some(0) {
            return wrong("must not have port 0");
        }
        match url.host() {
            None => return wrong("has no host"),
            Some(Host::Domain(name)) => {
                let label = |label: &str| {
                    (1..=63).contains(&label.len())
                        && !label.starts_with('-')
                        && !label.ends_with('-')
                        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                if name.len() > 253 || !name.strip_suffix('.').unwrap_or(name).split('.').all(label) {
                    return wrong("has a host that is not a valid DNS name");
                }
            }
            Some(Host::Ipv4(v4)) => self.check_literal(IpAddr::V4(v4), secure)?,
            Some(Host::Ipv6(v6)) => self.check_literal(IpAddr::V6(v6), secure)?,
        }
        if !secure && self.networks.is_empty() {
            return wrong(
                "must begin with https://, because workers.networks is empty and only those networks allow http://",
            );
        }
        Ok(plain)
    }

    /// Checks an address that is written in a URL. The resolver does not see such an address.
    pub(super) fn check_literal(&self, address: IpAddr, secure: bool) -> Result<()> {
        if self.allows(address, secure) {
            return Ok(());
        }
        Err(Error::validation(format!("workers may not be at {address}"))
            .with_action("Add its network to workers.networks if it is yours, and use https:// elsewhere."))
    }
}

/// Resolves names, and refuses a name if any of its addresses is not allowed.
pub(super) struct CheckedResolver {
    pub(super) addresses: Addresses,
    pub(super) secure: bool,
}

impl Resolve for CheckedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (addresses, secure, host) = (self.addresses.clone(), self.secure, name.as_str().to_owned());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            check_resolved(&addresses, secure, &host, &found)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Refuses a name if one of its addresses is not allowed. The client chooses among the addresses, so all of them must be allowed.
pub(super) fn check_resolved(addresses: &Addresses, secure: bool, host: &str, found: &[SocketAddr]) -> Result<()> {
    match found.iter().find(|socket| !addresses.allows(socket.ip(), secure)) {
        Some(refused) => Err(Error::new(
            ErrorCode::RemoteFailed,
            format!("{host} is at {}, which is not allowed for workers", refused.ip()),
        )),
        None => Ok(()),
    }
}

/// Whether a text can be the name of a workspace: 3 to 64 of `a-z 0-9 -`.
pub(super) fn is_workspace(text: &str) -> bool {
    (3..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Splits the id of a task at a worker into the workspace and the worker's own id. Returns `None` for a task of this platform.
///
/// # Errors
/// `proxy_target_invalid` if the workspace or the worker's own id is malformed.
pub(super) fn split_id(id: &str) -> Result<Option<(&str, &str)>> {
    let TaskId { workspace: Some(workspace), id } = TaskId::parse(id) else { return Ok(None) };
    if is_workspace(workspace) && is_remote_id(id) { Ok(Some((workspace, id))) } else { Err(invalid_target()) }
}

/// Whether a worker's own task id can be used in a path.
pub(super) fn is_remote_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

pub(super) fn invalid_target() -> Error {
    Error::new(ErrorCode::ProxyTargetInvalid, "the task id names no workspace of this platform")
}
