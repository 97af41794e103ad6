import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createRedactor } from "../../src/core/redact.ts";

const MARK = "[REDACTED]";
const { redact } = createRedactor();

describe("values that are written in other ways", () => {
  it.each([
    [
      "a YAML block",
      "db:\n  password: |\n    one two\n\n    three\n  host: db\n",
      `db:\n  password: |\n    ${MARK}\n  host: db\n`,
    ],
    [
      "a folded YAML block",
      "- secret_key: >-  # why\n    one\n    two\n  user: me",
      `- secret_key: >-  # why\n    ${MARK}\n  user: me`,
    ],
    ["a YAML block at the end", "token: |2+\n    x y", `token: |2+\n    ${MARK}`],
    [
      "a quoted YAML key",
      '"api-key": |\r\n  one\r\n  two\r\nnext: 1',
      `"api-key": |\r\n  ${MARK}\r\nnext: 1`,
    ],
    [
      "a YAML block in JSON",
      '{"log":"password: |\\n  one\\n  two\\nhost: db"}',
      `{"log":"password: |\\n  ${MARK}\\nhost: db"}`,
    ],
    [
      "PHP",
      "['user' => 'me', 'password' => 'abc', \"api_key\"=>\"d e f\"]",
      `['user' => 'me', 'password' => '${MARK}', "api_key"=>"${MARK}"]`,
    ],
    [
      "Ruby",
      "{ :password => 'abc', token => token }\n  secret_key => \"x\"",
      `{ :password => '${MARK}', token => token }\n  secret_key => "${MARK}"`,
    ],
    ["SQL", "SET password = 'it''s' WHERE x = 'y'", `SET password = '${MARK}' WHERE x = 'y'`],
    [
      "a SQL statement",
      "ALTER USER me WITH PASSWORD 'it''s me'; CREATE USER x IDENTIFIED BY 'y z'",
      `ALTER USER me WITH PASSWORD '${MARK}'; CREATE USER x IDENTIFIED BY '${MARK}'`,
    ],
    [
      "a typed declaration",
      "const password: string = 'abc'; let token: &str",
      `const password: string = '${MARK}'; let token: &str`,
    ],
    ["other assignments", "PASSWORD?=abc\nTOKEN+=abc", `PASSWORD?=${MARK}\nTOKEN+=${MARK}`],
    [
      "names of many",
      '{"passwords":["a"],"api_keys":["b"],"tokens":[7]}',
      `{"passwords":["${MARK}"],"api_keys":["${MARK}"],"tokens":[7]}`,
    ],
    ["XML", "<server><password>hunter2</password></server>", `<server><password>${MARK}</password></server>`],
    [".netrc", "machine h login me password hunter2", `machine h login me password ${MARK}`],
    [
      "a program's flags",
      "x --db-password hunter2 --token TOKEN; curl -s -u me:pass1 https://x; docker run -u 1000:1000",
      `x --db-password ${MARK} --token TOKEN; curl -s -u me:${MARK} https://x; docker run -u 1000:1000`,
    ],
    ["a signed URL", "https://x/y?se=2026&sig=abcdefgh%2B1234&x=1", `https://x/y?se=2026&sig=${MARK}&x=1`],
    ["a shell", "PASSWORD='it'\\''s' TOKEN='a'\"'\"'b' X='c'", `PASSWORD='${MARK}' TOKEN='${MARK}' X='c'`],
    ["Python", 'password = """a "b" c"""\nx = """y"""', `password = """${MARK}"""\nx = """y"""`],
    ["CSV", '"password=""abc def""","b"', `"password=""${MARK}""","b"`],
    ["a JSON array", '{"password":["a","b c"],"n":[1]}', `{"password":["${MARK}","${MARK}"],"n":[1]}`],
    [
      "a nested JSON array",
      '{"api_key": [ ["a\\"]"], "b" ], "c": 1}',
      `{"api_key": [ ["${MARK}"], "${MARK}" ], "c": 1}`,
    ],
    [
      "a JSON array of numbers",
      '{"password":[123456,"x",null,true]}',
      `{"password":["${MARK}","${MARK}",null,true]}`,
    ],
    [
      "a JSON array in JSON",
      '{"log":"{\\"secret\\":[\\"a\\",\\"b\\"],\\"n\\":1}"}',
      `{"log":"{\\"secret\\":[\\"${MARK}\\",\\"${MARK}\\"],\\"n\\":1}"}`,
    ],
    [
      "a JSON number",
      '{"api_key": 123456, "secret":-1.5e10,"x":1}',
      `{"api_key": "${MARK}", "secret":"${MARK}","x":1}`,
    ],
    ["a key that is cut off", "x -----BEGIN PRIVATE KEY-----\nMIIEaB3dE5gH7jK9mN2p\nMIIE", `x ${MARK}`],
    ["a key that is cut off at once", "-----BEGIN EC PRIVATE KEY-----\nMII\n", `${MARK}\n`],
    [
      "a key with headers that is cut off",
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIEaB3dE5gH7jK9mN2p\nMI",
      MARK,
    ],
    [
      "a key in JSON that is cut off",
      '{"k":"-----BEGIN PRIVATE KEY-----\\nMIIEaB3dE5gH7jK9mN2p\\nMII"}',
      `{"k":"${MARK}"}`,
    ],
  ])("%s", (_what, text, expected) => {
    expect(redact(text)).toBe(expected);
    expect(redact(expected)).toBe(expected);
  });

  it.each([
    "the token: |\n  is a bar",
    "password: |\nhost: db",
    "tokens.map(token => token.value); secret => other",
    '{"token":[1,2,3],"password":[],"secret":[true,null]}',
    '{"password":{"type":["string","null"]}}',
    '{"token":1234567}',
    "password=''; token=\"\"; x = ''",
    "The password 'field' is required.",
    "api_key: YOUR_API_KEY, WHERE password = :password",
    "key-value, MTA.is.not-a-token, v1.0-beta, 12:AA, dp.st.x, glsa_x",
  ])("%j stays readable", (text) => {
    expect(redact(text)).toBe(text);
  });

  it("keeps what follows the mention of a key", () => {
    expect(redact("It starts with -----BEGIN PRIVATE KEY-----\nand then words follow.")).toBe(
      `It starts with ${MARK}\nand then words follow.`,
    );
  });
});

describe("keys of other vendors", () => {
  const some = (length: number) => "aB3dE5gH7jK9mN2pQ4rS6tU8vW0xY1zC".repeat(8).slice(0, length);
  const hex = (length: number) => "0123456789abcdef".repeat(10).slice(0, length);
  it.each([
    ["Atlassian", `ATATT3x${some(60)}`],
    ["Notion", `ntn_${some(46)}`],
    ["Figma", `figd_${some(40)}`],
    ["Postman", `PMAK-${hex(24)}-${hex(34)}`],
    ["Doppler", `dp.pt.${some(43)}`],
    ["Sentry", `sntrys_${some(60)}`],
    ["Supabase", `sbp_${hex(40)}`],
    ["Grafana", `glsa_${some(32)}_${hex(8)}`],
    ["Perplexity", `pplx-${some(48)}`],
    ["Terraform", `${some(14)}.atlasv1.${some(60)}`],
    ["Twilio", `SK${hex(32)}`],
    ["Mailgun", `key-${hex(32)}`],
    ["Telegram", `123456789:AA${some(33)}`],
    ["Discord", `MTA${some(21)}.GabcDe.${some(38)}`],
    ["RubyGems", `rubygems_${hex(48)}`],
    ["Google, to refresh", `1//0${some(60)}`],
    ["an encrypted token", `eyJhbGciOiJSU0EifQ.${some(50)}.${some(16)}.${some(30)}.${some(22)}`],
  ])("%s", (_vendor, secret) => {
    for (const [before, after] of [
      ["", ""],
      ["the key ", ", keep it"],
      ['{"a":"', '"}'],
      ["(", ")"],
    ] as const)
      expect(redact(before + secret + after)).toBe(before + MARK + after);
  });
});

describe("a known value", () => {
  const value = 'p/s "wö\\d"+1 & 𝔡!';
  const knows = createRedactor({ known: [value, "line one\nline two"] });
  const percent = (text: string) =>
    Array.from(Buffer.from(text), (byte) => `%${byte.toString(16).padStart(2, "0")}`).join("");
  const unicode = (text: string) =>
    Array.from(
      { length: text.length },
      (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, "0")}`,
    ).join("");
  const ascii = (text: string) =>
    JSON.stringify(text)
      .slice(1, -1)
      .replace(/[^ -~]/g, unicode);
  const base64 = (text: string, width: number, lineEnd: string) =>
    Buffer.from(text)
      .toString("base64")
      .match(new RegExp(`.{1,${width}}`, "g"))
      ?.join(lineEnd) ?? "";

  it.each([
    ["form-encoded", new URLSearchParams([["", value]]).toString().slice(1)],
    ["wholly percent-encoded", percent(value)],
    ["in capitals", percent(value).toUpperCase()],
    ["in a URL in a form", encodeURIComponent(JSON.stringify(value).slice(1, -1))],
    ["as ASCII JSON", ascii(value)],
    ["wholly as escapes", unicode(value)],
    ["as capital escapes", unicode(value).replace(/[0-9a-f]{4}/g, (code) => code.toUpperCase())],
    ["as ASCII JSON in JSON", JSON.stringify(ascii(value)).slice(1, -1)],
    ["in JSON in JSON in JSON", JSON.stringify(JSON.stringify(JSON.stringify(value))).slice(7, -7)],
    ["in base64 of short lines", base64(value, 7, "\n")],
    ["in base64 of indented lines", base64(value, 10, "\r\n  ")],
    ["in base64 in JSON", base64(value, 9, "\\n")],
    ["in base64, percent-encoded", encodeURIComponent(Buffer.from(`~~~${value}`).toString("base64"))],
    ["with a line break", "line one\nline two"],
    ["with a line break, in JSON", "line one\\nline two"],
    ["with a line break, in a URL", "line+one%0Aline+two"],
  ])("is found %s", (_how, form) => {
    const shown = knows.redact(`<${form}>`);
    expect(shown).toMatch(/^<.{0,8}\[REDACTED\].{0,4}>$/);
    expect(knows.redact(shown)).toBe(shown);
    const stream = knows.stream();
    const pieces = Array.from(`a\n<${form}>\nb`, (char) => stream.push(char)).join("");
    expect(pieces + stream.end()).toBe(`a\n${shown}\nb`);
  });

  it("is found in base64 of lines of 64 and 76 wherever they break", () => {
    for (let before = 0; before < 80; before++) {
      for (const width of [64, 76]) {
        const text = base64(`${"x".repeat(before)}${value}${"y".repeat(60)}`, width, "\n");
        const shown = knows.redact(text);
        expect(shown).toContain(MARK);
        const stream = knows.stream();
        const lines = text.split(/(?<=\n)/);
        expect(lines.map((line) => stream.push(line)).join("") + stream.end()).toBe(shown);
        for (const part of shown.split(MARK)) {
          const rest = Buffer.from(part, "base64").toString("utf8");
          expect(rest).not.toMatch(/wö|\+1 &/);
        }
      }
    }
  });

  it("leaves the lines of others alone", () => {
    const other = base64("a".repeat(200), 64, "\n");
    expect(knows.redact(`100%25 \\u0041 ${other}`)).toBe(`100%25 \\u0041 ${other}`);
  });
});

const PIECES = String.raw`password: |~~  - token: >-~~    deep~~  one~~host: db~'it''s'~'~"~""~''~"password":[~"api_key": [~"a",~1234567~]~,~\n~\~'secret' => ~=> ~PASSWORD '~'\''~password=~-----BEGIN PRIVATE KEY-----~-----END PRIVATE KEY-----~MIIEaB3dE5gH7jK9mN2p~MII~%68%75~nter2~\u0068u~aHVu~dGVy~Mg==~[REDACTED]~{~}~:~x1~ ~<password>~</~login me password ~ --db-token ~curl -u me:~&sig=~abcdefgh1~: string = ~TOKEN?=~"passwords":`;
const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...PIECES.split("~")) },
  { weight: 4, arbitrary: fc.constant("\n") },
  { weight: 1, arbitrary: fc.string({ maxLength: 4 }) },
);
const drawn = fc.array(piece, { maxLength: 18 }).map((pieces) => pieces.join(""));
const both = createRedactor({ known: ["hunter2", "a\nb c"] });

describe("the rules of every redaction, for these too", () => {
  it("a second pass changes nothing", () => {
    fc.assert(
      fc.property(drawn, (text) => {
        const once = both.redact(text);
        expect(both.redact(once)).toBe(once);
      }),
      { numRuns: 5000 },
    );
  });

  it("pieces give the same as the whole", () => {
    fc.assert(
      fc.property(drawn, fc.array(fc.nat(30), { maxLength: 12 }), (text, sizes) => {
        const stream = both.stream();
        let [shown, at] = ["", 0];
        for (const size of sizes) {
          shown += stream.push(text.slice(at, at + size));
          at += size;
        }
        expect(shown + stream.push(text.slice(at)) + stream.end()).toBe(both.redact(text));
      }),
      { numRuns: 8000 },
    );
  });

  it("valid JSON stays valid JSON", () => {
    const key = fc.oneof(fc.constantFrom("password", "api_key", "token", "note"), drawn);
    const { any } = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { depthSize: "small" },
        drawn,
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.integer(),
        fc.constantFrom(null, true),
        fc.array(tie("any"), { maxLength: 4 }),
        fc.dictionary(key, tie("any"), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(any, fc.constantFrom(undefined, 2), fc.boolean(), (value, indent, twice) => {
        const inner = JSON.stringify({ secret: value }, null, indent);
        const text = twice ? JSON.stringify({ log: inner }) : inner;
        expect(() => JSON.parse(both.redact(text)), text).not.toThrow();
        const within = both.redact(`log ${JSON.stringify({ token: value })} end`).slice(4, -4);
        expect(() => JSON.parse(within), within).not.toThrow();
      }),
      { numRuns: 4000 },
    );
  });

  const HOSTILE = String.raw`"password":["~"api_key":[1,~password='a''~password='''~x=>~'password'=>'~%68%75%6e~\u0068~\\\~\n~%e2%82%ac~[[~"password":[[~PASSWORD 'a~curl -u ~login a ~<token>~--x-token a~key-~.atlasv1~password: |\n `;
  it.each([...HOSTILE.split("~"), "aHVudGVy\n", "\n", "password: |\n ", '"password":[\n'])(
    "reads a megabyte of %j in linear time",
    (unit) => {
      const input = unit.repeat(Math.ceil(1_000_000 / unit.length));
      const started = performance.now();
      both.redact(input);
      const stream = both.stream();
      for (let at = 0; at < 300_000; at += 100) stream.push(input.slice(at, at + 100));
      stream.end();
      // A quadratic reading would take minutes.
      expect(performance.now() - started).toBeLessThan(20_000);
    },
  );
});
