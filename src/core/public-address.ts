/**
 * Is an address on the public internet? The ranges are those of IANA's IPv4 and IPv6 Special-Purpose Address Registries
 * (RFC 6890, RFC 8190; iana.org/assignments/iana-ipv4-special-registry and iana-ipv6-special-registry), of
 * the multicast ranges and of the one range from which global IPv6 addresses are given out, 2000::/3. Stricter than the
 * registries in one way: what they call globally reachable inside a special block (anycast addresses of protocols, NAT64)
 * is no home of a web server, and is refused with its block.
 */
import type { WebhookCode } from "./errors.ts";
import { type IpAddress, ipRange, isInRange } from "./ip-address.ts";

export type AddressCode = Extract<
  WebhookCode,
  | "loopback"
  | "private"
  | "shared"
  | "link_local"
  | "metadata"
  | "unspecified"
  | "multicast"
  | "transition"
  | "special_purpose"
>;

/** The first that fits counts. */
const RANGES: readonly (readonly [string, AddressCode])[] = [
  // Where clouds hand out credentials. Some lie in ranges that are private, or even public (Azure's 168.63.129.16).
  ["169.254.169.254/32", "metadata"],
  ["169.254.170.2/32", "metadata"],
  ["168.63.129.16/32", "metadata"],
  ["100.100.100.200/32", "metadata"],
  ["192.0.0.192/32", "metadata"],
  ["fd00:ec2::254/128", "metadata"],
  ["fd20:ce::254/128", "metadata"],

  ["0.0.0.0/32", "unspecified"],
  ["0.0.0.0/8", "special_purpose"], // "this network", RFC 791
  ["10.0.0.0/8", "private"], // RFC 1918
  ["100.64.0.0/10", "shared"], // RFC 6598
  ["127.0.0.0/8", "loopback"], // RFC 1122
  ["169.254.0.0/16", "link_local"], // RFC 3927
  ["172.16.0.0/12", "private"], // RFC 1918
  ["192.0.0.0/24", "special_purpose"], // IETF protocol assignments, RFC 6890
  ["192.0.2.0/24", "special_purpose"], // documentation, RFC 5737
  ["192.88.99.0/24", "transition"], // 6to4 relays, RFC 7526
  ["192.168.0.0/16", "private"], // RFC 1918
  ["198.18.0.0/15", "special_purpose"], // benchmarks, RFC 2544
  ["198.51.100.0/24", "special_purpose"], // documentation, RFC 5737
  ["203.0.113.0/24", "special_purpose"], // documentation, RFC 5737
  ["224.0.0.0/4", "multicast"], // RFC 5771
  ["255.255.255.255/32", "multicast"], // broadcast, RFC 919
  ["240.0.0.0/4", "special_purpose"], // reserved, RFC 1112

  ["::/128", "unspecified"], // RFC 4291
  ["::1/128", "loopback"], // RFC 4291
  ["::/96", "transition"], // IPv4-compatible, RFC 4291
  ["::ffff:0:0/96", "transition"], // IPv4-mapped, RFC 4291
  ["::ffff:0:0:0/96", "transition"], // IPv4-translated, RFC 2765
  ["64:ff9b::/96", "transition"], // NAT64, RFC 6052
  ["64:ff9b:1::/48", "transition"], // local-use NAT64, RFC 8215
  ["100::/64", "special_purpose"], // discard-only, RFC 6666
  ["2001::/32", "transition"], // Teredo, RFC 4380
  ["2001::/23", "special_purpose"], // IETF protocol assignments (benchmarks, ORCHID, DRIP …), RFC 2928
  ["2001:db8::/32", "special_purpose"], // documentation, RFC 3849
  ["2002::/16", "transition"], // 6to4, RFC 3056
  ["3fff::/20", "special_purpose"], // documentation, RFC 9637
  ["fc00::/7", "private"], // unique local, RFC 4193
  ["fe80::/10", "link_local"], // RFC 4291
  ["fec0::/10", "private"], // site-local, RFC 3879
  ["ff00::/8", "multicast"], // RFC 4291
];

const TABLE = RANGES.map(([text, code]) => ({ range: ipRange(text), code }));
const GLOBAL_UNICAST = ipRange("2000::/3");

/** Why an address is not public; null when it is. */
export function notPublic(address: IpAddress): AddressCode | null {
  const found = TABLE.find(({ range }) => isInRange(address, range));
  if (found !== undefined) return found.code;
  return address.family === 6 && !isInRange(address, GLOBAL_UNICAST) ? "special_purpose" : null;
}
