# What the looks at a device share; goes before each of them. Prints NAME=VALUE.
say() { printf '%s=%s\n' "$1" "$2"; }
free_kb() { # of the disk of the nearest folder that exists
    at=$1
    while [ -n "$at" ] && [ "$at" != / ] && [ ! -e "$at" ]; do at=${at%/*}; done
    df -Pk "${at:-/}" 2>/dev/null | { read -r _; read -r _ _ _ kb _; printf %s "$kb"; }
}
