package parts

import (
	"fmt"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/caddy-session/caddy-session/internal/jsondoc"
	"github.com/caddy-session/caddy-session/internal/wire"
)

// checkHeader refuses names that cannot be injected or captured, and those that are already in use.
func checkHeader(option, name string, taken *wire.Names) error {
	switch {
	case !httpguts.ValidHeaderFieldName(name):
		return fmt.Errorf("%s: %q is not a header name", option, name)
	case reserved(name):
		return fmt.Errorf("%s: %s cannot be used: it controls the connection, the message or the browser", option, name)
	case taken.Find(name) != 0:
		return fmt.Errorf("%s: %s is already in use", option, name)
	default:
		return nil
	}
}

// reserved reports whether a header cannot be injected or captured, because servers, proxies or
// browsers act on it.
func reserved(name string) bool {
	switch folded := wire.Fold(name); folded {
	case "connection", "proxy-connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te",
		"trailer", "transfer-encoding", "upgrade", "alt-svc", "host", "location", "cookie", "set-cookie":
		return true
	default:
		return strings.HasPrefix(folded, "content-")
	}
}

// ParseFields parses the dotted paths of an option.
func ParseFields(option string, fields []string) ([]jsondoc.Path, error) {
	var paths []jsondoc.Path
	for _, field := range fields {
		path, err := jsondoc.ParsePath(field)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", option, field, err)
		}
		paths = append(paths, path)
	}
	return paths, nil
}
