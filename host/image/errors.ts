/** What can be wrong with an image, its name or its layers. */
import { errorTable } from "../errors.ts";

const table = {
  REFERENCE_INVALID: {
    exitCode: 125,
    hint: "write [HOST[:PORT]/]NAME[:TAG][@DIGEST], oci:DIR[:TAG], oci-archive:FILE[:TAG] or docker-archive:FILE[:TAG]",
  },
  IMAGE_NOT_FOUND: { exitCode: 125, hint: "check the name, or list what there is with dvm images" },
  IMAGE_AMBIGUOUS: { exitCode: 125, hint: "name one of them with a tag" },
  SOURCE_UNREADABLE: { exitCode: 125, hint: "check that the image is there and complete" },
  MANIFEST_INVALID: { exitCode: 125, hint: "make the image again: its metadata is damaged" },
  NOT_AN_IMAGE: { exitCode: 125, hint: "only container images can be run" },
  PLATFORM_INVALID: { exitCode: 125, hint: "write OS/ARCHITECTURE[/VARIANT], such as linux/amd64" },
  PLATFORM_UNAVAILABLE: { exitCode: 125, hint: "pick an image made for this machine" },
  DIGEST_MISMATCH: {
    exitCode: 125,
    hint: "the image is damaged or was tampered with: get it again",
  },
  LAYER_CORRUPT: { exitCode: 125, hint: "the image is damaged: get it again" },
  LAYER_ENTRY_REFUSED: {
    exitCode: 125,
    hint: "the image is malformed or hostile: do not use it",
  },
  LAYER_LIMIT_EXCEEDED: {
    exitCode: 125,
    hint: "the image is far larger than an image should be: do not use it",
  },
  STORE_CORRUPT: { exitCode: 125, hint: "remove the image and get it again" },
  STORE_UNUSABLE: {
    exitCode: 125,
    hint: "check whose folder it is, or name another by --data-root or DVM_DATA_ROOT",
  },
  STORE_BUSY: { exitCode: 125, hint: "another dvm holds the image store: try again" },
  STORE_FULL: {
    exitCode: 125,
    hint: "make room: dvm image prune removes what nothing uses, and --data-root names another place",
  },
  CHANGE_INVALID: {
    exitCode: 125,
    hint: "write an instruction of a Dockerfile: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME or WORKDIR",
  },
  IMAGE_IN_USE: { exitCode: 1 },
  LOAD_CANCELLED: { exitCode: 130 },
  REGISTRY_UNAUTHORIZED: {
    exitCode: 125,
    hint: "log in with dvm login HOST, and check that the repository exists and is yours to use",
  },
  REGISTRY_DENIED: {
    exitCode: 125,
    hint: "check that your account may do that in this repository",
  },
  REGISTRY_UNREACHABLE: {
    exitCode: 125,
    hint: "check the host's name, the network and HTTP_PROXY, HTTPS_PROXY and NO_PROXY",
  },
  REGISTRY_TLS: {
    exitCode: 125,
    hint: "put the registry's CA into /etc/docker/certs.d/HOST[:PORT]/ca.crt or name it in DVM_REGISTRY_CA",
  },
  REGISTRY_TIMEOUT: { exitCode: 125, hint: "the registry or the network is slow: try again" },
  REGISTRY_RATE_LIMITED: { exitCode: 125, hint: "wait, or log in: accounts have higher limits" },
  REGISTRY_FAILED: {
    exitCode: 125,
    hint: "the registry has a problem of its own: try again later",
  },
  REGISTRY_PROTOCOL: { exitCode: 125, hint: "check that the host is a registry" },
  CREDENTIALS_UNREADABLE: {
    exitCode: 125,
    hint: "check config.json in DOCKER_CONFIG or ~/.docker, and the credential helper it names",
  },
} as const;

export type ImageErrorCode = keyof typeof table;

/** Makes an error of the image layer. */
export const imageError = errorTable<ImageErrorCode>(table);

/** Tells whether a code is one of this layer's, as when an error comes from another thread. */
export function isImageErrorCode(code: string | undefined): code is ImageErrorCode {
  return code !== undefined && Object.hasOwn(table, code);
}

/** Gives a full disk its own error; any other passes as it is. */
export function storeFailure(error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error)) return error;
  if (error.code !== "ENOSPC" && error.code !== "EDQUOT") return error;
  return imageError("STORE_FULL", "no room left for the image store", { cause: error });
}
