package remote

import (
	"cmp"
	"fmt"
	"time"
)

// CheckPrefix checks the option key_prefix of a driver.
func CheckPrefix(driver, prefix string) error {
	for i := range len(prefix) {
		if c := prefix[i]; c < '!' || c > '~' {
			return fmt.Errorf("%s: key_prefix: %q: only printable ASCII characters without spaces are allowed", driver, prefix)
		}
	}
	return nil
}

// SetTimeout sets the default of an option, whose name begins with the driver, and checks it.
func SetTimeout(option string, value *time.Duration, byDefault time.Duration) error {
	if *value = cmp.Or(*value, byDefault); *value < time.Millisecond {
		return fmt.Errorf("%s %s: must be at least 1ms", option, *value)
	}
	return nil
}
