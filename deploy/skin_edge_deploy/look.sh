# Looks at a device and changes nothing. $1: where skin-edge is, empty to look for it; $2: name of the upload.
# Prints NAME=VALUE, and the models as JSON, one a line; facts.py reads them.
say() { printf '%s=%s\n' "$1" "$(printf %s "$2" | tr '\n\r' '  ')"; }

me=$(id -u)
say user "$(id -un)"
say uid "$me"
say machine "$(uname -m)"
say kernel "$(uname -sr)"
say os "$(. /etc/os-release 2>/dev/null; printf %s "${PRETTY_NAME:-}")"

unit=$(systemctl show -p LoadState -p ActiveState -p User -p Environment -p ExecStart skin-edge.service 2>/dev/null)
of_unit() { printf '%s\n' "$unit" | sed -n "s/^$1=//p"; }
service=none owner=
if [ "$(of_unit LoadState)" = loaded ]; then
    service=$(of_unit ActiveState) owner=$(of_unit User)
fi
say service "$service"

program=$1
if [ -z "$program" ]; then
    for each in "$(command -v skin-edge 2>/dev/null)" \
        "$(of_unit ExecStart | sed -n 's/.*path=\([^ ;]*\).*/\1/p')" \
        /opt/skin-edge/current/bin/skin-edge /opt/skin-edge/bin/skin-edge "${HOME:-}/.local/bin/skin-edge"; do
        case $each in /*) [ -x "$each" ] && { program=$each; break; } ;; esac
    done
fi
[ -n "$program" ] && [ -x "$program" ] || { say done 1; exit 0; }
say program "$program"
python=$(sed -n '1s/^#! *\([^ ]*\).*/\1/p;q' "$program" 2>/dev/null | tr -d '\000')
[ -x "${python:-}" ] && say python "$("$python" -V 2>&1)"

# Whose models: of the login's own SKIN_EDGE_HOME, else of the service, else as the settings say.
state=${SKIN_EDGE_HOME:-}
if [ -n "$state" ]; then
    owner=
elif [ "$service" != none ]; then
    state=$(of_unit Environment | tr ' ' '\n' | sed -n 's/^"\{0,1\}SKIN_EDGE_HOME=\([^"]*\).*/\1/p')
fi
if [ -z "$state" ]; then
    owner=
    state=$("$program" config show 2>&1 >/dev/null </dev/null | sed -n 's/^# state is kept in //p')
fi
say state "$state"
there=$state
while [ -n "$there" ] && [ "$there" != / ] && [ ! -e "$there" ]; do there=${there%/*}; done
there=${there:-/}
say free_kb "$(df -Pk "$there" 2>/dev/null | awk 'NR == 2 { print $4 }')"

[ -n "$owner" ] || owner=$(stat -c %U "$there" 2>/dev/null)
say owner "$owner"
sudo=
if [ "$me" != 0 ] && [ "$owner" != "$(id -un)" ]; then
    # Writable, though another's: a folder of a group. Then no other account is needed.
    if [ -e "$state" ] && [ -w "$there" ] && [ "$service" = none ]; then sudo=needless
    elif ! command -v sudo >/dev/null 2>&1; then sudo=missing
    else
        sudo=refused
        may() { sudo -n "$@" /usr/bin/env "SKIN_EDGE_HOME=$state" "$program" model install --activate --json \
            /var/tmp/x.skinmodel </dev/null >/dev/null 2>&1; }
        if may -u "$owner" -l; then sudo=owner; elif may -l; then sudo=root; fi
    fi
fi
say sudo "$sudo"

case $sudo in owner | root) uploads=/var/tmp/skin-edge-$me ;; *) uploads=${XDG_CACHE_HOME:-${HOME:-/}/.cache}/skin-edge/uploads ;; esac
say uploads "$uploads"
there=$uploads
while [ ! -e "$there" ] && [ "$there" != / ] && [ -n "$there" ]; do there=${there%/*}; done
say uploads_free_kb "$(df -Pk "${there:-/}" 2>/dev/null | awk 'NR == 2 { print $4 }')"
say partial "$(stat -c %s "$uploads/$2.part" 2>/dev/null)"

# Both at once, for Python is slow to start on a small board; each answers in whole lines.
list() {
    cd / && "$@" /usr/bin/env "SKIN_EDGE_HOME=$state" "$program" model list --json </dev/null 2>/dev/null
    say listed $?
}
"$program" --version </dev/null 2>&1 | sed -n '1s/^/version=/p' &
case $sudo in owner) list sudo -n -u "$owner" ;; root) list sudo -n ;; missing | refused) ;; *) list ;; esac
wait
say done 1
