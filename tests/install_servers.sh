#!/bin/sh
# Installs what the end-to-end tests need and is not there yet: real servers, a browser, a camera's software.
# May be run again at any time; does not touch the network when there is nothing to do.
set -eu

PACKAGES="
    gcc libc6-dev binutils ffmpeg nginx-light libnginx-mod-rtmp prometheus chromium systemd
    python3-gi gir1.2-gst-rtsp-server-1.0 gir1.2-gst-plugins-base-1.0
    gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
"

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "install_servers.sh: this system has no apt; install by hand:" $PACKAGES >&2
    exit 1
fi

missing=""
for package in $PACKAGES; do
    if ! dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed; then
        missing="$missing $package"
    fi
done
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "install_servers.sh: neither root nor sudo; run as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root="sudo"
fi

# The tests start these servers by themselves, on ports of their own: the packages must not start theirs. A policy of
# the administrator stays in force. (https://people.debian.org/~hmh/invokerc.d-policyrc.d-specification.txt)
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
fi

log=$(mktemp)
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y "$@" >>"$log" 2>&1 </dev/null; }
echo "install_servers.sh: installing$missing"
# shellcheck disable=SC2086  # one word for each package
if ! { apt update && apt install --no-install-recommends $missing; }; then
    tail -n 20 "$log" >&2
    echo "install_servers.sh: apt could not install$missing (the whole log: $log)" >&2
    exit 1
fi
rm -f "$log"

# Not started now, and not at the next boot either.
for service in nginx prometheus; do
    case "$missing" in
        *"$service"*) [ ! -d /run/systemd/system ] || $as_root systemctl -q disable "$service" 2>/dev/null || true ;;
    esac
done
