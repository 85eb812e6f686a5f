package jsondoc

import (
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

const (
	// MaxDigits is the maximum number of digits, with zeros, of a number for increment.
	MaxDigits = 32

	// MaxExponent is the maximum exponent of such a number, positive or negative.
	MaxExponent = 32
)

var (
	errNotNumber = errors.New("not a number")
	errDigits    = fmt.Errorf("a number of more than %d digits", MaxDigits)
	errExponent  = fmt.Errorf("a number with an exponent beyond %d", MaxExponent)
)

// decimal is the number coefficient / 10^scale. The scale is not negative.
type decimal struct {
	coefficient *big.Int
	scale       int
}

// parseDecimal reads a canonical text that increment can work with.
func parseDecimal(text string) (decimal, error) {
	if kindOf(text) != Number {
		return decimal{}, errNotNumber
	}
	n := splitNumber(text)
	if len(n.whole)+len(n.frac) > MaxDigits {
		return decimal{}, errDigits
	}
	var exponent int
	if n.exponent != "" {
		var err error
		if exponent, err = strconv.Atoi(n.exponent); err != nil || exponent > MaxExponent {
			return decimal{}, errExponent
		}
	}
	if n.negativeExponent {
		exponent = -exponent
	}
	d := decimal{coefficient: new(big.Int), scale: len(n.frac)}
	d.coefficient.SetString(n.whole+n.frac, 10)
	if n.negative {
		d.coefficient.Neg(d.coefficient)
	}
	d.scale -= exponent
	d.rescale(max(d.scale, 0))
	return d, nil
}

// rescale returns the same number with a scale that is not smaller.
func (d *decimal) rescale(scale int) {
	if scale > d.scale {
		factor := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale-d.scale)), nil)
		d.coefficient.Mul(d.coefficient, factor)
		d.scale = scale
	}
}

// addNumbers returns the exact sum of two canonical texts.
func addNumbers(a, b string) (string, error) {
	// 18 characters cannot overflow.
	if len(a) <= 18 && len(b) <= 18 {
		x, err := strconv.ParseInt(a, 10, 64)
		if err == nil {
			if y, err := strconv.ParseInt(b, 10, 64); err == nil {
				return strconv.FormatInt(x+y, 10), nil
			}
		}
	}
	x, err := parseDecimal(a)
	if err != nil {
		return "", err
	}
	y, err := parseDecimal(b)
	if err != nil {
		return "", err
	}
	scale := max(x.scale, y.scale)
	x.rescale(scale)
	y.rescale(scale)
	x.coefficient.Add(x.coefficient, y.coefficient)
	return x.String(), nil
}

// String returns the number in plain notation, with as many decimals as its scale: 1.50 and 1 make
// 2.50. A number so near to zero that it would have too many zeros for another increment is written
// with an exponent, and a zero of such a scale as 0. Large sums are written with all their digits,
// even if they are too many for another increment.
func (d decimal) String() string {
	if d.scale == 0 {
		return d.coefficient.String()
	}
	digits, sign := d.coefficient.String(), ""
	if digits[0] == '-' {
		digits, sign = digits[1:], "-"
	}
	if d.scale >= MaxDigits && len(digits) <= d.scale {
		switch {
		case digits == "0":
			return "0"
		case len(digits) == 1:
			return fmt.Sprintf("%s%se-%d", sign, digits, d.scale)
		default:
			return fmt.Sprintf("%s%s.%se-%d", sign, digits[:1], digits[1:], d.scale-len(digits)+1)
		}
	}
	if missing := d.scale + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - d.scale
	return sign + digits[:point] + "." + digits[point:]
}
