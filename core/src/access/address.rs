//! Finds the client address of a request.
//!
//! The address is that of the other end of the socket. If the other end is a proxy that the host trusts, the address is the rightmost
//! hop of `X-Forwarded-For` that is not such a proxy. Hops further left are ignored, because the client may have made them up.

use crate::error::{Error, Result};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The addresses and networks of trusted proxies.
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Parses the setting `trusted_proxies`. Skips blank entries, which lists in environment variables often have.
    pub(super) fn new(settings: &[String]) -> Result<Self> {
        let given = settings.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let parse = |text: &str| {
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| Error::validation(format!("trusted_proxies: {text:?} is neither an address nor a network")))
        };
        Ok(Self(given.map(parse).collect::<Result<_>>()?))
    }

    /// Returns the client's address; an IPv4 address mapped into IPv6 becomes IPv4. Returns the peer itself when the headers name no
    /// client or cannot be read, and `None` when the host knows no peer.
    pub(super) fn client(&self, peer: Option<IpAddr>, forwarded_for: &[String]) -> Option<IpAddr> {
        let peer = peer?.to_canonical();
        if !self.trusts(peer) {
            return Some(peer);
        }
        for hop in forwarded_for.iter().rev().flat_map(|line| line.rsplit(',')) {
            match parse_hop(hop.trim()) {
                Some(hop) if self.trusts(hop) => {}
                Some(hop) => return Some(hop),
                None => return Some(peer),
            }
        }
        Some(peer)
    }

    /// Whether `address` is a trusted proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// Parses one hop of `X-Forwarded-For`. Some proxies add the port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// Returns what calls are counted by: an IPv4 address, or the /64 of an IPv6 address, since one subscriber often holds a whole /64.
///
/// A mapped IPv4 address is unmapped first: otherwise all of IPv4 would be in one /64.
pub(super) fn network(address: Option<IpAddr>) -> [u8; 16] {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
        Some(IpAddr::V6(address)) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).octets(),
        // No network has these last 64 bits. All requests without a known peer share one window.
        None => [0xff; 16],
    }
}
