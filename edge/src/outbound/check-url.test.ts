import { describe, expect, it } from "vitest";
import { checkUrl } from "./check-url.ts";

const verdict = (text: string, allowLoopback = false) => {
  const checked = checkUrl(text, allowLoopback);
  return checked.ok ? checked.host : checked.reason;
};

describe("what is wrong is said", () => {
  it.for([
    ["nonsense", "must be a URL"],
    ["http://example.com/", "must be https"],
    ["ftp://example.com/", "must be https"],
    ["file:///etc/passwd", "must be https"],
    ["data:text/plain,x", "must be https"],
    ["https://example.com:8443/", "must be on port 443"],
    ["https://example.com:80/", "must be on port 443"],
    ["https://user@example.com/", "must not hold credentials"],
    ["https://user:pass@example.com/", "must not hold credentials"],
    ["https://:pass@example.com/", "must not hold credentials"],
  ] as const)("%s %s", ([text, reason]) => {
    expect(verdict(text)).toBe(reason);
  });
});

describe("hosts inside are refused in every notation", () => {
  it.for([
    "https://127.0.0.1/",
    "https://127.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.1./",
    "https://１２７.0.0.1/",
    "https://0/",
    "https://0.0.0.0/",
    "https://10.1/",
    "https://0xa9fea9fe/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::]/",
    "https://[0:0:0:0:0:ffff:7f00:1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[fd00:ec2::254]/",
    "https://[fe80::1]/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://localhost./",
    "https://a.localhost/",
    "https://intranet/",
    "https://ⓛocalhost/",
  ])("%s", (text) => {
    expect(verdict(text)).toBe("must be a public host");
  });
});

describe("names are resolved, public addresses are not", () => {
  it.for([
    ["https://example.com/hook?a=1", "example.com"],
    ["https://example.com:443/", "example.com"],
    ["https://example.com./", "example.com."],
    ["https://bücher.example/", "xn--bcher-kva.example"],
    ["https://127.0.0.1.nip.io/", "127.0.0.1.nip.io"],
    ["https://1.1.1.1/", null],
    ["https://[2606:4700:4700::1111]/", null],
  ] as const)("%s %s", ([text, host]) => {
    expect(verdict(text)).toBe(host);
  });
});

describe("in development", () => {
  it.for([
    "http://127.0.0.1:3000/",
    "http://localhost/",
    "https://[::1]:1/",
    "http://a.localhost/",
  ])("this machine may be told: %s", (text) => {
    expect(checkUrl(text, true)).toMatchObject({ ok: true, host: null });
  });

  it.for([
    "http://10.0.0.1/",
    "http://example.com/",
    "ftp://localhost/",
    "http://u@localhost/",
    "https://169.254.169.254/",
    "http://0.0.0.0/",
  ])("and nothing else that is private: %s", (text) => {
    expect(checkUrl(text, true).ok).toBe(false);
  });
});
