/** Server-sent events, as model providers stream them: blocks of `event:` and `data:` lines, parted by an empty line. */

export interface ServerEvent {
  /** "" when the server named none. */
  readonly event: string;
  readonly data: string;
}

/** Comments and fields of no use here are left out; a line that the stream breaks off in is dropped. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerEvent> {
  let event = "";
  let data: string[] = [];
  for await (const line of linesOf(body)) {
    if (line === "") {
      if (data.length > 0) yield { event, data: data.join("\n") };
      event = "";
      data = [];
    } else if (line.startsWith("data:")) data.push(valueOf(line, 5));
    else if (line.startsWith("event:")) event = valueOf(line, 6);
  }
  // Small servers leave out the last empty line.
  if (data.length > 0) yield { event, data: data.join("\n") };
}

function valueOf(line: string, from: number): string {
  return line.slice(line[from] === " " ? from + 1 : from);
}

/** Lines that are complete, without their ends. A very long one is put together once, not with every chunk. */
async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let open: string[] = [];
  let returned = false;
  for await (const chunk of body) {
    let text = decoder.decode(chunk, { stream: true });
    if (returned && text.startsWith("\n")) text = text.slice(1);
    if (text === "") continue;
    returned = text.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    const last = lines.pop() ?? "";
    for (const line of lines) {
      yield open.length === 0 ? line : open.join("") + line;
      open = [];
    }
    if (last !== "") open.push(last);
  }
}
