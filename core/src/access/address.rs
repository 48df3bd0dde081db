//! Which address a request comes from.
//!
//! The other end of the socket, unless that is a proxy that the host trusts: then the last hop of `X-Forwarded-For`, from the
//! right, that is no such proxy. What stands left of it was written by the client and is never believed.

use crate::error::{Error, Result};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Proxies that are believed.
pub(super) struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Blank entries are passed over, as lists in variables have them.
    pub(super) fn new(settings: &[String]) -> Result<Self> {
        let given = settings.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        let parse = |text: &str| {
            let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
            net.map_err(|_| Error::validation(format!("trusted_proxies: {text:?} is neither an address nor a network")))
        };
        Ok(Self(given.map(parse).collect::<Result<_>>()?))
    }

    /// The client's address, IPv4 even when it came mapped into IPv6. None when the host knows no peer.
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

    /// Whether this is such a proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }
}

/// Some proxies add the port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let address = text.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()));
    address.ok().map(|address| address.to_canonical())
}

/// What calls from an address are counted under: the address, or its /64 where one subscriber holds that many.
///
/// IPv4 is unmapped first: masked while mapped, all of it would be one network.
pub(super) fn network(address: Option<IpAddr>) -> [u8; 16] {
    match address.map(|address| address.to_canonical()) {
        Some(IpAddr::V4(address)) => address.to_ipv6_mapped().octets(),
        Some(IpAddr::V6(address)) => Ipv6Addr::from(u128::from(address) & (u128::MAX << 64)).octets(),
        // No network has these last 64 bits. Hosts that know no peer share one window.
        None => [0xff; 16],
    }
}
