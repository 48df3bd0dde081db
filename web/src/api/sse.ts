/** Parses server-sent events from bytes (https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream). */

export interface ServerEvent {
  event: string;
  data: string;
}

export class EventParser {
  /** Milliseconds that the server wants between two connections. `null` until it has sent them. */
  retry: number | null = null;
  private readonly decoder = new TextDecoder();
  private rest = "";
  private event = "";
  private data: string[] = [];

  /** Returns the events that these bytes complete. */
  push(bytes: Uint8Array): ServerEvent[] {
    this.rest += this.decoder.decode(bytes, { stream: true });
    const events: ServerEvent[] = [];
    // A carriage return at the end may be the first half of a line ending.
    for (let end = this.rest.search(/\r\n|\n|\r(?!$)/); end >= 0; end = this.rest.search(/\r\n|\n|\r(?!$)/)) {
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + (this.rest.startsWith("\r\n", end) ? 2 : 1));
      const event = this.line(line);
      if (event) events.push(event);
    }
    return events;
  }

  private line(line: string): ServerEvent | null {
    if (line === "") {
      const event = this.data.length > 0 ? { event: this.event || "message", data: this.data.join("\n") } : null;
      this.event = "";
      this.data = [];
      return event;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") this.event = value;
    else if (field === "data") this.data.push(value);
    else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    return null;
  }
}
