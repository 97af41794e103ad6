import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor } from "../../src/core/redact.ts";

const { redact } = createRedactor();
const MARK = "[REDACTED]";
/** Put together here, so that no scanner takes this file for a leak. */
const made = (prefix: string, length: number) =>
  prefix + "aB3dE5gH7jK9mN2pQ4rS6tU8vW0xY1zC".repeat(8).slice(0, length);
const jwt = [made("eyJ", 33), made("eyJ", 60), made("", 43)].join(".");
const pem = (kind: string) =>
  [`-----BEGIN ${kind}-----`, made("MIIE", 60), made("", 64), made("", 20), `-----END ${kind}-----`].join(
    "\n",
  );

const TOKENS: [string, string][] = [
  ["OpenAI", made("sk-", 48)],
  ["OpenAI project", made("sk-proj-", 60)],
  ["Anthropic", made("sk-ant-api03-", 80)],
  ["Google", made("AIza", 35)],
  ["GitHub", made("ghp_", 36)],
  ["GitHub app", made("ghs_", 36)],
  ["GitHub fine-grained", made("github_pat_", 70)],
  ["GitLab", made("glpat-", 20)],
  ["Slack", made("xoxb-", 40)],
  ["Stripe", made("sk_live_", 24)],
  ["npm", made("npm_", 36)],
  ["AWS", `AKIA${"Q7XZ".repeat(4)}`],
  ["JWT", jwt],
  ["private key", pem("RSA PRIVATE KEY")],
  ["OpenSSH key", pem("OPENSSH PRIVATE KEY")],
];

describe("secrets by their form", () => {
  it.each(TOKENS)("takes out a key of %s wherever it stands", (_who, secret) => {
    for (const [before, after] of [
      ["", ""],
      ["the key is ", ", keep it"],
      ["x=", "\n"],
      ['{"a":"', '"}'],
      ["url?k=", "&b=1"],
      ["(", ")"],
      ["`", "`"],
    ] as const) {
      expect(redact(before + secret + after)).toBe(before + MARK + after);
    }
  });

  it.each([
    ["Authorization: Bearer abcdef", `Authorization: Bearer ${MARK}`],
    ["authorization: Basic dXNlcjpwYXNz", `authorization: Basic ${MARK}`],
    ["use Bearer x9f8e7d6c5 here", `use Bearer ${MARK} here`],
    ["curl -H 'Authorization: token 0a1b2c'", `curl -H 'Authorization: token ${MARK}'`],
    ["https://me:hunter2@example.com/x", `https://me:${MARK}@example.com/x`],
    ["postgres://app:p%40ss@db:5432/x", `postgres://app:${MARK}@db:5432/x`],
    ["Cookie: sid=abc; theme=dark\nHost: x", `Cookie: ${MARK}\nHost: x`],
    ["Set-Cookie: sid=abc; HttpOnly", `Set-Cookie: ${MARK}`],
    ["a -----BEGIN PRIVATE KEY-----\nMIIEaB3dE5gH7jK9mN2p\n", `a ${MARK}\n`],
  ])("redacts %j", (text, expected) => {
    expect(redact(text)).toBe(expected);
  });
});

describe("secrets by their name", () => {
  it.each([
    ["PASSWORD=hunter2", `PASSWORD=${MARK}`],
    ["export DB_PASSWORD=correct,horse", `export DB_PASSWORD=${MARK}`],
    ["AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", `AWS_SECRET_ACCESS_KEY=${MARK}`],
    ["aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", `aws_secret_access_key = ${MARK}`],
    ["MY_TOKEN='a b c'", `MY_TOKEN='${MARK}'`],
    ["//registry.npmjs.org/:_authToken=abc123", `//registry.npmjs.org/:_authToken=${MARK}`],
    ['{"password":"a\\"b","n":1}', `{"password":"${MARK}","n":1}`],
    ['{"clientSecret": "x y"}', `{"clientSecret": "${MARK}"}`],
    [
      '{"log":"{\\"api_key\\":\\"q\\\\\\"r\\",\\"n\\":1}"}',
      `{"log":"{\\"api_key\\":\\"${MARK}\\",\\"n\\":1}"}`,
    ],
    ['{"password": 123456}', `{"password": "${MARK}"}`],
    ["db:\n  password: hunter\n  host: db", `db:\n  password: ${MARK}\n  host: db`],
    ["api-key: 9f8e7d6c", `api-key: ${MARK}`],
    ["x?access_token=abc&page=2", `x?access_token=${MARK}&page=2`],
    ['const secret = "s3";', `const secret = "${MARK}";`],
    ['"Authorization": "whatever it is"', `"Authorization": "${MARK}"`],
    ["SMTP_PASS=x", `SMTP_PASS=${MARK}`],
    ["user=a&pass=b1c2", `user=a&pass=${MARK}`],
    ["GITHUB_PAT=abc", `GITHUB_PAT=${MARK}`],
    ['{"auths":{"x":{"auth":"dXNlcjpwYXNz"}}}', `{"auths":{"x":{"auth":"${MARK}"}}}`],
    ["--password=hunter2 --port=1", `--password=${MARK} --port=1`],
  ])("redacts %j", (text, expected) => {
    expect(redact(text)).toBe(expected);
  });
});

describe("what stays readable", () => {
  it.each([
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "sha512-z4PhNX7vuL3xVChQ1m2AB9Yg5AULVxXcg/SpIdNs6c5H0NE8XYXysP+DGNKHfuwvY7kxvUdBeoGlODJ6+SfaPg==",
    "550e8400-e29b-41d4-a716-446655440000",
    "Api::t_01h2xcejqtf2nbrexx3vqjhp41::2",
    "https://api.example.com:8443/v1?page=2#top and git@github.com:o/r.git",
    "The bearer certificates and basic authentication are described below.",
    "The password: it must have 8+ characters. A token is a word.",
    "const token = await getToken();",
    "password = getPassword()",
    "function login(password: string, token?: Token) {}",
    "if (token === other) return password !== again;",
    "token => token.value",
    "apiKey: process.env.OPENAI_API_KEY,",
    'password: os.environ["DB_PASSWORD"]',
    "token: ${{ secrets.GITHUB_TOKEN }}",
    "PASSWORD=$DB_PASSWORD",
    "PASSWORD=<your password>",
    'password: "${DB_PASSWORD}"',
    '{"input_tokens":4096,"max_tokens":100,"total_tokens":9}',
    '{"token":17,"password":null,"secret":true}',
    '{"password":{"type":"string"}}',
    "f(password=password, token=token)",
    "fencing token: 17",
    "Token::new(x), secret := makeSecret()",
    "sk-circle-fade, task-list, risk-based-testing-of-everything",
    "-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----",
    "cookie: chocolate chip",
    "pass: 1234, fail: 3, pat = /x/, storageKey: 'oxbow.theme'",
    '{"session_id":"550e8400-e29b-41d4-a716-446655440000"}',
    'fetch(url, { credentials: "include" }); let t: OAuth2Token; token: Oauth2Token;',
    '{"password":{"type":"string"},"token":"string"}',
    "token=t;password=e",
    "Update tokens: a, b and c; reset passwords.",
  ])("%s", (text) => {
    expect(redact(text)).toBe(text);
  });
});

describe("known values", () => {
  const value = 'p/ss "wörd"+1';
  const redactor = createRedactor({ known: [value, "abc"] });

  it.each([
    ["as it is", value],
    ["in JSON", JSON.stringify(value).slice(1, -1)],
    ["in JSON in JSON", JSON.stringify(JSON.stringify(value)).slice(3, -3)],
    ["in a URL", encodeURIComponent(value)],
    ["in a form", encodeURIComponent(value).replaceAll("%20", "+")],
    ["in base64", Buffer.from(value).toString("base64")],
    ["in base64url", Buffer.from(value).toString("base64url")],
    ["in hex", Buffer.from(value).toString("hex")],
  ])("are found %s", (_how, form) => {
    expect(redactor.redact(`<${form}>`)).toContain(MARK);
    expect(redactor.redact(`<${form}>`)).not.toContain(form);
  });

  it("are found inside a longer base64 text, at every offset", () => {
    for (const user of ["", "a", "ab", "abc"]) {
      const encoded = Buffer.from(`${user}${value}:rest`).toString("base64");
      expect(redactor.redact(encoded)).toContain(MARK);
    }
  });

  it("do not make ordinary text unreadable when they are too short", () => {
    expect(redactor.redact("abcdef")).toBe("abcdef");
  });

  it("leave JSON valid even when they are its numbers", () => {
    const numbers = createRedactor({ known: ["123456", "true"] });
    expect(JSON.parse(numbers.redact('{"a":123456,"b":[true,"x true"]}'))).toEqual({
      a: MARK,
      b: [MARK, `x ${MARK}`],
    });
  });

  it("can be patterns", () => {
    const own = createRedactor({ patterns: [/acme-\d+/, /[A-Z]{8,}/] });
    expect(own.redact("acme-12 and acme-7")).toBe(`${MARK} and ${MARK}`);
    expect(own.redact(own.redact("ABCDEFGHIJ acme-1"))).toBe(`${MARK} ${MARK}`);
  });
});

const secretive = fc.oneof(
  fc.constantFrom(...TOKENS.map(([, secret]) => secret)),
  fc.constantFrom(
    "password",
    "token: ",
    "api_key=",
    "SECRET=",
    "Bearer ",
    "Authorization: Basic ",
    "cookie: a=b",
    MARK,
  ),
  fc.constantFrom(
    '"',
    "'",
    "\\",
    '\\"',
    "\n",
    " ",
    "=",
    ":",
    ",",
    "{",
    "}",
    "://u:p@h",
    "hunter2",
    "x1y2z3w4",
    "eyJ",
    "sk-",
  ),
  fc.string({ maxLength: 6 }),
);
const text = fc.array(secretive, { maxLength: 14 }).map((pieces) => pieces.join(""));
const known = createRedactor({ known: ["hunter2", 'quo"te\\d'], patterns: [/zz+/] });

describe("the rules of every redaction", () => {
  it("a second pass changes nothing", () => {
    fc.assert(
      fc.property(text, (input) => {
        const once = known.redact(input);
        expect(known.redact(once)).toBe(once);
      }),
      { numRuns: 4000 },
    );
  });

  it("valid JSON stays valid JSON", () => {
    const named = fc.dictionary(fc.oneof(text, fc.constantFrom("password", "api_key", "note")), text);
    const nested = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        text,
        fc.integer(),
        fc.boolean(),
        named,
        text.map((t) => JSON.stringify({ password: t })),
        fc.array(tie("value"), { maxLength: 3 }),
      ),
    })).value;
    fc.assert(
      fc.property(nested, fc.constantFrom(undefined, 2), (value, indent) => {
        const json = JSON.stringify(value, null, indent);
        expect(() => JSON.parse(known.redact(json))).not.toThrow();
      }),
      { numRuns: 4000 },
    );
  });

  it("a JSON line inside other text stays valid", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom("password", "note", "token"), text), (value) => {
        const line = `log ${JSON.stringify(value)} end`;
        const inner = known.redact(line).slice(4, -4);
        expect(() => JSON.parse(inner)).not.toThrow();
      }),
      { numRuns: 4000 },
    );
  });

  it("pieces give the same as the whole", () => {
    fc.assert(
      fc.property(text, fc.array(fc.nat(40), { maxLength: 12 }), (input, sizes) => {
        const stream = known.stream();
        let [shown, at] = ["", 0];
        for (const size of sizes) {
          shown += stream.push(input.slice(at, at + size));
          at += size;
        }
        shown += stream.push(input.slice(at)) + stream.end();
        expect(shown).toBe(known.redact(input));
      }),
      { numRuns: 4000 },
    );
  });

  it("pieces of many keys give the same as the whole", () => {
    const part = fc.constantFrom(
      "-----BEGIN PRIVATE KEY-----",
      "-----END PRIVATE KEY-----",
      "-----BEGIN RSA PRIVATE KEY-----",
      "\n",
      "\n",
      "MIIEvQIBADANBgkqhkiG9w0BAQ",
      "ABCDEFGHIJKLMNOPQRST ",
      '"',
      "word ",
      "\r\n",
    );
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 30 }),
        fc.array(fc.nat(60), { maxLength: 12 }),
        (parts, sizes) => {
          const input = parts.join("");
          const stream = known.stream();
          let [shown, at] = ["", 0];
          for (const size of sizes) {
            shown += stream.push(input.slice(at, at + size));
            at += size;
          }
          shown += stream.push(input.slice(at)) + stream.end();
          expect(shown).toBe(known.redact(input));
        },
      ),
      { numRuns: 4000 },
    );
  });

  it("a stream lets whole lines go and holds back no more than it must", () => {
    const stream = known.stream();
    expect(stream.push("one\ntwo pass")).toBe("one\n");
    expect(stream.push("word=x9\nthree")).toBe(`two password=${MARK}\n`);
    expect(stream.end()).toBe("three");
    const endless = known.stream();
    let shown = 0;
    for (let i = 0; i < 300; i++) shown += endless.push("word ".repeat(200)).length;
    expect(shown).toBeGreaterThan(200_000);
  });

  it.each([
    ["letters", "a"],
    ["quotes", '"'],
    ["backslashes", "\\"],
    ["password", "password"],
    ["password=", "password="],
    ['password="', 'password="'],
    ['password:"\\', 'password:"\\\\'],
    ["token blanks", "token                    "],
    ["sk-", "sk-"],
    ["sk-proj-", "sk-proj-"],
    ["eyJ", "eyJ"],
    ["eyJ parts", "eyJaaaaaaaaaaa."],
    ["://", "://a:"],
    ["://:@", "://:"],
    ["Bearer", "bearer "],
    ["cookie", "cookie:a"],
    ["private keys", "-----BEGIN PRIVATE KEY-----"],
    ["private keys and quotes", '-----BEGIN PRIVATE KEY-----"'],
    ["private key lines", "-----BEGIN PRIVATE KEY-----\nAAAAAAAAAAAAAAAAAAAA"],
    ["AKIA", "AKIAAAAAAAAAAAAAAAAAAAAA"],
    ["gl", "glabcdef-"],
    ["blanks", " "],
    ["slack", "hooks.slack.com/services/"],
    ["JSON", '{"password":"x","a":[1,2]},'],
  ])("reads a megabyte of %s in linear time", (_what, unit) => {
    const time = (size: number) => {
      const input = unit.repeat(Math.ceil(size / unit.length));
      const started = performance.now();
      known.redact(input);
      return performance.now() - started;
    };
    time(10_000);
    // What is quadratic takes minutes; a busy machine does not.
    expect(time(1_000_000)).toBeLessThan(10_000);
    const stream = known.stream();
    const input = unit.repeat(Math.ceil(500_000 / unit.length));
    const started = performance.now();
    for (let at = 0; at < input.length; at += 100) stream.push(input.slice(at, at + 100));
    stream.end();
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});
