import { describe, expect, it } from "vitest";
import { parseRemoteUrl } from "../../src/core/remote-url.ts";

function identity(url: string): string | null {
  const parsed = parseRemoteUrl(url);
  return "refused" in parsed ? null : parsed.identity;
}

describe("the URL of the remote that machines share", () => {
  it.each([
    "git@git.example.com:acme/shop.git",
    "ssh://git@git.example.com/acme/shop",
    "ssh://git@GIT.example.com:22/acme/shop.git/",
    "https://git.example.com/acme/shop.git",
    "https://git.example.com:443/acme/shop/",
  ])("%s is one repository, however it is written", (url) => {
    expect(identity(url)).toBe("git.example.com/acme/shop");
  });

  it("tells others apart", () => {
    expect(identity("https://git.example.com:8443/acme/shop")).toBe("git.example.com:8443/acme/shop");
    expect(identity("git@git.example.com:acme/Shop")).toBe("git.example.com/acme/Shop");
    expect(identity("file:///srv/shop.git")).toBe("/srv/shop");
    expect(identity("http://127.0.0.1:8080/shop.git")).toBe("127.0.0.1:8080/shop");
  });

  it.each([
    "-uhttps://git.example.com/x",
    "--upload-pack=touch /tmp/x",
    "ext::sh -c touch% /tmp/x",
    "ext::git.example.com/x",
    "fd::17",
    "http://git.example.com/x",
    "http://127.0.0.1.example.com/x",
    "http://user@localhost/x",
    "git://git.example.com/x",
    "ssh://-oProxyCommand=x/y",
    "ssh://%2doProxyCommand=x/y",
    "-oProxyCommand=x:y",
    "git@host:-x",
    "https://git.example.com/x\nhttps://other",
    "../other",
    "/srv/shop.git",
    "https://token@git.example.com/x",
    "https://user:password@git.example.com/x",
  ])("%s is refused", (url) => {
    expect(identity(url)).toBeNull();
  });

  it("repeats nothing of a URL with a password", () => {
    const parsed = parseRemoteUrl("https://user:hunter2hunter2@git.example.com/x");
    expect(JSON.stringify(parsed)).not.toContain("hunter2");
  });
});
