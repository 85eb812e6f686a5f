#!/usr/bin/env bash
# Builds a Caddy with the session handler from this checkout, and runs the example.
set -euo pipefail

usage() {
	cat <<'END'
Usage:
  ./xcaddy.sh build [options]   build bin/caddy
  ./xcaddy.sh run   [options]   build it, and run Caddyfile.example, with its sessions in bin/example

The build has standard Caddy and the session handler with its usual stores and frameworks. Options:

  --with <package>  add an opt-in package of this checkout, or another Caddy module
                    (<package>@<version>); may be repeated
  --all             add all opt-in packages of this checkout
  --verbose         show the output of xcaddy and go
END
}

die() {
	printf 'xcaddy.sh: %s\n' "$@" >&2
	exit 1
}

cd "$(dirname "${BASH_SOURCE[0]}")"

check_go() {
	local wanted have
	wanted=$(sed -n 's/^go //p' go.mod)
	command -v go >/dev/null || die "Go is not installed: install Go $wanted or newer"
	# A Go that can download a newer one does so here, or reports why it cannot.
	have=$(go env GOVERSION) || die "Go $wanted or newer is needed"
	have=${have#go}
	[ "$(printf '%s\n' "$wanted" "${have%% *}" | sort -V | head -n 1)" = "$wanted" ] ||
		die "Go $wanted or newer is needed, not $have"
}

# opt_in lists the packages that the usual build lacks.
opt_in() {
	local all always
	all=$(go list ./caddymodule/... ./frameworks/...)
	always=$(go list -deps .)
	{ grep -v -e '/internal/' -e '/internal$' -e '/test/' -e '/test$' | sort | comm -23 - <(sort <<<"$always"); } <<<"$all"
}

build() {
	local module package with="" all=false verbose=false
	check_go
	module=$(go list -m)

	while [ $# -gt 0 ]; do
		case $1 in
		--all) all=true ;;
		--verbose | -v) verbose=true ;;
		--with)
			[ $# -gt 1 ] || die "--with needs a package path"
			with+="$2"$'\n'
			shift
			;;
		*) die "unknown option: $1" "try: ./xcaddy.sh help" ;;
		esac
		shift
	done
	if $all; then
		with+=$(opt_in)
	fi

	local flags=(--with "$module")
	while read -r package; do
		case $package in
		"") continue ;;
		"$module"/*@*) die "$package: packages of this checkout have no version" ;;
		"$module"/*) go list "$package" >/dev/null 2>&1 || die "$package: no such package in this checkout; opt-in packages are:" "$(opt_in)" ;;
		esac
		flags+=(--with "$package")
	done <<<"$with"

	local caddy
	caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	echo "Compiling bin/caddy: Caddy $caddy with the session handler. The first time this takes up to ten minutes of one core," \
		"and says nothing meanwhile (--verbose does)" >&2

	# The module comes from this checkout only. Otherwise go asks the network for its versions, and any answer but
	# "not found" ends the build.
	local env=("GONOPROXY=$module,$(go env GONOPROXY)" "GOVCS=$module:off,$(go env GOVCS)")

	# xcaddy's default build flags are those of Caddy's releases: -trimpath, no symbols, and the tags
	# nobadger,nomysql,nopgx. XCADDY_GO_BUILD_FLAGS replaces them.
	mkdir -p bin
	set -- env "${env[@]}" go tool xcaddy build "$caddy" "${flags[@]}" --replace "$module=$PWD" --output bin/caddy
	if $verbose; then
		"$@"
	else
		log=$(mktemp)
		trap 'rm -f "$log"' EXIT
		"$@" >"$log" 2>&1 || die "the build failed:" "$(cat "$log")"
	fi
}

# free fails if a program listens on one of these ports. Caddy itself would not tell: a second one shares the port.
free() {
	local port
	for port in "$@"; do
		if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
			die "a program listens on port $port, which the example needs: stop it first (another ./xcaddy.sh run?)"
		fi
	done
}

# example runs the example until Caddy ends. The apps in PHP and Python run if their languages are there.
example() {
	[ -z "${log-}" ] || rm -f "$log"
	trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	if command -v php >/dev/null; then
		php -S 127.0.0.1:8097 examples/languages/index.php >/dev/null 2>&1 &
	fi
	if command -v python3 >/dev/null; then
		python3 examples/languages/app.py 8096 >/dev/null 2>&1 &
	fi
	XDG_DATA_HOME=$PWD/bin/example bin/caddy run --config Caddyfile.example --adapter caddyfile &
	echo "Open http://localhost:8080 (Ctrl+C stops it). The sessions are in bin/example: delete it to begin anew." >&2
	wait $!
}

case ${1-} in
build)
	shift
	build "$@"
	;;
run)
	shift
	free 8080 8098 8097 8096 8095
	build "$@"
	example
	;;
help | -h | --help) usage ;;
"")
	usage >&2
	exit 2
	;;
*) die "unknown command: $1" "try: ./xcaddy.sh help" ;;
esac
