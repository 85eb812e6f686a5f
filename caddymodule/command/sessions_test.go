package command

import (
	"slices"
	"strings"
	"testing"
)

// all returns what a method visits.
func all[F any](visit func(func(F))) (found []F) {
	visit(func(f F) { found = append(found, f) })
	return found
}

// What follows a flag that takes a value is no ref, although it has the form of one. This holds for
// each flag of each command that takes refs, before and behind a ref.
func TestValuesOfTheFormOfARef(t *testing.T) {
	ref := "-" + strings.Repeat("r", 42)
	for i, cmd := range operating() {
		if !cmd.DisableFlagParsing {
			continue // it takes no refs
		}
		var spellings []string
		for _, f := range all(cmd.Flags().VisitAll) {
			if f.NoOptDefVal == "" {
				spellings = append(spellings, "--"+f.Name)
			}
			if f.Shorthand != "" {
				spellings = append(spellings, "-"+f.Shorthand)
			}
		}
		if !slices.Contains(spellings, "--store") || !slices.Contains(spellings, "-c") || slices.Contains(spellings, "--json") {
			t.Errorf("%s: the flags %q", cmd.Name(), spellings)
		}
		for _, spelling := range spellings {
			for _, like := range []string{strings.Repeat("u", 43), "-" + strings.Repeat("u", 42), "--" + strings.Repeat("u", 41), "--"} {
				for _, args := range [][]string{{spelling, like, ref}, {ref, spelling, like}, {"--json", spelling, like, "--", ref}} {
					cmd := operating()[i]
					cmd.DisableFlagParsing = false
					err := cmd.ParseFlags(refsLast(cmd, args))
					flag := cmd.Flags().Lookup(strings.TrimPrefix(spelling, "--"))
					if len(spelling) == 2 {
						flag = cmd.Flags().ShorthandLookup(spelling[1:])
					}
					if err != nil || flag.Value.String() != like || !slices.Equal(cmd.Flags().Args(), []string{ref}) {
						t.Errorf("%s %q: the value %q, the refs %q, %v", cmd.Name(), args, flag.Value, cmd.Flags().Args(), err)
					}
				}
			}
		}
	}
}
