package longtest

import (
	"flag"
	"testing"
)

// testOf is a test that only notes that it is skipped.
type testOf struct {
	testing.TB
	skipped bool
}

func (*testOf) Helper() {}

func (t *testOf) Skip(...any) { t.skipped = true }

func TestAll(t *testing.T) {
	was := value("test.run")
	defer func() { _ = flag.Set("test.run", was) }()
	for _, test := range []struct {
		ci, tests, run string
		all            bool
	}{
		{"", "", "", false}, {"false", "", "", false}, {"", "some", "", false},
		{"true", "", "", true}, {"", "all", "", true}, {"", "", "TestAll", true},
	} {
		t.Setenv("CI", test.ci)
		t.Setenv("SESSION_TEST", test.tests)
		if err := flag.Set("test.run", test.run); err != nil {
			t.Fatal(err)
		}
		if got := All(); got != test.all {
			t.Errorf("%+v: got %v", test, got)
		}
		var long testOf
		if Test(&long); long.skipped == test.all {
			t.Errorf("%+v: a long test is skipped: %v", test, long.skipped)
		}
		Tests()
		if got := value("test.run"); (got != "^$") != test.all {
			t.Errorf("%+v: -run is %q", test, got)
		}
	}
}
