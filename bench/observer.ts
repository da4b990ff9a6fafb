/** A container that sees the guest as it is: its PID namespace is the guest's own. */

import type { ContainerSpec, ProcessSpec } from "#protocol";

export const observerContainer: ContainerSpec = {
  hostname: "observer",
  domainname: "",
  rootfs: { imageSerial: "image", upper: { kind: "tmpfs", size: 0 }, readOnly: false },
  mounts: [],
  shmSize: 2 ** 20,
  extraHosts: [],
  dns: { servers: [], search: [], options: [] },
  sysctls: {},
  resources: {},
  namespaces: {
    network: "private",
    pid: "guest",
    ipc: "private",
    uts: "private",
    cgroup: "private",
    user: "guest",
  },
  privileged: false,
  init: false,
};

/** @param stdout number of the stream that takes its output */
export function observerProcess(args: readonly string[], stdout: number): ProcessSpec {
  return {
    args,
    env: ["PATH=/bin"],
    cwd: "/",
    user: "",
    additionalGroups: [],
    capAdd: [],
    capDrop: [],
    privileged: false,
    noNewPrivileges: false,
    seccomp: "default",
    rlimits: [],
    stdio: { stdout },
  };
}
