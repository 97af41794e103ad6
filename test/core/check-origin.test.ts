import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkOrigin, type OriginRequest } from "../../src/core/check-origin.ts";
import { ORIGIN_CODES } from "../../src/core/errors.ts";

const local = (request: OriginRequest, bind = "127.0.0.1", port = 8000) =>
  checkOrigin(request, { bind, port, allowedOrigins: ["https://ui.example.com", "http://localhost:5173/"] })
    .code;
const remote = (request: OriginRequest, bind = "0.0.0.0", port = 8000) =>
  checkOrigin(request, { bind, port, allowedOrigins: ["https://ui.example.com"] }).code;

describe("a request to loopback", () => {
  it.each<[string, string]>([
    ["127.0.0.1:8000", "127.0.0.1"],
    ["localhost:8000", "127.0.0.1"],
    ["LocalHost:8000", "127.0.0.1"],
    ["localhost.:8000", "127.0.0.1"],
    ["[::1]:8000", "127.0.0.1"],
    ["[::1]:8000", "::1"],
    ["[0:0:0:0:0:0:0:1]:8000", "[::1]"],
    ["127.0.0.1:8000", "localhost"],
    ["127.0.0.5:8000", "127.0.0.5"],
  ])("for %s, bound to %s, may go on without a token", (host, bind) =>
    expect(local({ host }, bind)).toBe("ok"),
  );

  it("need not name the port of http", () => {
    expect(local({ host: "localhost" }, "127.0.0.1", 80)).toBe("ok");
    expect(local({ host: "localhost:80" }, "127.0.0.1", 80)).toBe("ok");
    expect(local({ host: "localhost", origin: "http://localhost" }, "127.0.0.1", 80)).toBe("ok");
    expect(local({ host: "localhost:80", origin: "http://localhost" }, "127.0.0.1", 80)).toBe("ok");
    expect(local({ host: "localhost" })).toBe("host_port");
  });

  it.each<[string | undefined, string]>([
    [undefined, "host_missing"],
    ["", "host_malformed"],
    ["evil.example:8000", "host_foreign"],
    ["localhost.evil.example:8000", "host_foreign"],
    ["127.0.0.1.evil.example:8000", "host_foreign"],
    ["127.0.0.1.nip.io:8000", "host_foreign"],
    ["evil.localhost:8000", "host_foreign"],
    ["ui.example.com", "host_foreign"],
    ["192.168.1.7:8000", "host_foreign"],
    ["0.0.0.0:8000", "host_foreign"],
    ["[::]:8000", "host_foreign"],
    ["127.0.0.2:8000", "host_foreign"],
    ["[::ffff:127.0.0.1]:8000", "host_foreign"],
    ["2130706433:8000", "host_foreign"],
    ["127.1:8000", "host_foreign"],
    ["0x7f.0.0.1:8000", "host_foreign"],
    ["0177.0.0.1:8000", "host_foreign"],
    ["localhost:8001", "host_port"],
    ["localhost:80", "host_port"],
    ["localhost:", "host_malformed"],
    ["localhost:08000", "host_malformed"],
    ["localhost:99999", "host_malformed"],
    ["localhost:8000:8000", "host_malformed"],
    ["localhost:8000, evil.example", "host_malformed"],
    ["localhost:8000,localhost:8000", "host_malformed"],
    ["evil.example, localhost:8000", "host_malformed"],
    ["user@localhost:8000", "host_malformed"],
    ["evil.example@localhost:8000", "host_malformed"],
    ["localhost:8000@evil.example", "host_malformed"],
    ["localhost:8000/", "host_malformed"],
    ["http://localhost:8000", "host_malformed"],
    [" localhost:8000", "host_malformed"],
    ["localhost:8000\n", "host_malformed"],
    ["localhost..:8000", "host_malformed"],
    ["loc%61lhost:8000", "host_malformed"],
    ["ｌocalhost:8000", "host_malformed"],
    ["localhost\u200B:8000", "host_malformed"],
    ["::1:8000", "host_malformed"],
    ["[::1:8000", "host_malformed"],
    ["[127.0.0.1]:8000", "host_malformed"],
    ["[::1%25lo]:8000", "host_malformed"],
    ["localhost:８000", "host_malformed"],
  ])("with the Host %j is refused: %s", (host, code) => {
    expect(local({ host })).toBe(code);
    expect(local({ host, token: "t", origin: "https://ui.example.com" })).toBe(code);
  });

  it.each<[string, string]>([
    ["http://localhost:8000", "ok"],
    ["HTTP://LOCALHOST:8000", "ok"],
    ["https://ui.example.com", "ok"],
    ["https://ui.example.com:443", "ok"],
    ["http://localhost:5173", "ok"],
    ["null", "origin_null"],
    ["NULL", "origin_null"],
    ["", "origin_malformed"],
    ["*", "origin_malformed"],
    ["localhost:8000", "origin_malformed"],
    ["http://localhost:8000/", "origin_malformed"],
    ["http://localhost:8000/x", "origin_malformed"],
    ["http://u@localhost:8000", "origin_malformed"],
    ["http://localhost:8000, http://evil.example", "origin_malformed"],
    ["http://localhost:8000 http://evil.example", "origin_malformed"],
    ["http://localhost:8000,evil.example", "origin_malformed"],
    ["http://", "origin_malformed"],
    ["file://", "origin_malformed"],
    ["http://evil.example", "origin_foreign"],
    ["http://evil.example:8000", "origin_foreign"],
    ["http://localhost", "origin_foreign"],
    ["http://localhost:8001", "origin_foreign"],
    ["https://localhost:8000", "origin_foreign"],
    ["ws://localhost:8000", "origin_foreign"],
    ["http://127.0.0.1:8000", "origin_foreign"],
    ["http://ui.example.com", "origin_foreign"],
    ["https://ui.example.com:8443", "origin_foreign"],
    ["https://ui.example.com.evil.example", "origin_foreign"],
    ["https://evil.ui.example.com", "origin_foreign"],
    ["chrome-extension://abcdefghijklmnop", "origin_foreign"],
  ])("from a page of %j: %s", (origin, code) => expect(local({ host: "localhost:8000", origin })).toBe(code));

  it("may come from a page at the same address, however that is written", () => {
    expect(local({ host: "[0:0::1]:8000", origin: "http://[::1]:8000" })).toBe("ok");
    expect(local({ host: "LOCALHOST.:8000", origin: "http://localhost:8000" })).toBe("ok");
  });

  it("is refused for its Host whatever else it brings", () => {
    expect(local({ host: "evil.example:8000", origin: "http://evil.example:8000", token: "t" })).toBe(
      "host_foreign",
    );
  });

  it("may lack the headers in the way a web Headers object says so", () => {
    expect(local({ host: "localhost:8000", origin: null, token: null })).toBe("ok");
    expect(local({ host: null })).toBe("host_missing");
  });
});

describe("a request from the network", () => {
  it.each([
    "0.0.0.0",
    "::",
    "",
    "[::]",
    "*",
    "192.168.1.7",
    "::ffff:127.0.0.1",
    "127.1",
    "localhost.evil.example",
    "build-host",
  ])("bound to %j needs a token", (bind) => {
    for (const token of [undefined, null, "", "  "]) {
      expect(remote({ host: "192.168.1.7:8000", token }, bind)).toBe("token_missing");
      expect(remote({ host: "localhost:8000", token }, bind)).toBe("token_missing");
    }
    expect(remote({ host: "192.168.1.7:8000", token: "t" }, bind)).toBe("ok");
  });

  it.each<[string, string, string]>([
    ["build-host:8000", "http://build-host:8000", "ok"],
    ["oxbow.example.com", "https://oxbow.example.com", "ok"],
    ["oxbow.example.com:443", "https://oxbow.example.com", "ok"],
    ["192.168.1.7:9000", "http://192.168.1.7:9000", "ok"],
    ["[fd00::7]:8000", "http://[FD00:0::7]:8000", "ok"],
    ["oxbow.example.com", "https://ui.example.com", "ok"],
    ["oxbow.example.com", "https://oxbow.example.com:8443", "origin_foreign"],
    ["oxbow.example.com", "https://example.com", "origin_foreign"],
    ["oxbow.example.com:8000", "https://oxbow.example.com", "origin_foreign"],
    ["oxbow.example.com", "ws://oxbow.example.com", "origin_foreign"],
    ["192.168.1.7:8000", "http://192.168.1.8:8000", "origin_foreign"],
    ["oxbow.example.com", "null", "origin_null"],
    ["a@oxbow.example.com", "https://oxbow.example.com", "host_malformed"],
    ["", "https://ui.example.com", "host_malformed"],
  ])("for %j from a page of %j: %s", (host, origin, code) => {
    expect(remote({ host, origin, token: "t" })).toBe(code);
    expect(remote({ host, origin })).toBe(code === "ok" ? "token_missing" : code);
  });

  it("without a Host is refused, token or not", () => expect(remote({ token: "t" })).toBe("host_missing"));
});

describe("the list of other sites", () => {
  const listed = (entry: string, origin: string) =>
    checkOrigin({ host: "localhost:8000", origin }, { bind: "::1", port: 8000, allowedOrigins: [entry] })
      .allowed;

  it.each([
    ["https://ui.example.com", "https://UI.example.com"],
    ["HTTPS://ui.example.com/", "https://ui.example.com"],
    ["https://ui.example.com:443", "https://ui.example.com"],
    ["http://ui.example.com", "http://ui.example.com:80"],
    ["vscode-webview://abc", "vscode-webview://abc"],
  ])("%s lets %s in", (entry, origin) => expect(listed(entry, origin)).toBe(true));

  it.each([
    ["*", "https://evil.example"],
    ["", "https://evil.example"],
    ["null", "null"],
    ["https://*", "https://evil.example"],
    ["https://*.example.com", "https://ui.example.com"],
    ["ui.example.com", "https://ui.example.com"],
    ["https://ui.example.com/app", "https://ui.example.com"],
    ["https://ui.example.com:443", "http://ui.example.com:443"],
    ["https://ui.example.com:80", "https://ui.example.com"],
  ])("%j does not let %s in", (entry, origin) => expect(listed(entry, origin)).toBe(false));
});

describe("any headers", () => {
  const piece = fc.constantFrom(
    ..."localhost 127.0.0.1 [::1] ::1 evil.example : :8000 :80 , @ / http:// https:// null . *".split(" "),
  );
  const whole = fc.constantFrom(
    ..."localhost:8000 127.0.0.1:8000 [::1]:8000 evil.example:8000 10.0.0.7:8000".split(" "),
    ..."http://localhost:8000 http://[::1]:8000 http://evil.example:8000 https://evil.example".split(" "),
  );
  const header = fc.option(
    fc.oneof(
      whole,
      fc.string({ unit: "binary" }),
      fc.array(piece, { maxLength: 5 }).map((all) => all.join("")),
    ),
    { nil: undefined },
  );
  const bind = fc.constantFrom("127.0.0.1", "::1", "localhost", "0.0.0.0", "::", "10.0.0.7");

  it("get an answer from the table, and a yes only as the rules say", () => {
    fc.assert(
      fc.property(header, header, header, bind, (host, origin, token, where) => {
        const { allowed, code } = checkOrigin({ host, origin, token }, { bind: where, port: 8000 });
        expect(Object.keys(ORIGIN_CODES)).toContain(code);
        expect(allowed).toBe(code === "ok");
        if (!allowed) return;
        if (host === undefined) throw new Error("allowed without a Host");
        const isLocal = ["127.0.0.1", "::1", "localhost"].includes(where);
        if (isLocal)
          expect([
            "localhost:8000",
            "localhost.:8000",
            "127.0.0.1:8000",
            "127.0.0.1.:8000",
            "[::1]:8000",
          ]).toContain(host);
        else expect(token?.trim()).toBeTruthy();
        if (origin === undefined) return;
        const page = new URL(origin);
        expect(
          [new URL(`http://${host}`).host, new URL(`https://${host}`).host].map((each) =>
            each.replace(/\.(?=:|$)/, ""),
          ),
        ).toContain(page.host.replace(/\.(?=:|$)/, ""));
      }),
      { numRuns: 3000 },
    );
  });
});
