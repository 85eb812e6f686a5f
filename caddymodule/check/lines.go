package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// lines finds lines of a Caddyfile. The adapted JSON does not say from which lines it is.
type lines struct{ all []line }

type line struct {
	at    string // "file:line"
	words []string
}

// maxLines is the maximum number of lines of a finding. If there are more, they say nothing.
const maxLines = 3

// linesOf returns the lines of a Caddyfile, with its imports and snippets.
func linesOf(filename string, input []byte) *lines {
	blocks, err := caddyfile.Parse(filename, input)
	if err != nil || input == nil {
		return &lines{}
	}
	l := new(lines)
	for _, block := range blocks {
		for _, segment := range block.Segments {
			for _, token := range segment {
				at := fmt.Sprintf("%s:%d", token.File, token.Line)
				if n := len(l.all); n == 0 || l.all[n-1].at != at {
					l.all = append(l.all, line{at: at})
				}
				last := &l.all[len(l.all)-1]
				last.words = append(last.words, token.Text)
			}
		}
	}
	return l
}

// of returns the lines that begin with a word, if it is not empty, and have all the texts.
func (l *lines) of(first string, texts ...string) (found []string) {
	return l.with(first, strings.Contains, texts...)
}

// address returns the lines with the address of an app, or those in which it is a part of a word.
func (l *lines) address(dial string) []string {
	named := func(word, dial string) bool {
		if _, rest, ok := strings.Cut(word, "://"); ok {
			word = rest
		}
		return word == dial || word+":80" == dial
	}
	if found := l.with("", named, dial); found != nil {
		return found
	}
	return l.of("", dial)
}

func (l *lines) with(first string, has func(word, text string) bool, texts ...string) (found []string) {
	for _, line := range l.all {
		if first != "" && line.words[0] != first {
			continue
		}
		missing := slices.ContainsFunc(texts, func(text string) bool {
			return !slices.ContainsFunc(line.words, func(word string) bool { return has(word, text) })
		})
		if !missing && !slices.Contains(found, line.at) {
			found = append(found, line.at)
		}
	}
	if len(found) > maxLines {
		return nil
	}
	return found
}
