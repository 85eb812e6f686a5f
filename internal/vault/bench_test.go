package vault

import (
	"fmt"
	"testing"
)

func lines(n int) (list []string) {
	for i := range n {
		list = append(list, fmt.Sprintf("cookie_%d=0123456789abcdef0123456789abcdef; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax", i))
	}
	return list
}

func BenchmarkReceive(b *testing.B) {
	line := lines(1)[0]
	b.ReportAllocs()
	for b.Loop() {
		Receive(line, site, now)
	}
}

func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1, 3, 100} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			stored := jar(b, Vault{}, site, lines(n)...).Encode()
			b.ReportAllocs()
			for b.Loop() {
				v, err := Decode(stored)
				if err != nil {
					b.Fatal(err)
				}
				v.Header(site, now)
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, n := range []int{3, 99} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			v := jar(b, Vault{}, site, lines(n)...)
			set := received(b, site, "another=1; Path=/")
			b.ReportAllocs()
			for b.Loop() {
				next, _, err := v.Apply(set, now)
				if err != nil {
					b.Fatal(err)
				}
				next.Encode()
			}
		})
	}
}

func BenchmarkForges(b *testing.B) {
	p := patterns(b, "adminer_*", "PHPSESSID")
	b.ReportAllocs()
	for b.Loop() {
		r := p.Reader(false)
		r.Forges(" _ga=GA1.1.123456789.1795318769")
	}
}
