package caddysession

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// setupScript runs lines after the functions of test/run.sh, with a program apt-get of this script,
// and returns what it prints.
func setupScript(t *testing.T, aptGet, lines string) (out string, err error) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("test/run.sh installs on Linux only")
	}
	whole, err := os.ReadFile("test/run.sh")
	if err != nil {
		t.Fatal(err)
	}
	setup, _, found := strings.Cut(string(whole), "\ncleanup() {")
	setup, rest, hasFolder := strings.Cut(setup, "\ncd \"$(dirname \"${BASH_SOURCE[0]}\")/..\"\n")
	if !found || !hasFolder {
		t.Fatal("test/run.sh has another form")
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "apt-get"), []byte("#!/bin/sh\n"+aptGet), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", setup+"\n"+rest+"\n"+lines)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(variable string) bool { return strings.HasPrefix(variable, "CI=") }),
		"tmp="+bin, "PATH="+bin+":"+os.Getenv("PATH"), "LC_ALL=", "LANG=de_DE.UTF-8")
	text, err := cmd.CombinedOutput()
	return string(text), err
}

// TestAnotherAptHasTheLock has an apt-get that speaks the user's language, as the real one does.
func TestAnotherAptHasTheLock(t *testing.T) {
	const locked = `echo >>$tmp/calls
case $LC_ALL in C) echo "E: Could not get lock /var/lib/dpkg/lock-frontend." ;; *) echo "E: Sperre konnte nicht bezogen werden." ;; esac
exit 100
`
	for name, test := range map[string]struct {
		apt, want string
		calls     int
		fails     bool
	}{
		"for a while":   {"[ \"$(wc -l <$tmp/calls)\" -lt 3 ] || exit 0\n" + locked, "run.sh: waiting for another apt-get to end\n", 3, false},
		"for good":      {locked, "lock-frontend", 120, true},
		"another error": {"echo >>$tmp/calls; echo 'E: no such package'; exit 100\n", "apt-get install x:\nrun.sh: E: no such package\n", 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := setupScript(t, test.apt, ": >$tmp/calls\nsleep() { :; }\n(apt install x) || failed=1\nprintf 'calls: %d\\n' $(wc -l <$tmp/calls)\nexit ${failed-0}")
			calls := "calls: " + map[int]string{1: "1", 3: "3", 120: "120"}[test.calls] + "\n"
			if (err != nil) != test.fails || !strings.Contains(out, test.want) || !strings.HasSuffix(out, calls) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestSetupInstallsWhatIsNeeded has a machine without any program, and the tests of some packages.
func TestSetupInstallsWhatIsNeeded(t *testing.T) {
	for packages, test := range map[string]struct{ has, lacks string }{
		"./signer/...":             {"gcc python3", "php-cli redis-server postgresql chromium nodejs"},
		"./sessionstore/redis/...": {"gcc python3 redis-server", "php-cli postgresql mariadb-server chromium nodejs"},
		"./test/php/...":           {"gcc php-cli libapache2-mod-php nodejs", "postgresql mariadb-server"},
		"./sessionstore/sql/...":   {"gcc python3 postgresql mariadb-server", "php-cli redis-server chromium nodejs"},
		"":                         {"gcc python3 php-cli redis-server memcached postgresql mariadb-server chromium nodejs", ""},
	} {
		t.Run(packages, func(t *testing.T) {
			out, err := setupScript(t, "exit 1", `have_one() { return 1; }
install() { printf '%s\n' "$@"; }
kept() { :; }
setup_go() { :; }
setup `+packages)
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			installed := strings.Fields(out)
			for name := range strings.FieldsSeq(test.has) {
				if !slices.Contains(installed, name) {
					t.Errorf("%s is not installed", name)
				}
			}
			for name := range strings.FieldsSeq(test.lacks) {
				if slices.Contains(installed, name) {
					t.Errorf("%s is installed", name)
				}
			}
		})
	}
}
