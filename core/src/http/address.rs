//! The address at which clients reach the HTTP service. Absolute addresses in answers begin with it.
//!
//! The setting `public_url` has priority. Without it the address is made from the request: from the header `Host`, from the path at
//! which the host's server has mounted the service, and, if the peer is a trusted proxy, from `X-Forwarded-Proto`, `-Host`, `-Port` and
//! `-Prefix`. These four headers are ignored if they come from any other peer.

use super::state::{Mount, Shared, peer};
use axum::extract::OriginalUri;
use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;

/// The base address of the service.
#[derive(Debug, Clone, Default)]
pub(super) struct Base(String);

impl Base {
    /// Returns the base of the addresses in the answer to this request.
    pub(super) fn of(shared: &Shared, parts: &Parts) -> Self {
        if let Some(url) = &shared.settings.public_url {
            return Self(url.trim_end_matches('/').to_owned());
        }
        let trusted = shared.platform.access().is_ok_and(|access| access.trusts(peer(parts)));
        Self(from_request(parts, trusted))
    }

    /// Returns the absolute address of a path that begins with a slash, or the path itself if the base is unknown.
    pub(super) fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

fn from_request(parts: &Parts, trusted: bool) -> String {
    // A header that passed several proxies has several values; the last proxy wrote the last one.
    let last = |name: &str| -> Option<&str> {
        let value = parts.headers.get_all(name).iter().next_back()?.to_str().ok()?;
        value.rsplit(',').next().map(str::trim).filter(|value| !value.is_empty())
    };
    let forwarded = |name: &str| if trusted { last(name) } else { None };
    let mount = parts.extensions.get::<Mount>();
    let scheme = forwarded("x-forwarded-proto").or_else(|| mount?.scheme.as_deref());
    let scheme = if scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https")) { "https" } else { "http" };
    let host = [forwarded("x-forwarded-host"), last(HOST.as_str())].into_iter().flatten().find_map(authority);
    let Some(host) = host.or_else(|| parts.uri.authority().cloned()) else { return String::new() };
    let mounted = mount.map_or_else(|| nested(parts), |mount| mount.path.clone());
    let mounted = mounted.trim_end_matches('/');
    let prefix =
        forwarded("x-forwarded-prefix").filter(|prefix| is_path(prefix)).map_or("", |p| p.trim_end_matches('/'));
    // A framework that knows the proxy's prefix includes it in the mount path.
    let prefix = if mounted.starts_with(prefix) { "" } else { prefix };
    let mounted = if is_path(mounted) { mounted } else { "" };
    let port = match (host.port_u16(), forwarded("x-forwarded-port").and_then(|port| port.parse::<u16>().ok())) {
        (None, Some(port)) if port != if scheme == "https" { 443 } else { 80 } => format!(":{port}"),
        _ => String::new(),
    };
    format!("{scheme}://{host}{port}{prefix}{mounted}")
}

/// Parses a host with or without a port; anything else is refused.
fn authority(text: &str) -> Option<Authority> {
    text.parse().ok().filter(|_| !text.contains('@'))
}

/// Whether the text is a path that needs no escaping in an address.
fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && text.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\"<>\\".contains(&byte))
}

/// The path that axum has mounted the service at.
fn nested(parts: &Parts) -> String {
    let original = parts.extensions.get::<OriginalUri>().map(|original| original.0.path());
    let below = original.and_then(|original| original.strip_suffix(parts.uri.path()));
    below.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    fn parts(target: &str, headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::get(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn an_address_is_built_only_from_trusted_headers() {
        let host = ("host", "must.example:8000");
        let forwarded = [
            ("host", "127.0.0.1:8000"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "studio.example"),
            ("x-forwarded-prefix", "/must/"),
        ];
        for (headers, trusted, expected) in [
            (&[host][..], false, "http://must.example:8000"),
            (&forwarded[..], true, "https://studio.example/must"),
            (&forwarded[..], false, "http://127.0.0.1:8000"),
            (&[host, ("x-forwarded-host", "evil.example, studio.example")][..], true, "http://studio.example"),
            (&[host, ("x-forwarded-host", "a@studio.example")][..], true, "http://must.example:8000"),
            (&[host, ("x-forwarded-prefix", "//evil.example")][..], true, "http://must.example:8000"),
            (&[host, ("x-forwarded-prefix", "/a?b")][..], true, "http://must.example:8000"),
            (
                &[("host", "a.example"), ("x-forwarded-port", "8443"), ("x-forwarded-proto", "HTTPS")][..],
                true,
                "https://a.example:8443",
            ),
            (
                &[("host", "a.example"), ("x-forwarded-port", "443"), ("x-forwarded-proto", "https")][..],
                true,
                "https://a.example",
            ),
            (&[("host", "[::1]:8000")][..], false, "http://[::1]:8000"),
            (&[("host", "a b")][..], false, ""),
            (&[][..], false, ""),
        ] {
            assert_eq!(from_request(&parts("/v1/x", headers), trusted), expected, "{headers:?} {trusted}");
        }
        assert_eq!(from_request(&parts("http://seen.example/v1/x", &[]), false), "http://seen.example");
    }

    #[test]
    fn a_mount_path_is_part_of_the_address() {
        let mounted = |mount: Mount, headers: &[(&str, &str)]| {
            let mut parts = parts("/v1/x", headers);
            parts.extensions.insert(mount);
            from_request(&parts, true)
        };
        let at = |path: &str| Mount { scheme: Some("https".to_owned()), path: path.to_owned() };
        let host = ("host", "a.example");
        assert_eq!(mounted(at("/must"), &[host]), "https://a.example/must");
        assert_eq!(mounted(at("/"), &[host]), "https://a.example");
        assert_eq!(mounted(at("/must"), &[host, ("x-forwarded-prefix", "/gen")]), "https://a.example/gen/must");
        assert_eq!(mounted(at("/gen/must"), &[host, ("x-forwarded-prefix", "/gen")]), "https://a.example/gen/must");
        assert_eq!(mounted(at("/must"), &[host, ("x-forwarded-proto", "http")]), "http://a.example/must");
        let mut nested = parts("/v1/x", &[host]);
        nested.extensions.insert(OriginalUri("/deep/must/v1/x?y".parse().unwrap()));
        assert_eq!(from_request(&nested, false), "http://a.example/deep/must");
    }
}
