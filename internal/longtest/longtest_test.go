package longtest

import (
	"flag"
	"testing"
)

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
		ran := false
		t.Run("a long test", func(t *testing.T) { Test(t); ran = true })
		if ran != test.all {
			t.Errorf("%+v: a long test ran: %v", test, ran)
		}
		Tests()
		if got := value("test.run"); (got != "^$") != test.all {
			t.Errorf("%+v: -run is %q", test, got)
		}
	}
}
