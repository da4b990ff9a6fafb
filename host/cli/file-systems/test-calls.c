/*
 * Makes the system calls that it is told, one a line, and says what came of each: `0`, a value, or the error's name.
 * usage: calls FOLDER < LINES
 * `case` begins anew in an empty folder, as root. `as UID:GID` is the user from there on. A word `*N` stands for N times
 * the letter x, after a slash too. Calls with `fd` are about the one file that `fdopen` has opened.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_WORDS 8
#define MAX_TEXT 65536

static char base[4096];
static char *word[MAX_WORDS];
static int fd = -1;
static char answer[MAX_TEXT];
static struct timespec remembered;

static const struct { int number; const char *name; } errors[] = {
	{EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {EIO, "EIO"}, {ENXIO, "ENXIO"}, {EBADF, "EBADF"}, {EAGAIN, "EAGAIN"},
	{ENOMEM, "ENOMEM"}, {EACCES, "EACCES"}, {EFAULT, "EFAULT"}, {EBUSY, "EBUSY"}, {EEXIST, "EEXIST"}, {EXDEV, "EXDEV"},
	{ENODEV, "ENODEV"}, {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"}, {EINVAL, "EINVAL"}, {ETXTBSY, "ETXTBSY"},
	{EFBIG, "EFBIG"}, {ENOSPC, "ENOSPC"}, {EROFS, "EROFS"}, {EMLINK, "EMLINK"}, {ENAMETOOLONG, "ENAMETOOLONG"},
	{ENOSYS, "ENOSYS"}, {ENOTEMPTY, "ENOTEMPTY"}, {ELOOP, "ELOOP"}, {ENODATA, "ENODATA"}, {EOPNOTSUPP, "EOPNOTSUPP"},
	{ESTALE, "ESTALE"}, {ERANGE, "ERANGE"}, {ENOTTY, "ENOTTY"}, {EOVERFLOW, "EOVERFLOW"},
};

static const struct { const char *name; int flag; } flags[] = {
	{"r", O_RDONLY}, {"w", O_WRONLY}, {"rw", O_RDWR}, {"creat", O_CREAT}, {"excl", O_EXCL}, {"trunc", O_TRUNC},
	{"append", O_APPEND}, {"directory", O_DIRECTORY}, {"nofollow", O_NOFOLLOW}, {"nonblock", O_NONBLOCK},
	{"direct", O_DIRECT}, {"tmpfile", O_TMPFILE},
};

static const struct { const char *name; unsigned type; } types[] = {
	{"file", S_IFREG}, {"folder", S_IFDIR}, {"link", S_IFLNK}, {"fifo", S_IFIFO}, {"socket", S_IFSOCK},
	{"char", S_IFCHR}, {"block", S_IFBLK},
};

static const char *error_name(int number)
{
	static char other[32];

	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
		if (errors[i].number == number) return errors[i].name;
	snprintf(other, sizeof(other), "errno %d", number);
	return other;
}

/* flags as `rw,creat,trunc` */
static int flags_of(const char *text)
{
	int all = 0;
	char copy[128], *state, *name;

	snprintf(copy, sizeof(copy), "%s", text);
	for (name = strtok_r(copy, ",", &state); name; name = strtok_r(NULL, ",", &state))
		for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
			if (strcmp(flags[i].name, name) == 0) all |= flags[i].flag;
	return all;
}

static long octal(int at) { return word[at] ? strtol(word[at], NULL, 8) : 0; }
static long long number(int at) { return word[at] ? strtoll(word[at], NULL, 10) : 0; }

static struct timespec time_of(int at)
{
	struct timespec time = {.tv_sec = number(at), .tv_nsec = 123456789};

	if (strcmp(word[at], "now") == 0) time.tv_nsec = UTIME_NOW;
	if (strcmp(word[at], "omit") == 0) time.tv_nsec = UTIME_OMIT;
	return time;
}

static int say(const char *text) { snprintf(answer, sizeof(answer), "%s", text); return 0; }
static int say_number(long long value) { snprintf(answer, sizeof(answer), "%lld", value); return 0; }

static struct timespec *moment(struct stat *s, const char *field)
{
	if (strcmp(field, "atime") == 0) return &s->st_atim;
	return strcmp(field, "mtime") == 0 ? &s->st_mtim : &s->st_ctim;
}

static int tell(struct stat *s, const char *field)
{
	if (strcmp(field, "mode") == 0) return snprintf(answer, sizeof(answer), "%o", s->st_mode & 07777), 0;
	if (strcmp(field, "nlink") == 0) return say_number(s->st_nlink);
	if (strcmp(field, "size") == 0) return say_number(s->st_size);
	if (strcmp(field, "owner") == 0) return snprintf(answer, sizeof(answer), "%u:%u", s->st_uid, s->st_gid), 0;
	if (strcmp(field, "type") == 0)
		for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
			if ((s->st_mode & S_IFMT) == types[i].type) return say(types[i].name);
	struct timespec *time = moment(s, field);
	return snprintf(answer, sizeof(answer), "%lld.%09ld", (long long)time->tv_sec, time->tv_nsec), 0;
}

/* whether a time is later than it was at `remember` */
static int compare(struct stat *s, const char *field)
{
	struct timespec *now = moment(s, field);
	int is_later = now->tv_sec != remembered.tv_sec ? now->tv_sec > remembered.tv_sec : now->tv_nsec > remembered.tv_nsec;

	return say(is_later ? "later" : "same");
}

static int remove_one(const char *path, const struct stat *s, int flag, struct FTW *where)
{
	return remove(path);
}

static int begin(void)
{
	if (fd >= 0) close(fd);
	fd = -1;
	if (seteuid(0) || setegid(0) || setgroups(0, NULL) || chdir(base)) return -1;
	umask(0);
	nftw("case", remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return mkdir("case", 0755) || chdir("case");
}

static int become(char *user)
{
	unsigned uid = 0, gid = 0;

	sscanf(user, "%u:%u", &uid, &gid);
	return seteuid(0) || setegid(gid) || seteuid(uid);
}

static int make_node(void)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(types[i].name, word[2]) == 0)
			return mknod(word[1], types[i].type | octal(3), makedev(1, 3));
	return errno = EINVAL, -1;
}

/* makes, lists in pieces, and removes while listing; says how many names came */
static int many(void)
{
	char name[64], buffer[2048];
	long count = number(1), seen = 0, length;
	int folder;

	for (long i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "file-with-a-name-%ld", i);
		int file = open(name, O_CREAT | O_WRONLY, 0644);
		if (file < 0 || close(file)) return -1;
	}
	folder = open(".", O_RDONLY | O_DIRECTORY);
	if (folder < 0) return -1;
	while ((length = syscall(SYS_getdents64, folder, buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < length; at += *(unsigned short *)(buffer + at + 16)) {
			char *entry = buffer + at + 19;
			if (strncmp(entry, "file-", 5) == 0 && unlink(entry) == 0) seen++;
		}
	}
	close(folder);
	return length < 0 ? -1 : say_number(seen);
}

static int read_direct(void)
{
	void *block = NULL;

	if (posix_memalign(&block, 4096, 4096)) return -1;
	long length = pread(fd, block, 4096, number(1));
	free(block);
	return length < 0 ? -1 : say_number(length);
}

static int write_direct(void)
{
	char *block = NULL;

	if (posix_memalign((void **)&block, 4096, 4096)) return -1;
	memset(block, 'd', 4096);
	long length = pwrite(fd, block, 4096, number(1));
	free(block);
	return length < 0 ? -1 : say_number(length);
}

static int read_text(void)
{
	long length = pread(fd, answer, number(2), number(1));

	if (length < 0) return -1;
	answer[length] = 0;
	for (long i = 0; i < length; i++)
		if (answer[i] == 0) answer[i] = '.';
	return length == 0 ? say("end") : 0;
}

static int write_text(void)
{
	long length = word[2] ? pwrite(fd, word[1], strlen(word[1]), number(2)) : write(fd, word[1], strlen(word[1]));

	return length < 0 ? -1 : say_number(length);
}

static int map_and_write(void)
{
	char *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (at == MAP_FAILED) return -1;
	memcpy(at, word[1], strlen(word[1]));
	return msync(at, 4096, MS_SYNC) | munmap(at, 4096);
}

/* a second description of the same file asks for the lock */
static int lock_twice(int operation)
{
	int other = open(word[1], O_RDWR);
	int result = other < 0 ? -1 : flock(other, operation | LOCK_NB);
	int kept = errno;

	close(other);
	errno = kept;
	return result;
}

static int lock_range(const char *kind)
{
	struct flock lock = {.l_type = kind[0] == 'w' ? F_WRLCK : F_RDLCK, .l_start = number(2), .l_len = number(3)};

	return fcntl(fd, F_OFD_SETLK, &lock);
}

static int lock_range_twice(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_start = number(2), .l_len = number(3)};
	int other = open(word[1], O_RDWR);
	int result = other < 0 ? -1 : fcntl(other, F_OFD_SETLK, &lock);
	int kept = errno;

	close(other);
	errno = kept;
	return result;
}

static int call(void)
{
	struct stat s;
	const char *name = word[0];
	long length;
#define IS(text) (strcmp(name, text) == 0)

	if (IS("case")) return begin();
	if (IS("as")) return become(word[1]);
	if (IS("umask")) return umask(octal(1)), 0;
	if (IS("wait")) return usleep(30000);
	if (IS("mkdir")) return mkdir(word[1], octal(2));
	if (IS("rmdir")) return rmdir(word[1]);
	if (IS("link")) return link(word[1], word[2]);
	if (IS("symlink")) return symlink(word[1], word[2]);
	if (IS("unlink")) return unlink(word[1]);
	if (IS("rename")) return rename(word[1], word[2]);
	if (IS("noreplace")) return syscall(SYS_renameat2, AT_FDCWD, word[1], AT_FDCWD, word[2], 1);
	if (IS("exchange")) return syscall(SYS_renameat2, AT_FDCWD, word[1], AT_FDCWD, word[2], 2);
	if (IS("chmod")) return chmod(word[1], octal(2));
	if (IS("chown")) return chown(word[1], number(2), number(3));
	if (IS("lchown")) return lchown(word[1], number(2), number(3));
	if (IS("mkfifo")) return mkfifo(word[1], octal(2));
	if (IS("mknod")) return make_node();
	if (IS("truncate")) return truncate(word[1], number(2));
	if (IS("access")) return faccessat(AT_FDCWD, word[1], octal(2), AT_EACCESS);
	if (IS("utimens") || IS("lutimens")) {
		struct timespec times[] = {time_of(2), time_of(3)};
		return utimensat(AT_FDCWD, word[1], times, IS("lutimens") ? AT_SYMLINK_NOFOLLOW : 0);
	}
	if (IS("open")) {
		int file = open(word[1], flags_of(word[2]), octal(3));
		return file < 0 ? -1 : close(file);
	}
	if (IS("readlink")) {
		if ((length = readlink(word[1], answer, sizeof(answer) - 1)) >= 0) answer[length] = 0;
		return length < 0 ? -1 : 0;
	}
	if (IS("stat") || IS("lstat")) return (IS("stat") ? stat : lstat)(word[1], &s) ? -1 : tell(&s, word[2]);
	if (IS("remember")) return lstat(word[1], &s) ? -1 : (remembered = *moment(&s, word[2]), 0);
	if (IS("compare")) return lstat(word[1], &s) ? -1 : compare(&s, word[2]);
	if (IS("setxattr")) return setxattr(word[1], word[2], word[3], strlen(word[3]), 0);
	if (IS("removexattr")) return removexattr(word[1], word[2]);
	if (IS("getxattr")) {
		if ((length = getxattr(word[1], word[2], answer, sizeof(answer) - 1)) >= 0) answer[length] = 0;
		return length < 0 ? -1 : 0;
	}
	if (IS("many")) return many();
	if (IS("flock")) return lock_twice(word[2][0] == 'e' ? LOCK_EX : LOCK_SH);
	if (IS("lockrange")) return lock_range_twice();
	if (IS("fdopen")) return (fd = open(word[1], flags_of(word[2]), octal(3))) < 0 ? -1 : 0;
	if (IS("fdclose")) return length = close(fd), fd = -1, length;
	if (IS("fdread")) return read_text();
	if (IS("fdwrite")) return write_text();
	if (IS("fdmap")) return map_and_write();
	if (IS("fdreaddirect")) return read_direct();
	if (IS("fdwritedirect")) return write_direct();
	if (IS("fdstat")) return fstat(fd, &s) ? -1 : tell(&s, word[1]);
	if (IS("fdtruncate")) return ftruncate(fd, number(1));
	if (IS("fdsync")) return fsync(fd);
	if (IS("fdflock")) return flock(fd, (word[1][0] == 'e' ? LOCK_EX : LOCK_SH) | LOCK_NB);
	if (IS("fdlock")) return lock_range(word[1]);
	if (IS("fdpunch")) return fallocate(fd, 3, number(1), number(2));
	if (IS("fdallocate")) return fallocate(fd, 0, number(1), number(2));
	return errno = ENOSYS, -1;
}

/* `*255` becomes a name of that length */
static char *expand(char *text)
{
	static char room[MAX_WORDS * 16384];
	static size_t used;
	if (strchr(text, '*') == NULL) return text;
	if (used > sizeof(room) / 2) used = 0;
	char *start = room + used, *to = start;
	while (*text) {
		if (*text != '*') {
			*to++ = *text++;
			continue;
		}
		long count = strtol(text + 1, &text, 10);
		while (count-- > 0) *to++ = 'x';
	}
	*to++ = 0;
	used = to - room;
	return start;
}

int main(int argc, char **argv)
{
	char line[4096], *state;

	if (argc != 2 || chdir(argv[1]) || getcwd(base, sizeof(base)) == NULL) return 2;
	while (fgets(line, sizeof(line), stdin)) {
		int count = 0;

		memset(word, 0, sizeof(word));
		for (char *at = strtok_r(line, " \n", &state); at && count < MAX_WORDS; at = strtok_r(NULL, " \n", &state))
			word[count++] = expand(at);
		if (count == 0) continue;
		strcpy(answer, "0");
		puts(call() ? error_name(errno) : answer);
	}
	begin();
	chdir(base);
	rmdir("case");
	return 0;
}
