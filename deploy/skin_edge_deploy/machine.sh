# Looks at a device as a machine that an application release is to be installed on, and changes nothing; say.sh goes
# before it. $1: --wait of an installation. Prints NAME=VALUE, and what releases there are as a line of JSON; machine.py
# reads them. Starts as few programs as it can: on a small board each costs more than all the shell's own work.
wait_s=$1
me=$(id -u)
uploads=/var/tmp/skin-edge-$me
python=/usr/bin/python3
program=/usr/local/bin/skin-edge
signers=/etc/skin-edge/allowed_signers

say user "$(id -un)"
say uid "$me"
say system "$(uname -srm)"
say os "$(. /etc/os-release 2>/dev/null; printf '%s|%s|%s' "${ID:-}" "${VERSION_ID:-}" "${PRETTY_NAME:-}")"
# sd_booted(3): systemd is the init of this machine, not merely installed.
[ -d /run/systemd/system ] && say systemd 1
[ -x "$python" ] && say python "$("$python" -I -c '
import platform, sys
print(*sys.version_info[:2], 64 if sys.maxsize > 2 ** 32 else 32, *platform.libc_ver())
' 2>/dev/null </dev/null)"

installed=''
if [ -x "$program" ]; then
    installed=$(cd / && "$program" release list --json 2>/dev/null </dev/null)
    case $installed in '{'*) printf '%s\n' "$installed"; say program 1 ;; *) say program 0 ;; esac
fi

[ -e /etc/skin-edge/config.yaml ] && say config 1
if [ -e "$signers" ]; then
    say signers "$(sha256sum <"$signers" 2>/dev/null | cut -c 1-64)"
    # Whoever can write it, or rename another one to its place, decides whose releases are installed.
    say signers_modes "$(stat -Lc '%u %a' "$signers" /etc/skin-edge /etc 2>/dev/null | tr '\n' ' ')"
fi

rights=root
if [ "$me" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        rights=none
    elif sudo -n true >/dev/null 2>&1 </dev/null; then
        rights=sudo
    else
        rights=password
        case $(sudo -n -l 2>/dev/null </dev/null) in
            *"NOPASSWD: $program release install $uploads/"*"--json --wait $wait_s"*) rights=line ;;
        esac
    fi
fi
say rights "$rights"

say opt_free_kb "$(free_kb /opt/skin-edge)"
say uploads_free_kb "$(free_kb "$uploads")"
for part in "$uploads"/*.part; do
    [ -f "$part" ] && say "part_${part##*/}" "$(stat -c %s "$part" 2>/dev/null)"
done
say 'done' 1
