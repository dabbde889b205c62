import ipaddr from "ipaddr.js";

/** Global unicast, the only IPv6 space that the internet is made of (RFC 4291). */
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");

/**
 * Public by their number, but answered by the machine's own cloud: the host agent of Azure.
 * (The metadata services of others are link-local, CGNAT or ULA: 169.254.169.254, 100.100.100.200, fd00:ec2::254.)
 */
const hostServices = new Set(["168.63.129.16"]);

/**
 * May we send to this address on behalf of a stranger? Only if it is globally routed unicast: private, loopback,
 * link-local, CGNAT, multicast, reserved, NAT64, 6to4 and Teredo are not. An IPv4-mapped IPv6 address is judged as the
 * IPv4 address that it is.
 */
export function isPublicAddress(text: string): boolean {
  if (!ipaddr.isValid(text)) return false;
  const address = ipaddr.process(text);
  if (address.range() !== "unicast") return false;
  if (address instanceof ipaddr.IPv6) return address.match(globalUnicast);
  return !hostServices.has(address.toString());
}

/** Is it this machine, as an address that was written in full? */
export function isLoopbackAddress(text: string): boolean {
  return ipaddr.isValid(text) && ipaddr.process(text).range() === "loopback";
}
