/** `oxbow report`: to the terminal, or into a file. */
import { writeFile } from "node:fs/promises";
import { extname } from "node:path";
import { openApp, type ReportFormat, type TicketHistory } from "../../app.ts";
import { OxbowError } from "../../core/errors.ts";

interface Flags {
  readonly repo: string;
  readonly format?: ReportFormat;
  readonly output?: string;
  readonly json?: boolean;
}

const ENDINGS: Readonly<Record<string, ReportFormat>> = {
  ".html": "html",
  ".htm": "html",
  ".md": "markdown",
  ".markdown": "markdown",
  ".json": "json",
};

export async function report(wanted: string, flags: Flags): Promise<number> {
  const ending = flags.output === undefined ? undefined : ENDINGS[extname(flags.output).toLowerCase()];
  const format = flags.format ?? (flags.json ? "json" : (ending ?? "text"));
  await using app = openApp({ repo: flags.repo });
  const text = await written(await app.report(wanted), format);
  if (flags.output === undefined) {
    process.stdout.write(text);
    return 0;
  }
  await save(flags.output, text);
  process.stdout.write(
    flags.json ? `${JSON.stringify({ file: flags.output, format })}\n` : `Wrote ${flags.output}.\n`,
  );
  return 0;
}

async function written(history: TicketHistory, format: ReportFormat): Promise<string> {
  switch (format) {
    case "json":
      return `${JSON.stringify(history)}\n`;
    case "markdown":
      return (await import("../../report-markdown.ts")).reportMarkdown(history);
    case "html":
      return (await import("../../report-page.ts")).reportPage(history);
    case "text":
      return (await import("./history-text.ts")).historyText(history);
  }
}

async function save(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new OxbowError("usage", `The report cannot be written to ${file}: ${why}`, {
      hint: "Name a file in a folder that is there with --output.",
      cause: error,
    });
  }
}
