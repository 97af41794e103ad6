import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Answer,
  eventBody,
  judgeAnswer,
  MAX_TRIES,
  messageHeaders,
  messageId,
  secretBytes,
} from "../../src/core/webhook-delivery.ts";
import { eventNames, isWanted, shownUrl } from "../../src/core/webhook-events.ts";
import { newWebhookSchema, readEvents } from "../../src/core/webhooks.ts";
import { checkWebhookUrl } from "../../src/core/webhook-url.ts";
import type { OxbowEvent } from "../../src/core/events.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NOW = Date.parse("2026-05-01T06:00:00Z");
const answer = (over: Partial<Answer>): Answer => ({ status: null, error: null, retryAfter: null, ...over });
const failed = (over: Partial<Answer> = {}) => answer({ status: 500, error: "status", ...over });

describe("the signature of a webhook", () => {
  it("is the one of the specification's example", () => {
    const headers = messageHeaders(
      { id: "msg_p5jXN8AQM9LWM0D4loKWxJek", body: '{"test": 2432232314}' },
      [SECRET],
      1_614_265_330_000,
    );
    expect(headers).toMatchObject({
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    });
  });

  it("is made with a secret of 24 to 64 bytes", () => {
    expect(secretBytes(SECRET)).toHaveLength(24);
    for (const bad of [
      "",
      "whsec_",
      "whsec_c2hvcnQ=",
      SECRET.slice(6),
      `${SECRET} `,
      `whsec_${"A".repeat(88)}`,
    ])
      expect(() => secretBytes(bad), bad).toThrow(expect.objectContaining({ code: "usage" }));
  });

  it("has an id that differs from store to store", () =>
    expect(messageId("store_01kav", "17")).toBe("evt_01kav_17"));
});

describe("what follows from an answer", () => {
  it("is the end of it for 2xx, and for 410", () => {
    for (const status of [200, 201, 204, 299])
      expect(judgeAnswer(answer({ status }), 0, NOW, 0)).toEqual({ kind: "delivered" });
    expect(judgeAnswer(answer({ status: 410, error: "status" }), 0, NOW, 0)).toEqual({ kind: "gone" });
  });

  it("is another try, later each time, and an end after ten", () => {
    const delays = Array.from({ length: MAX_TRIES }, (_, n) => judgeAnswer(failed(), n, NOW, 0));
    expect(delays.map((each) => (each.kind === "again" ? each.delayMs / 1000 : each.kind))).toEqual([
      5,
      30,
      120,
      300,
      900,
      1800,
      3600,
      7200,
      14_400,
      "give_up",
    ]);
  });

  it("waits as long as the receiver asks, within bounds", () => {
    const delay = (retryAfter: string) => {
      const verdict = judgeAnswer(failed({ retryAfter }), 0, NOW, 0);
      return verdict.kind === "again" ? verdict.delayMs / 1000 : null;
    };
    expect(
      [
        "90",
        "1",
        "x",
        "-5",
        "999999999",
        "Fri, 01 May 2026 06:01:00 GMT",
        "Thu, 01 Jan 1970 00:00:00 GMT",
      ].map(delay),
    ).toEqual([90, 5, 5, 5, 21_600, 60, 5]);
  });

  it("is never a try at once, or later than a quarter more than it should be", () => {
    fc.assert(
      fc.property(
        fc.option(fc.integer({ min: 100, max: 999 })),
        fc.option(fc.string()),
        fc.nat({ max: 20 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (status, retryAfter, tries, random) => {
          const verdict = judgeAnswer(failed({ status, retryAfter }), tries, NOW, random);
          expect(verdict.kind).not.toBe("delivered");
          if (verdict.kind !== "again") return;
          expect(verdict.delayMs).toBeGreaterThanOrEqual(5_000);
          expect(verdict.delayMs).toBeLessThanOrEqual(21_600_000 * 1.25);
        },
      ),
    );
  });
});

describe("what a webhook gets", () => {
  const event: OxbowEvent = { event: "notice", id: "1", ts: "x", task_id: "t", code: "c", message: "m" };

  it("is named by the person, or is the default", () => {
    expect([readEvents("all"), readEvents("default")]).toEqual(["all", "default"]);
    expect(readEvents(" task_finished, alert,alert")).toEqual(["task_finished", "alert"]);
    expect(() => readEvents("task_finishd")).toThrow(/task_finished/);
    for (const bad of ["", "all,alert", "a,,b"])
      expect(() => readEvents(bad), bad).toThrow(expect.objectContaining({ code: "usage" }));
    const names = eventNames("default") ?? [];
    expect(readEvents(names.join(","))).toEqual(names);
    expect([eventNames("all"), isWanted("all", event)]).toEqual([null, true]);
  });

  it("is redacted JSON, whatever its size", () => {
    const redact = (text: string) => text.replaceAll("hunter2hunter2", "[REDACTED]");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat({ max: 200_000 }), (text, length) => {
        const message = `${text} hunter2hunter2 ${"ä".repeat(length)}`;
        const body = eventBody({ ...event, message }, redact);
        expect(Buffer.byteLength(body)).toBeLessThanOrEqual(262_144);
        expect(body).not.toContain("hunter2");
        expect(JSON.parse(body)).toMatchObject({ event: "notice", id: "1", task_id: "t" });
      }),
      { numRuns: 8 },
    );
  });

  it("goes to a URL of which only the host is shown", () => {
    expect(shownUrl("https://hooks.example.com/T0/S3CRET?x=1")).toBe("https://hooks.example.com/…");
    expect([shownUrl("https://a.example"), shownUrl("?")]).toEqual(["https://a.example/", "…"]);
  });

  it("is asked for with what the schema says", () => {
    expect(newWebhookSchema.parse({ url: "https://a.example/" })).toEqual({
      url: "https://a.example/",
      events: "default",
    });
    expect(newWebhookSchema.safeParse({ url: "x", secret: "y" }).success).toBe(false);
  });
});

describe("http to this machine", () => {
  const code = (url: string, ...addresses: string[]) =>
    checkWebhookUrl(url, { addresses, allowPrivate: true, allowLoopbackHttp: true }).code;

  it("may be allowed, and to no other", () => {
    expect(code("http://127.0.0.1:8080/", "127.0.0.1")).toBe("ok");
    expect(code("http://localhost:8080/", "::1", "127.0.0.1")).toBe("ok");
    expect(code("http://127.0.0.1/", "127.0.0.1")).toBe("port");
    expect(code("http://ci.internal:8080/", "127.0.0.1", "10.0.0.8")).toBe("not_https");
    expect(code("http://a.example:8080/", "93.184.215.14")).toBe("not_https");
    expect(code("ftp://127.0.0.1:8080/", "127.0.0.1")).toBe("not_https");
    const strict = { addresses: ["127.0.0.1"], allowLoopbackHttp: true };
    expect(checkWebhookUrl("http://127.0.0.1:8080/", strict).code).toBe("loopback");
  });
});
