/** What a client asks of a daemon's networks. */

import { readBySchema } from "../docker/schema.ts";
import { idAnswer, type NetworkSummary, networkSummaries, networksPruneAnswer } from "./answers.ts";
import { type FilterValues, filterText, type HttpConnection, pathPart } from "./http-connection.ts";

export interface NetworkRequest {
  readonly name: string;
  readonly internal: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly ipv6: boolean;
  /** `address/prefix`, one of a family; without one it is of the daemon's choice */
  readonly subnets: readonly string[];
  readonly gateways: readonly string[];
}

export class NetworkClient {
  readonly #connection: HttpConnection;

  constructor(connection: HttpConnection) {
    this.#connection = connection;
  }

  async list(filters: FilterValues = {}): Promise<readonly NetworkSummary[]> {
    const query = { filters: filterText(filters) };
    const answer = await this.#connection.json({ method: "GET", path: "/networks", query });
    return readBySchema(networkSummaries, answer);
  }

  /** As the daemon tells it. @throws DvmError `NO_SUCH_NETWORK` */
  inspect(network: string): Promise<unknown> {
    return this.#connection.json({ method: "GET", path: at(network) });
  }

  /** @returns its id @throws DvmError `NETWORK_INVALID`, `NETWORK_EXISTS`, `SUBNET_OVERLAP`, `POOL_EXHAUSTED` */
  async create(request: NetworkRequest): Promise<string> {
    const { name, internal, labels, ipv6 } = request;
    const answer = await this.#connection.json({
      method: "POST",
      path: "/networks/create",
      body: {
        Name: name,
        Internal: internal,
        Labels: labels,
        EnableIPv6: ipv6,
        IPAM: { Config: [...ipamConfigs(request, false), ...ipamConfigs(request, true)] },
      },
    });
    return readBySchema(idAnswer, answer).Id;
  }

  /** @throws DvmError `NO_SUCH_NETWORK`, `NETWORK_IN_USE` */
  async remove(network: string): Promise<void> {
    await this.#connection.json({ method: "DELETE", path: at(network) });
  }

  /** @returns their names */
  async prune(filters: FilterValues = {}): Promise<readonly string[]> {
    const query = { filters: filterText(filters) };
    const answer = await this.#connection.json({ method: "POST", path: "/networks/prune", query });
    return readBySchema(networksPruneAnswer, answer).NetworksDeleted;
  }

  async connect(
    network: string,
    options: {
      readonly container: string;
      readonly aliases: readonly string[];
      readonly address: string | undefined;
    },
  ): Promise<void> {
    const { container, aliases, address } = options;
    const config = address === undefined ? {} : { IPAMConfig: { IPv4Address: address } };
    await this.#connection.json({
      method: "POST",
      path: `${at(network)}/connect`,
      body: { Container: container, EndpointConfig: { Aliases: aliases, ...config } },
    });
  }

  async disconnect(
    network: string,
    { container, force }: { readonly container: string; readonly force: boolean },
  ): Promise<void> {
    await this.#connection.json({
      method: "POST",
      path: `${at(network)}/disconnect`,
      body: { Container: container, Force: force },
    });
  }
}

/** Subnets and gateways of a family, side by side. */
function ipamConfigs({ subnets, gateways }: NetworkRequest, six: boolean) {
  const isMeant = (text: string) => text.includes(":") === six;
  const [own, routers] = [subnets.filter(isMeant), gateways.filter(isMeant)];
  return Array.from({ length: Math.max(own.length, routers.length) }, (_, index) => ({
    Subnet: own[index] ?? "",
    Gateway: routers[index] ?? "",
  }));
}

function at(network: string): string {
  return `/networks/${pathPart(network)}`;
}
