package main

import (
	"bytes"
	"fmt"
	"os"
)

// replaceTable puts text between the two markers of a table in a file; nil only looks for them.
func replaceTable(path, name string, text []byte) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	start, end := fmt.Appendf(nil, "<!-- bench: %s -->\n", name), []byte("<!-- end of bench -->\n")
	before, rest, found := bytes.Cut(page, start)
	if !found {
		return fmt.Errorf("%s has no line %q", path, start)
	}
	_, after, found := bytes.Cut(rest, end)
	if !found {
		return fmt.Errorf("%s has no line %q after %q", path, end, start)
	}
	if text == nil {
		return nil
	}
	return os.WriteFile(path, bytes.Join([][]byte{before, start, text, end, after}, nil), 0o644)
}
