/** The services that models come from over HTTP: where they are, and which settings name their keys. */
import { OxbowError } from "../core/errors.ts";
import type { Settings } from "../core/settings.ts";

export type Vendor = "openai" | "anthropic";

export interface VendorFacts {
  readonly keyName: string;
  readonly urlName: string;
  /** The vendor's own service. */
  readonly url: string;
}

const VENDORS: Readonly<Record<Vendor, VendorFacts>> = {
  openai: { keyName: "OPENAI_API_KEY", urlName: "OPENAI_BASE_URL", url: "https://api.openai.com/v1" },
  anthropic: {
    keyName: "ANTHROPIC_API_KEY",
    urlName: "ANTHROPIC_BASE_URL",
    url: "https://api.anthropic.com",
  },
};

/** Whose service a provider is; null for one that needs no key (a script, a program, a plugin's). */
export function vendorOf(provider: string): Vendor | null {
  if (provider === "anthropic") return "anthropic";
  return provider === "openai" || provider === "openai_chat" ? "openai" : null;
}

export function vendorFacts(vendor: Vendor): VendorFacts {
  return VENDORS[vendor];
}

export interface Credentials {
  readonly apiKey?: string | undefined;
  /** Default: the vendor's own service. */
  readonly baseUrl?: string | undefined;
}

type ModelSettings = Pick<
  Settings,
  "openaiApiKey" | "openaiBaseUrl" | "openaiModel" | "anthropicApiKey" | "anthropicBaseUrl" | "anthropicModel"
>;

/** What the settings say for a provider. */
export function credentialsOf(settings: ModelSettings, provider: string): Credentials {
  return vendorOf(provider) === "anthropic"
    ? { apiKey: settings.anthropicApiKey, baseUrl: settings.anthropicBaseUrl }
    : { apiKey: settings.openaiApiKey, baseUrl: settings.openaiBaseUrl };
}

/** The model where neither a flag nor the team file names one. */
export function defaultModel(settings: ModelSettings, provider: string): string {
  return vendorOf(provider) === "anthropic" ? settings.anthropicModel : settings.openaiModel;
}

export interface Service {
  readonly url: URL;
  readonly apiKey: string | null;
  /** Not somebody else's server that speaks the same language. */
  readonly isVendor: boolean;
}

/** Throws provider_missing (no key, and no server on this machine), setting_invalid (a malformed base URL). */
export function serviceOf(vendor: Vendor, given: Credentials): Service {
  const { keyName, urlName, url: own } = VENDORS[vendor];
  const written = given.baseUrl === undefined || given.baseUrl === "" ? own : given.baseUrl;
  const url = URL.canParse(written) ? new URL(written) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw new OxbowError("setting_invalid", `${urlName} is not an http or https URL.`);
  }
  const apiKey = given.apiKey === undefined || given.apiKey === "" ? null : given.apiKey;
  if (apiKey === null && !isLoopback(url)) {
    throw new OxbowError("provider_missing", `No key for the provider ${vendor}: ${keyName} is not set.`, {
      hint: `Set ${keyName} (and ${urlName} for a compatible server), or give --runtime command --command '…', or give --script FILE.`,
    });
  }
  return { url, apiKey, isVendor: url.host === new URL(own).host };
}

function isLoopback({ hostname }: URL): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(hostname);
}
