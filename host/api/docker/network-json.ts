/** Networks in Docker's API 1.47 (moby api/types/network): the bodies that ask for them and how they are told. */

import type { CreateNetworkOptions, NetworkView } from "../../engine/networks/network-store.ts";
import { ZERO_TIME } from "./container-json.ts";
import { endpointBody } from "./create-body.ts";
import { apiError } from "./errors.ts";
import type { Filters } from "./filters.ts";
import { fitsName } from "./filters.ts";
import { any, boolean, type Infer, list, map, object, optional, string } from "./schema.ts";

export const networkCreateBody = object({
  Name: string,
  Driver: string,
  Scope: string,
  Internal: boolean,
  Ingress: boolean,
  ConfigOnly: boolean,
  ConfigFrom: optional(object({ Network: string })),
  EnableIPv6: optional(boolean),
  EnableIPv4: optional(boolean),
  IPAM: optional(
    object({
      Driver: string,
      Config: list(
        object({ Subnet: string, IPRange: string, Gateway: string, AuxiliaryAddresses: map(any) }),
      ),
      Options: map(string),
    }),
  ),
  Options: map(string),
  Labels: map(string),
});
type NetworkCreateBody = Infer<typeof networkCreateBody>;

export const networkConnectBody = object({
  Container: string,
  EndpointConfig: optional(endpointBody),
});

export const networkDisconnectBody = object({ Container: string, Force: boolean });

export const NETWORK_FILTERS = ["dangling", "driver", "id", "label", "name", "scope", "type"];

/** @throws DvmError `BAD_REQUEST`, `NO_SUCH_PAGE` for another driver, `UNSUPPORTED`, each naming the field */
export function readNetworkCreate(body: NetworkCreateBody): Omit<CreateNetworkOptions, "owner"> {
  refuseUnsupported(body);
  const { Name, Internal, Labels, IPAM } = body;
  if (Name === "") throw apiError("BAD_REQUEST", "network name cannot be empty");
  const configs = IPAM?.Config ?? [];
  return {
    name: Name,
    internal: Internal,
    labels: Labels,
    ...given(configs.find((config) => !isIpv6(config))),
    ...(body.EnableIPv6 ? { ipv6: given(configs.find(isIpv6)) } : {}),
  };
}

type IpamConfig = Pick<
  NonNullable<NetworkCreateBody["IPAM"]>["Config"][number],
  "Subnet" | "Gateway"
>;

function isIpv6({ Subnet, Gateway }: IpamConfig): boolean {
  return (Subnet || Gateway).includes(":");
}

function given(config: IpamConfig | undefined) {
  const { Subnet = "", Gateway = "" } = config ?? {};
  return {
    ...(Subnet === "" ? {} : { subnet: Subnet }),
    ...(Gateway === "" ? {} : { gateway: Gateway }),
  };
}

/** @param mine ids of the containers that the asker may see, with their names */
export function networkJson(
  view: NetworkView,
  mine: ReadonlyMap<string, string>,
): Record<string, unknown> {
  const prefix = view.subnet.slice(view.subnet.indexOf("/"));
  const prefix6 = view.ipv6?.subnet.replace(/^[^/]*/, "");
  const members = view.endpoints.filter(({ container }) => mine.has(container));
  return {
    Name: view.name,
    Id: view.id,
    Created: view.created || ZERO_TIME,
    Scope: "local",
    Driver: view.driver,
    EnableIPv4: true,
    EnableIPv6: view.ipv6 !== undefined,
    IPAM: {
      Driver: "default",
      Options: null,
      Config: [
        ...(view.subnet === "" ? [] : [{ Subnet: view.subnet, Gateway: view.gateway }]),
        ...(view.ipv6 === undefined
          ? []
          : [{ Subnet: view.ipv6.subnet, Gateway: view.ipv6.gateway }]),
      ],
    },
    Internal: view.internal,
    Attachable: false,
    Ingress: false,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: Object.fromEntries(
      members.map(({ container, tap, mac, address, address6 }) => [
        container,
        {
          Name: mine.get(container) ?? "",
          EndpointID: `${container.slice(0, 32)}${tap}`,
          MacAddress: mac,
          IPv4Address: `${address}${prefix}`,
          IPv6Address: address6 === undefined ? "" : `${address6}${prefix6}`,
        },
      ]),
    ),
    Options: {},
    Labels: view.labels,
  };
}

/** @throws DvmError `BAD_REQUEST` for a value that no filter has */
export function acceptsNetwork(filters: Filters, view: NetworkView): boolean {
  const dangling = filters.flag("dangling", false);
  return (
    filters.accepts("name", (value) => fitsName(view.name, value)) &&
    filters.accepts("id", (value) => view.id.startsWith(value)) &&
    filters.accepts("driver", (value) => view.driver === value) &&
    filters.accepts("scope", (value) => value === "local") &&
    filters.accepts("type", (value) => isOfType(view, value)) &&
    filters.acceptsLabels(view.labels) &&
    (!filters.has("dangling") || dangling === (!view.isBuiltIn && view.endpoints.length === 0))
  );
}

function isOfType(view: NetworkView, type: string): boolean {
  if (type === "builtin" || type === "custom") return view.isBuiltIn === (type === "builtin");
  throw apiError("BAD_REQUEST", `invalid filter: 'type'='${type.slice(0, 100)}'`);
}

function refuseUnsupported(body: NetworkCreateBody): void {
  const { Driver, Scope, IPAM, Options } = body;
  if (!["", "bridge", "default"].includes(Driver)) {
    throw apiError("NO_SUCH_PAGE", `plugin ${JSON.stringify(Driver.slice(0, 100))} not found`);
  }
  const configs = IPAM?.Config ?? [];
  const [option] = [...Object.keys(Options), ...Object.keys(IPAM?.Options ?? {})];
  const wishes: readonly (readonly [string, boolean])[] = [
    ["an IPv6 subnet without EnableIPv6", !body.EnableIPv6 && configs.some(isIpv6)],
    ["EnableIPv4=false", body.EnableIPv4 === false],
    ["Ingress", body.Ingress],
    ["ConfigOnly", body.ConfigOnly],
    ["ConfigFrom", (body.ConfigFrom?.Network ?? "") !== ""],
    [`Scope ${JSON.stringify(Scope.slice(0, 100))}`, Scope !== "" && Scope !== "local"],
    ["an IPAM driver", !["", "default"].includes(IPAM?.Driver ?? "")],
    [
      "more than one subnet of a family",
      [true, false].some((six) => configs.filter((config) => isIpv6(config) === six).length > 1),
    ],
    ["IPRange", configs.some(({ IPRange }) => IPRange !== "")],
    [
      "AuxiliaryAddresses",
      configs.some(({ AuxiliaryAddresses }) => Object.keys(AuxiliaryAddresses).length > 0),
    ],
    [`option ${option?.slice(0, 100)}`, option !== undefined],
  ];
  const wish = wishes.find(([, isThere]) => isThere);
  if (wish !== undefined) {
    throw apiError("UNSUPPORTED", `${wish[0]} is not supported for networks`);
  }
}
