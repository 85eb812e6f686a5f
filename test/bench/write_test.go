package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCostsHasEveryTable has the page about costs a place for each table, beside which its command
// stands.
func TestCostsHasEveryTable(t *testing.T) {
	page := filepath.Join("..", "..", "docs", "costs.md")
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		if err := replaceTable(page, table.name, nil); err != nil {
			t.Error(err)
		}
	}
	if markers := strings.Count(string(text), "<!-- bench: "); markers != len(tables) {
		t.Errorf("there are %d places for %d tables", markers, len(tables))
	}
}

func TestReplaceTable(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	before := "text\n<!-- bench: a -->\nold\n<!-- end of bench -->\nmore\n<!-- bench: b -->\nold\n<!-- end of bench -->\n"
	if err := os.WriteFile(page, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := replaceTable(page, "b", []byte("new\n")); err != nil {
		t.Fatal(err)
	}
	want := strings.Replace(before, "b -->\nold", "b -->\nnew", 1)
	if got, _ := os.ReadFile(page); string(got) != want {
		t.Errorf("the page is now\n%s", got)
	}
	if err := replaceTable(page, "c", []byte("new\n")); err == nil {
		t.Error("a table without a place is no error")
	}
}

func TestChoose(t *testing.T) {
	for _, test := range []struct {
		only         string
		whole        bool
		tables, rows int
	}{
		{"", true, len(tables), len(requestRows) + len(storeRows) + len(frameworkRows)},
		{"late", true, 1, 0},
		{"stores", true, 1, len(storeRows)},
		{"adopt", false, 1, 2},
		{"adopt", true, 0, 0}, // part of a table would replace all of it
		{"nobody", false, 0, 0},
	} {
		chosen, err := choose(test.only, test.whole)
		rows := 0
		for _, table := range chosen {
			rows += len(table.rows)
		}
		if len(chosen) != test.tables || rows != test.rows || (err != nil) != (test.tables == 0) {
			t.Errorf("%q: %d tables with %d rows, %v", test.only, len(chosen), rows, err)
		}
	}
	if len(tables[0].rows) != len(requestRows) {
		t.Error("choosing rows changed the tables")
	}
}
