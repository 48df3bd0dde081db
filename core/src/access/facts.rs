//! The facts about a request that access control needs, and the principal that the request comes from.
//!
//! [`RequestFacts`] hold credentials as they were received. Their `Debug` output shows only how many there are, and an error about
//! their JSON form tells only the position of the fault.

use crate::error::{Error, Result};
use crate::keyring::SecretText;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// The kind of call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Route")]
pub enum RouteClass {
    /// Anything that generates, lists or shows. It needs an API key or a session.
    Generation,
    /// A call for a new generation session.
    Auth,
    /// A call for a new admin session. It needs the admin key.
    AdminLogin,
    /// Every other administrative call. It needs an admin session.
    Admin,
}

impl RouteClass {
    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Generation => "generation",
            Self::Auth => "auth",
            Self::AdminLogin => "admin_login",
            Self::Admin => "admin",
        }
    }
}

/// The facts about a request that decide whether it is allowed. In JSON only `route` is required. A list holds every value
/// in its order, unchanged: two different keys are refused.
///
/// ```
/// use must::access::{RequestFacts, RouteClass};
///
/// let facts = RequestFacts::from_json(
///     r#"{"route": "generation", "header_keys": ["must_api_..."], "origin": "https://studio.example", "peer": "192.0.2.7"}"#,
/// )?;
/// assert_eq!(facts.route, RouteClass::Generation);
/// // No credential is shown.
/// assert!(!format!("{facts:?}").contains("must_api_"));
/// # Ok::<(), must::Error>(())
/// ```
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestFacts {
    /// The kind of call.
    pub route: RouteClass,
    /// The value of every `X-API-Key` header line; an empty one counts as present.
    #[serde(default)]
    #[schemars(with = "Vec<SecretText>")]
    pub header_keys: Vec<String>,
    /// The value of every `api_key` in the query.
    #[serde(default)]
    #[schemars(with = "Vec<SecretText>")]
    pub query_keys: Vec<String>,
    /// Every `Cookie` header line, as it came.
    #[serde(default)]
    #[schemars(with = "Vec<SecretText>")]
    pub cookies: Vec<String>,
    /// The value of every `X-Admin-Key` header line.
    #[serde(default)]
    #[schemars(with = "Vec<SecretText>")]
    pub admin_header_keys: Vec<String>,
    /// Whether the query holds an admin key, which is refused.
    #[serde(default)]
    pub query_admin_key_present: bool,
    /// The `Origin` header, which browsers send with calls from pages.
    #[serde(default)]
    pub origin: Option<String>,
    /// The address at the other end of the socket, without a port.
    #[serde(default)]
    pub peer: Option<IpAddr>,
    /// Every `X-Forwarded-For` header line, in order.
    #[serde(default)]
    pub forwarded_for: Vec<String>,
    /// An id that links audit events to the request: at most 128 visible ASCII characters. Anything else is replaced by a new id.
    #[serde(default)]
    pub correlation_id: Option<String>,
}

impl RequestFacts {
    /// Makes the facts of a request of this kind; every other field is empty.
    #[must_use]
    pub fn new(route: RouteClass) -> Self {
        Self {
            route,
            header_keys: Vec::new(),
            query_keys: Vec::new(),
            cookies: Vec::new(),
            admin_header_keys: Vec::new(),
            query_admin_key_present: false,
            origin: None,
            peer: None,
            forwarded_for: Vec::new(),
            correlation_id: None,
        }
    }

    /// Reads the JSON form.
    ///
    /// # Errors
    /// `validation_error` that says where the JSON is wrong and quotes none of it.
    pub fn from_json(text: &str) -> Result<Self> {
        // The parser's own message would quote the wrong value, which may be a credential.
        serde_json::from_str(text).map_err(|error| {
            Error::validation(format!(
                "the request facts are not valid at line {}, column {}",
                error.line(),
                error.column()
            ))
            .with_action("Send an object with route and, where there are any, header_keys, query_keys, cookies, admin_header_keys, query_admin_key_present, origin, peer, forwarded_for, correlation_id.")
        })
    }

    /// The values of the cookies with this name.
    pub(super) fn cookies_named<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.cookie_pairs().filter(move |(found, _)| *found == name).map(|(_, value)| value)
    }

    /// Whether the request has a cookie whose name begins with `prefix`.
    pub(super) fn has_cookie_beginning(&self, prefix: &str) -> bool {
        self.cookie_pairs().any(|(name, _)| name.starts_with(prefix))
    }

    /// Returns the name and value of every cookie.
    fn cookie_pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cookies.iter().flat_map(|line| line.split(';')).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (name.trim(), value.trim())
        })
    }
}

impl fmt::Debug for RequestFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestFacts")
            .field("route", &self.route)
            .field("header_keys", &self.header_keys.len())
            .field("query_keys", &self.query_keys.len())
            .field("cookies", &self.cookies.len())
            .field("admin_header_keys", &self.admin_header_keys.len())
            .field("query_admin_key_present", &self.query_admin_key_present)
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// One credential of a request: absent, present with one value, or present with different values.
#[derive(Clone, Copy)]
pub(super) enum Presented<'a> {
    Absent,
    Once(&'a str),
    Differing,
}

impl<'a> Presented<'a> {
    pub(super) fn of(values: impl IntoIterator<Item = &'a str>) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Self::Absent };
        if values.all(|value| value == first) { Self::Once(first) } else { Self::Differing }
    }

    pub(super) fn of_strings(values: &'a [String]) -> Self {
        Self::of(values.iter().map(String::as_str))
    }
}

/// How a caller proved who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// With an API key.
    ApiKey,
    /// With a generation session.
    Session,
    /// With nothing. Only a call for a new session may be anonymous.
    Anonymous,
    /// With the admin key.
    AdminKey,
    /// With an admin session.
    AdminSession,
}

/// The caller of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Principal {
    /// How the caller proved who it is.
    pub kind: PrincipalKind,
    /// Id of the key or the session; `settings` for the API key of the settings, `key` for the admin key, empty when anonymous.
    pub id: String,
    /// Name of the API key, or of the key that the session was started with; otherwise empty.
    pub name: String,
    /// The owner of the tasks that the caller makes and sees: `key:ID` or `session:ID`. `None` for administrators, and for every
    /// caller while the setting `sign_in_required` is off: such a caller sees all tasks.
    pub owner: Option<String>,
}

impl Principal {
    pub(super) fn new(kind: PrincipalKind, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, id: id.into(), name: name.into(), owner: None }
    }

    /// Returns the caller's name in audit events: `key:ID`, `session:ID`, `admin:ID` or `anonymous`.
    #[must_use]
    pub fn actor(&self) -> String {
        match self.kind {
            PrincipalKind::ApiKey => format!("key:{}", self.id),
            PrincipalKind::Session => format!("session:{}", self.id),
            PrincipalKind::AdminKey | PrincipalKind::AdminSession => format!("admin:{}", self.id),
            PrincipalKind::Anonymous => "anonymous".to_owned(),
        }
    }
}
