/** What networks have left on the host for machines that are no more. */

/** Devices and rules of machines whose run directories are gone; passt ends by itself or is swept with its machine. */
export async function sweepNetworks(): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const { sweepBridges } = await import("../../network/bridge/open-bridge-network.ts");
  await sweepBridges();
}
