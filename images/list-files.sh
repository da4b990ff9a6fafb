# Lists all that can be said of the files below $1: path, type, mode, owner, time, size, links, digest, xattrs.
# What dvm itself puts into every container is left out, and the times of the two folders that it puts it in.
cd "${1:-/}"
skip='( -path ./proc -o -path ./sys -o -path ./dev -o -path ./etc/hosts -o -path ./etc/hostname -o -path ./etc/resolv.conf -o -path ./etc/mtab -o -path ./.dockerenv ) -prune -o'
find . -xdev $skip -type d ! -path . ! -path ./etc -printf 'd\t%P\t%m\t%U:%G\t%T@\n' \
  -o $skip -type f -printf 'f\t%P\t%m\t%U:%G\t%T@\t%s\t%n\n' \
  -o $skip -type l -printf 'l\t%P\t%U:%G\t%l\n' \
  -o $skip ! -type d -printf '%y\t%P\t%m\t%U:%G\t%n\n' | LC_ALL=C sort
find . -xdev $skip ! -type d ! -type f ! -type l -print0 | LC_ALL=C sort -z | xargs -0 -r stat -c 'device %n %t:%T'
find . -xdev $skip -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
find . -xdev $skip -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex --absolute-names
