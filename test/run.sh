#!/usr/bin/env bash
# Installs what the tests need, even on a bare Debian machine, and runs all tests. The last line is the total.
set -euo pipefail

usage() {
	cat <<'END'
Usage:
  test/run.sh [<package>...]   set up what is needed, then run all tests or those of some packages (./signer/...), long ones too
  test/run.sh setup            set up only, to run go test by hand
  test/run.sh unit             the unit tests that need nothing but Go, on any system; installs nothing
  test/run.sh lint             gofmt, go vet and the linters alone, which need nothing but Go and, on Linux, gcc
  test/run.sh vulnerabilities  asks Go's database for known vulnerabilities of what is used

Environment:
  FUZZTIME   how long each fuzz target runs (5s); 0 skips fuzzing
  CI=true    tests fail, instead of being skipped, if a program that they need is missing
  SESSION_TEST_CACHE  where packages of PyPI and npm stay for the next checkout (~/.cache/caddy-session-test)
END
}

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'run.sh: %s\n' "$*"; }

die() {
	printf 'run.sh: %s\n' "$@" >&2
	exit 1
}

# SETUP. It does not install what is there already, nor what the tests of the given packages do not need.

# wants reports whether a pattern matches a package that is tested, or one that its tests import. Without packages, all are.
wants() { [ -z "$packages_given" ] || grep -qE "^github.com/caddy-session/caddy-session/($1)\$" "$tmp/wanted"; }

# by_apps matches the packages whose tests run apps and tools.
by_apps='(test/(apps|bench|browser|compose|docs|faults|http|operate|php|readings)|frameworks/[a-z]+/test)(/.*)?[.]test'

# programs are the programs that tests start: their possible names or paths, their Debian packages, and the packages of ours
# that want them, if not those of by_apps.
programs=(
	"cc gcc:gcc libc6-dev:.*" # for the race detector
	"python3:python3:.*"
	"curl:curl"
	"node:nodejs"
	"npm:npm"
	"php:php-cli"
	"php-cgi:php-cgi"
	"php-fpm /usr/sbin/php-fpm*:php-fpm"
	"/usr/share/adminer/adminer.php:adminer"
	"/usr/share/dokuwiki/doku.php:dokuwiki"
	"/usr/share/wordpress/wp-login.php:wordpress"
	"/usr/share/phpmyadmin/index.php:phpmyadmin"
	"/usr/share/php/Illuminate/autoload.php:php-laravel-framework"
	"/usr/share/mediawiki/index.php:mediawiki php-mbstring php-xml php-intl"
	"/var/lib/roundcube/index.php:roundcube-core roundcube-sqlite3"
	"dovecot /usr/sbin/dovecot:dovecot-imapd" # a mail server for Roundcube
	"/usr/lib/php/*/sqlite3.so:php-sqlite3"
	"/usr/share/php/Symfony/Bundle/SecurityBundle/autoload.php:php-symfony-framework-bundle php-symfony-security-bundle"
	"/usr/lib/php/*/redis.so:php-redis"
	"javac:default-jdk-headless"
	"/usr/share/tomcat10-examples/examples/index.html:tomcat10 tomcat10-examples"
	"/usr/share/java/tomcat9-util.jar:libtomcat9-java"
	"ruby:ruby"
	"/usr/share/rubygems-integration/all/gems/webrick-*:ruby-webrick"
	"puma:puma"
	"/usr/share/rubygems-integration/all/gems/railties-*:ruby-railties"
	"/usr/lib/php/*/mysqli.so:php-mysql" # one of Adminer's drivers
	"redis-server:redis-server:test/redistest|test/compose[.]test"
	"memcached:memcached:test/memcachedtest"
	"postgres /usr/lib/postgresql/*/bin/postgres:postgresql:test/sqltest" # not in PATH on Debian
	"mariadb-install-db:mariadb-server:test/sqltest"
	"chromium chromium-browser google-chrome:chromium"
	"lighttpd /usr/sbin/lighttpd:lighttpd"
	"busybox:busybox"
	"varnishd /usr/sbin/varnishd:varnish"
	"uwsgi-core:uwsgi-core uwsgi-plugin-python3"
	"nginx /usr/sbin/nginx:nginx-light"
	"haproxy /usr/sbin/haproxy:haproxy"
	"apache2 /usr/sbin/apache2:apache2"
	"/usr/lib/apache2/modules/libphp*.so:libapache2-mod-php:test/php[.]test"
	"promtool prometheus:prometheus"
)

have_one() {
	local name
	for name in "$@"; do
		if command -v "$name" >/dev/null || compgen -G "$name" >/dev/null; then return 0; fi
	done
	return 1
}

# need_root finds a way to install what is missing as root.
need_root() {
	command -v apt-get >/dev/null || die "missing: $*" "this machine has no apt-get: install them in another way"
	[ "$(id -u)" != 0 ] || return 0
	command -v sudo >/dev/null || die "missing: $*" "install them, or run this script as root or with sudo"
	root=(sudo)
}
root=()

# apt runs apt-get, in CI without syncing each file to disk. It waits up to ten minutes for another one to end, which its
# message tells, in English.
apt() {
	local tries=120
	until "${root[@]}" env LC_ALL=C DEBIAN_FRONTEND=noninteractive apt-get -qq ${CI:+-o DPkg::Options::=--force-unsafe-io} "$@" >"$tmp/apt" 2>&1; do
		grep -q 'Could not get lock\|Unable to acquire' "$tmp/apt" && [ $((tries -= 1)) -gt 0 ] || die "apt-get $*:" "$(cat "$tmp/apt")"
		[ $tries != 119 ] || say "waiting for another apt-get to end"
		sleep 5
	done
}

apt_update() {
	$updated || apt update
	updated=true
}
updated=false

# start_no_services keeps Debian from starting installed services: the tests start their own servers.
start_no_services() {
	[ ! -e "$policy" ] || return 0
	printf '#!/bin/sh\nexit 101\n' >"$tmp/policy"
	own_policy=true
	"${root[@]}" env install -m 755 "$tmp/policy" "$policy"
}
policy=/usr/sbin/policy-rc.d own_policy=false

# install installs Debian packages.
install() {
	need_root "$@"
	say "installing $*"
	apt_update
	start_no_services
	apt install -y --no-install-recommends "$@"
}

setup_programs() {
	local entry names from by packages=()
	for entry in "${programs[@]}"; do
		IFS=: read -r names from by <<<"$entry"
		read -ra names <<<"$names"
		if wants "${by:-$by_apps}" && ! have_one "${names[@]}"; then
			read -ra names <<<"$from"
			packages+=("${names[@]}")
		fi
	done
	# On Debian, python3 -m venv needs a package of its own.
	if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then packages+=(python3-venv); fi
	if [ ${#packages[@]} -gt 0 ]; then install "${packages[@]}"; fi
}

# at_least reports whether version $1 is $2 or newer.
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$2" ]; }

setup_go() {
	local wanted have series
	wanted=$(sed -n 's/^go //p' go.mod)
	series=$(cut -d. -f1,2 <<<"$wanted")
	if ! command -v go >/dev/null; then
		# golang-go is too old on most Debian machines; backports may have the right series.
		need_root "Go $wanted or newer"
		apt_update
		if apt-cache show "golang-$series-go" >/dev/null 2>&1; then
			install "golang-$series-go"
			PATH=/usr/lib/go-$series/bin:$PATH
		else
			die "Go is missing, and this Debian has no Go $series: install Go $wanted or newer by hand and add it to PATH"
		fi
	fi
	# A Go that can download a newer one does so here, or reports why it cannot.
	have=$(go env GOVERSION) || die "Go $wanted or newer is needed"
	have=${have#go}
	at_least "${have%% *}" "$wanted" || die "Go $wanted or newer is needed, not $have"
}

# kept makes a folder once for all checkouts, by a command that gets its path and a file: it stays in the cache, below a name
# made of what the file says and of the versions that matter. The folder of the checkout is a link to it.
kept() {
	local dir=$1 file=$2 have
	shift 2
	have=$cache/$({ cat "$file" && python3 -VV && uname -m; } | sha256sum | cut -c1-16)/$(basename "$dir")
	if cmp -s "$file" "$dir/installed.txt" && { [ ! -L "$dir" ] || [ "$(readlink "$dir")" = "$have" ]; }; then return; fi
	mkdir -p "$cache" "$(dirname "$dir")"
	if command -v flock >/dev/null; then # another checkout may make it now
		exec 9>"$cache/lock"
		flock 9
	fi
	if ! cmp -s "$file" "$have/installed.txt"; then
		say "installing what $file lists"
		rm -rf "$have"
		"$@" "$have" "$file" >"$tmp/install" 2>&1 || die "installing what $file lists:" "$(cat "$tmp/install")"
		cp "$file" "$have/installed.txt"
	fi
	exec 9>&-
	rm -rf "$dir"
	ln -s "$have" "$dir"
}
cache=${SESSION_TEST_CACHE:-${XDG_CACHE_HOME:-${HOME:-$PWD/test/out}/.cache}/caddy-session-test}

# venv makes a virtual environment with the packages of a file.
venv() { python3 -m venv "$1" && "$1/bin/pip" install --quiet --no-deps -r "$2"; }

# sources unpacks published sources. To check the versions, pip builds their metadata with the environment's flit_core.
sources() {
	local archive
	mkdir -p "$1" &&
		test/.venv/bin/pip download --quiet --no-deps --no-build-isolation --no-binary :all: --dest "$tmp/sources" -r "$2" || return
	for archive in "$tmp"/sources/*.tar.gz; do
		tar -xzf "$archive" -C "$1" --no-same-owner || return
	done
}

# node installs the Node.js packages of a lock file.
node() {
	mkdir -p "${1%/*}" && cp "${2%/*}/package.json" "$2" "${1%/*}" &&
		npm ci --prefix "${1%/*}" --ignore-scripts --no-audit --no-fund --loglevel=error
}

# setup_python makes test/.venv with the packages of test/requirements.txt, and an environment in test/.venvs for each file
# in test/requirements. Another version of Flask-Session comes from Debian.
setup_python() {
	local file
	kept "$PWD/test/.venv" test/requirements.txt venv
	export SESSION_TEST_PYTHON=$PWD/test/.venv/bin/python
	wants "$by_apps" || return 0
	for file in test/requirements/*.txt; do
		kept "$PWD/test/.venvs/$(basename "$file" .txt)" "$file" venv
	done
	if ! /usr/bin/python3 -c "import ${debian_modules// /, }" 2>/dev/null && command -v apt-get >/dev/null; then
		install "${debian_python[@]}"
	fi
}
debian_modules="flask_session redis pymongo pylibmc memcache flask_sqlalchemy psycopg2 gunicorn"
debian_python=(python3-flask-session python3-redis python3-pymongo python3-pylibmc python3-memcache python3-flask-sqlalchemy
	python3-psycopg2 gunicorn)

# TESTS. Each step adds to these numbers.
passed=0 failed=0 skipped=0

# took ends a part of the run and keeps how long it took.
took() {
	times+=("$(printf '%s %d:%02d' "$1" $(((SECONDS - started) / 60)) $(((SECONDS - started) % 60)))")
	started=$SECONDS
}
times=() started=$SECONDS

# check runs a command that counts as one test. It shows the command's output only if it fails.
check() {
	local name=$1
	shift
	if "$@" >"$tmp/check" 2>&1; then
		passed=$((passed + 1))
		say "ok   $name"
	else
		failed=$((failed + 1))
		say "FAIL $name"
		cat "$tmp/check"
	fi
}

formatted() {
	local files
	files=$(find . -name '*.go' -not -path './test/node_modules/*' -exec gofmt -l {} +)
	[ -z "$files" ] || {
		printf 'not formatted: %s\n' "$files"
		return 1
	}
}

# tool builds a program, which stays in Go's build cache, and prints its path. Its module, in a folder of its own, pins its
# version and keeps it out of go.mod.
tool() { go tool -modfile="$1/go.mod" -n "$2"; }

# lint runs golangci-lint. With -race it reads the packages that the tests need compiled anyway.
lint() {
	local linter
	linter=$(tool test/lint golangci-lint) && GOFLAGS="$GOFLAGS -race" "$linter" run --allow-serial-runners "$@"
}

# workflows checks .github/workflows.
workflows() {
	local linter
	linter=$(tool test/lint/actionlint actionlint) && "$linter" -shellcheck= -pyflakes= .github/workflows/*.yml
}

# vulnerabilities reports those that the code of this module can reach.
vulnerabilities() {
	local checker
	checker=$(tool test/lint govulncheck) && "$checker" ./...
}

# checks_of runs what needs no program but Go and a C compiler.
checks_of() {
	if [ "$(go env CGO_ENABLED)" = 0 ]; then die "the race detector needs a C compiler: install gcc, or unset CGO_ENABLED if that is 0"; fi
	check "gofmt" formatted
	check "go vet" go vet -race "$@"
	check "golangci-lint" lint "$@"
	check "actionlint" workflows
}

# go_test runs the tests. It prints a line for each package, and the output of failed tests.
go_test() {
	local status=0 p f s
	echo 0 1 0 >"$tmp/totals"
	go test -race -vet=off -count=1 -json -timeout 40m "$@" 2>&1 | tee test/out/test.json | "$SESSION_TEST_PYTHON" test/totals.py "$tmp/totals" || status=$?
	read -r p f s <"$tmp/totals"
	if [ $((p + f + s)) = 0 ]; then say "no test ran"; fi
	# A failure of go test itself counts too, and so does a run without tests.
	if [ $((p + f + s)) = 0 ] || { [ "$status" != 0 ] && [ "$f" = 0 ]; }; then f=1; fi
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

# list_tests writes the tests whose names begin with a word to a file, each after its package. It reads the source: go test
# -list would link all tests.
list_tests() {
	local word=$1 files package file
	shift
	files=$(go list -f '{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}
{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}
{{end}}' "$@") || return
	while read -r package file; do
		[ -z "$file" ] || sed -nE "s#^func ($word[A-Z0-9_][A-Za-z0-9_]*)\\([a-z]+ \\*testing\\.[TF]\\).*#$package \\1#p" "$file"
	done <<<"$files" >"$tmp/tests"
}

# all_ran fails if a test did not even begin. (One that was left out as a long one has failed: see totals.py.)
all_ran() {
	GOFLAGS="$GOFLAGS -race" list_tests '(Test|Fuzz)' "$@" &&
		sed -nE 's/.*"Action":"run","Package":"([^"]+)","Test":"([^"\/]+)".*/\1 \2/p' test/out/test.json | sort -u >"$tmp/ran" &&
		sort -u "$tmp/tests" | comm -23 - "$tmp/ran" | sed 's/^/did not run: /' >"$tmp/left" && cat "$tmp/left" && [ ! -s "$tmp/left" ]
}

# without_race runs the tests that are not there with the race detector.
without_race() {
	local package name
	GOFLAGS="$GOFLAGS -race" list_tests '(Test|Fuzz)' "$@" && sort -u "$tmp/tests" >"$tmp/raced" && list_tests '(Test|Fuzz)' "$@" &&
		sort -u "$tmp/tests" | comm -23 - "$tmp/raced" >"$tmp/left" || return
	while read -r package name; do
		go test -vet=off -count=1 -run "^$name\$" "$package" </dev/null || return
	done <"$tmp/left"
}

# total prints the last line, and fails if anything has.
total() {
	local line="$passed passed, $failed failed"
	if [ "$skipped" != 0 ]; then line+=", $skipped skipped"; fi
	echo "$line"
	[ "$failed" = 0 ]
}

# ferretdb runs a go command in the module test/ferretdb.
ferretdb() { (cd test/ferretdb && GOFLAGS="$GOFLAGS -tags=ferretdb_no_postgresql" go "$@"); }

# build_caddies builds the Caddys that tests run, as test/harness does: into Go's build cache, before several packages would
# build the same at once.
build_caddies() {
	local main
	for main in ./test/cmd/caddy ./test/cmd/all ./test/harness/cmd/caddy ./test/sqltest/cmd/caddy; do
		go run -exec true -race "$main" || return
	done
}

# fuzz_one fuzzes a target. Go sometimes reports the end of the time as a failure: then nothing was found.
fuzz_one() {
	local out
	if out=$(go test -vet=off -run '^$' -fuzz "^$2\$" -fuzztime "$FUZZTIME" -parallel $((($(getconf _NPROCESSORS_ONLN) + 1) / 2)) -timeout 10m "$1" </dev/null 2>&1); then return 0; fi
	printf '%s\n' "$out"
	! grep -q 'Failing input' <<<"$out" && grep -qx ' *context deadline exceeded' <<<"$out"
}

# fuzz runs each fuzz target for a time, without the slow race detector: the tests above have run the seeds with it. Two run
# at once, each on half of the processors.
fuzz() {
	local package target beside other
	check "listing the fuzz targets" list_tests Fuzz "$@"
	while read -r package target; do
		if read -r beside other; then fuzz_one "$beside" "$other" >"$tmp/beside" 2>&1 & fi
		check "$target, fuzzed for $FUZZTIME" fuzz_one "$package" "$target"
		[ -z "$other" ] || check "$other, fuzzed for $FUZZTIME" beside $!
	done <"$tmp/tests"
}

# beside waits for the target that is fuzzed beside another one.
beside() {
	local status=0
	wait "$1" || status=$?
	cat "$tmp/beside"
	return $status
}

# setup installs what the tests of packages need, or without packages what all need.
setup() {
	setup_go
	packages_given=$*
	[ $# = 0 ] || go list -test -deps "$@" | sed 's/ .*//' >"$tmp/wanted"
	setup_programs
	setup_python
	if wants "$by_apps"; then
		kept test/.sources test/sources.txt sources
		kept test/node_modules test/package-lock.json node
	fi
}

cleanup() {
	rm -rf "$tmp"
	! $own_policy || "${root[@]}" rm -f "$policy"
}
tmp=$(mktemp -d)
trap cleanup EXIT

# The build tags of Caddy's releases leave out databases that nothing here uses.
export GOFLAGS="${GOFLAGS-} -tags=nobadger,nomysql,nopgx"
FUZZTIME=${FUZZTIME:-5s}
# A plain go test ./... leaves out long tests.
export SESSION_TEST=all

# unit runs the tests of the packages whose tests use no server, no app and no browser. Of those that
# need flock, Windows tests that they are refused.
unit() {
	local module needs_flock=none skip='TestCrossBuilds$' # it compiles all of Caddy, for seven other systems
	unset CI # or tests fail for want of other programs
	module=$(go list -m)
	if [ "$(go env GOOS)" = windows ]; then
		needs_flock='/file$|/cachelib$'
		# These remove or replace a file that is open, or make links.
		skip+='|TestFileReplacedBeforeTheLock|TestReadsFailWithinASecondOfRemoval|TestFileIsRemovedOrReplaced|TestCompact$|TestEmptyFileIsInitialized'
		go test -vet=off -run TestSystems ./sessionstore/file
	fi
	go list -f '{{.ImportPath}} {{join .TestImports " "}} {{join .XTestImports " "}}' ./... |
		awk -v ours="$module/test/" -v not="$needs_flock" 'index($1, ours) != 1 && index($0, " " ours) == 0 && $1 !~ not { print $1 }' |
		xargs go test -vet=off -timeout 30m -skip "$skip"
}

case ${1-} in
-h | --help | help)
	usage
	exit
	;;
unit | vulnerabilities)
	"$1"
	exit
	;;
lint)
	checks_of ./...
	total
	exit
	;;
setup)
	setup
	exit
	;;
esac
setup "$@"
took setup
[ $# -gt 0 ] || set -- ./...
mkdir -p test/out

# How many random sessions the tests of frameworks/flask compare in each row.
export SESSION_TEST_ROUNDS=${SESSION_TEST_ROUNDS:-25}

checks_of "$@"

if [ "$*" = ./... ]; then
	check "building Caddy" build_caddies

	# The tests' MongoDB server is a separate module, which ./... does not include.
	check "go vet of test/ferretdb" ferretdb vet .
	check "building FerretDB" ferretdb tool -n ferretdb
fi

took "checks and builds"
# The longest first, so that none of them runs alone at the end.
[ "$*" != ./... ] || set -- ./test/apps ./frameworks/flask/test ./...
go_test "$@"
check "tests without the race detector" without_race "$@"
check "all tests ran" all_ran "$@"
took tests
if [ "$FUZZTIME" != 0 ]; then
	fuzz "$@"
	took fuzzing
fi

say "$(printf '%s, ' "${times[@]}" | sed 's/, $//') (minutes)"
total
