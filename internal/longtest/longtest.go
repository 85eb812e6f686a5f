// Package longtest leaves long tests out of a plain go test ./..., so that it takes minutes.
package longtest

import (
	"flag"
	"fmt"
	"os"
	"testing"
)

const left = "it takes long: set SESSION_TEST=all, or name it with -run"

// All reports whether all tests run: on CI, in test/run.sh, or if some are named with -run.
func All() bool {
	return os.Getenv("CI") == "true" || os.Getenv("SESSION_TEST") == "all" || value("test.run") != ""
}

func value(name string) string {
	if f := flag.Lookup(name); f != nil {
		return f.Value.String()
	}
	return ""
}

// Test skips a test, unless all run.
func Test(tb testing.TB) {
	tb.Helper()
	if !All() {
		tb.Skip(left)
	}
}

// Tests leaves out all tests of a package, unless all run. It is for TestMain, before anything
// else; go test then reports "no tests to run".
func Tests() {
	if !flag.Parsed() {
		flag.Parse()
	}
	if All() || value("test.list") != "" {
		return
	}
	fmt.Println(left)
	if err := flag.Set("test.run", "^$"); err != nil {
		panic(err)
	}
}
