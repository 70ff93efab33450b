/** Server-sent events that are made as they are read: who reads slowly slows the making, and who stops reading ends it. */

const encoder = new TextEncoder();

/** One event. */
export function event(data: object | string, name?: string): string {
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return `${name === undefined ? "" : `event: ${name}\n`}data: ${text}\n\n`;
}

/**
 * @param stallMilliseconds how long a reader may leave the next event unread
 * @param end hears that the last event was read, or the reader is gone
 */
export function eventStream(
  events: AsyncGenerator<string, void, void>,
  stallMilliseconds: number,
  end: (reason?: unknown) => void,
): ReadableStream<Uint8Array> {
  let stalled: ReturnType<typeof setTimeout> | undefined;
  const stop = (reason: unknown) => {
    clearTimeout(stalled);
    end(reason);
    // Where the next event is being made, this waits for it; what makes it has heard of the end.
    void events.return().catch(() => {});
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(stalled);
        try {
          const { done, value } = await events.next();
          if (done) {
            controller.close();
            end();
            return;
          }
          controller.enqueue(encoder.encode(value));
          stalled = setTimeout(() => {
            const reason = new Error("The reader has stalled");
            stop(reason);
            controller.error(reason);
          }, stallMilliseconds);
        } catch (error) {
          controller.error(error);
          stop(error);
        }
      },
      cancel: (reason) => stop(reason ?? new Error("The reader is gone")),
    },
    { highWaterMark: 1 },
  );
}
