import { describe, expect, it } from "vitest";
import { isLoopbackAddress, isPublicAddress } from "./address-range.ts";

const refused = {
  "this network": ["0.0.0.0", "0.1.2.3"],
  private: ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"],
  CGNAT: ["100.64.0.1", "100.127.255.255"],
  loopback: ["127.0.0.1", "127.255.255.254", "::1"],
  "link-local": ["169.254.0.1", "fe80::1", "febf::1"],
  metadata: ["169.254.169.254", "100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254"],
  documentation: ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
  benchmarks: ["198.18.0.1", "198.19.255.255", "2001:2::1"],
  multicast: ["224.0.0.1", "239.255.255.255", "ff02::1"],
  reserved: ["240.0.0.1", "255.255.255.255", "192.88.99.1"],
  ULA: ["fc00::1", "fdff::1"],
  "site-local": ["fec0::1"],
  unspecified: ["::"],
  "IPv4-mapped": ["::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"],
  "IPv4-compatible": ["::127.0.0.1", "::a00:1"],
  "IPv4-translated": ["::ffff:0:127.0.0.1"],
  NAT64: ["64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1"],
  "6to4": ["2002:7f00:1::", "2002:a00:1::1"],
  Teredo: ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
  "not an address": ["", "localhost", "example.com", "1.2.3.4.5", "300.1.1.1", "::g"],
};

describe.for(Object.entries(refused))("%s", ([, addresses]) => {
  it.for([...addresses])("refuses %s", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });
});

describe("public addresses", () => {
  it.for([
    "1.1.1.1",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "169.253.255.255",
    "2606:4700:4700::1111",
    "2a00:1450:4001:80f::200e",
    "::ffff:8.8.8.8",
  ])("takes %s", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });
});

it("knows this machine", () => {
  expect(["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"].every(isLoopbackAddress)).toBe(true);
  expect(["0.0.0.0", "10.0.0.1", "fe80::1", "localhost"].some(isLoopbackAddress)).toBe(false);
});
