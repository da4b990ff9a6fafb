/** What containers were refused by their egress policies, as attributes of events. */

import { denials } from "../../network/egress/denials.ts";

/** @param tell is called with the container's id, not too often for any of them */
export function tellDenials(
  tell: (container: string, attributes: Readonly<Record<string, string>>) => void,
): Disposable {
  return denials.listen(({ container, destination, protocol, port, reason }) =>
    tell(container, {
      destination,
      protocol,
      ...(port === undefined ? {} : { port: `${port}` }),
      ...(reason === undefined ? {} : { reason }),
    }),
  );
}
