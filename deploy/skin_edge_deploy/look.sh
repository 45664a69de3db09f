# Looks at a device and changes nothing. $1: where skin-edge is, empty to look for it; $2: name of the upload; $3: --wait.
# Prints NAME=VALUE, and the models as JSON, one a line; facts.py reads them. say.sh goes before it.
# Starts as few programs as it can: on a small board each costs more than all the shell's own work.
wait_s=$3
# uid=1000(pi) gid=...
who=$(id) who=${who#uid=}
me=${who%%(*} login=${who#*(} login=${login%%)*}
say user "$login"
say uid "$me"
say system "$(uname -srm)"
say os "$(. /etc/os-release 2>/dev/null; printf %s "${PRETTY_NAME:-}")"

service=none owner='' environment='' started=''
if command -v systemctl >/dev/null 2>&1; then
    {
        while IFS='=' read -r name value; do
            case $name in
                LoadState) loaded=$value ;;
                ActiveState) active=$value ;;
                User) owner=$value ;;
                Environment) environment=$value ;;
                ExecStart) started=${value#*path=} started=${started%% *} started=${started%;} ;;
            esac
        done
    } <<END
$(systemctl show -p LoadState -p ActiveState -p User -p Environment -p ExecStart skin-edge.service 2>/dev/null </dev/null)
END
    [ "${loaded:-}" = loaded ] && service=${active:-unknown} || owner='' environment='' started=''
fi
say service "$service"

program=$1
if [ -z "$program" ]; then
    for each in "$(command -v skin-edge 2>/dev/null)" "$started" \
        /opt/skin-edge/current/bin/skin-edge /opt/skin-edge/bin/skin-edge "${HOME:-}/.local/bin/skin-edge"; do
        case $each in /*) [ -x "$each" ] && { program=$each; break; } ;; esac
    done
fi
[ -n "$program" ] && [ -x "$program" ] || { say 'done' 1; exit 0; }
say program "$program"
IFS='' read -r first <"$program"
case $first in '#!/'*) python=${first#??} python=${python%% *}; [ -x "$python" ] && say python "$("$python" -V 2>&1 </dev/null)" ;; esac

# Whose models: of the login's own SKIN_EDGE_HOME, else of the service, else as the settings say.
state=${SKIN_EDGE_HOME:-}
if [ -z "$state" ] && [ "$service" != none ]; then
    for each in $environment; do
        each=${each#\"}
        case $each in SKIN_EDGE_HOME=*) state=${each#*=} state=${state%\"} ;; esac
    done
else
    owner=''
fi
if [ -z "$state" ]; then
    owner=''
    state=$("$program" config show 2>&1 >/dev/null </dev/null | sed -n 's/^# state is kept in //p')
fi
say state "$state"
say free_kb "$(free_kb "$state")"

there=$state
while [ -n "$there" ] && [ "$there" != / ] && [ ! -e "$there" ]; do there=${there%/*}; done
[ -n "$owner" ] || owner=$(stat -c %U "${there:-/}" 2>/dev/null)
say owner "$owner"
sudo=''
if [ "$me" != 0 ] && [ "$owner" != "$login" ]; then
    # Writable, though another's: a folder of a group. Then no other account is needed.
    if [ -e "$state" ] && [ -w "$state" ] && [ "$service" = none ]; then
        sudo=needless
    elif ! command -v sudo >/dev/null 2>&1; then
        sudo=missing
    else
        sudo=refused
        may() {
            sudo -n "$@" /usr/bin/env "SKIN_EDGE_HOME=$state" "$program" model install --activate --json \
                --wait "$wait_s" "/var/tmp/skin-edge-$me/00000000.skinmodel" </dev/null >/dev/null 2>&1
        }
        if may -u "$owner" -l; then sudo=owner; elif may -l; then sudo=root; fi
    fi
fi
say sudo "$sudo"

case $sudo in
    owner | root) uploads=/var/tmp/skin-edge-$me ;;
    *) uploads=${XDG_CACHE_HOME:-${HOME:-/}/.cache}/skin-edge/uploads ;;
esac
say uploads "$uploads"
say uploads_free_kb "$(free_kb "$uploads")"
[ -f "$uploads/$2.part" ] && say partial "$(stat -c %s "$uploads/$2.part" 2>/dev/null)"

# Both at once, for Python is slow to start; each answers in whole lines.
list() {
    cd / && "$@" /usr/bin/env "SKIN_EDGE_HOME=$state" "$program" model list --json </dev/null 2>/dev/null
}
say version "$("$program" --version </dev/null 2>&1)" &
case $sudo in owner) list sudo -n -u "$owner" ;; root) list sudo -n ;; missing | refused) ;; *) list ;; esac
wait
say 'done' 1
