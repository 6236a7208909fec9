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
# Tests start servers of their own: what a package would start as a service of
# the system stays off, now by policy-rc.d and after the next start of the
# system by its unit being disabled.
policy=/usr/sbin/policy-rc.d
services=""
case "$missing" in *redis-server*) services="redis-server" ;; esac
echo "needs: installing$missing with apt-get${services:+; the service of $services stays off}"
if [ -n "$services" ] && [ ! -e $policy ]; then
	printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
	$sudo chmod 755 $policy
	trap '$sudo rm -f $policy' EXIT
fi
$sudo apt-get update -qq
# shellcheck disable=SC2086 # one word for each package
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing
if [ -n "$services" ] && command -v systemctl >/dev/null 2>&1; then
	$sudo systemctl disable --quiet $services
fi
