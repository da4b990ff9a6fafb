/** Requests of one run that are under way, and the wait for their answers. */

import { daemonError, lostDaemon } from "../../api/client/daemon-answer.ts";
import type { DvmError } from "../../errors.ts";
import type { Answer } from "./answer.ts";
import { Connection, type Request } from "./connection.ts";
import { type Watched, waitFor } from "./event-loop.ts";

/** A request whose answer is on its way. */
export interface Asked {
  readonly connection: Connection;
  readonly answer: Answer;
}

export interface RequestsOptions {
  /** path of the daemon's socket */
  readonly socket: string;
  /** a connection to it */
  readonly daemon: Connection;
  /** what is waited for beside the answers, whichever these are */
  readonly beside: () => readonly Watched[];
}

export class Requests {
  /** why no answer comes any more */
  failure: DvmError | undefined;
  readonly #options: RequestsOptions;
  /** those that nobody waits for */
  readonly #asides = new Set<Asked>();

  constructor(options: RequestsOptions) {
    this.#options = options;
  }

  /** On the first connection, whose earlier answers are complete. */
  ask(request: Request): Asked {
    const { daemon } = this.#options;
    return { connection: daemon, answer: daemon.send(request) };
  }

  /** On a connection of its own. @throws DvmError `DAEMON_UNREACHABLE` */
  askAnew(request: Request): Asked {
    const connection = Connection.open(this.#options.socket);
    if (connection === undefined) throw lostDaemon();
    return { connection, answer: connection.send(request) };
  }

  /** One whose answer is of no matter, nor whether anybody is there. */
  aside(request: Request): void {
    const connection = Connection.open(this.#options.socket);
    if (connection !== undefined)
      this.#asides.add({ connection, answer: connection.send(request) });
  }

  /** Waits for the whole of an answer, or the end of its connection. */
  complete(asked: Asked): void {
    let isThere = true;
    const onEnd = () => {
      isThere = false;
    };
    while (!asked.answer.isComplete && isThere) this.wait([this.take(asked, onEnd)]);
  }

  /** Takes what comes of an answer. @param onEnd called when it is cut off; absent: that is a failure */
  take({ connection, answer }: Asked, onEnd?: () => void): Watched {
    return connection.watched(() => {
      if (connection.receive(answer) || answer.isComplete) return;
      if (onEnd !== undefined) onEnd();
      else this.failure ??= lostDaemon();
    });
  }

  /** @param timeout at most so long, in `milliseconds`; absent: for ever */
  wait(watched: readonly Watched[], timeout?: number): void {
    const asides = [...this.#asides].map((aside) =>
      aside.connection.watched(() => {
        if (aside.connection.receive(aside.answer) && !aside.answer.isComplete) return;
        this.#asides.delete(aside);
        aside.connection.close();
      }),
    );
    waitFor([...this.#options.beside(), ...asides, ...watched], timeout);
  }
}

/** The error that an answer tells. */
export function refusal(answer: Answer): DvmError {
  return daemonError(answer.status ?? 0, answer.text());
}
