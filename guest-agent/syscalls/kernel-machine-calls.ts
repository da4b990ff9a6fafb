/** The machine as a whole, by the kernel. */

import { LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2 } from "../linux/reboot.ts";
import { NEW_UTSNAME, SYSINFO } from "../linux/sysinfo.ts";
import { TIMESPEC } from "../linux/time.ts";
import { type Kernel, Struct } from "./kernel.ts";
import type { MachineCalls } from "./syscalls.ts";

export function kernelMachineCalls(kernel: Kernel): MachineCalls {
  return {
    sethostname: (name) => void kernel.about(name, "sethostname", name, kernel.encode(name).length),
    setdomainname: (name) =>
      void kernel.about(name, "setdomainname", name, kernel.encode(name).length),
    swapon: (path, flags) => void kernel.about(path, "swapon", path, flags),
    swapoff: (path) => void kernel.about(path, "swapoff", path),
    uname: () => {
      const names = new Uint8Array(NEW_UTSNAME.size);
      kernel.call("uname", names);
      const { offset } = NEW_UTSNAME.fields.release;
      return { release: kernel.decode(names.subarray(offset, names.indexOf(0, offset))) };
    },
    sysinfo: () => {
      const info = new Struct(SYSINFO);
      kernel.call("sysinfo", info.bytes);
      const unit = info.get("mem_unit");
      return { total: info.get("totalram") * unit, free: info.get("freeram") * unit };
    },
    sync: () => void kernel.call("sync"),
    reboot: (command) =>
      void kernel.call("reboot", LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, command, null),
    clock_settime: (clock, { seconds, nanoseconds }) => {
      const time = new Struct(TIMESPEC).set("tv_sec", seconds).set("tv_nsec", nanoseconds);
      kernel.call("clock_settime", clock, time.bytes);
    },
    clock_gettime: (clock) => {
      const time = new Struct(TIMESPEC);
      kernel.call("clock_gettime", clock, time.bytes);
      return { seconds: time.get("tv_sec"), nanoseconds: time.get("tv_nsec") };
    },
    getrandom: (length) => {
      const bytes = new Uint8Array(length);
      for (let got = 0; got < length; ) {
        got += kernel.call("getrandom", bytes.subarray(got), length - got, 0);
      }
      return bytes;
    },
    socket: (domain, type, protocol) => kernel.call("socket", domain, type, protocol),
    bind: (socket, address) => void kernel.call("bind", socket, address, address.length),
  };
}
