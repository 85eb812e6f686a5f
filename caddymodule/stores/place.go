package stores

// Placed is implemented by the modules that can say where they keep the sessions.
type Placed interface {
	// Place returns a path, or addresses, for operators and logs. It holds no secret. It is called
	// after provisioning.
	Place() string
}

// PlaceOf returns where a module keeps the sessions, or nothing if it does not say.
func PlaceOf(module any) string {
	if placed, ok := module.(Placed); ok {
		return placed.Place()
	}
	return ""
}

// Prefixed adds the prefix of the keys to a place, if one is configured.
func Prefixed(place, prefix string, configured bool) string {
	if !configured {
		return place
	}
	return place + " prefix " + prefix
}
