/** Reads a seccomp profile that a user wrote in Docker's JSON format. */

import { ERRNO } from "../../linux/errno.ts";
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
} from "../../linux/seccomp.ts";
import { containerError } from "../errors.ts";
import type {
  Action,
  ArgumentRule,
  RuleCondition,
  SeccompProfile,
  SyscallRule,
} from "./profile.ts";

const FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
};

/**
 * The profile in `json`.
 *
 * @throws ContainerError `SECCOMP_PROFILE` naming the field that cannot be understood
 */
export function parseProfile(json: string): SeccompProfile {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch {
    return refuse("not JSON", json.slice(0, 40));
  }
  const profile = asObject(document, "the profile");
  const defaultErrno =
    profile.defaultErrnoRet === undefined
      ? ERRNO.EPERM
      : uint(profile.defaultErrnoRet, "defaultErrnoRet");
  if (profile.listenerPath !== undefined && profile.listenerPath !== "") {
    refuse("listenerPath is not supported", profile.listenerPath);
  }
  return {
    defaultAction: action(profile.defaultAction, defaultErrno, "defaultAction"),
    i386: machines(profile).some((name) => name === "SCMP_ARCH_X86"),
    flags: list(profile.flags, "flags").reduce((all: number, flag) => all | flagOf(flag), 0),
    rules: list(profile.syscalls, "syscalls").map((each, index) =>
      rule(each, `syscalls[${index}]`),
    ),
  };
}

/** Machines of either form: a plain list, or Docker's map from a machine to those that it can also run. */
function machines(profile: Fields): unknown[] {
  const named = list(profile.architectures, "architectures");
  const mapped = list(profile.archMap, "archMap").map((each) => asObject(each, "archMap"));
  if (named.length > 0 && mapped.length > 0)
    refuse("architectures and archMap exclude each other", "both");
  const native = mapped.find(({ architecture }) => architecture === "SCMP_ARCH_X86_64");
  return native === undefined ? named : list(native.subArchitectures, "subArchitectures");
}

function rule(value: unknown, path: string): SyscallRule {
  const fields = asObject(value, path);
  const names = fields.name === undefined ? list(fields.names, `${path}.names`) : [fields.name];
  const errno =
    fields.errnoRet === undefined ? ERRNO.EPERM : uint(fields.errnoRet, `${path}.errnoRet`);
  return {
    names: names.map((name) => text(name, `${path}.names`)),
    action: action(fields.action, errno, `${path}.action`),
    args: list(fields.args, `${path}.args`).map((each) => argument(each, `${path}.args`)),
    includes: condition(fields.includes, `${path}.includes`),
    excludes: condition(fields.excludes, `${path}.excludes`),
  };
}

function argument(value: unknown, path: string): ArgumentRule {
  const fields = asObject(value, path);
  const index = uint(fields.index, `${path}.index`);
  if (index > 5) refuse(`${path}.index above 5`, index);
  return {
    index,
    op: operator(fields.op, `${path}.op`),
    value: uint(fields.value, `${path}.value`),
    valueTwo: fields.valueTwo === undefined ? 0 : uint(fields.valueTwo, `${path}.valueTwo`),
  };
}

function operator(value: unknown, path: string): ArgumentRule["op"] {
  switch (value) {
    case "SCMP_CMP_NE":
      return "NE";
    case "SCMP_CMP_LT":
      return "LT";
    case "SCMP_CMP_LE":
      return "LE";
    case "SCMP_CMP_EQ":
      return "EQ";
    case "SCMP_CMP_GE":
      return "GE";
    case "SCMP_CMP_GT":
      return "GT";
    case "SCMP_CMP_MASKED_EQ":
      return "MASKED_EQ";
    default:
      return refuse(`unknown comparison at ${path}`, value);
  }
}

function action(value: unknown, errno: number, path: string): Action {
  switch (value) {
    case "SCMP_ACT_ALLOW":
      return { kind: "ALLOW", data: 0 };
    case "SCMP_ACT_ERRNO":
      return { kind: "ERRNO", data: errno };
    case "SCMP_ACT_TRACE":
      return { kind: "TRACE", data: errno };
    case "SCMP_ACT_TRAP":
      return { kind: "TRAP", data: 0 };
    case "SCMP_ACT_LOG":
      return { kind: "LOG", data: 0 };
    case "SCMP_ACT_KILL_PROCESS":
      return { kind: "KILL_PROCESS", data: 0 };
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return { kind: "KILL_THREAD", data: 0 };
    default:
      return refuse(`unknown or unsupported action at ${path}`, value);
  }
}

function condition(value: unknown, path: string): RuleCondition {
  if (value === undefined || value === null) return {};
  const fields = asObject(value, path);
  const strings = (name: string): string[] =>
    list(fields[name], path).map((each) => text(each, `${path}.${name}`));
  const base = { caps: strings("caps"), arches: strings("arches") };
  return fields.minKernel === undefined
    ? base
    : { ...base, minKernel: kernel(fields.minKernel, path) };
}

function kernel(value: unknown, path: string): [number, number] {
  const [, major, minor] = /^(\d{1,4})\.(\d{1,4})$/.exec(text(value, path)) ?? [];
  if (major === undefined || minor === undefined) return refuse(`minKernel at ${path}`, value);
  return [Number(major), Number(minor)];
}

function flagOf(value: unknown): number {
  return FLAGS[text(value, "flags")] ?? refuse("unknown flag", value);
}

type Fields = Readonly<Record<string, unknown>>;

function asObject(value: unknown, path: string): Fields {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return refuse(`${path} is no object`, value);
  return value as Fields;
}

function list(value: unknown, path: string): unknown[] {
  if (value === undefined || value === null) return [];
  return Array.isArray(value) ? value : refuse(`${path} is no list`, value);
}

function text(value: unknown, path: string): string {
  return typeof value === "string" ? value : refuse(`${path} is no string`, value);
}

/** JSON numbers are doubles here: a value that they cannot hold exactly is refused rather than rounded. */
function uint(value: unknown, path: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
  return refuse(`${path} is no integer from 0 to 2^53`, value);
}

function refuse(what: string, value: unknown): never {
  const shown = JSON.stringify(value)?.slice(0, 80) ?? "nothing";
  throw containerError("SECCOMP_PROFILE", `seccomp profile: ${what}: ${shown}`);
}
