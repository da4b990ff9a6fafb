/** Signals to this process, as `signalPolicy` takes them. */

import { FORWARDED, type SignalActions, type SignalPolicy, signalPolicy } from "./signal-policy.ts";

export type SignalWatch = Omit<SignalPolicy, "receive"> & Disposable;

export function watchSignals(actions: SignalActions): SignalWatch {
  const { receive, ...policy } = signalPolicy(actions);
  const onSignal = (name: NodeJS.Signals) => {
    const known = FORWARDED.find((each) => each === name);
    if (known !== undefined) receive(known);
  };
  for (const name of FORWARDED) process.on(name, onSignal);
  return {
    ...policy,
    [Symbol.dispose]() {
      for (const name of FORWARDED) process.off(name, onSignal);
    },
  };
}
