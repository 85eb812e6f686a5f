package jsondoc_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
)

// session returns a document like those of real sessions, of about size bytes.
func session(size int) string {
	var out strings.Builder
	out.WriteString(`{"user":{"id":4711,"name":"Zo\u00eb","roles":["editor","author"],"verified":true},"visits":41`)
	for i := 0; out.Len() < size; i++ {
		fmt.Fprintf(&out, `,"cart_%d":{"sku":"A-%05d","count":%d,"price":19.90,"note":null}`, i, i*37, i%5)
	}
	out.WriteByte('}')
	return out.String()
}

func BenchmarkParse(b *testing.B) {
	for _, bench := range []struct{ name, text string }{
		{"500B", session(440)},
		{"4KB", session(4000)},
		{"4KB spaced UTF-8", strings.NewReplacer(",", ", ", `\u00eb`, "ë").Replace(session(3700))},
		{"20000 members", wide(20000)},
	} {
		b.Run(bench.name, func(b *testing.B) {
			text := []byte(bench.text)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := jsondoc.Parse(text, jsondoc.MaxDepth); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkMergeOneKeyInto4KB(b *testing.B) {
	doc, patch := parse(b, session(4000)), parse(b, `{"user":{"seen":17}}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsondoc.MergePatch(doc, patch, jsondoc.NewBudget(noLimit)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIncrementIn4KB(b *testing.B) {
	doc, patch := parse(b, session(4000)), parsePatch(b, `[{"op":"increment","path":"/visits","value":1}]`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := patch.Apply(doc, jsondoc.NewBudget(noLimit)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkParsePatch(b *testing.B) {
	patch := parse(b, `[{"op":"increment","path":"/visits","value":1}]`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := jsondoc.ParsePatch(patch); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendASCII4KB(b *testing.B) {
	doc := parse(b, session(4000))
	buf := make([]byte, 0, doc.Size())
	b.ReportAllocs()
	b.SetBytes(int64(doc.Size()))
	for b.Loop() {
		buf = doc.AppendASCII(buf[:0])
	}
}

func BenchmarkAppendUTF8(b *testing.B) {
	ascii := parse(b, session(4000)).AppendASCII(nil)
	buf := make([]byte, 0, len(ascii))
	b.ReportAllocs()
	b.SetBytes(int64(len(ascii)))
	for b.Loop() {
		buf = jsondoc.AppendUTF8(buf[:0], ascii)
	}
}

func BenchmarkFields(b *testing.B) {
	doc := parse(b, session(4000))
	first, last := parsePath(b, "user.name"), parsePath(b, "cart_50.sku")
	b.Run("lookup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			doc.Lookup(last)
		}
	})
	b.Run("set", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := jsondoc.Set(doc, last, jsondoc.NewObject()); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("select", func(b *testing.B) {
		paths := []jsondoc.Path{first, last}
		b.ReportAllocs()
		for b.Loop() {
			jsondoc.Select(doc, paths)
		}
	})
}

// BenchmarkLargePatch is what the most that a patch may do costs on the largest documents. What is
// beyond the budget is refused, which must not take long either.
func BenchmarkLargePatch(b *testing.B) {
	zeros := `{"list":[` + strings.Repeat("0,", 120<<10) + `0]}`
	for _, bench := range []struct{ name, doc, operation string }{
		{"256 keys of 10000", wide(10000), `{"op":"replace","path":"/member%[1]d","value":true}`},
		{"256 removed of 10000", wide(10000), `{"op":"remove","path":"/member%[1]d"}`},
		{"256 inserted into 120000", zeros, `{"op":"add","path":"/list/0","value":1}`},
		{"256 copies changed", zeros, `{"op":"copy","from":"/list","path":"/other"},{"op":"add","path":"/other/0","value":1}`},
		{"256 moves", zeros, `{"op":"move","from":"/list","path":"/other"},{"op":"move","from":"/other","path":"/list"}`},
	} {
		b.Run(bench.name, func(b *testing.B) {
			operations := make([]string, jsondoc.MaxOperations/(strings.Count(bench.operation, `"op"`)))
			for i := range operations {
				operations[i] = bench.operation
				if strings.Contains(bench.operation, "%") {
					operations[i] = fmt.Sprintf(bench.operation, i*39)
				}
			}
			doc, patch := parse(b, bench.doc), parsePatch(b, "["+strings.Join(operations, ",")+"]")
			b.ReportAllocs()
			for b.Loop() {
				if _, err := patch.Apply(doc, jsondoc.NewBudget(noLimit)); err != nil && !errors.Is(err, jsondoc.ErrTooLarge) {
					b.Fatal(err)
				}
			}
		})
	}
}

// wide returns an object of n members.
func wide(n int) string {
	var out strings.Builder
	for i := range n {
		fmt.Fprintf(&out, `,"member%d":%d`, i, i)
	}
	return "{" + out.String()[1:] + "}"
}
