/** The rates of block devices between Docker's fields and the engine's terms (moby api/types/blkiodev). */

import type { DeviceRate, ResourceConfig } from "../../engine/container-config.ts";
import type { HostConfigBody } from "./create-body.ts";
import { apiError } from "./errors.ts";

type RateFields = Pick<HostConfigBody, `BlkioDevice${"Read" | "Write"}${"Bps" | "IOps"}`>;

const FIELDS = {
  readBps: "BlkioDeviceReadBps",
  writeBps: "BlkioDeviceWriteBps",
  readIops: "BlkioDeviceReadIOps",
  writeIops: "BlkioDeviceWriteIOps",
} as const satisfies Record<string, keyof RateFields>;

type Kind = keyof typeof FIELDS;
const KINDS = ["readBps", "writeBps", "readIops", "writeIops"] as const satisfies readonly Kind[];

/** A rate of 0 is none, which takes away the one that there was. @throws DvmError `BAD_REQUEST` for what is no rate */
export function readDeviceRates(host: RateFields): Pick<ResourceConfig, "deviceRates"> {
  const given = KINDS.filter((kind) => host[FIELDS[kind]].length > 0);
  if (given.length === 0) return {};
  return {
    deviceRates: Object.fromEntries(
      given.map((kind) => {
        const rates = host[FIELDS[kind]].map((each) => readRate(FIELDS[kind], each));
        return [kind, rates.filter(({ rate }) => rate > 0)];
      }),
    ),
  };
}

export function writeDeviceRates({ deviceRates = {} }: ResourceConfig): Record<string, unknown> {
  return Object.fromEntries(
    KINDS.map((kind) => [
      FIELDS[kind],
      deviceRates[kind]?.map(({ path, rate }) => ({ Path: path, Rate: rate })) ?? null,
    ]),
  );
}

function readRate(field: string, { Path, Rate }: { Path: string; Rate: number }): DeviceRate {
  if (Rate >= 0 && Number.isSafeInteger(Rate)) return { path: Path, rate: Rate };
  throw apiError("BAD_REQUEST", `invalid ${field}: rate ${Rate} of ${Path.slice(0, 100)}`);
}
