/** Errors in the shape that OpenAI's clients read. */
import { ArgumentError, ContextError, SiskinError } from "../index.ts";

/** What a client did wrong, or the server cannot do now. */
export class HttpError extends Error {
  /**
   * @param status HTTP's
   * @param param the parameter at fault
   * @param headers to be sent with it
   */
  constructor(
    readonly status: number,
    message: string,
    readonly param: string | null = null,
    readonly code: string | null = null,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/** A parameter that is not understood, or has a value that it cannot have. */
export function badParameter(param: string, message: string): HttpError {
  return new HttpError(400, message, param, null);
}

/** Any error as one of HTTP. What is no fault of the caller's is told without its inside. */
export function asHttpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error;
  if (error instanceof ContextError) return new HttpError(400, error.message, null, "context_length_exceeded");
  if (error instanceof ArgumentError) return new HttpError(400, error.message);
  if (error instanceof SiskinError) return new HttpError(500, error.message);
  return new HttpError(500, "The server failed");
}

/** The body of an error. */
export function errorBody({ status, message, param, code }: HttpError): object {
  const type =
    status === 401
      ? "authentication_error"
      : status === 429
        ? "rate_limit_error"
        : status >= 500
          ? "server_error"
          : "invalid_request_error";
  return { error: { message, type, param, code } };
}
