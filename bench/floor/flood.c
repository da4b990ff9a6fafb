/* An init that writes lines to the agent's port, as fast as the kernel takes them, and ends its machine. */
#include <fcntl.h>
#include <glob.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <unistd.h>

#define LINE "the quick brown fox jumps over the lazy dog, and then some more of the same text\n"

static char piece[64 * 1024];

int main(void)
{
    glob_t ports = { 0 };
    size_t at, length = sizeof(LINE) - 1;
    long left = FLOOD_BYTES;
    int fd;

    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    for (at = 0; at < sizeof(piece); at += length)
        memcpy(piece + at, LINE, sizeof(piece) - at < length ? sizeof(piece) - at : length);
    /* port 0 of the device is the console */
    while (glob("/dev/vport*p1", 0, NULL, &ports) != 0)
        usleep(1000);
    fd = open(ports.gl_pathv[0], O_RDWR);
    while (left > 0) {
        ssize_t written = write(fd, piece, left < (long)sizeof(piece) ? left : (long)sizeof(piece));
        if (written <= 0)
            break;
        left -= written;
    }
    /* what the host has not read is lost with the machine: it says when it has */
    read(fd, piece, 1);
    reboot(RB_AUTOBOOT);
    return 0;
}
