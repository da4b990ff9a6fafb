/*
 * Changes a folder for a link and back, as fast as it can, while it reads, writes, makes and removes by its name.
 * usage: racer FOLDER COUNT; FOLDER has `folder` with a file `secret`, and `link`. Says each content that it has read.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 8

static char seen[MOST][64];

static void remember(const char *text)
{
	int i = 0;

	while (i < MOST - 1 && seen[i][0] && strcmp(seen[i], text) != 0) i++;
	strcpy(seen[i], text);
}

static void swap(void)
{
	for (;;) syscall(SYS_renameat2, AT_FDCWD, "folder", AT_FDCWD, "link", 2);
}

static void read_secret(const char *path)
{
	char text[64];
	int fd = open(path, O_RDONLY | O_NONBLOCK);
	long length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length > 0) {
		text[length] = 0;
		remember(text);
	}
	if (fd >= 0) close(fd);
}

static void plant(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT, 0644);

	if (fd < 0) return;
	write(fd, "planted", 7);
	close(fd);
	chmod(path, 0777);
	unlink(path);
}

int main(int argc, char **argv)
{
	if (argc != 3 || chdir(argv[1])) return 2;
	long count = strtol(argv[2], NULL, 10);
	pid_t child = fork();
	if (child == 0) swap();
	for (long i = 0; i < count; i++) {
		read_secret("folder/secret");
		read_secret("link/secret");
		plant("folder/planted");
		truncate("link/target", 0);
		mkdir("link/made", 0755);
		rename("folder/made", "link/moved");
		rmdir("folder/moved");
		rmdir("link/made");
	}
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	for (int i = 0; i < MOST && seen[i][0]; i++) fputs(seen[i], stdout);
	return 0;
}
