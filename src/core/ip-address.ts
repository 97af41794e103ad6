/** IP addresses as numbers, read strictly: no octal, no short forms, no zones. */

export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

export interface IpRange {
  readonly family: 4 | 6;
  /** The bits that the addresses of the range share. */
  readonly prefix: bigint;
  readonly dropped: bigint;
}

/** Null for whatever is not one plain IPv4 or IPv6 address. */
export function parseIp(text: string): IpAddress | null {
  return text.includes(":") ? parseIpv6(text) : parseIpv4(text);
}

function parseIpv4(text: string): IpAddress | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let value = 0n;
  for (const part of parts) {
    if (!/^(?:0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return null;
    value = value * 256n + BigInt(part);
  }
  return { family: 4, value };
}

/** The URL parser writes every spelling in one way: eight groups or fewer around one `::`. */
function parseIpv6(text: string): IpAddress | null {
  if (text.length > 45 || !/^[0-9A-Fa-f:.]+$/.test(text)) return null;
  const host = URL.parse(`http://[${text}]/`)?.hostname;
  if (host === undefined) return null;
  const [head = [], tail = []] = host
    .slice(1, -1)
    .split("::")
    .map((half) => half.split(":").filter((group) => group !== ""));
  const zeros = Array.from({ length: 8 - head.length - tail.length }, () => "0");
  const value = [...head, ...zeros, ...tail].reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n);
  return { family: 6, value };
}

/** `10.0.0.0/8`. For tables in the source: a range that is not written so is a defect. */
export function ipRange(text: string): IpRange {
  const [base = "", bits = ""] = text.split("/");
  const address = parseIp(base);
  if (address === null) throw new TypeError(`${text} is no range of addresses`);
  const dropped = BigInt((address.family === 4 ? 32 : 128) - Number(bits));
  return { family: address.family, prefix: address.value >> dropped, dropped };
}

export function isInRange(address: IpAddress, range: IpRange): boolean {
  return address.family === range.family && address.value >> range.dropped === range.prefix;
}

export function isSameIp(a: IpAddress, b: IpAddress): boolean {
  return a.family === b.family && a.value === b.value;
}
