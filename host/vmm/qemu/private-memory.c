/*
 * Preloaded into a QEMU whose guest's memory is a private mapping of a file (ld.so(8), LD_PRELOAD): opens that file for
 * reading only, and makes no holes in it.
 *
 * To give back what its guest has freed QEMU makes a hole into the memory's file and then forgets its own pages
 * (ram_block_discard_range of softmmu/physmem.c, QEMU 7.2; the same in 9.2). Of a private mapping the second is all
 * that is needed: the pages are the host's again, and the guest finds there what the file has or zeros, which is the
 * same to it until it has written them anew (virtio 1.2, 5.5.6.7).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_memory(const char *path, int flags, int mode)
{
	if (strcmp(path, MEMORY_PATH) == 0) flags = (flags & ~(O_ACCMODE | O_CREAT)) | O_RDONLY;
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_LARGEFILE, mode);
}

int open64(const char *path, int flags, ...)
{
	va_list arguments;
	int mode = 0;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_start(arguments, flags);
		mode = va_arg(arguments, int);
		va_end(arguments);
	}
	return open_memory(path, flags, mode);
}

/* what the C library's headers make of open64 without a mode */
int __open64_2(const char *path, int flags)
{
	return open_memory(path, flags, 0);
}

/* What is open for reading only and yet to have a hole is the memory: nothing else of QEMU's is ever both. */
int fallocate64(int fd, int mode, off_t offset, off_t length)
{
	int is_hole = mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);

	if (is_hole && (syscall(SYS_fcntl, fd, F_GETFL) & O_ACCMODE) == O_RDONLY) return 0;
	return (int)syscall(SYS_fallocate, fd, mode, offset, length);
}
