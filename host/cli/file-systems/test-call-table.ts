/**
 * What POSIX and Linux's manual pages promise of the calls on files, as lines for `test-calls.c`: a title, then calls
 * with what comes of them, `0` where nothing stands.
 */

export interface CallCase {
  readonly title: string;
  readonly calls: readonly { readonly line: string; readonly expected: string }[];
}

const MODES_AND_OWNERS = `
# chmod sets all twelve bits of a file and of a folder, and its time of change
open f w,creat 644
mkdir d 755
remember f ctime
wait
chmod f 7654
stat f mode -> 7654
compare f ctime -> later
chmod d 1777
stat d mode -> 1777
# chmod follows links, and is refused to others, through what is no folder, and where nothing is
open f w,creat 644
symlink f l
chmod l 600
stat f mode -> 600
chmod none 600 -> ENOENT
chmod f/x 600 -> ENOTDIR
as 1000:1000
chmod f 666 -> EPERM
# the owner without root's rights changes the mode, and loses setgid of another group
open f w,creat 644
chown f 1000 7
as 1000:1000
chmod f 2755
stat f mode -> 755
# chown gives away for root, sets nothing at -1, and takes setuid and setgid away
open f w,creat 755
chmod f 6755
chown f 1000 2000
stat f owner -> 1000:2000
stat f mode -> 755
chown f -1 3000
stat f owner -> 1000:3000
# chown is refused to whoever is not root, but to a group of one's own it is not
open f w,creat 644
chown f 1000 2000
as 1000:1000
chown f 1001 -1 -> EPERM
chown f -1 1000
stat f owner -> 1000:1000
chown f -1 9 -> EPERM
# lchown is the link's own
open f w,creat 644
symlink f l
lchown l 5 6
lstat l owner -> 5:6
stat f owner -> 0:0
# what a user makes is theirs; in a folder with setgid it has the folder's group
mkdir d 777
mkdir g 777
chown g 0 77
chmod g 2777
as 1000:1000
open d/f w,creat 640
stat d/f owner -> 1000:1000
stat d/f mode -> 640
open g/f w,creat 640
stat g/f owner -> 1000:77
mkdir g/d 755
stat g/d mode -> 2755
# writing as another than root takes setuid away
open f w,creat 777
chmod f 4777
as 1000:1000
fdopen f w
fdwrite x -> 1
fdstat mode -> 777
# root passes by modes, others do not
open f w,creat 0
mkdir d 700
open d/f w,creat 644
open f rw
as 1000:1000
open f r -> EACCES
open d/f r -> EACCES
access f 4 -> EACCES
unlink d/f -> EACCES
`;

const FOLDERS = `
# mkdir has the mode without what umask takes, two links, and its parent three
umask 27
mkdir d 777
stat d mode -> 750
stat d type -> folder
mkdir d/e 777
stat d nlink -> 3
# mkdir is refused where something is, where nothing leads, through a file, and under too long a name
open f w,creat 644
symlink nowhere l
mkdir f 755 -> EEXIST
mkdir l 755 -> EEXIST
mkdir none/d 755 -> ENOENT
mkdir f/d 755 -> ENOTDIR
mkdir *256 755 -> ENAMETOOLONG
mkdir *255 755
rmdir *255
# mkdir and rmdir are refused to whoever may not write to the folder
mkdir d 755
mkdir d/e 755
as 1000:1000
mkdir d/x 755 -> EACCES
rmdir d/e -> EACCES
# rmdir takes empty folders only
mkdir d 755
mkdir d/e 755
open f w,creat 644
symlink d l
rmdir d -> ENOTEMPTY
rmdir d/e
rmdir f -> ENOTDIR
rmdir l -> ENOTDIR
rmdir d/. -> EINVAL
rmdir none -> ENOENT
rmdir d
lstat d type -> ENOENT
# a folder's times change with what is in it
mkdir d 755
remember d mtime
wait
open d/f w,creat 644
compare d mtime -> later
remember d mtime
wait
unlink d/f
compare d mtime -> later
# a folder that was left is gone, and nothing is made in it
mkdir d 755
fdopen d r,directory
rmdir d
fdstat nlink -> 0
fdclose
# a thousand names are listed each once while they are removed
many 1000 -> 1000
mkdir d 755
rmdir d
`;

const LINKS = `
# link gives a file a second name, and both count
open f w,creat 640
remember f ctime
wait
link f g
stat g nlink -> 2
compare f ctime -> later
fdopen g w
fdwrite text -> 4
fdclose
stat f size -> 4
unlink f
stat g nlink -> 1
# link makes a name for a link itself, and none for a folder
symlink f l
link l k
lstat k type -> link
mkdir d 755
link d e -> EPERM
link none e -> ENOENT
link l d -> EEXIST
link l none/x -> ENOENT
link l *256 -> ENAMETOOLONG
# symlink keeps any text, and its length is the size
symlink ../some/where l
readlink l -> ../some/where
lstat l size -> 13
lstat l type -> link
symlink x l -> EEXIST
symlink x none/l -> ENOENT
symlink *255/*255/*255 m
lstat m size -> 767
open f w,creat 644
symlink x f/l -> ENOTDIR
readlink f -> EINVAL
readlink none -> ENOENT
# links that lead to one another are refused
symlink a b
symlink b a
open a r -> ELOOP
chmod a 644 -> ELOOP
mkdir a/d 755 -> ELOOP
lstat a type -> link
# unlink takes a name, not a folder, and leaves what is open
open f w,creat 644
mkdir d 755
unlink d -> EISDIR
unlink none -> ENOENT
unlink f/x -> ENOTDIR
fdopen f rw
fdwrite kept -> 4
unlink f
fdstat nlink -> 0
fdread 0 9 -> kept
fdwrite more 4 -> 4
fdread 0 9 -> keptmore
open f r -> ENOENT
# in a folder with the sticky bit others' names stay
mkdir d 777
chmod d 1777
open d/f w,creat 666
as 1000:1000
unlink d/f -> EPERM
rename d/f d/g -> EPERM
open d/own w,creat 644
unlink d/own
# fifos, sockets and their types
mkfifo p 640
lstat p type -> fifo
stat p mode -> 640
mkfifo p 640 -> EEXIST
mkfifo none/p 640 -> ENOENT
mkfifo *256 640 -> ENAMETOOLONG
open p w,nonblock -> ENXIO
mknod s socket 600
lstat s type -> socket
open s r -> ENXIO
unlink p
unlink s
`;

const RENAME = `
# rename moves, and replaces what is there at once
open f w,creat 600
open g w,creat 644
rename f g
stat g mode -> 600
lstat f type -> ENOENT
rename none g -> ENOENT
rename g none/x -> ENOENT
rename g *256 -> ENAMETOOLONG
rename g g/x -> ENOTDIR
# rename of a folder: not over a file, not over a full one, not into itself
mkdir d 755
mkdir e 755
open e/x w,creat 644
open f w,creat 644
rename d f -> ENOTDIR
rename f d -> EISDIR
rename d e -> ENOTEMPTY
rename d d/e -> EINVAL
rename e d
stat d/x type -> file
# rename over a file that is open leaves what is open
open new w,creat 644
fdopen f rw,creat 644
fdwrite old -> 3
rename new f
fdread 0 9 -> old
fdstat nlink -> 0
stat f size -> 0
# a file that is open moves on under its new name
mkdir d 755
fdopen f rw,creat 644
rename f d/g
fdwrite text -> 4
stat d/g size -> 4
fdstat nlink -> 1
# two names of one file stay when one is renamed to the other
open f w,creat 644
link f g
rename f g
stat f nlink -> 2
# noreplace replaces nothing, and exchange changes places
open f w,creat 600
mkdir d 755
noreplace f d -> EEXIST
noreplace f g
exchange g d
stat d mode -> 600
lstat g type -> folder
exchange g none -> ENOENT
# rename moves folders between folders, with what is in them
mkdir a 755
mkdir a/b 755
open a/b/f w,creat 644
mkdir c 755
rename a/b c/b
stat c/b/f type -> file
stat a nlink -> 2
stat c nlink -> 3
`;

const OPEN_AND_SIZE = `
# open makes with the mode, without what umask takes; excl refuses what is there
umask 22
open f w,creat 666
stat f mode -> 644
open f w,creat,excl 666 -> EEXIST
symlink nowhere l
open l w,creat,excl 666 -> EEXIST
open none r -> ENOENT
open f/x r -> ENOTDIR
open *256 w,creat 644 -> ENAMETOOLONG
# open with directory, nofollow, and of folders for writing
mkdir d 755
open f w,creat 644
symlink f l
open f r,directory -> ENOTDIR
open l r,nofollow -> ELOOP
open d w -> EISDIR
open d rw,creat 644 -> EISDIR
open d r
# a file is opened for what its mode allows
open f w,creat 222
open d w,creat 444
as 1000:1000
open f r -> EACCES
open f w
open d w -> EACCES
open d r
# trunc empties, append adds at the end wherever one writes
fdopen f w,creat 644
fdwrite first -> 5
fdclose
fdopen f w,append
fdwrite second -> 6
fdstat size -> 11
fdclose
open f w,trunc
stat f size -> 0
# truncate grows with zeros and cuts, and tells it by the times
fdopen f rw,creat 644
fdwrite text -> 4
fdtruncate 2
remember f mtime
wait
fdtruncate 6
compare f mtime -> later
fdread 0 9 -> te....
truncate f 1
fdread 0 9 -> t
# truncate is refused for folders, for what is not there, below zero, and to others
mkdir d 755
open f w,creat 644
truncate d 0 -> EISDIR
truncate none 0 -> ENOENT
truncate f/x 0 -> ENOTDIR
truncate f -1 -> EINVAL
as 1000:1000
truncate f 0 -> EACCES
# a file is larger than 4 GiB, with a hole
fdopen f rw,creat 644
fdwrite end 5000000000 -> 3
stat f size -> 5000000003
fdread 4999999998 9 -> ..end
fdread 4000000000 3 -> ...
fdtruncate 4294967297
stat f size -> 4294967297
# times are set to the nanosecond, to now, or left
open f w,creat 644
utimens f 1000 2000
stat f atime -> 1000.123456789
stat f mtime -> 2000.123456789
utimens f omit 3000
stat f atime -> 1000.123456789
stat f mtime -> 3000.123456789
remember f mtime
utimens f omit now
compare f mtime -> later
symlink f l
lutimens l 5 6
lstat l mtime -> 6.123456789
# times are set by the owner, to now by whoever may write
open f w,creat 666
as 1000:1000
utimens f 5 5 -> EPERM
utimens f now now
`;

const DATA = `
# what is written through a mapping is read, and the other way
fdopen f rw,creat 644
fdtruncate 8192
fdmap mapped
fdread 0 6 -> mapped
fdwrite WR 2 -> 2
fdread 0 6 -> maWRed
fdsync
# a hole is zeros and leaves the size
fdopen f rw,creat 644
fdtruncate 65536
fdwrite data 8192 -> 4
fdpunch 8192 4096
fdread 8192 4 -> ....
fdallocate 0 131072
fdstat size -> 131072
# locks of whole files and of ranges keep others out
fdopen f rw,creat 644
fdflock ex
flock f ex -> EAGAIN
flock f sh -> EAGAIN
fdclose
fdopen f rw
fdflock sh
flock f sh
flock f ex -> EAGAIN
fdclose
fdopen f rw
fdlock w 0 10
lockrange f 5 10 -> EAGAIN
lockrange f 10 10
# what is open for reading cannot be written
open f w,creat 644
fdopen f r
fdwrite x -> EBADF
`;

/** What file systems have in different ways. */
export type FileSystemKind = "local" | "shared" | "tmpfs";

const DEVICES = `
# devices can be made by root alone
mknod c char 600
lstat c type -> char
mknod b block 600
lstat b type -> block
mkdir d 777
as 1000:1000
mknod d/c char 600 -> EPERM
`;

/** The server of shared folders has given the right up. */
const NO_DEVICES = `
# devices cannot be made
mknod c char 600 -> EPERM
mknod b block 600 -> EPERM
`;

const ATTRIBUTES = `
# extended attributes are kept, listed apart and removed
open f w,creat 644
setxattr f user.note value
getxattr f user.note -> value
getxattr f user.none -> ENODATA
removexattr f user.note
getxattr f user.note -> ENODATA
setxattr none user.note value -> ENOENT
`;

const NO_ATTRIBUTES = `
# users' extended attributes are refused
open f w,creat 644
setxattr f user.note value -> EOPNOTSUPP
`;

const DIRECT = `
# reads and writes that pass by the cache meet those that do not
fdopen f rw,creat 644
fdwrite buffered -> 8
fdclose
fdopen f rw,direct
fdwritedirect 4096 -> 4096
fdreaddirect 4096 -> 4096
fdclose
fdopen f r
fdread 0 9 -> buffered.
fdread 4096 3 -> ddd
`;

const NO_DIRECT = `
# opening past the cache is refused
open f rw,creat,direct 644 -> EINVAL
`;

/** A tmpfs of Linux 6.1 knows neither users' attributes nor O_DIRECT. */
const OWN: Readonly<Record<FileSystemKind, readonly string[]>> = {
  local: [DEVICES, ATTRIBUTES, DIRECT],
  shared: [NO_DEVICES, ATTRIBUTES, DIRECT],
  tmpfs: [DEVICES, NO_ATTRIBUTES, NO_DIRECT],
};

export function callCases(kind: FileSystemKind): CallCase[] {
  const common = [MODES_AND_OWNERS, FOLDERS, LINKS, RENAME, OPEN_AND_SIZE, DATA];
  return [...common, ...OWN[kind]].flatMap(parseCases);
}

/** What `test-calls.c` reads. */
export function callLines(cases: readonly CallCase[]): string {
  return cases.flatMap(({ calls }) => ["case", ...calls.map(({ line }) => line)]).join("\n");
}

/**
 * @param output of `test-calls.c`
 * @returns a line for each call that came to something else, with its case's title
 */
export function differences(cases: readonly CallCase[], output: string): string[] {
  const answers = output.trimEnd().split("\n");
  const all = cases.flatMap(({ title, calls }) => [
    { title, line: "case", expected: "0" },
    ...calls.map((call) => ({ title, ...call })),
  ]);
  return all.flatMap(({ title, line, expected }, index) => {
    const answer = answers[index] ?? "nothing";
    return answer === expected ? [] : [`${title}: ${line} -> ${answer}, not ${expected}`];
  });
}

function parseCases(text: string): CallCase[] {
  return text
    .split("\n# ")
    .filter((part) => part.trim() !== "")
    .map((part) => {
      const [title = "", ...lines] = part.trim().split("\n");
      const calls = lines.map((each) => {
        const [line = "", expected = "0"] = each.split(" -> ");
        return { line, expected };
      });
      return { title, calls };
    });
}
