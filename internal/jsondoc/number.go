package jsondoc

import "strings"

// numeral is a JSON number in its parts. It is not evaluated, so a large exponent takes no memory.
type numeral struct {
	negative    bool
	whole, frac string // digits

	// exponent has the digits of the exponent. They may be too many for an integer.
	negativeExponent bool
	exponent         string
}

func splitNumber(text string) numeral {
	var n numeral
	text, n.negative = strings.CutPrefix(text, "-")
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		text, n.exponent = text[:i], text[i+1:]
		n.exponent, n.negativeExponent = strings.CutPrefix(n.exponent, "-")
		n.exponent = strings.TrimLeft(strings.TrimPrefix(n.exponent, "+"), "0")
	}
	n.whole, n.frac, _ = strings.Cut(text, ".")
	return n
}

// trim removes leading and trailing zeros, and returns the power of ten of the last digit that is
// left, without the exponent.
func (n *numeral) trim() (power int) {
	n.frac = strings.TrimRight(n.frac, "0")
	power = -len(n.frac)
	if n.frac == "" {
		digits := len(n.whole)
		n.whole = strings.TrimRight(n.whole, "0")
		power = digits - len(n.whole)
	}
	n.whole = strings.TrimLeft(n.whole, "0")
	if n.whole == "" {
		n.frac = strings.TrimLeft(n.frac, "0")
	}
	return power
}

// equalNumbers reports whether two JSON numbers have exactly the same value. It takes one pass.
func equalNumbers(a, b string) bool {
	if a == b {
		return true
	}
	x, y := splitNumber(a), splitNumber(b)
	xPower, yPower := x.trim(), y.trim()
	xDigits, yDigits := len(x.whole)+len(x.frac), len(y.whole)+len(y.frac)
	if xDigits != yDigits {
		return false
	}
	if xDigits == 0 {
		return true // -0 is 0
	}
	if x.negative != y.negative || !sameDigits(x, y) {
		return false
	}
	difference, ok := exponentDifference(x, y)
	return ok && difference == yPower-xPower
}

// sameDigits compares the digits of two numerals that have the same number of digits.
func sameDigits(x, y numeral) bool {
	if len(x.whole) > len(y.whole) {
		x, y = y, x
	}
	whole, between := y.whole[:len(x.whole)], y.whole[len(x.whole):]
	return x.whole == whole && x.frac[:len(between)] == between && x.frac[len(between):] == y.frac
}

// exponentDifference returns the exponent of x minus that of y, if the difference is small.
// Exponents may have any number of digits, but numbers can only be equal if theirs are near.
func exponentDifference(x, y numeral) (difference int, ok bool) {
	const limit = 1 << 40 // above every length of a text
	for i := max(len(x.exponent), len(y.exponent)); i > 0; i-- {
		difference = difference*10 + digitAt(x, i) - digitAt(y, i)
		if difference > limit || difference < -limit {
			return 0, false
		}
	}
	return difference, true
}

// digitAt returns the i-th digit of n's exponent, from the right, with the sign of the exponent.
func digitAt(n numeral, i int) int {
	if i > len(n.exponent) {
		return 0
	}
	digit := int(n.exponent[len(n.exponent)-i] - '0')
	if n.negativeExponent {
		return -digit
	}
	return digit
}
