#!/usr/bin/env bash
# The gate: format, lint, types, and the suite under every CPython 3.11, 3.12 and 3.13 found here.
#
#   ./runtests.sh                    everything
#   ./runtests.sh ioloop_test        only tornado/test/ioloop_test.py, with the main python3
#   ./runtests.sh web_test -k etag   further arguments go to pytest
#
# The first run sets up .venv (and .venv-3.12 ... for further interpreters) and installs the Debian packages
# of requirements/debian.txt that are missing; later runs need no network.  The last line is
# "<n> passed, <n> failed" over all interpreters, where each other step that fails, and each skipped test,
# counts as one failure.  The exit status is 0 only if nothing failed.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" || exit 1
exec </dev/null
export LC_ALL=C.UTF-8 PATH="$PATH:/usr/sbin:/sbin"
unset PYTHONPATH PYTHONHOME PYTHONOPTIMIZE PYTHONWARNINGS PYTHONDEVMODE PYTHONSAFEPATH
shopt -s nullglob

VERSIONS=(3.11 3.12 3.13)
SOURCES=(tornado demos setup.py)
POLICY=/usr/sbin/policy-rc.d

scratch=$(mktemp -d) || exit 1
tally=$scratch/tally # lines of "passed failed skipped"
touch "$tally"
step=0
steps=0

# ---- ends and steps ----

finish() { # every way out ends here
    local status=$? passed failed
    [ -e "$scratch/policy" ] && rm -f "$POLICY"
    read -r passed failed < <(awk '{ p += $1; f += $2 + $3 } END { print p + 0, f + 0 }' "$tally")
    rm -rf "$scratch"
    ((status && !failed)) && failed=1
    echo "$passed passed, $failed failed"
    exit $((failed > 0))
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
    printf '%s\n' "$@" >&2
    exit 1
}

run_step() { # title, command...: says what runs and how long it took; a failure is counted, not fatal
    local title="[$((++step))/$steps] $1" start=$SECONDS before result=ok
    shift
    echo "$title"
    before=$(wc -l <"$tally")
    if ! "$@"; then
        result=FAILED
        tail -n "+$((before + 1))" "$tally" | grep -q '^[0-9]* [1-9]' || echo "0 1 0" >>"$tally"
    fi
    echo "$title: $result, $((SECONDS - start)) s"
}

# ---- what the machine has ----

find_python() { # version such as 3.12: prints the path of the first interpreter that works
    local candidate found
    for candidate in python3 "python$1" "${PYENV_ROOT:-${HOME:-}/.pyenv}/versions/$1".*/bin/python3; do
        found=$("$candidate" -c 'import sys
print(sys.implementation.name, "%d.%d" % sys.version_info[:2], sys.executable)' 2>/dev/null)
        if [ "${found% *}" = "cpython $1" ]; then
            echo "${found##* }"
            return
        fi
    done
    return 1
}

missing_packages() { # prints the packages of requirements/debian.txt that are not here
    local package command
    while read -r package command _; do
        case $package in
        "" | "#"*) continue ;;
        python3-venv) "$main" -c 'import ensurepip' 2>/dev/null ;;
        *) command -v "$command" >/dev/null ;;
        esac || echo "$package"
    done <requirements/debian.txt
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@" >>"$scratch/apt.log" 2>&1
}

install_packages() { # package...
    local tries=0
    if [ ! -e "$POLICY" ]; then # Debian starts the services it installs, unless this program says 101
        touch "$scratch/policy"
        printf '#!/bin/sh\nexit 101\n' >"$POLICY" && chmod 755 "$POLICY"
    fi
    until apt update; do # another apt may hold the lock of the lists, for which it does not wait
        ((++tries < 5)) || break
        sleep 5
    done
    apt install -y --no-install-recommends "$@" || die "$(tail -n 20 "$scratch/apt.log")" "installing $* failed"
    [ -e "$scratch/policy" ] && rm -f "$POLICY" "$scratch/policy"
}

system_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]})) || return 0
    if [ "$(id -u)" != 0 ] || ! grep -q '^ID=debian' /etc/os-release 2>/dev/null; then
        die "These packages are missing: ${missing[*]}. On Debian, this installs them:" \
            "  sudo sh -c 'apt-get update && apt-get install -y --no-install-recommends ${missing[*]}'"
    fi
    echo "  installing ${missing[*]}"
    install_packages "${missing[@]}"
    mapfile -t missing < <(missing_packages)
    ((${#missing[@]} == 0)) || die "still missing after their installation: ${missing[*]}"
}

environment() { # folder, interpreter: an environment with requirements/test.txt in it, made once
    local folder=$1 python=$2 stamp
    stamp="$python $("$python" -V) $(sha256sum <requirements/test.txt)"
    [ "$(cat "$folder/stamp" 2>/dev/null)" = "$stamp" ] && return
    "$python" -c 'import ensurepip' || die "$python has no ensurepip, so it can make no virtual environment:" \
        "install the package that brings it (Debian: python3-venv), or hide this interpreter"
    echo "  making $folder with $python"
    "$python" -m venv --clear "$folder" &&
        "$folder/bin/python" -m pip --disable-pip-version-check install -qq -r requirements/test.txt ||
        die "$folder could not be made; see above"
    echo "$stamp" >"$folder/stamp"
}

# ---- what is run ----

suite() { # folder of the environment, arguments for python and pytest...
    local python=$1/bin/python
    shift
    "$python" "$@" "--tally=$tally"
}

only() { # test names and arguments for pytest...
    local arguments=() argument
    for argument in "$@"; do
        [ -e "tornado/test/${argument%.py}.py" ] && argument=tornado/test/${argument%.py}.py
        arguments+=("$argument")
    done
    steps=3
    run_step "system packages" system_packages
    run_step "environment" environment .venv "$main"
    run_step "tests" suite .venv -X dev -m pytest "${arguments[@]}"
}

everything() {
    local version tools=.venv/bin optimized
    optimized=(tornado/test/{wire,http1,websocket,multipart,cookie,httpserver,httputil,escape,iostream,web}*_test.py)
    steps=$((7 + 2 * ${#pythons[@]}))
    run_step "system packages" system_packages
    run_step "environment" environment .venv "$main"
    run_step "ruff format" "$tools/ruff" format --check "${SOURCES[@]}"
    run_step "ruff check" "$tools/ruff" check -q --output-format=concise "${SOURCES[@]}"
    run_step "mypy" "$tools/mypy" --strict tornado demos
    run_step "suite, $main_version" suite .venv -X dev -m pytest
    for version in $(printf '%s\n' "${!pythons[@]}" | sort -V); do
        run_step "environment, $version" environment ".venv-$version" "${pythons[$version]}"
        run_step "suite, $version" suite ".venv-$version" -X dev -m pytest
    done
    # pytest warns that -O leaves out assert statements, which is what this run is for.
    run_step "python -O, $main_version" \
        suite .venv -O -m pytest -W "ignore:assertions not in test modules" "${optimized[@]}"
}

declare -A pythons=() # version to path, all but the main one
main=
for version in "${VERSIONS[@]}"; do
    python=$(find_python "$version") && pythons[$version]=$python
done
main_version=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
[ -n "${pythons[${main_version:-none}]:-}" ] || main_version=$(printf '%s\n' "${!pythons[@]}" | sort -V | head -n 1)
[ -n "$main_version" ] || die "no CPython ${VERSIONS[*]} found: install python3 (3.11 or later) and run this again"
main=${pythons[$main_version]}
unset "pythons[$main_version]"

if (($#)); then only "$@"; else everything; fi
