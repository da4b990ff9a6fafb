/* The floor: an init that ends its machine with its first system call; no C library, no other work. */
#define SYS_reboot 169
#define LINUX_REBOOT_MAGIC1 0xfee1deadL
#define LINUX_REBOOT_MAGIC2 672274793L
#define LINUX_REBOOT_CMD_RESTART 0x01234567L

void _start(void)
{
    register long command __asm__("rdx") = LINUX_REBOOT_CMD_RESTART;
    register long argument __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYS_reboot), "D"(LINUX_REBOOT_MAGIC1), "S"(LINUX_REBOOT_MAGIC2), "r"(command), "r"(argument)
                     : "rcx", "r11", "memory");
    for (;;)
        ;
}
