#!/usr/bin/env bash
# Builds a Caddy with the session handler out of this checkout, and runs the example.
set -euo pipefail

usage() {
	cat <<'END'
Usage:
  ./xcaddy.sh build [options]   build bin/caddy
  ./xcaddy.sh run   [options]   build it and run Caddyfile.example

The build has the standard Caddy, and the session handler with its usual stores and frameworks. Options:

  --with <package>  add an opt-in package of this checkout, or any other Caddy
                    module (<package>@<version>); may be repeated
  --all             add all opt-in packages of this checkout
  --verbose         show what xcaddy and go do
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
	command -v go >/dev/null || die "Go is not installed; version $wanted or newer is needed"
	# A Go that can fetch a newer one does so here, or says why it cannot.
	have=$(go env GOVERSION) || die "Go $wanted or newer is needed"
	have=${have#go}
	[ "$(printf '%s\n' "$wanted" "${have%% *}" | sort -V | head -n 1)" = "$wanted" ] ||
		die "Go $wanted or newer is needed; this is $have"
}

# opt_in lists the packages that a usual build does not have.
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
			[ $# -gt 1 ] || die "--with needs the path of a package"
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
		"$module"/*@*) die "$package: the packages of this checkout have no version" ;;
		"$module"/*) go list "$package" >/dev/null 2>&1 || die "$package: there is no such package here; opt-in packages are:" "$(opt_in)" ;;
		esac
		flags+=(--with "$package")
	done <<<"$with"

	local caddy
	caddy=$(go list -m -f '{{.Version}}' github.com/caddyserver/caddy/v2)
	echo "Building bin/caddy: Caddy $caddy with the session handler; the first time takes some minutes" >&2

	# What is in this checkout comes from here alone. Without that, go would ask the network whether the module has
	# versions, and an answer other than "not found" ends the build.
	local env=("GONOPROXY=$module,$(go env GONOPROXY)" "GOVCS=$module:off,$(go env GOVCS)")

	# xcaddy's own build flags are those of Caddy's releases: -trimpath, no symbols, and the tags
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

case ${1-} in
build)
	shift
	build "$@"
	;;
run)
	shift
	build "$@"
	echo "See http://localhost:8080; Ctrl+C ends it" >&2
	# exec keeps the signals Caddy's own; the trap does not run then.
	rm -f "${log-}"
	exec bin/caddy run --config Caddyfile.example --adapter caddyfile
	;;
help | -h | --help) usage ;;
"")
	usage >&2
	exit 2
	;;
*) die "unknown command: $1" "try: ./xcaddy.sh help" ;;
esac
