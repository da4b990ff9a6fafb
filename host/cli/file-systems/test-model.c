/*
 * Changes a file at random in all the ways there are, and holds every byte of it against a copy in memory. Where there
 * is no O_DIRECT, as on a tmpfs of Linux 6.1, it is written without.
 * usage: model FILE SEED COUNT; says `same`, or the change after which the file differs, and where
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST (256 * 1024)
#define BLOCK 4096

static unsigned char *model, *found, *pattern;
static long size;
static int fd;
static uint64_t state;

static const char *const names[] = {
	"write", "read", "map-write", "map-read", "truncate", "punch", "open", "sync", "append", "direct-write", "rename",
};

/* xorshift64* (Vigna, 2014) */
static uint32_t dice(uint32_t sides)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 2685821657736338717ull) >> 33) % sides;
}

static void grow(long end)
{
	if (end > size) {
		memset(model + size, 0, end - size);
		size = end;
	}
}

static int put(long at, long length)
{
	for (long i = 0; i < length; i++) pattern[i] = (unsigned char)dice(256);
	grow(at + length);
	memcpy(model + at, pattern, length);
	return pwrite(fd, pattern, length, at) != length;
}

static int put_mapped(long at, long length)
{
	if (size == 0) return 0;
	at %= size;
	if (length > size - at) length = size - at;
	long from = at & ~(BLOCK - 1L);
	unsigned char *map = mmap(NULL, at - from + length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, from);
	if (map == MAP_FAILED) return 1;
	for (long i = 0; i < length; i++) map[at - from + i] = model[at + i] = (unsigned char)dice(256);
	return munmap(map, at - from + length);
}

static int get(void)
{
	return pread(fd, found, MOST, 0) != size || memcmp(found, model, size) != 0;
}

static int get_mapped(void)
{
	if (size == 0) return 0;
	unsigned char *map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) return 1;
	int differs = memcmp(map, model, size) != 0;
	return munmap(map, size) | differs;
}

static int put_direct(const char *path, long at)
{
	int direct = open(path, O_RDWR | O_DIRECT);
	if (direct < 0 && errno == EINVAL) direct = open(path, O_RDWR);
	long from = at & ~(BLOCK - 1L);

	if (direct < 0 || from + BLOCK > MOST) return direct < 0 || close(direct);
	for (long i = 0; i < BLOCK; i++) pattern[i] = (unsigned char)dice(256);
	grow(from + BLOCK);
	memcpy(model + from, pattern, BLOCK);
	int failed = pwrite(direct, pattern, BLOCK, from) != BLOCK;
	return close(direct) | failed;
}

static int put_at_end(const char *path, long length)
{
	int end = open(path, O_WRONLY | O_APPEND);
	if (length > MOST - size) length = MOST - size;
	for (long i = 0; i < length; i++) pattern[i] = (unsigned char)dice(256);
	memcpy(model + size, pattern, length);
	int failed = end < 0 || write(end, pattern, length) != length;
	size += length;
	return close(end) | failed;
}

static int cut(long length)
{
	if (length < size) size = length;
	grow(length);
	return ftruncate(fd, length);
}

static int punch(long at, long length)
{
	if (length == 0) return 0;
	if (at < size) memset(model + at, 0, length < size - at ? length : size - at);
	return fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, length);
}

static int open_anew(const char *path)
{
	close(fd);
	fd = open(path, O_RDWR);
	return fd < 0;
}

static int move(const char *path)
{
	char other[4096];
	snprintf(other, sizeof(other), "%s.moved", path);
	return rename(path, other) || open_anew(other) || rename(other, path);
}

static int change(int kind, const char *path, long at, long length)
{
	switch (kind) {
	case 0: return put(at, length);
	case 1: return get();
	case 2: return put_mapped(at, length);
	case 3: return get_mapped();
	case 4: return cut(at);
	case 5: return punch(at, length);
	case 6: return open_anew(path);
	case 7: return fsync(fd);
	case 8: return put_at_end(path, length % 5000);
	case 9: return put_direct(path, at);
	default: return move(path);
	}
}

int main(int argc, char **argv)
{
	struct stat s;
	void *aligned;

	if (argc != 4 || posix_memalign(&aligned, BLOCK, MOST)) return 2;
	pattern = aligned;
	model = malloc(MOST);
	found = malloc(MOST);
	state = strtoull(argv[2], NULL, 10) * 2 + 1;
	fd = open(argv[1], O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0) return 2;
	for (long count = strtol(argv[3], NULL, 10), i = 0; i < count; i++) {
		int kind = dice(sizeof(names) / sizeof(*names));
		long at = dice(MOST), length = dice(dice(4) == 0 ? 65536 : 3000);
		if (length > MOST - at) length = MOST - at;
		if (change(kind, argv[1], at, length) || fstat(fd, &s) || s.st_size != size || get()) {
			long where = 0;
			while (where < size && found[where] == model[where]) where++;
			printf("after change %ld, %s at %ld of %ld bytes: %ld bytes, of which %ld are the same: %m\n", i, names[kind],
			       at, length, size, where);
			return 1;
		}
	}
	puts("same");
	return unlink(argv[1]);
}
