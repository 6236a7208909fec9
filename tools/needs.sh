#!/bin/sh
# Gets the commands named as arguments from Debian's packages if they are
# missing, as root or with sudo, and says what it does.
set -eu
missing=""
for command in "$@"; do
	command -v "$command" >/dev/null 2>&1 || missing="$missing $command"
done
# A compiler without the C library's headers compiles nothing.
case " $* " in *" gcc "*) [ -e /usr/include/stdlib.h ] || [ "$(uname)" != Linux ] || missing="$missing libc6-dev" ;; esac
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null 2>&1; then
	echo "needs:$missing: not found, and there is no apt-get to get them; install them with this system's package manager" >&2
	exit 1
fi
sudo=""
if [ "$(id -u)" != 0 ]; then
	if ! command -v sudo >/dev/null 2>&1; then
		echo "needs:$missing: not found; run as root or with sudo: apt-get install$missing" >&2
		exit 1
	fi
	sudo=sudo
fi
echo "needs: installing$missing with apt-get"
$sudo apt-get update -qq
# shellcheck disable=SC2086 # one word for each package
DEBIAN_FRONTEND=noninteractive $sudo apt-get install -qq -y --no-install-recommends $missing
