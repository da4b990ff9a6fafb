/*
 * PID 1 of the guests in *.vm.test.ts: does what the word `t=` on the kernel command line names.
 * `echo` sends "hello" to the agent's port and then back what it gets, until that begins with "quit"; `disks` sends
 * what it finds on the disks; `plug` says "ready", sends the same of two disks that come later, gives them up, and
 * does so once more, and stays; the others are ways to fail.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

static char mode[64];

static void read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t length = fd < 0 ? 0 : read(fd, text, size - 1);

	text[length < 0 ? 0 : length] = 0;
	close(fd);
}

static int open_port(void)
{
	char path[128], name[64];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "/sys/class/virtio-ports/vport0p%d/name", i);
		read_file(path, name, sizeof(name));
		if (strncmp(name, "dvm.agent", 9) == 0) {
			snprintf(path, sizeof(path), "/dev/vport0p%d", i);
			return open(path, O_RDWR);
		}
	}
	return -1;
}

static void echo(int port)
{
	static char buffer[65536];

	write(port, "hello\n", 6);
	for (;;) {
		ssize_t length = read(port, buffer, sizeof(buffer));

		if (length <= 0)
			usleep(1000);
		else if (memcmp(buffer, "quit", 4) == 0)
			return;
		else
			write(port, buffer, length);
	}
}

/* For each disk: serial, size in sectors, read-only or not, the first byte of each 4096, and what a write does. */
static void disks(int port)
{
	for (char letter = 'a'; letter < 'd'; letter++) {
		char path[128], serial[32], size[32], ro[8], line[512], bytes[64] = "";
		int fd;

		snprintf(path, sizeof(path), "/sys/block/vd%c/serial", letter);
		read_file(path, serial, 21);
		if (serial[0] == 0)
			continue;
		snprintf(path, sizeof(path), "/sys/block/vd%c/size", letter);
		read_file(path, size, sizeof(size));
		snprintf(path, sizeof(path), "/sys/block/vd%c/ro", letter);
		read_file(path, ro, sizeof(ro));
		snprintf(path, sizeof(path), "/dev/vd%c", letter);
		fd = open(path, O_RDONLY);
		for (int block = 0; block < 32; block++) {
			char byte;

			if (pread(fd, &byte, 1, block * 4096L) != 1)
				break;
			bytes[block] = byte ? byte : '.';
		}
		close(fd);
		fd = open(path, O_WRONLY);
		ssize_t written = fd < 0 ? -1 : pwrite(fd, "WRITTEN", 7, 4096);
		if (fd >= 0 && fsync(fd) != 0)
			written = -1;
		size[strcspn(size, "\n")] = 0;
		int length = snprintf(line, sizeof(line), "%s %s %c %s %s\n", serial, size, ro[0], bytes,
				      written == 7 ? "written" : "refused");
		write(port, line, length);
	}
	write(port, "end\n", 4);
}

/* For a disk that came later: serial, size in sectors, read-only or not, the first bytes, and what a write does. */
/* The SCSI disk whose serial begins so; its letter says nothing, for that of one before may not be free yet. */
static void find_disk(char first, char *name, char *serial, size_t size)
{
	struct dirent *entry;
	char path[300];

	for (;;) {
		DIR *folder = opendir("/sys/block");

		while ((entry = readdir(folder)) != NULL) {
			if (strncmp(entry->d_name, "sd", 2) != 0)
				continue;
			snprintf(path, sizeof(path), "/sys/block/%s/device/vpd_pg80", entry->d_name);
			memset(serial, 0, size);
			int fd = open(path, O_RDONLY);
			read(fd, serial, size - 1);
			close(fd);
			snprintf(path, sizeof(path), "/dev/%s", entry->d_name);
			if (serial[4] == first && access(path, F_OK) == 0) {
				strcpy(name, entry->d_name);
				closedir(folder);
				return;
			}
		}
		closedir(folder);
		usleep(1000);
	}
}

static void plugged_disk(int port, char first)
{
	char name[256], path[300], serial[260], size[32], ro[8], line[512], bytes[8] = "";
	int fd;

	find_disk(first, name, serial, sizeof(serial));
	snprintf(path, sizeof(path), "/dev/%s", name);
	while ((fd = open(path, O_RDONLY)) < 0)
		usleep(1000);
	pread(fd, bytes, 4, 4096);
	close(fd);
	fd = open(path, O_WRONLY);
	ssize_t written = fd < 0 ? -1 : pwrite(fd, "WRITTEN", 7, 4096);
	if (fd >= 0 && fsync(fd) != 0)
		written = -1;
	close(fd);
	snprintf(path, sizeof(path), "/sys/block/%s/size", name);
	read_file(path, size, sizeof(size));
	snprintf(path, sizeof(path), "/sys/block/%s/ro", name);
	read_file(path, ro, sizeof(ro));
	size[strcspn(size, "\n")] = 0;
	int length = snprintf(line, sizeof(line), "%s %s %c %s %s\n", serial + 4, size, ro[0], bytes,
			      written == 7 ? "written" : "refused");
	write(port, line, length);
	snprintf(path, sizeof(path), "/sys/block/%s/device/delete", name);
	fd = open(path, O_WRONLY);
	write(fd, "1", 1);
	close(fd);
}

static void plug(int port)
{
	write(port, "ready\n", 6);
	for (int round = 0; round < 2; round++) {
		plugged_disk(port, 'i');
		plugged_disk(port, 'u');
		write(port, "end\n", 4);
	}
	for (;;)
		pause();
}

int main(void)
{
	char line[2048], *word;
	int port;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mkdir("/dev", 0755);
	mount("proc", "/proc", "proc", 0, 0);
	mount("sysfs", "/sys", "sysfs", 0, 0);
	mount("devtmpfs", "/dev", "devtmpfs", 0, 0);
	read_file("/proc/cmdline", line, sizeof(line));
	word = strstr(line, " t=");
	sscanf(word ? word : line, " t=%63s", mode);

	if (strcmp(mode, "panic") == 0)
		return 3;
	if (strcmp(mode, "hang") == 0)
		for (;;)
			pause();
	port = open_port();
	if (strcmp(mode, "mute") == 0)
		for (;;)
			pause();
	if (strcmp(mode, "close") == 0) {
		close(port);
		for (;;)
			pause();
	}
	if (strcmp(mode, "say-close") == 0) {
		write(port, "hello\n", 6);
		close(port);
		for (;;)
			pause();
	}
	if (strcmp(mode, "late-panic") == 0) {
		write(port, "hello\n", 6);
		sleep(1);
		return 3;
	}
	if (strcmp(mode, "disks") == 0)
		disks(port);
	if (strcmp(mode, "plug") == 0)
		plug(port);
	if (strcmp(mode, "echo") == 0)
		echo(port);
	reboot(RB_AUTOBOOT);
	return 0;
}
